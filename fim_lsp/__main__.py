"""``python -m fim_lsp`` is the same as ``fim-lsp``."""

import os
import sys

# Python looks into the current folder first, which may be a stranger's project.
if not sys.flags.safe_path and sys.path[0] != os.path.dirname(os.path.dirname(__file__)):  # noqa: PTH120 - pathlib would be looked for there
    del sys.path[0]

from fim_lsp.cli import main

sys.exit(main())
