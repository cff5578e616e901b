"""``fim-lsp context``: what the model would be given to read at a place, and what not, and why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fim_lsp.oneshot import Place, Prompt, place_in, prompt_for
from fim_lsp.pacing.tokens import TokenRates
from fim_lsp.settings import Settings
from fim_lsp.snippets.packing import Chosen, Piece
from fim_lsp.terminal import visible
from fim_lsp.workspace import Workspace, read_text

_WIDE = 150


def report_on(
    file: Path,
    line: int,
    column: int,
    settings: Settings,
    *,
    others: Sequence[Path] = (),
    as_json: bool = False,
) -> str:
    """The report as a text. Raises ``UsageError`` where there is no such place."""
    place = place_in(file, line, column, settings)
    workspace = Workspace([place.folder], settings.context.exclude)
    refused = {str(one): why for one in others if (why := workspace.refusal(one.absolute()))}
    opened = [
        (one.resolve().as_uri(), read_text(one) or "") for one in others if str(one) not in refused
    ]
    prompt = asyncio.run(prompt_for(place, settings, others=opened))
    found = report(place, prompt, settings, refused)
    return json.dumps(found, indent=2) if as_json else "\n".join(_lines(found))


def report(
    place: Place, prompt: Prompt, settings: Settings, refused: Mapping[str, str]
) -> dict[str, Any]:
    """All of it as plain values."""
    rates, language = TokenRates(), place.context.language

    def tokens(chars: int) -> int:
        return rates.tokens(chars, language)

    chosen = prompt.pack.chosen if prompt.supply.snippets else ()
    return {
        "prompt_tokens": settings.context.prompt_tokens,
        "own": {"path": place.path, "tokens": tokens(prompt.windows.chars)},
        "others": {"tokens": tokens(prompt.supply.chars), "files_read": prompt.files_read},
        "read_to_the_end": prompt.was_in_time,
        "snippets": [
            {"rank": rank, "tokens": tokens(chars), "worth": round(one.worth, 6)} | told
            for rank, (one, chars, told) in enumerate(_rows(chosen), 1)
        ],
        "left_out": [_told(one.piece) | {"why": one.why} for one in prompt.pack.left_out],
        "not_read": [{"path": path, "why": why} for path, why in refused.items()],
        "sent": [{"path": one.path, "text": one.text} for one in prompt.supply.snippets],
    }


def _rows(chosen: Sequence[Chosen]) -> Iterable[tuple[Chosen, int, dict[str, Any]]]:
    """Each piece with its length; a file's names alone as one, at its best one's rank."""
    lists: dict[str, list[Chosen]] = {}
    for one in chosen:
        if one.piece.is_name:
            lists.setdefault(one.piece.path, []).append(one)
    for one in chosen:
        told = _told(one.piece)
        if not one.piece.is_name:
            yield one, one.chars, told
        elif names := lists.pop(one.piece.path, []):
            text = ", ".join(name.piece.text for name in names)
            yield one, sum(name.chars for name in names), told | {"text": text}


def _told(piece: Piece) -> dict[str, Any]:
    return {
        "source": piece.origin,
        "path": piece.path,
        "line": piece.line + 1,
        "text": piece.text.strip(),
    }


def _lines(found: Mapping[str, Any]) -> Iterable[str]:
    own, others = found["own"], found["others"]
    yield (
        f"{found['prompt_tokens']} tokens at most: {own['tokens']} of {own['path']}, "
        f"{others['tokens']} of snippets, from {others['files_read']} files"
    )
    if not found["read_to_the_end"]:
        yield "The project is large: not all of it was read in time. An editor's server goes on."
    yield ""
    yield from _table(found["snippets"], ("rank", "tokens", "source"))
    if not found["snippets"]:
        yield "no snippets"
    if found["left_out"]:
        yield from ("", "left out, the best first:")
        yield from _table(found["left_out"], ("why",))
    if found["not_read"]:
        yield from ("", "never read:")
        yield from (f"  {visible(one['path'])}: {one['why']}" for one in found["not_read"])
    for one in found["sent"]:
        yield from ("", f"+++++ {visible(one['path'])}")
        yield from (visible(line) for line in one["text"].split("\n"))


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Iterable[str]:
    widths = {name: max((len(str(row[name])) for row in rows), default=0) for name in columns}
    for row in rows:
        cells = [str(row[name]).ljust(widths[name]) for name in columns]
        first = row["text"].partition("\n")[0]
        place = f"{row['path']}:{row['line']}"
        yield f"  {'  '.join(cells)}  {visible(f'{place}  {first}')}"[:_WIDE].rstrip()
