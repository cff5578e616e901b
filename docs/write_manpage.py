"""Write the manual page from the argument parser: ``python docs/write_manpage.py``."""

import os
import re
import subprocess
import sys
from pathlib import Path

ABOUT = "ghost text from a fill-in-the-middle model, in any editor that speaks LSP"
PAGE = Path(__file__).parent / "fim-lsp.1"
COLUMNS = "68"
"""So wide that a page of 80 columns, which indents, breaks no line of a usage again."""
SECTIONS = {
    "FILES": {
        "~/.config/fim-lsp/config.toml": "the settings (elsewhere on other platforms: fim-lsp "
        "doctor says where)",
        "~/.local/state/fim-lsp": "what is kept on this machine: stats.db (counts), and "
        "calls.sqlite3 (the minute's budget, for all windows)",
    },
    "ENVIRONMENT": {
        "ODEUS_API_KEY": "the key, or another variable by preset or by the setting api_key_env",
        "FIM_LSP_CONFIG": "another settings file",
        "FIM_LSP_TOKEN": "the token that fim-lsp serve --tcp asks for",
        "FIM_LSP_STORE_PASSWORD": "the password of the store that limits.store names",
        "HTTPS_PROXY, NO_PROXY": "a proxy, unless network.proxy is set",
        "NO_COLOR": "no colours in a terminal",
    },
    "EXIT STATUS": {
        "0": "all is well",
        "1": "the endpoint failed",
        "2": "a mistake in the command line or, for doctor, in the settings; one line says which",
        "130": "interrupted",
    },
}


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
        env={**os.environ, "COLUMNS": COLUMNS},
    ).stdout
    made = made.replace(str(Path.home()), "~")
    made = re.sub(r'^(\.TH \S+ "1") "[^"]*"', r'\1 ""', made)
    made = made.replace("\nfim\\-lsp\n", f"\nfim\\-lsp \\- {ABOUT}\n", 1)
    PAGE.write_text(made.rstrip() + "\n" + "".join(map(_section, SECTIONS)), encoding="utf-8")


def _section(title: str) -> str:
    rows = (f".TP\n\\fB{_roff(name)}\\fR\n{_roff(text)}" for name, text in SECTIONS[title].items())
    return "\n".join((f".SH {title}", *rows, ""))


def _roff(text: str) -> str:
    return text.replace("-", "\\-")


if __name__ == "__main__":
    main()
