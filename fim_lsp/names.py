"""Which names of a suggestion stand nowhere around, as those that a model makes up do. Pure."""

from __future__ import annotations

import re

from fim_lsp.context import CursorContext
from fim_lsp.language import literals
from fim_lsp.place import place

_NAME, _NAME_BEGUN = re.compile(r"\b[^\W\d]\w*"), re.compile(r"\w+$")


def unfamiliar(text: str, context: CursorContext, elsewhere: str = "") -> tuple[int, ...]:
    """Where such names begin in a suggestion's first line, as offsets.

    0 where it is the name at the cursor, or stands right behind it. Words in strings, in comments
    and in text for people are no names. ``elsewhere`` is what else the model has read.
    """
    here = place(context)
    if here.inside or not here.rules.has_names:
        return ()
    begun = _NAME_BEGUN.search(context.line_prefix)
    start = begun.start() if begun else len(context.line_prefix)
    line = context.line_prefix + text.partition("\n")[0]
    above = context.prefix[: len(context.prefix) - len(context.line_prefix) + start]
    around = (above, context.suffix, elsewhere)
    spared = literals(line, here.rules)
    return tuple(
        max(0, name.start() - len(context.line_prefix))
        for name in _NAME.finditer(line, start)
        if not any(begin <= name.start() < end for begin, end in spared)
        and not any(_stands_in(name[0], where) for where in around)
    )


def _stands_in(name: str, text: str) -> bool:
    return name in text and re.search(rf"\b{name}\b", text) is not None
