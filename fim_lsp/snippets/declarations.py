"""What a file declares, found by regular expressions: each name with its signature on one line.

No parser: a pattern for each family of languages finds where a declaration begins, and its head is
read up to where the body would begin. What is missed costs a hint; nothing else depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from fim_lsp.workspace import family_of

MAX_HEAD_CHARS = 400
"""So much of a declaration's beginning is read at the most."""
MAX_DECLARATIONS = 2_000
"""At most this many of one file are kept; generated code has more."""
_MAX_DOC_CHARS = 100


@dataclass(frozen=True, slots=True)
class Declaration:
    """One thing that a file declares."""

    name: str
    line: int
    """Where it begins, from 0."""
    depth: int
    """How far its line is indented, in characters."""
    head: str
    """Its signature on one line, without what it contains; secrets may be in it."""
    doc: str = ""
    """The first line of its docstring."""


_PYTHON = r"""
  ^(?P<indent>[ \t]*) (?:async[ ]+)? (?:def|class)[ ]+ (?P<name>\w+)
| ^(?P<indent2>[ \t]{0,4}) (?P<name2>[A-Za-z_]\w*) [ ]* (?: :[ ]*[^\s=] | =[ ]*(?![=\s]) )
| ^(?P<indent3>[ \t]+) self\.(?P<name3>[A-Za-z_]\w*) [ ]* (?: :[ ]*[^\s=][^=\n]* )? =[ ]*(?![=\s])
"""
_SCRIPT = r"""
  ^(?P<indent>[ \t]*) (?:export[ ]+)? (?:default[ ]+)? (?:declare[ ]+)? (?:abstract[ ]+)?
    (?:async[ ]+)? (?:function\*?|class|interface|type|enum|namespace)[ ]+ (?P<name>[\w$]+)
| ^(?P<indent2>) (?:export[ ]+)? (?:declare[ ]+)? (?:const|let|var)[ ]+
    (?P<name2>[\w$]+) (?=[ ]*[:=])
| ^(?P<indent3>[ \t]{1,4})
    (?:(?:public|private|protected|static|readonly|abstract|override|async|get|set|declare)[ ]+)*
    (?!(?:if|for|while|switch|catch|return|case|default|await|new|throw|function|super|else)\b)
    (?P<name3>[#]?[A-Za-z_$][\w$]*) [?!]? (?: [ ]*(?:<[^>\n(]*>)?\( (?=[^;\n]*(?:\{|;|,|$))
      | :[ ]*[^\s:]
      | (?=[ ]*=[ ]*(?:async[ ]*)?(?:\([^()\n]*\)|[\w$]+)(?:[ ]*:[^=\n]+)?[ ]*=>) )
"""
_GO = r"""
  ^(?P<indent>) (?:func[ ]+(?:\([^)\n]*\)[ ]*)?|type[ ]+|var[ ]+|const[ ]+) (?P<name>\w+)
| ^(?P<indent2>\t) (?P<name2>[A-Z]\w*)[ ]+ [\w*\[\]{}.]+ [ ]* (?:`[^`\n]*`)? $
"""
_RUST = r"""
  ^(?P<indent>[ \t]*) (?:pub(?:\([^)\n]*\))?[ ]+)? (?:default[ ]+)? (?:async[ ]+)? (?:unsafe[ ]+)?
    (?:const[ ]+(?=fn\b))? (?:extern[ ]+"[^"\n]*"[ ]+)?
    (?:fn|struct|enum|trait|union|type|const|static|mod|macro_rules!)[ ]+ (?P<name>\w+)
| ^(?P<indent2>[ \t]+) pub(?:\([^)\n]*\))?[ ]+ (?P<name2>\w+) [ ]*: [^:]
"""
_JAVA = r"""
  ^(?P<indent>[ \t]*) (?:[\w.@<>\[\]?]+[ ]+)*? (?:class|interface|enum|record|object|trait|struct|
    protocol|extension|namespace|fun|func|def|val|var|typealias)[ ]+ (?P<name>\w+)
| ^(?P<indent2>[ \t]+) (?:(?:public|private|protected|internal|static|final|abstract|virtual|
    override|async|synchronized|readonly|const|default)[ ]+)+
    (?:<[^>\n]*>[ ]+)? [\w.<>,?\[\]]+[ ]+ (?P<name2>\w+) [ ]* [(;={]
| ^(?P<indent3>[ \t]{1,4}) (?!(?:return|new|throw|else|await|yield|case|assert|in)\b)
    [\w.<>,?\[\]]+[ ]+ (?P<name3>\w+) \( (?=[^;\n]*[{;,(]$)
"""
_C = r"""
  ^(?P<indent>[ \t]*) (?:typedef[ ]+)? (?:struct|class|enum|union|namespace)(?:[ ]+class)?[ ]+
    (?P<name>\w+) [^;=()\n]*$
| ^(?P<indent2>[ \t]{0,4}) (?!return\b|else\b|case\b|delete\b|new\b|throw\b|goto\b|using\b)
    (?:[\w<>,~]+(?:::[\w<>,~]+)*[ \t*&]{1,8}){0,6} [\w<>,~]+(?:::[\w<>,~]+)*(?:[ \t*&]{1,8}|\n)
    (?:\w+::)* (?P<name2>~?\w+) [ ]* \( (?=[^;\n]*[;{,)]?[ \t]*$)
| ^(?P<indent3>) \#[ ]*define[ ]+ (?P<name3>\w+)
"""
_RUBY = r"""
  ^(?P<indent>[ \t]*) (?:def[ ]+(?:self\.)?|class[ ]+|module[ ]+) (?P<name>\w+[?!=]?)
| ^(?P<indent2>[ \t]*) (?:attr_\w+|scope|has_many|belongs_to|has_one)[ ]+ :(?P<name2>\w+)
| ^(?P<indent3>[ \t]*) (?P<name3>[A-Z][A-Z_0-9]+) [ ]*=
"""
_PHP = r"""
  ^(?P<indent>[ \t]*) (?:(?:public|private|protected|static|abstract|final|readonly)[ ]+)*
    (?:function[ ]+&?|class[ ]+|interface[ ]+|trait[ ]+|enum[ ]+|const[ ]+) (?P<name>\w+)
| ^(?P<indent2>[ \t]+) (?:(?:public|private|protected|static|readonly)[ ]+)+ (?:\??\w+[ ]+)?
    (?P<name2>\$\w+)
"""
_WORDS = r"""
  ^(?P<indent>[ \t]*) (?:local[ ]+|export[ ]+|pub[ ]+)? (?:function|func|fn|def|defp|defmodule|
    class|module|sub|let|proc)[ ]+ (?P<name>[\w.:]+)
| ^(?P<indent2>) (?P<name2>\w+) [ ]* \(\) [ ]* \{
"""
_PATTERNS = MappingProxyType(
    {
        family: re.compile(pattern, re.MULTILINE | re.VERBOSE)
        for family, pattern in {
            "python": _PYTHON,
            "typescript": _SCRIPT,
            "vue": _SCRIPT,
            "svelte": _SCRIPT,
            "go": _GO,
            "rust": _RUST,
            "java": _JAVA,
            "kotlin": _JAVA,
            "csharp": _JAVA,
            "scala": _JAVA,
            "swift": _JAVA,
            "groovy": _JAVA,
            "dart": _JAVA,
            "c": _C,
            "ruby": _RUBY,
            "php": _PHP,
            "lua": _WORDS,
            "elixir": _WORDS,
            "perl": _WORDS,
            "julia": _WORDS,
            "shellscript": _WORDS,
            "zig": _RUST,
        }.items()
    }
)
_CLOSES = MappingProxyType({"(": ")", "[": "]", "{": "}"})
_HEAD_END = re.compile(r"[()\[\]{}\n;]|=>")
_DOC = re.compile(r'\s*[rbuRBU]{0,2}("""|\'\'\'|")\s*([^\n"\']*)')


def declarations(text: str, language: str) -> list[Declaration]:
    """What a text declares, in its order; nothing for a language without patterns."""
    return list(declared(text, language))


def declared(text: str, language: str) -> Iterator[Declaration]:
    """The same one by one, so that a caller may pause between two of them."""
    family = family_of(language)
    pattern = _PATTERNS.get(family)
    if pattern is None:
        return
    line = counted = behind = number = 0
    inside: list[tuple[int, bool]] = []
    while number < MAX_DECLARATIONS and (found := pattern.search(text, behind)):
        number += 1
        start = found.start()
        name, indent = _named(found)
        head, end = _head(text, start, braces_end=family != "python")
        behind = max(end, found.end())
        doc = ""
        if family == "python":
            doc, behind = _doc(text, behind)
        if not _counts(found, head, text[end : end + 3], inside, family):
            continue
        line += text.count("\n", counted, start)
        counted = start
        yield Declaration(name, line, len(indent), head, doc)


def _counts(
    found: re.Match[str], head: str, after: str, inside: list[tuple[int, bool]], family: str
) -> bool:
    """Whether this is a declaration that others can name: no local variable and no call.

    ``inside`` holds the indentation of each thing around, and whether that is a function.
    """
    _, indent = _named(found)
    while inside and inside[-1][0] >= len(indent):
        inside.pop()
    in_function = bool(inside) and inside[-1][1]
    if family == "python":
        if found.lastgroup == "name2":
            return not in_function
        if found.lastgroup == "name":
            inside.append((len(indent), "def " in head.partition("(")[0]))
        return True
    if family == "typescript" and found.lastgroup == "name3":
        return "(" not in found.group() or ":" in head.rpartition(")")[2] or "{" in after
    return True


def _named(found: re.Match[str]) -> tuple[str, str]:
    group = found.lastgroup or "name"
    number = group.removeprefix("name")
    return found[group], found["indent" + number]


def _head(text: str, start: int, *, braces_end: bool) -> tuple[str, int]:
    """The declaration's beginning with its blanks collapsed, and where it ends."""
    limit = min(start + MAX_HEAD_CHARS, len(text))
    depth, at = 0, start
    while found := _HEAD_END.search(text, at, limit):
        char, at = found.group(), found.end()
        if char == "{" and depth == 0 and braces_end:
            at -= 1
            break
        if char in _CLOSES:
            depth += 1
        elif char in ")]}":
            depth -= 1
            if depth < 0:
                at -= 1
                break
        elif depth == 0:
            at -= len(char)
            break
    else:
        at = min(limit, (text.find("\n", start) if depth == 0 else limit) % (len(text) + 1))
    head = " ".join(text[start:at].split())
    head = head.replace("( ", "(").replace(", )", ")").replace(",)", ")")
    return head.removesuffix("...").rstrip(" {:=,"), at


def _doc(text: str, at: int) -> tuple[str, int]:
    """The first line of the docstring behind a head, and where it ends."""
    found = _DOC.match(text, at + text.startswith(":", at))
    if found is None:
        return "", at
    first, quotes = found[2].strip()[:_MAX_DOC_CHARS], found[1]
    close = text.find(quotes, found.end(1))
    return first, close + len(quotes) if close >= 0 else at


def is_known(language: str) -> bool:
    """Whether there are patterns for a language."""
    return family_of(language) in _PATTERNS
