"""The names in code: what stands outside of strings and comments and is no keyword."""

from __future__ import annotations

import builtins
import re
from functools import cache

from fim_lsp.language import language as rules_of
from fim_lsp.workspace import family_of

WORD = re.compile(r"[^\W\d][\w$]*|\$\w+")

_PYTHON = (
    "False None True and as assert async await break class continue def del elif else except "
    "finally for from global if import in is lambda nonlocal not or pass raise return try while "
    "with yield self cls"
)
_SCRIPT = (
    "abstract any as asserts async await boolean break case catch class const continue debugger "
    "declare default delete do else enum export extends false finally for from function if "
    "implements import in infer instanceof interface is keyof let namespace never new null number "
    "of package private protected public readonly return static string super switch symbol this "
    "throw true try type typeof undefined unknown var void while with yield"
)
_OTHERS = (
    "auto bool break case char class const continue def default do double elif else elsif end enum "
    "extern false final float fn for func function go goto if impl import in int interface let "
    "local long loop match mod module mut namespace new nil null package private protected pub "
    "public return self short signed static struct super switch template then this throw trait "
    "true try type typedef typename union unless unsigned use using val var void volatile when "
    "where while yield"
)

_KNOWN_SCRIPT = (
    "Array ArrayBuffer BigInt Boolean Date Error Function Infinity Iterable Iterator JSON Map Math "
    "NaN Number Object Omit Partial Pick Promise Proxy Readonly Record RegExp Required Set String "
    "Symbol TypeError Uint8Array WeakMap console document globalThis window"
)


@cache
def known_to_all(language: str) -> frozenset[str]:
    """The names that a language itself brings: no project need tell a model of them."""
    family = family_of(language)
    if family == "python":
        return frozenset(dir(builtins))
    return frozenset(_KNOWN_SCRIPT.split() if family in {"typescript", "vue", "svelte"} else ())


@cache
def keywords(language: str) -> frozenset[str]:
    """The words that name nothing."""
    family = family_of(language)
    words = {"python": _PYTHON, "typescript": _SCRIPT, "vue": _SCRIPT, "svelte": _SCRIPT}
    return frozenset(words.get(family, _OTHERS).split())


@cache
def _no_code(language: str) -> re.Pattern[str]:
    """Strings and comments; the first to begin wins, as in a lexer."""
    rules = rules_of(language)
    blocks = [*rules.long_quotes, *rules.block_comments]
    parts = [rf"{re.escape(start)}[\s\S]*?(?:{re.escape(end)}|\Z)" for start, end in blocks]
    parts += [rf"{re.escape(mark)}[^\n]*" for mark in rules.line_comments]
    parts += [rf"{quote}(?:[^{quote}\\\n]|\\.)*{quote}?" for quote in map(re.escape, rules.quotes)]
    return re.compile("|".join(parts) if parts else r"(?!)")


def code_of(text: str, language: str) -> str:
    """The text without its strings and comments; each line stays where it is."""
    return _no_code(language).sub(_blank, text)


def _blank(found: re.Match[str]) -> str:
    return "\n" * found.group().count("\n") or " "


def names_in(text: str, language: str) -> set[str]:
    """The names in a piece of code."""
    return set(WORD.findall(code_of(text, language))) - keywords(language)
