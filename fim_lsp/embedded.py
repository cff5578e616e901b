"""Which language a cursor is in where one document holds several: fences, scripts, styles. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType

from fim_lsp.context import CursorContext
from fim_lsp.language import is_known

_FENCED = frozenset({"markdown", "mdx", "quarto", "rmd"})
_TAGGED = frozenset({"html", "vue", "svelte", "astro"})
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t{.]*([\w+#-]*)[^`\n]*$", re.MULTILINE)
_TAG = re.compile(r"<(script|style)\b([^<>]*)>|</(?:script|style)\b", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"\b(?:lang|type)\s*=\s*[\"']?(?:text/|application/)?([\w+-]+)")
_NAMES = MappingProxyType(
    {
        "bash": "shellscript",
        "c#": "csharp",
        "c++": "cpp",
        "cjs": "javascript",
        "cs": "csharp",
        "golang": "go",
        "h": "c",
        "htm": "html",
        "js": "javascript",
        "kt": "kotlin",
        "ld+json": "json",
        "mjs": "javascript",
        "module": "javascript",
        "mts": "typescript",
        "pl": "perl",
        "py": "python",
        "python3": "python",
        "rb": "ruby",
        "rs": "rust",
        "shell": "shellscript",
        "ts": "typescript",
        "yml": "yaml",
    }
)
"""What people call a language in a fence or an attribute, and its LSP id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A part of a document that is written in another language."""

    language: str
    """Its LSP id."""
    start: int
    """Where it begins in the context's prefix, in characters: the start of a line."""
    end: int
    """Where it ends in the context's suffix, or how long that is."""
    ending: str
    """A pattern of what ends it, at the start of a line."""


def embedded(context: CursorContext) -> Embedded | None:
    """The part around the cursor, where its language is known and what ends it is below.

    Else the answer may have to bring that end, and go on with the document behind it.
    """
    if context.language in _FENCED:
        return _fenced(context)
    return _tagged(context) if context.language in _TAGGED else None


def _fenced(context: CursorContext) -> Embedded | None:
    above = context.prefix[: len(context.prefix) - len(context.line_prefix)]
    opening: re.Match[str] | None = None
    for fence in _FENCE.finditer(above):
        if opening is None or fence[2]:  # one with a name opens, even where we came in late
            opening = fence
        elif fence[1].startswith(opening[1]):
            opening = None
    name = _known(opening[2]) if opening else ""
    closing = _FENCE.search(context.suffix, len(context.line_suffix))
    if opening is None or closing is None or closing[2] or not closing[1].startswith(opening[1]):
        return None
    if not name:
        return None
    ending = rf"{re.escape(opening[1])}[ \t]*(?=\n|\Z)"
    return Embedded(language=name, start=opening.end() + 1, end=closing.start(), ending=ending)


def _tagged(context: CursorContext) -> Embedded | None:
    end = len(context.prefix) - len(context.line_prefix)
    opening: re.Match[str] | None = None
    for tag in _TAG.finditer(context.prefix, 0, end):
        opening = tag if tag[1] else None
    closing = _TAG.search(context.suffix)
    if opening is None or closing is None or closing[1]:
        return None
    attribute = _ATTRIBUTE.search(opening[2])
    script = opening[1].lower() == "script"
    name = _known(attribute[1]) if attribute else ("javascript" if script else "css")
    if not name:
        return None
    return Embedded(
        language=name,
        start=context.prefix.index("\n", opening.end()) + 1,
        end=closing.start(),
        ending=rf"</{opening[1]}\b",
    )


def _known(name: str) -> str:
    """The LSP id of a name; empty where we have no rules for it."""
    found = _NAMES.get(name.lower(), name.lower())
    return found if is_known(found) and found not in _FENCED else ""
