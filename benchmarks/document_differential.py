"""1,000,000 random edits against other documents: ``python -m benchmarks.document_differential``.

Against ``vscode-languageserver-textdocument`` in UTF-16 (``tests/editors/setup_vscode.sh`` installs
it) and against plain strings in UTF-8 and UTF-32. A number as argument makes it so many.
"""

from __future__ import annotations

import sys
import time
from typing import get_args

from fim_lsp.document import Encoding
from tests.document_differential import differences


def main() -> None:
    """Print the differences for each encoding."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print("| encoding | against | edits | differences | s |")
    print("|---|---|---|---|---|")
    for encoding in get_args(Encoding):
        other = "vscode-languageserver-textdocument" if encoding == "utf-16" else "a string"
        began = time.monotonic()
        found = differences(count, encoding)
        took_s = time.monotonic() - began
        print(f"| {encoding} | {other} | {count:,} | {found} | {took_s:.0f} |", flush=True)


if __name__ == "__main__":
    main()
