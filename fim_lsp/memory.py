r"""What the model has said already, found again wherever the same text may come next.

A *track* is one answer laid over the document: the cursor line's text before the cursor, then what
the model said, perhaps over several lines. It serves every position on it: where the call was made,
wherever typing through it leads (a newline with the editor's own indentation included), and every
position between, reached again by deleting or undoing. Each line of a track is found by the lines
above it, so that a look-up costs microseconds however large the document is and however its window
slides. What a person has typed themselves is never offered again after they have deleted it.

The raw text is kept: what is shown of it is decided on the way out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cachetools import LRUCache

from fim_lsp.context import CursorContext

LINES_ABOVE = 3
"""A place is known by this many lines above it."""
LINES_BELOW = 2
"""And by this many that are not blank below it."""
MAX_TRACK_CHARS = 8_000
"""Longer answers are kept up to here."""
_AUTO_CLOSED = frozenset(")]}>\"'`;, ")

_Place = tuple[str, str]


@dataclass(slots=True, eq=False)
class Track:
    """One answer, which may still be growing."""

    uri: str
    above: tuple[str, ...]
    """The lines above the first one, without blanks at their ends."""
    text: str
    """The first line's text before the cursor, then what the model has said so far."""
    head_chars: int
    """How much of ``text`` was the document's."""
    line_suffix: str
    below: tuple[str, ...]
    call: int | None = None
    """The number of the call that writes it."""
    made_ahead: bool = False
    """That call was made before anybody was here."""
    growing: bool = True
    """The stream still runs."""
    cut_off: bool = False
    """It ended at the limit of tokens, or broke: its last line may be unfinished."""
    line_starts: list[int] = field(default_factory=lambda: [0])
    places: list[_Place] = field(default_factory=list[_Place])

    @property
    def raw(self) -> str:
        """What the model has said so far."""
        return self.text[self.head_chars :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a track says at one position."""

    raw: str
    """The model's text from the cursor on; empty where it said that nothing comes."""
    track: Track

    @property
    def is_end(self) -> bool:
        """Whether this is where the model ended by itself, having said something before."""
        return not self.raw and bool(self.track.raw)


class Memory:
    """The tracks of all documents, bounded in number and in size; the least used go first."""

    def __init__(self, *, max_tracks: int = 256) -> None:
        self._tracks = _Tracks(max_tracks, self._dropped)
        self._places: dict[_Place, list[tuple[Track, int]]] = {}

    def __len__(self) -> int:
        return len(self._tracks)

    @property
    def chars(self) -> int:
        """How much text is kept."""
        return sum(len(track.text) for track in self._tracks)

    def begin(self, context: CursorContext) -> Track:
        """Start a track where a call is made."""
        track = Track(
            uri=context.uri,
            above=_above(context),
            text=context.line_prefix,
            head_chars=len(context.line_prefix),
            line_suffix=context.line_suffix,
            below=_below(context),
        )
        self._tracks[track] = None
        self._index(track, 0)
        return track

    def grow(self, track: Track, text: str) -> None:
        """Add what has come."""
        start = len(track.text)
        track.text = (track.text + text)[:MAX_TRACK_CHARS]
        if track not in self._tracks:
            return  # dropped meanwhile: it serves who waits for it, and is not found again
        while (at := track.text.find("\n", start)) >= 0:
            start = at + 1
            track.line_starts.append(start)
            self._index(track, len(track.line_starts) - 1)

    def end(self, track: Track, *, cut_off: bool, broken: bool = False) -> None:
        """Say that no more will come.

        ``cut_off`` by the limit of tokens leaves a line that may go on. A stream that broke off, or
        was hung up, stopped anywhere, perhaps within a word: its last line is dropped, and what had
        not even one line is forgotten.
        """
        track.growing = False
        track.cut_off = cut_off
        if broken:
            whole = track.text.rfind("\n", track.head_chars)
            track.text = track.text[: max(whole, track.head_chars)]
        if (broken or cut_off) and not track.raw and track in self._tracks:
            del self._tracks[track]
            self._dropped(track)

    def find(self, context: CursorContext) -> Known | None:
        """What is known at this position; the newest answer that says something wins."""
        nothing: Known | None = None
        for known in self._at(context):
            if known.raw:
                return known
            nothing = nothing or known
        return nothing

    def find_all(self, context: CursorContext) -> tuple[Known, ...]:
        """All that is known at this position, the newest first, each text once."""
        found: dict[str, Known] = {}
        for known in self._at(context):
            found.setdefault(known.raw, known)
        return tuple(known for known in found.values() if known.raw)

    def asked_here(self, context: CursorContext) -> int:
        """How many answers were asked for at just this position; some may say nothing yet."""
        below, here = _below(context), context.line_prefix
        return sum(
            start == 0 and track.text[: track.head_chars] == here
            for track, start in self._places.get(_place(context.uri, _above(context)), ())
            if _same_after(track, context, below)
        )

    def _at(self, context: CursorContext) -> Iterator[Known]:
        below = _below(context)
        for track, start in reversed(self._places.get(_place(context.uri, _above(context)), [])):
            raw = _rest(track, start, context)
            if raw is not None and _same_after(track, context, below):
                self._tracks[track]  # now the most recently used
                yield Known(raw=raw, track=track)

    def forget(self, uri: str | None = None) -> None:
        """Drop a document's tracks, or all."""
        for track in [t for t in self._tracks if uri is None or t.uri == uri]:
            del self._tracks[track]
            self._dropped(track)

    def _index(self, track: Track, line: int) -> None:
        if line < LINES_ABOVE:
            lines = [*track.above, *_stripped(track.text.split("\n")[:line])]
        else:
            lines = _stripped(
                track.text[track.line_starts[line - LINES_ABOVE] :].split("\n")[:LINES_ABOVE]
            )
        place = _place(track.uri, tuple(lines[-LINES_ABOVE:]))
        track.places.append(place)
        self._places.setdefault(place, []).append((track, track.line_starts[line]))

    def _dropped(self, track: Track) -> None:
        for place in track.places:
            kept = [entry for entry in self._places.get(place, ()) if entry[0] is not track]
            if kept:
                self._places[place] = kept
            else:
                self._places.pop(place, None)


class _Tracks(LRUCache[Track, None]):
    """An LRU set that says what it drops."""

    def __init__(self, maxsize: int, dropped: Callable[[Track], None]) -> None:
        super().__init__(maxsize)
        self._on_drop = dropped

    def popitem(self) -> tuple[Track, None]:
        """Drop the least recently used."""
        track, value = super().popitem()
        self._on_drop(track)
        return track, value


def agrees(track: Track, context: CursorContext) -> bool:
    """Whether a growing track can still be right here: what was typed is what it says or awaits."""
    if not _same_after(track, context, _below(context)):
        return False
    typed = _typed_since(track, context)
    return typed is not None and (track.raw.startswith(typed) or typed.startswith(track.raw))


def _typed_since(track: Track, context: CursorContext) -> str | None:
    """The text between where the call was made and the cursor; None where that is another place."""
    base = track.text[: track.head_chars]
    lines = context.prefix.rsplit("\n", track.raw.count("\n") + LINES_ABOVE + 2)
    for first in range(len(lines) - 1, -1, -1):
        above = tuple(_stripped(lines[max(0, first - LINES_ABOVE) : first]))
        if above == track.above[-len(above) :] if above else not track.above:
            text = "\n".join(lines[first:])
            if text.startswith(base):
                return text[len(base) :]
    return None


def _rest(track: Track, start: int, context: CursorContext) -> str | None:
    """What the track says after the cursor's line, or None where it says something else."""
    said, typed = track.text[start:], context.line_prefix
    if start + len(typed) < track.head_chars:
        return None  # deleted back over what the person typed before the call
    rest = _behind(said, typed, is_first=not start)
    if rest is not None and start and track.cut_off and "\n" not in rest:
        return None  # an unfinished line: asked for anew it comes whole
    if rest or not said.startswith(typed):
        return rest or None
    stopped = track.cut_off and len(typed) > track.head_chars
    return None if track.growing or stopped else rest


def _behind(said: str, typed: str, *, is_first: bool) -> str | None:
    """The rest of a line and what follows, where it begins as the cursor's line does.

    Behind the first line blanks alone may be others: the editor's own indentation.
    """
    if said.startswith(typed):
        return said[len(typed) :]
    indent = said[: len(said) - len(said.lstrip(" \t"))]
    is_indent = not (is_first or typed.strip(" \t")) and _columns(indent) == _columns(typed)
    return said[len(indent) :] if is_indent else None


def _same_after(track: Track, context: CursorContext, below: tuple[str, ...]) -> bool:
    """Whether what follows the cursor is what followed the call, but for brackets closed since."""
    if track.below != below:
        return False
    before, now = track.line_suffix, context.line_suffix
    return before == now or (
        now.endswith(before) and _AUTO_CLOSED.issuperset(now[: len(now) - len(before)])
    )


def _above(context: CursorContext) -> tuple[str, ...]:
    return tuple(_stripped(context.prefix.rsplit("\n", LINES_ABOVE + 1)[-LINES_ABOVE - 1 : -1]))


def _below(context: CursorContext) -> tuple[str, ...]:
    found: list[str] = []
    for line in _lines_after(context.suffix):
        if line and not line.isspace():
            found.append(line.strip())
            if len(found) == LINES_BELOW:
                break
    return tuple(found)


def _lines_after(suffix: str) -> Iterator[str]:
    """The lines below the cursor's, a few at the most, without splitting the whole window."""
    at = suffix.find("\n")
    for _ in range(32):
        if at < 0:
            return
        end = suffix.find("\n", at + 1)
        yield suffix[at + 1 : end if end >= 0 else len(suffix)]
        at = end


def _stripped(lines: list[str]) -> list[str]:
    return [line.rstrip() for line in lines]


def _place(uri: str, above: tuple[str, ...]) -> _Place:
    return uri, "\n".join(above)


def _columns(indent: str) -> int:
    return len(indent.expandtabs(4))
