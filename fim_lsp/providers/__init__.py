"""Where completions come from: one file per dialect behind one interface.

A request goes in, a stream of text comes out. Hanging up is cancelling the task that reads the
stream (or closing the iterator): the connection is closed at once and nothing leaks. Every failure
is a ``ProviderError``; only ``transport`` knows HTTP.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

FinishReason = Literal["stop", "length", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A piece of another file that may help the model."""

    path: str
    """Relative to the workspace, with forward slashes."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FimRequest:
    """One question to the model, whole: what a provider sends is made of this and its settings."""

    prompt: str
    """The text before the cursor, already cut to the budget (without snippets)."""
    suffix: str
    """The text after the cursor, already cut to the budget."""
    language: str = ""
    path: str = ""
    """The document's path relative to the workspace, with forward slashes; empty if it has none."""
    snippets: tuple[Snippet, ...] = ()
    max_tokens: int | None = None
    """At most this many generated tokens; None leaves it to the endpoint."""
    min_tokens: int | None = None
    temperature: float | None = None
    """Overrides the settings' temperature, for further candidates."""
    stop: tuple[str, ...] = ()
    """Stop strings beside those of the settings."""

    @property
    def chars(self) -> int:
        """The length of all that the model is given to read, but for headings."""
        files = sum(len(one.path) + len(one.text) for one in self.snippets)
        return len(self.prompt) + len(self.suffix) + files


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the endpoint says that a call cost, in tokens."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None = None
    """How many of the prompt's the endpoint had in its cache; None where it does not say."""
    is_cut: bool = False
    """Whether the endpoint's window is full: it has read less than it was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One piece of a stream; the last one may carry no text but a reason and the usage."""

    text: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


class Provider(Protocol):
    """One dialect, connected to one endpoint."""

    name: str
    """As in the settings: ``mistral``, ``local``…"""
    free: bool
    """True where a call costs no shared budget and no network, so that no pause is needed."""
    on_headers: Callable[[Mapping[str, str]], None] | None
    """Is told the headers of each answer, for what they say of the limits."""

    def stream(self, request: FimRequest) -> AsyncGenerator[Chunk]:
        """Ask, and yield the text as it comes; ends after the chunk with a finish reason.

        A body that ends without one ends the iterator silently: the text is incomplete.
        Raises ``ProviderError``.
        """
        ...

    async def warm(self) -> None:
        """Have a connection ready before it is needed. Never raises."""
        ...

    async def aclose(self) -> None:
        """Close every connection. Calls that still run end with an ``UnavailableError``."""
        ...


@runtime_checkable
class Learner(Protocol):
    """A provider that learns from the project, in the background."""

    @property
    def is_learning(self) -> bool:
        """Whether it still reads."""
        ...

    def learn_folder(self, folders: Sequence[Path], exclude: Sequence[str]) -> None:
        """Read the folders' files, but for those that the patterns exclude."""
        ...

    def observe(self, path_or_uri: str, language: str, text: str) -> None:
        """Take in an open document's text as it is now."""
        ...

    def forget(self, uri: str) -> None:
        """Drop a document that was closed."""
        ...


@runtime_checkable
class Reader(Protocol):
    """A provider that may be given a prompt to read before anybody asks."""

    @property
    def reads_ahead(self) -> bool:
        """Whether that is of use here, and costs nothing: an endpoint of one's own with a cache."""
        ...

    async def read_ahead(self, request: FimRequest) -> None:
        """Let the endpoint read the prompt, and write nothing. Never raises."""
        ...
