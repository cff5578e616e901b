"""How deep the first line stands: brought to where it belongs, nothing where that is not known.

Only for a line that begins here. Where indentation makes the block it must be one that a line can
have; where brackets make it, it must not stand outside of the block that it is in.
"""

from __future__ import annotations

import re
from dataclasses import replace

from fim_lsp.indent import comparable, indent_of
from fim_lsp.language import CLOSERS, skim
from fim_lsp.line import FLAT, Line, continues, is_free
from fim_lsp.place import Opener, Place
from fim_lsp.postprocess.draft import Draft

_STANDS_OUT = re.compile(r"(?:case\b|default\b|\w+\s*:(?!:)|[#@{}\])])")
"""Labels and the like, which may stand as deep as what is around the block."""
_NOWHERE = "it is indented as nothing can be here"


def bring_to_depth(draft: Draft) -> Draft:
    """Give the first line the indentation that it lost, or end before it."""
    place = draft.place
    first = draft.text.partition("\n")[0]
    said = first.lstrip(" \t")
    if not (place.blank and said and place.above) or place.inside or place.rest.strip():
        return draft
    aligned = "([{" if place.rules.strict_depth else "(["
    if is_free(said, place.rules) or (place.open and place.open[-1].char in aligned):
        return draft
    columns = place.width(place.indent + indent_of(first))
    if place.rules.strict_depth:
        depth = _depth_by_indentation(place, columns, said)
    elif place.rules.blocks == "brackets" and not place.style.mixed:
        depth = _depth_by_brackets(place, columns, said)
    else:
        return draft
    if depth == columns:
        return draft
    if depth is None or depth < place.columns:
        return draft.cut(0, _NOWHERE)
    return replace(draft, text=_moved(draft.text, columns, depth, place))


def _depth_by_indentation(place: Place, columns: int, said: str) -> int | None:
    above = place.above[0]
    if continues(above.text, place.rules) or above.text.endswith("\\") or _ends_long(above, place):
        return columns
    if place.opens:
        return _depth_of_body(place, columns)
    seen = {line.columns for line in (*place.above, *place.below)}
    if columns in seen or (columns < above.columns and columns % place.step == 0):
        return columns
    near = [level for level in seen if abs(level - columns) == 1]
    if near:
        return max(near)
    whole_steps = (columns - above.columns) % place.step == 0
    return above.columns if columns > above.columns and whole_steps else None


def _depth_of_body(place: Place, columns: int) -> int | None:
    head = place.block_columns
    depth = head + place.step
    if columns > head and not place.style.tells_step:
        return columns
    is_whole = (columns - head) % place.step == 0 or columns <= head
    return depth if is_whole or abs(columns - depth) == 1 else None


def _depth_by_brackets(place: Place, columns: int, said: str) -> int | None:
    opener = place.open[-1] if place.open else None
    if opener is None or columns > opener.columns or _STANDS_OUT.match(said):
        return columns
    if not comparable(opener.blanks, place.indent):
        return columns
    above, body = place.above[0], opener.columns + place.step
    if place.opens:
        flat = FLAT.match(above.text) or not place.style.tells_step or _is_flat_below(place, opener)
        return columns if flat else body
    return body if above.columns == body and not is_free(above.text, place.rules) else columns


def _is_flat_below(place: Place, opener: Opener) -> bool:
    """Whether what follows in the block stands as deep as its head, as generated code does."""
    below = place.below[0] if place.below else None
    return below is not None and below.columns <= opener.columns and below.text[0] not in CLOSERS


def _ends_long(line: Line, place: Place) -> bool:
    """Whether a line ends brackets that earlier lines, perhaps less deep, have opened."""
    return bool(skim(line.text, place.rules).closers)


def _moved(text: str, columns: int, depth: int, place: Place) -> str:
    """The first line brought to a depth, and the further ones with it if they lost as much."""
    first, *further = text.split("\n")
    line = place.indented(first, depth)
    if not line.startswith(place.indent):
        return text  # the cursor's own blanks are not the document's
    moved = [line[len(place.indent) :]]
    deep = [place.width(indent_of(line)) for line in further if line.strip()]
    lost = depth - columns if deep and columns <= min(deep) < depth else 0
    for line in further:
        at = place.width(indent_of(line)) + lost
        moved.append(place.indented(line, at) if lost and line.strip() else line)
    return "\n".join(moved)
