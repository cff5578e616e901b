"""Write the manual page from the argument parser: ``python docs/write_manpage.py``."""

import re
import subprocess
import sys
from pathlib import Path

ABOUT = "ghost text from a fill-in-the-middle model, in any editor that speaks LSP"
PAGE = Path(__file__).parent / "fim-lsp.1"


def main() -> None:
    """Write the page, without the folder of whoever writes it and without a date."""
    made = subprocess.run(  # noqa: S603 - our own parser
        [
            *(sys.executable, "-c", "from argparse_manpage.cli import main; main()"),
            *("--module", "fim_lsp.cli", "--function", "make_parser"),
            *("--project-name", "fim-lsp", "--manual-title", "fim-lsp"),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    made = made.replace(str(Path.home()), "~")
    made = re.sub(r'^(\.TH \S+ "1") "[^"]*"', r'\1 ""', made)
    made = made.replace("\nfim\\-lsp\n", f"\nfim\\-lsp \\- {ABOUT}\n", 1)
    PAGE.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
