"""What stands right of the cursor is not typed again."""

from __future__ import annotations

import re
from dataclasses import replace

from fim_lsp.language import CLOSERS, Language, skim
from fim_lsp.postprocess.draft import Draft, only_closes

_PLAIN = Language()
_ANGLE = re.compile(r"<|(?<![-=])>")
_REASON = "it comes to the rest of the line"


def swallow_rest_of_line(draft: Draft) -> Draft:
    """Keep a first line that goes on behind the rest of the line, if the editor can draw that.

    ``foo(║)`` and ``a).then(b)``: the text covers the bracket instead of pushing it to the right.
    """
    rest = draft.place.rest.rstrip()
    first, newline, _ = draft.text.partition("\n")
    if not draft.swallows or not rest or not (newline or (draft.ended and not draft.cut_off)):
        return draft
    rules = draft.place.rules
    said, there = skim(first, rules, draft.place.inside), skim(rest, rules, draft.place.inside)
    if [one.char for one in said.closers] != [one.char for one in there.closers] or said.openers:
        return draft
    at = said.closers[0].at if said.closers else first.find(rest)
    if at < 0 or not _contains(first[at:].rstrip(), rest):
        return draft
    cut = draft.cut(len(first), "the rest of the line is a part of it")
    return replace(cut, swallowed_chars=len(draft.place.rest))


def _contains(text: str, rest: str) -> bool:
    """Whether a text begins and ends with the rest's two parts, and has more between or behind."""
    if len(text) <= len(rest):
        return False
    parts = range(1, len(rest) + 1)
    return any(text.startswith(rest[:part]) and text.endswith(rest[part:]) for part in parts)


def end_at_rest_of_line(draft: Draft) -> Draft:
    """End the first line where it begins to retype what follows the cursor."""
    rest = draft.place.rest.rstrip()
    if not rest.strip() or draft.swallowed_chars:
        return draft
    first, ended, _ = draft.text.partition("\n")
    at = _where(first.rstrip(), rest, draft)
    if at is None:
        return draft
    if not ended and not draft.ended:
        return replace(draft, text=draft.text[:at])  # what comes may make it a part of the text
    return draft.cut(at, _REASON)


def _where(first: str, rest: str, draft: Draft) -> int | None:
    """The offset in the first line at which the rest of the line begins."""
    begins = rest.strip()[0]
    closed = _closed_quote(first, rest, draft)
    if closed is None and begins in ">|":
        closed = (_closed_angle if begins == ">" else _closed_bar)(first, draft)
    if closed is not None:
        return closed
    if begins in CLOSERS and (
        draft.place.inside or CLOSERS[begins] not in draft.place.rules.brackets
    ):
        closers = skim(first, _PLAIN).closers
        return closers[0].at if closers and closers[0].char == begins else None
    if only_closes(rest) and begins in CLOSERS:
        return None  # brackets are told apart by pairing them
    for tail in (rest, rest.strip()):
        if first.endswith(tail) and not _needs(first, tail, draft):
            return len(first) - len(tail)
    if sum(map(str.isalnum, rest)) >= 3 and (at := first.find(rest.strip())) >= 0:
        return at
    overlap = _overlap(first, rest, draft)
    return len(first) - overlap if overlap else None


def _closed_angle(first: str, draft: Draft) -> int | None:
    """Where the text closes the angle bracket left of the cursor, which the rest closes too."""
    before = draft.place.context.line_prefix
    if before.rfind("<") <= before.rfind(">"):
        return None
    depth = 0
    for sign in _ANGLE.finditer(first):
        depth += 1 if sign[0] == "<" else -1
        if depth < 0:
            return sign.start()
    return None


def _closed_bar(first: str, draft: Draft) -> int | None:
    """Where the text closes the bar left of the cursor, which the rest closes too."""
    at = first.find("|")
    opened = draft.place.context.line_prefix.count("|") % 2
    return at if opened and at >= 0 and first[at : at + 2] != "||" else None


def _needs(first: str, tail: str, draft: Draft) -> bool:
    """Whether a tail that could be the rest closes what the text itself opened."""
    if tail.startswith(">"):
        return first.count("<") >= first.count(">")
    if any(map(str.isalnum, tail)) or not any(bracket in tail for bracket in CLOSERS):
        return False
    rules = draft.place.rules
    return bool(skim(tail, rules).closers) and not skim(first, rules).closers


def _overlap(first: str, rest: str, draft: Draft) -> int:
    """How much of the text's end is the rest's beginning, where that cannot be meant."""
    for length in range(min(len(first), len(rest) - 1), 0, -1):
        if first.endswith(head := rest[:length]):
            letters = sum(map(str.isalnum, head))
            if letters >= 3 or head.strip() in (",", ";", ":", "="):
                return length
            return length if letters and skim(first, draft.place.rules).closers else 0
    return 0


def _closed_quote(first: str, rest: str, draft: Draft) -> int | None:
    """Where the text closes the string around the cursor, if the rest of the line does so too."""
    quote = draft.place.inside
    if not quote or quote == "\n" or not rest.startswith(quote):
        return None
    if skim(first, draft.place.rules, quote).inside == quote:
        return None
    at = first.find(quote)
    while at >= 0 and first[at + len(quote) :].count(quote) % 2:
        at = first.find(quote, at + 1)
    return at if at >= 0 else None
