"""Somebody who types a text in an editor, looks at the ghost text and takes it where it is right.

The editor is a real client of the real server process; only the person is made up.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fim_lsp.demo.scene import Fate, Scene, Tally, agreed, keys_of
from fim_lsp.lsp_client import LspClient, ResponseError

LEAST_ACCEPT_CHARS = 3
"""For less, Tab is no shorter than typing."""
_HOPE_KEYS = 60
"""Where the server has warned of something, and nothing was shown by then, nothing will be."""
_THROUGH_EVERY = 3
"""Every third suggestion is typed into for some keys before it is accepted."""
_THROUGH_KEYS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast the person is."""

    key_s: float
    """From one key to the next."""
    look_s: float
    """From seeing ghost text to accepting it."""
    wait_s: float
    """How long to wait for an answer after any key."""
    patience_s: float
    """How long to wait for it where one stops to think."""
    limit_s: float
    """The whole demo ends by then."""

    def gaps(self) -> Iterator[float]:
        """The time to each next key: uneven, and the same each time."""
        return (self.key_s * share for share in itertools.cycle((0.7, 1.3, 0.9, 1.5, 0.6)))


@dataclass(slots=True)
class Editor:
    """One document, open in the server, with the cursor in the middle of it."""

    client: LspClient
    uri: str
    before: str
    after: str
    version: int = 1

    def open(self) -> None:
        """Open the document."""
        item = {"uri": self.uri, "languageId": "python", "version": 1}
        item = {**item, "text": self.before + self.after}
        self.client.notify("textDocument/didOpen", {"textDocument": item})

    def insert(self, text: str) -> None:
        """Insert at the cursor."""
        here = self._cursor()
        self.before += text
        self.version += 1
        change = {"range": {"start": here, "end": here}, "text": text}
        document = {"uri": self.uri, "version": self.version}
        self.client.notify(
            "textDocument/didChange", {"textDocument": document, "contentChanges": [change]}
        )

    async def ghost(self) -> str:
        """The text that the server suggests at the cursor; empty where it has none."""
        params = {
            "textDocument": {"uri": self.uri},
            "position": self._cursor(),
            "context": {"triggerKind": 2},
        }
        try:
            answer = await self.client.request("textDocument/inlineCompletion", params)
        except ResponseError:
            return ""
        items: list[Mapping[str, Any]] = answer["items"]
        return str(items[0]["insertText"]) if items else ""

    def _cursor(self) -> dict[str, int]:
        # the text that is typed is ASCII: a character is one unit in every encoding
        line = self.before.count("\n")
        return {"line": line, "character": len(self.before) - self.before.rfind("\n") - 1}


@dataclass(slots=True)
class Typist:
    """Types ``wanted`` into the editor and shows each moment."""

    editor: Editor
    wanted: str
    pace: Pace
    show: Callable[[Scene], None]
    suggested: Callable[[str, str, Fate, float], None]
    """Told of each suggestion once its fate is known: the line so far, the text, its time in ms."""
    source: Callable[[], str]
    budget: Callable[[], str]
    way: Callable[[], str]
    """How the server came by its last answer."""
    has_trouble: Callable[[], bool]
    """Whether the server has warned of something."""
    tally: Tally = field(init=False)
    _ghost: str = ""
    _answer_ms: float | None = None
    _unsettled: tuple[str, str] | None = None
    """The line and the ghost text of a suggestion whose fate is not known yet."""
    _through: int = 0

    def __post_init__(self) -> None:
        """Count what there is to type."""
        self.tally = Tally(keys_needed=len(keys_of(self.wanted)))

    async def type_all(self) -> None:
        """Type to the end, or until the time is up."""
        gaps = self.pace.gaps()
        end = asyncio.get_running_loop().time() + self.pace.limit_s
        while self.wanted and not self._is_hopeless and asyncio.get_running_loop().time() < end:
            await self._look(next(gaps))
            if take := self._worth_taking():
                await self._accept(take)
            else:
                self._press()
        self.tally.keys_needed -= len(keys_of(self.wanted))  # what was not come to is not saved
        self._settle("typed past")
        self._see("done")

    @property
    def _is_hopeless(self) -> bool:
        is_late = self.tally.keys_typed >= _HOPE_KEYS
        return is_late and not self.tally.shown and self.has_trouble()

    async def _look(self, gap_s: float) -> None:
        """Ask, and look at the answer until it is time for the next key."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._see("typing through it" if self._ghost else "typing")
        asking = asyncio.create_task(self.editor.ghost())
        patience_s = self.pace.patience_s if self._stops_to_think() else self.pace.wait_s
        try:
            async with asyncio.timeout(max(gap_s, patience_s)):
                ghost = await asking
        except TimeoutError:
            ghost, self._answer_ms = "", None
        else:
            self._answer_ms = (loop.time() - began) * 1000
            self.tally.answers_ms += [self._answer_ms] if ghost else []
        self._notice(ghost)
        self._see("Tab would accept" if ghost else "typing")
        await asyncio.sleep(began + gap_s - loop.time())

    def _stops_to_think(self) -> bool:
        line = self.editor.before.rpartition("\n")[2]
        return not line.strip() or line.endswith((" ", "(", ":", "."))

    def _notice(self, ghost: str) -> None:
        """Keep ghost text that goes on as before; anything else is a new suggestion."""
        if ghost == self._ghost:
            return
        self._settle("typed past")
        self._ghost = ghost
        if ghost:
            self.tally.shown += 1
            self._unsettled = (self.editor.before.rpartition("\n")[2], ghost)
            self._through = _THROUGH_KEYS if self.tally.shown % _THROUGH_EVERY == 0 else 0

    def _worth_taking(self) -> str:
        take = agreed(self._ghost, self.wanted)
        if len(take.strip()) < LEAST_ACCEPT_CHARS:
            return ""
        if self._through > 0 and len(take.strip()) > _THROUGH_KEYS + LEAST_ACCEPT_CHARS:
            self._through -= 1
            return ""
        self._through = 0
        return take

    async def _accept(self, take: str) -> None:
        whole = take == self._ghost
        await asyncio.sleep(self.pace.look_s)
        self._settle("accepted" if whole else "first lines accepted")
        self.tally.accepted += 1
        self._ghost = ""
        self._insert(take)
        self._see("accepted with Tab" if whole else "first lines accepted")
        await asyncio.sleep(self.pace.look_s / 2)

    def _press(self) -> None:
        key = keys_of(self.wanted)[0]
        self.tally.keys_typed += 1
        continues = self._ghost.startswith(key)
        self._ghost = self._ghost[len(key) :] if continues else ""
        if not continues:
            self._settle("typed past")
        self._insert(key)

    def _insert(self, text: str) -> None:
        self.wanted = self.wanted[len(text) :]
        self.editor.insert(text)

    def _settle(self, fate: Fate) -> None:
        if self._unsettled is not None:
            self.suggested(*self._unsettled, fate, self._answer_ms or 0.0)
            self._unsettled = None

    def _see(self, caption: str) -> None:
        self.show(
            Scene(
                before=self.editor.before,
                ghost=self._ghost,
                after=self.editor.after,
                caption=caption,
                source=self.source(),
                answer_ms=self._answer_ms,
                way=self.way() if self._ghost else "",
                budget=self.budget(),
            )
        )
