"""What the endpoint is given to read: a document's windows and the project's snippets.

As much as the settings allow, the endpoint takes and the minute's budget affords; an endpoint of
one's own may read it ahead, while nobody types.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from os.path import commonprefix

from fim_lsp import prompt
from fim_lsp.calls import Calls
from fim_lsp.context import CursorContext
from fim_lsp.pacing.budget import Budget
from fim_lsp.prompt import Windows
from fim_lsp.providers import FimRequest, Provider, Reader, Snippet
from fim_lsp.settings import Settings
from fim_lsp.snippets.supply import Snippets, Supply

LEAST_PROMPT_TOKENS = 667
"""With less a prompt is too blind to be worth a call: 500 are left right after its edge moved."""
SMALLEST_WINDOW_TOKENS = 200
"""No endpoint is taken to read less than this."""
FREE_PROMPT_CHARS = 24_000
"""A free provider reads the whole window."""
WORTH_READING_CHARS = 100
"""So much that is new to the endpoint is worth having it read before it is asked."""


@dataclass(slots=True)
class _Read:
    """What the endpoint was last given of one document."""

    anchor: str = ""
    """What the prompt began with."""
    prompt: str = ""
    snippets: tuple[Snippet, ...] = ()


class Reading:
    """Makes prompts, each document's like the one before it."""

    def __init__(
        self, provider: Provider, settings: Settings, budget: Budget, calls: Calls
    ) -> None:
        self.snippets: Snippets | None = None
        """What the project adds; nothing without it."""
        self._provider = provider
        self._budget = budget
        self._calls = calls
        self._prompt_tokens = settings.context.prompt_tokens
        self._max_tokens = settings.request.max_tokens
        self._read: dict[str, _Read] = {}
        self._ahead: asyncio.Future[None] | None = None

    def look(self, context: CursorContext, line: int) -> None:
        """The person is at this line, counted from 0: have snippets gathered for it."""
        if self.snippets is None or self._provider.free:
            return
        rates, language = self._calls.rates, context.language
        self.snippets.look(
            context,
            line,
            max_chars=rates.chars(self._prompt_tokens, language),
            chars_per_token=rates.chars_per_token(language),
            anchor=self._of(context.uri).anchor,
        )

    async def settle(self, context: CursorContext, line: int, *, limit_s: float) -> None:
        """Wait a moment where the person has just come here; else snippets are there already."""
        if self.snippets is not None:
            self.look(context, line)
            await self.snippets.settle(context.uri, limit_s)

    def affordable_chars(self, language: str, *, invoked: bool) -> int | None:
        """How long a prompt may be now: shorter when the budget runs low, None when too short."""
        if self._provider.free:
            return FREE_PROMPT_CHARS
        room = self._budget.room(invoked=invoked) - self._max_tokens
        tokens = min(self._prompt_tokens, room)
        if tokens < min(LEAST_PROMPT_TOKENS, self._prompt_tokens):
            return None
        return self._chars(tokens, language)

    def prompt(self, context: CursorContext, max_chars: int) -> tuple[Windows, Supply]:
        """What to send of this document, and of others; this document's next one is like it."""
        windows, supply = self._cut(context, max_chars)
        self._note(context.uri, windows, supply)
        return windows, supply

    def elsewhere(self, uri: str) -> str:
        """What the endpoint was last given of other files, for this document."""
        return "\n".join(snippet.text for snippet in self._of(uri).snippets)

    def read_ahead(self, context: CursorContext, path: str) -> None:
        """Have what will be asked next read now, by an endpoint that is one's own and idle."""
        provider = self._provider
        if not (isinstance(provider, Reader) and provider.reads_ahead) or self._is_busy():
            return
        windows, supply = self._cut(context, self._chars(self._prompt_tokens, context.language))
        before = self._of(context.uri).prompt
        known_chars = len(commonprefix([before, windows.prompt]))  # noqa: RUF071 - by characters
        if len(windows.prompt) - known_chars <= WORTH_READING_CHARS:
            return
        self._note(context.uri, windows, supply)
        request = request_of(context, path, windows, supply, max_tokens=1)
        self._ahead = asyncio.ensure_future(provider.read_ahead(request))

    def stop_ahead(self) -> None:
        """Read nothing ahead now: something is asked."""
        if self._ahead is not None:
            self._ahead.cancel()

    def shrink(self, refused: FimRequest) -> None:
        """Send less from now on: this was too long, unless that is known already."""
        if refused.chars <= self._calls.rates.chars(self._prompt_tokens, refused.language):
            self._prompt_tokens = max(self._prompt_tokens // 2, SMALLEST_WINDOW_TOKENS)

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self._read.pop(uri, None)
        if self.snippets is not None:
            self.snippets.closed(uri)

    def _cut(self, context: CursorContext, max_chars: int) -> tuple[Windows, Supply]:
        supply = Supply()
        if self.snippets is not None and not self._provider.free:
            rate = self._calls.rates.chars_per_token(context.language)
            supply = self.snippets.gather(context, max_chars=max_chars, chars_per_token=rate)
        anchor = self._of(context.uri).anchor
        return prompt.cut(context, max_chars=max_chars - supply.chars, anchor=anchor), supply

    def _note(self, uri: str, windows: Windows, supply: Supply) -> None:
        read = _Read(anchor=windows.anchor, prompt=windows.prompt, snippets=supply.snippets)
        self._read[uri] = read

    def _chars(self, tokens: int, language: str) -> int:
        """How long a prompt of so many tokens is, but no longer than the endpoint reads."""
        chars, window = self._calls.rates.chars(tokens, language), self._calls.window_chars
        return chars if window is None else min(chars, window)

    def _is_busy(self) -> bool:
        return self._calls.any_running() or not (self._ahead is None or self._ahead.done())

    def _of(self, uri: str) -> _Read:
        return self._read.get(uri) or _Read()


def request_of(
    context: CursorContext,
    path: str,
    windows: Windows,
    supply: Supply,
    *,
    max_tokens: int,
    invoked: bool = False,
    temperature: float | None = None,
) -> FimRequest:
    """The request for a prompt."""
    return FimRequest(
        prompt=windows.prompt,
        suffix=windows.suffix,
        language=context.language,
        path=path,
        snippets=supply.snippets,
        max_tokens=max_tokens,
        min_tokens=1 if invoked else None,
        temperature=temperature,
    )
