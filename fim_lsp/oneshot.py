"""One question to the model outside any editor: what ``complete`` and ``doctor`` share.

No memory, no pause and no budget: a person asked once and waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fim_lsp import postprocess, prompt, stop, trigger
from fim_lsp.context import CursorContext
from fim_lsp.document import Document
from fim_lsp.errors import UsageError
from fim_lsp.pacing.tokens import TokenRates
from fim_lsp.providers import FimRequest, FinishReason, Provider, Usage
from fim_lsp.settings import Settings
from fim_lsp.snippets.packing import Pack
from fim_lsp.snippets.source import MAX_LINES
from fim_lsp.snippets.supply import Snippets, Supply
from fim_lsp.workspace import Workspace, language_of

MAX_FILE_BYTES = 20_000_000
READING_S = 10.0
"""The project may be read for so long."""
_ROOT_SIGNS = (".git", ".hg", ".svn", "pyproject.toml", "package.json", "Cargo.toml", "go.mod")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A cursor in a file, as it is asked about."""

    context: CursorContext
    folder: Path
    """The project's folder, or the file's own where no project is found around it."""
    path: str
    """Relative to the folder, with forward slashes."""
    document: Document
    line: int
    """From 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What is sent for a place."""

    windows: prompt.Windows
    supply: Supply = field(default_factory=Supply)
    pack: Pack = field(default_factory=Pack)
    files_read: int = 0
    """How many of the project's files were looked at."""
    was_in_time: bool = True
    """False where the project was too large to be read to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one question."""

    text: str
    """What an editor would insert; empty where there is nothing to show."""
    reason: str = ""
    """One line: why it was cut, or why there is nothing."""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    first_text_ms: float | None = None
    total_ms: float = 0.0


def place_in(file: Path, line: int, column: int, settings: Settings) -> Place:
    """The cursor before a column of a line, both counted from 1 in characters.

    Raises ``UsageError`` where there is no such place, or the file may not be sent.
    """
    folder = _project_of(file)
    path = file.resolve().relative_to(folder).as_posix()
    if Workspace([folder], settings.context.exclude).excluded(path):
        message = (
            f"{file} is never sent: the setting context.exclude names it. "
            "Change that setting if it holds no secret."
        )
        raise UsageError(message)
    document = Document(file.resolve().as_uri(), language_of(file.name), None, _read(file))
    if not 1 <= line <= document.line_count:
        message = f"{file} has {document.line_count} lines: LINE {line} is not one of them."
        raise UsageError(message)
    columns = len(document.line(line - 1)) + 1
    if not 1 <= column <= columns:
        message = (
            f"{file}:{line} ends at column {columns}: use a COLUMN from 1 to {columns} "
            "(counted in characters)."
        )
        raise UsageError(message)
    return Place(
        context=document.context(line - 1, column - 1),
        folder=folder,
        path=path,
        document=document,
        line=line - 1,
    )


async def prompt_for(
    place: Place, settings: Settings, *, others: Sequence[tuple[str, str]] = ()
) -> Prompt:
    """What would be sent for a place, once the project has been read.

    ``others`` are further open documents, the last seen last: URI and text.
    """
    rates, context = TokenRates(), place.context
    rate = rates.chars_per_token(context.language)
    max_chars = rates.chars(settings.context.prompt_tokens, context.language)
    snippets = Snippets(settings.context, [place.folder])
    try:
        snippets.start()
        in_time = await _read_project(snippets)
        for uri, text in others:
            snippets.opened(uri, language_of(uri), text)
        snippets.opened(context.uri, context.language, place.document.beginning(MAX_LINES))
        snippets.look(context, place.line, max_chars=max_chars, chars_per_token=rate)
        await snippets.settle(context.uri, READING_S)
        supply = snippets.gather(context, max_chars=max_chars, chars_per_token=rate)
        return Prompt(
            windows=prompt.cut(context, max_chars=max_chars - supply.chars),
            supply=supply,
            pack=snippets.pack_of(context.uri),
            files_read=len(snippets.index),
            was_in_time=in_time,
        )
    finally:
        snippets.close()


async def _read_project(snippets: Snippets) -> bool:
    try:
        async with asyncio.timeout(READING_S):
            while snippets.is_indexing:  # noqa: ASYNC110 - it reads in a thread
                await asyncio.sleep(0.01)
    except TimeoutError:
        return False
    return True


async def ask_once(
    provider: Provider,
    settings: Settings,
    context: CursorContext,
    *,
    path: str = "",
    given: Prompt | None = None,
    on_text: Callable[[str], None] | None = None,
) -> Outcome:
    """Ask, as an editor's explicit request would. Raises ``ProviderError``.

    ``given`` is what to send; without it, what the document alone gives.
    ``on_text`` is given the whole text to show each time that it has grown.
    """
    lines = trigger.decide(context, invoked=True).lines
    request = _request(settings, context, path, given)
    began, first_ms, raw = time.perf_counter(), None, ""
    finish: FinishReason | None = None
    usage: Usage | None = None
    async with contextlib.aclosing(provider.stream(request)) as chunks:
        async for chunk in chunks:
            raw = (raw + chunk.text)[: stop.MOST_CHARS]
            finish, usage = chunk.finish_reason or finish, chunk.usage or usage
            if chunk.text and first_ms is None:
                first_ms = _ms_since(began)
            if chunk.text and on_text:
                on_text(postprocess.shape(raw, context, lines=lines, complete=False).text)
            is_long = len(raw) == stop.MOST_CHARS
            if chunk.text and (is_long or stop.progress(raw, context, lines=lines).finished):
                finish = finish or "stop"
                break
    shaped = postprocess.shape(raw, context, lines=lines, cut_off=finish != "stop")
    return Outcome(
        text=shaped.text,
        reason=shaped.reason or ("" if raw else "the model had nothing to say here"),
        finish_reason=finish,
        usage=usage,
        first_text_ms=first_ms,
        total_ms=_ms_since(began),
    )


def _request(
    settings: Settings, context: CursorContext, path: str, given: Prompt | None
) -> FimRequest:
    if given is None:
        max_chars = TokenRates().chars(settings.context.prompt_tokens, context.language)
        given = Prompt(windows=prompt.cut(context, max_chars=max_chars))
    windows = given.windows
    return FimRequest(
        prompt=windows.prompt,
        suffix=windows.suffix,
        language=context.language,
        path=path,
        snippets=given.supply.snippets,
        max_tokens=settings.request.max_tokens,
        min_tokens=1,  # an explicit wish is not met with nothing
    )


def _ms_since(began_s: float) -> float:
    return (time.perf_counter() - began_s) * 1000


def _project_of(file: Path) -> Path:
    """The nearest folder above that looks like a project's root, else the file's own folder."""
    own = file.resolve().parent
    for folder in (own, *own.parents):
        if any((folder / sign).exists() for sign in _ROOT_SIGNS):
            return folder
    return own


def _read(file: Path) -> str:
    try:
        if file.is_dir():
            message = f"{file} is a folder: name a file in it."
            raise UsageError(message)
        with file.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        message = f"{file} does not exist: check the path."
        raise UsageError(message) from None
    except OSError as error:
        message = f"{file} cannot be read ({error.strerror}): check its permissions."
        raise UsageError(message) from None
    if len(content) > MAX_FILE_BYTES:
        message = f"{file} is larger than {MAX_FILE_BYTES:,} bytes: that is no source file."
        raise UsageError(message)
    if b"\0" in content:
        message = f"{file} is no text (it holds NUL bytes): name a source file."
        raise UsageError(message)
    return content.decode("utf-8", errors="replace")
