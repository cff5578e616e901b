"""A terminal for tests that understands what this program writes, and fails at anything else."""

from __future__ import annotations

import io
import re


class LittleTerminal(io.StringIO):
    """Keeps what is to be seen in ``rows``; the cursor counts from 0."""

    encoding = "utf-8"

    def __init__(self, width: int, height: int) -> None:
        super().__init__()
        self.rows = [""] * height
        self.cursor = (0, 0)
        self.width = width
        self.written = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        self.written += len(text)
        for step in re.finditer(
            r"\x1b\[(?P<row>\d+);(?P<column>\d+)H|(?P<clear>\x1b\[2J)|(?P<erase>\x1b\[K)"
            r"|\x1b\[[\d;]*m|\x1b\[\?\d+[hl]|(?P<text>[^\x1b]+)|(?P<bad>\x1b)",
            text,
        ):
            self._do(step)
        return len(text)

    def _do(self, step: re.Match[str]) -> None:
        assert not step["bad"], "an escape sequence that no terminal was asked to know"
        row, column = self.cursor
        if step["row"]:
            self.cursor = (int(step["row"]) - 1, int(step["column"]) - 1)
        elif step["clear"]:
            self.rows = [""] * len(self.rows)
        elif step["erase"]:
            self.rows[row] = self.rows[row][:column]
        elif step["text"]:
            old = self.rows[row].ljust(column)
            end = column + len(step["text"])
            assert end < self.width, "the last column stays free"
            self.rows[row] = old[:column] + step["text"] + old[end:]
            self.cursor = (row, end)
