"""A completer with a scripted provider and one document to type into; for virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field

from fim_lsp.completer import Answer, Ask, Completer
from fim_lsp.context import CursorContext
from fim_lsp.errors import ProviderError
from fim_lsp.pacing.breaker import Notice
from fim_lsp.providers import Chunk, FimRequest, FinishReason, Usage
from fim_lsp.settings import Settings
from tests.cursor import CURSOR

TTFT_S = 0.2
PIECE_S = 0.01
PIECE_CHARS = 4
CHARS_PER_TOKEN = 3.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How the model answers one call."""

    text: str = ""
    ttft_s: float = TTFT_S
    piece_s: float = PIECE_S
    finish: FinishReason | None = "stop"
    error: ProviderError | None = None
    """Raised when the text is out."""
    has_usage: bool = True


@dataclass(slots=True, kw_only=True)
class Asked:
    """A call that was made, and what became of it; times in virtual seconds."""

    request: FimRequest
    at_s: float
    ended_s: float | None = None
    was_hung_up: bool = False
    said: str = ""

    @property
    def prompt_chars(self) -> int:
        """What was sent of the document."""
        return len(self.request.prompt) + len(self.request.suffix)


Model = Callable[[FimRequest], Said]


@dataclass(slots=True)
class ScriptedProvider:
    """Answers by a function of the request, at the pace that it says."""

    model: Model
    free: bool = False
    name: str = "mistral"
    on_headers: Callable[[Mapping[str, str]], None] | None = None
    calls: list[Asked] = field(default_factory=list[Asked])

    @property
    def running(self) -> list[Asked]:
        """The calls under way."""
        return [call for call in self.calls if call.ended_s is None]

    async def stream(self, request: FimRequest) -> AsyncGenerator[Chunk]:
        """Say it piece by piece."""
        clock = asyncio.get_running_loop().time
        call = Asked(request=request, at_s=clock())
        self.calls.append(call)
        said = self.model(request)
        pieces = [said.text[at : at + PIECE_CHARS] for at in range(0, len(said.text), PIECE_CHARS)]
        try:
            await asyncio.sleep(said.ttft_s)
            for piece in pieces:
                call.said += piece
                yield Chunk(text=piece)
                await asyncio.sleep(said.piece_s)
            if said.error:
                raise said.error
            if said.finish:
                yield Chunk(finish_reason=said.finish, usage=_usage(call, said, len(pieces)))
        except (asyncio.CancelledError, GeneratorExit):
            call.was_hung_up = True
            raise
        finally:
            call.ended_s = clock()

    async def warm(self) -> None:
        """There is nothing to connect."""

    async def aclose(self) -> None:
        """There is nothing to close."""


def _usage(call: Asked, said: Said, pieces: int) -> Usage | None:
    if not said.has_usage:
        return None
    prompt_tokens = int(call.prompt_chars / CHARS_PER_TOKEN)
    return Usage(prompt_tokens=prompt_tokens, completion_tokens=pieces)


def saying(*script: Said | str) -> Model:
    """A model that goes through a script; the last line of it is said for ever."""
    left = [Said(text=one) if isinstance(one, str) else one for one in script]

    def model(_: FimRequest) -> Said:
        return left.pop(0) if len(left) > 1 else left[0]

    return model


def shared_share(before: str, after: str) -> float:
    """How much of a text repeats the beginning of the one before it, 0 to 1."""
    pairs = enumerate(zip(before, after, strict=False))
    shared = next((at for at, (one, other) in pairs if one != other), min(len(before), len(after)))
    return shared / max(1, len(after))


class Desk:
    """One document, its cursor, and the completer that is asked about it."""

    def __init__(
        self,
        marked: str,
        model: Model,
        *,
        settings: Settings | None = None,
        client_wait_s: float = 0.0,
        free: bool = False,
        language: str = "python",
    ) -> None:
        self.before, _, self.after = marked.partition(CURSOR)
        self.uri = "file:///w/a.py"
        self.language = language
        self.notices: list[Notice] = []
        self.provider = ScriptedProvider(model=model, free=free)
        self.completer = Completer(
            self.provider,
            settings or Settings(provider="mistral"),
            client_wait_s=client_wait_s,
            on_notice=self.notices.append,
        )
        self._asking: asyncio.Task[Answer] | None = None

    @property
    def now_s(self) -> float:
        """The time."""
        return asyncio.get_running_loop().time()

    @property
    def calls(self) -> list[Asked]:
        """The calls that were made so far."""
        return self.provider.calls

    @property
    def context(self) -> CursorContext:
        """Where the cursor is."""
        return CursorContext(
            uri=self.uri, language=self.language, prefix=self.before, suffix=self.after
        )

    def type(self, text: str) -> None:
        """Insert at the cursor, in one edit."""
        self.before += text
        self.completer.edited(self.uri, self.context)

    def backspace(self, count: int = 1) -> None:
        """Delete before the cursor, in one edit."""
        self.before = self.before[:-count]
        self.completer.edited(self.uri, self.context)

    def go(self, marked: str) -> None:
        """Move the cursor elsewhere, or to another text."""
        self.before, _, self.after = marked.partition(CURSOR)

    def request(self, *, invoked: bool = False) -> asyncio.Task[Answer]:
        """Ask at the cursor; overtakes the request before, as the server does it."""
        if self._asking:
            self._asking.cancel()
        ask = Ask(context=self.context, path="a.py", invoked=invoked)
        self._asking = asyncio.create_task(self.completer.complete(ask))
        return self._asking

    async def answer(self, *, invoked: bool = False) -> Answer:
        """Ask at the cursor, and wait."""
        return await self.request(invoked=invoked)

    async def texts(self, *, invoked: bool = False) -> list[str]:
        """What is shown at the cursor."""
        return [item.text for item in (await self.answer(invoked=invoked)).items]

    async def keys(self, text: str, gap_s: float = 0.15) -> list[str]:
        """Type key by key, asking at each and looking at the last; what is shown then."""
        for char in text:
            await asyncio.sleep(gap_s)
            self.type(char)
            self.request()
        assert self._asking
        return [item.text for item in (await self._asking).items]
