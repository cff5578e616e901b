"""What one key costs in documents of many sizes: our store against that of pygls, in one run.

    python benchmarks/document_edits.py

Each row types characters one after the other in the middle of a document and takes the median. Ours
also cuts the context that a request needs; pygls' figure beside it is the offset of the cursor in
its text, the least that its users need for the same.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from lsprotocol import types as lsp
from pygls.workspace import TextDocument

from fim_lsp.document import Change, Document, Position

KEYS = 41
"""Keys a row; fewer where they take long."""
LONGEST_ROW_S = 5.0
ASCII_LINE = "    total = total + item.price * item.count  # in cents\n"
OTHER_LINE = "    summe = summe + preis * größe  # in Cent, für 漢字 und 😀\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One document to type in."""

    name: str
    text: str
    line: int
    character: int
    """In UTF-16 units."""
    typed: str = "x"


def rows() -> list[Row]:
    """The documents, small to large."""
    return [
        many_lines("1,000 lines", ASCII_LINE, 1_000),
        many_lines("1,000 lines, not ASCII", OTHER_LINE, 1_000),
        many_lines("200,000 lines", "x = 1\n", 200_000),
        replace(many_lines("200,000 lines, Enter", "x = 1\n", 200_000), typed="\n"),
        many_lines("0.5 MB", ASCII_LINE, 500_000 // len(ASCII_LINE)),
        many_lines("5 MB", ASCII_LINE, 5_000_000 // len(ASCII_LINE)),
        many_lines("20 MB", ASCII_LINE, 20_000_000 // len(ASCII_LINE)),
        many_lines("20 MB, not ASCII", OTHER_LINE, 20_000_000 // len(OTHER_LINE.encode())),
        one_line("1 MB in one line", "a, " * 333_333),
        one_line("1 MB in one line, not ASCII", "a漢😀" * 125_000),
    ]


def many_lines(name: str, line: str, count: int) -> Row:
    """A document of equal lines."""
    return Row(name=name, text=line * count, line=count // 2, character=20)


def one_line(name: str, text: str) -> Row:
    """A document of one line, as minified code is."""
    units = len(text.encode("utf-16-le")) // 2
    return Row(name=name, text=text, line=0, character=units // 2)


def median_ms(press: Callable[[int], None]) -> float:
    """The median of several keys, in milliseconds."""
    taken: list[float] = []
    while len(taken) < KEYS and sum(taken) < LONGEST_ROW_S:
        began = time.perf_counter()
        press(len(taken))
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def our_edit(document: Document, row: Row, key: int) -> None:
    """Type one character."""
    at = Position(row.line, row.character + key)
    document.apply([Change(text=row.typed, start=at, end=at)], key, "utf-16")


def our_context(document: Document, row: Row, key: int) -> None:
    """Cut what a request needs."""
    at = Position(row.line, row.character + key)
    document.context(*document.clamp(at, "utf-16"))


def their_edit(document: TextDocument, row: Row, key: int) -> None:
    """Type one character."""
    at = lsp.Position(row.line, row.character + key)
    document.apply_change(lsp.TextDocumentContentChangePartial(lsp.Range(at, at), row.typed))


def their_offset(document: TextDocument, row: Row, key: int) -> None:
    """Find the cursor in the text."""
    document.offset_at_position(lsp.Position(row.line, row.character + key))


def main() -> None:
    """Print the table."""
    print("| document | edit, ms | pygls, ms | times | context, ms | pygls' offset, ms |")
    print("|---|---|---|---|---|---|")
    for row in rows():
        ours = Document("file:///a.py", "python", 0, row.text)
        theirs = TextDocument("file:///a.py", row.text)
        edit = median_ms(partial(our_edit, ours, row))
        context = median_ms(partial(our_context, ours, row))
        pygls = median_ms(partial(their_edit, theirs, row))
        offset = median_ms(partial(their_offset, theirs, row))
        print(
            f"| {row.name} | {edit:.4f} | {pygls:.2f} | {pygls / edit:,.0f} "
            f"| {context:.3f} | {offset:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
