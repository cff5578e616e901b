"""What the rules need to know of each language, by LSP id, and how to skim code written in it.

No grammar: strings and comments are told apart from code, brackets are paired, and that is all.
Unknown ids get rules that do little harm anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Literal, NamedTuple

Blocks = Literal["brackets", "indent", "words", "tags", "none"]
"""What ends a block: a closing bracket, a lesser indentation, a closing word or tag, or nothing."""

CLOSERS = MappingProxyType({")": "(", "]": "[", "}": "{"})
"""Each closing bracket's opening one."""
_BRACKETS = frozenset("()[]{}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """How one language writes comments, strings and blocks."""

    line_comments: tuple[str, ...] = ()
    block_comments: tuple[tuple[str, str], ...] = ()
    quotes: str = ""
    """Quotes whose strings end with the line at the latest."""
    long_quotes: tuple[tuple[str, str], ...] = ()
    """Quotes whose strings run over lines."""
    heredocs: str = ""
    """What may stand in ``<<WORD`` before the word whose line ends a string; a pattern."""
    blocks: Blocks = "brackets"
    brackets: str = "([{"
    closing_words: tuple[str, ...] = ()
    lists: bool = False
    """All that stands further in than a bracket is within it."""
    small_blocks: bool = False
    """A block has a few lines: whoever ends one goes on with the next."""
    strict_depth: bool = False
    """A statement stands as deep as others of a block around it, a block deeper than its head."""
    char_quote: bool = False
    """``'`` holds one character (a lone one is a lifetime or a digit separator)."""
    regexes: bool = False
    """``/…/`` after an operator is a literal."""
    free_lines: str = ""
    """A pattern of lines that stand at any indentation: labels, preprocessor lines."""
    markup: bool = False
    """Text for people, in which fences and prose are what is wanted."""
    step: str = "    "
    """One step of indentation as most write it, for documents that do not tell."""
    step_varies: bool = False
    """As many write a tab as write spaces: a document that does not tell may hold either."""

    @property
    def has_names(self) -> bool:
        """Whether its words are names rather than text or values."""
        return bool(self.brackets) and self.blocks != "tags"


_SLASHES = ("//",)
_STARS = (("/*", "*/"),)
_BACKTICK = (("`", "`"),)

_C = Language(
    line_comments=_SLASHES,
    block_comments=_STARS,
    quotes='"',
    char_quote=True,
    free_lines=r"#|(?!default\b)[A-Za-z_]\w*:(?!:)",
)
_JAVA = Language(
    line_comments=_SLASHES,
    block_comments=_STARS,
    quotes='"',
    long_quotes=(('"""', '"""'),),
    char_quote=True,
)
_JAVASCRIPT = Language(
    line_comments=_SLASHES,
    block_comments=_STARS,
    quotes="\"'",
    long_quotes=_BACKTICK,
    regexes=True,
    step="  ",
)
_CSS = Language(block_comments=_STARS, quotes="\"'", small_blocks=True, step="  ")
_HASH = Language(line_comments=("#",), quotes="\"'")
_INDENTED = Language(line_comments=("#",), quotes="", brackets="", blocks="indent", step="  ")
_MARKUP = Language(
    block_comments=(("<!--", "-->"),),
    brackets="",
    blocks="tags",
    free_lines=r"\{[%#{]",
    step="  ",
)

_LANGUAGES = MappingProxyType(
    {
        "": Language(quotes='"', brackets="", blocks="none", step_varies=True),
        "tcl": Language(line_comments=("#",), quotes='"', step_varies=True),
        "python": Language(
            line_comments=("#",),
            quotes="\"'",
            long_quotes=(('"""', '"""'), ("'''", "'''")),
            blocks="indent",
            strict_depth=True,
        ),
        "javascript": _JAVASCRIPT,
        "java": _JAVA,
        "c": _C,
        "go": Language(
            line_comments=_SLASHES,
            block_comments=_STARS,
            quotes='"',
            long_quotes=_BACKTICK,
            char_quote=True,
            free_lines=r"(?!default\b)[A-Za-z_]\w*:$",
            step="\t",
        ),
        "rust": Language(
            line_comments=_SLASHES,
            block_comments=_STARS,
            long_quotes=(('r#"', '"#'), ('"', '"')),
            char_quote=True,
        ),
        "php": Language(
            line_comments=("//", "#"),
            block_comments=_STARS,
            long_quotes=(('"', '"'), ("'", "'")),
            heredocs="<[ ]?",
        ),
        "css": _CSS,
        "scss": replace(_CSS, line_comments=_SLASHES),
        "json": Language(quotes='"', step="  "),
        "toml": _HASH,
        "ini": Language(line_comments=("#", ";"), brackets="", blocks="none", step_varies=True),
        "cmake": Language(
            line_comments=("#",),
            block_comments=(("#[=", "]="), ("#[[", "]]")),
            long_quotes=(('"', '"'),),
            brackets="(",
            blocks="none",
            step="  ",
        ),
        "perl": Language(
            line_comments=("#",),
            block_comments=(("\n=", "\n=cut"),),
            quotes="\"'",
            heredocs="~?",
        ),
        "r": _HASH,
        "ruby": Language(
            line_comments=("#",),
            quotes="\"'",
            heredocs="[-~]?",
            blocks="words",
            closing_words=("end",),
            step="  ",
        ),
        "elixir": Language(
            line_comments=("#",),
            quotes="\"'",
            long_quotes=(('"""', '"""'),),
            blocks="words",
            closing_words=("end",),
            step="  ",
        ),
        "lua": Language(
            line_comments=("--",),
            block_comments=(("--[[", "]]"),),
            quotes="\"'",
            long_quotes=(("[[", "]]"),),
            blocks="words",
            closing_words=("end", "until"),
            step="  ",
        ),
        "shellscript": Language(
            line_comments=("#",),
            long_quotes=(('"', '"'), ("'", "'")),
            # a case pattern's ) has no opening one
            brackets="{",
            blocks="words",
            closing_words=("fi", "done", "esac"),
            heredocs=r"-?[ ]?",
            step="  ",
            step_varies=True,
        ),
        "sql": Language(
            line_comments=("--",), block_comments=_STARS, quotes="\"'", step_varies=True
        ),
        "haskell": Language(
            line_comments=("--",), block_comments=(("{-", "-}"),), quotes='"', blocks="indent"
        ),
        "clojure": Language(line_comments=(";",), long_quotes=(('"', '"'),), lists=True, step="  "),
        "latex": Language(line_comments=("%",), blocks="none"),
        "vim": Language(
            quotes="'",
            brackets="",  # a remark begins as a string does, and often holds {{{
            blocks="words",
            closing_words=("end\\w+",),
            step="  ",
            step_varies=True,
        ),
        "yaml": _INDENTED,
        "makefile": replace(_INDENTED, step="\t"),
        "dockerfile": _INDENTED,
        "html": _MARKUP,
        "markdown": Language(brackets="", blocks="none", markup=True),
    }
)

_ALIASES = MappingProxyType(
    {
        "javascriptreact": "javascript",
        "typescript": "javascript",
        "typescriptreact": "javascript",
        "jsx": "javascript",
        "tsx": "javascript",
        "cpp": "c",
        "objective-c": "c",
        "objective-cpp": "c",
        "cuda-cpp": "c",
        "csharp": "java",
        "kotlin": "java",
        "scala": "java",
        "swift": "java",
        "groovy": "java",
        "dart": "java",
        "zig": "rust",
        "less": "scss",
        "jsonc": "json",
        "qml": "javascript",
        "d": "c",
        "glsl": "c",
        "hlsl": "c",
        "wgsl": "c",
        "awk": "perl",
        "proto": "c",
        "proto3": "c",
        "thrift": "c",
        "cs": "java",
        "cuda": "c",
        "objc": "c",
        "objcpp": "c",
        "bats": "shellscript",
        "ksh": "shellscript",
        "ps1": "r",
        "conf": "ini",
        "desktop": "ini",
        "dosini": "ini",
        "properties": "ini",
        "systemd": "ini",
        "make": "makefile",
        "mk": "makefile",
        "elisp": "clojure",
        "fennel": "clojure",
        "plaintex": "latex",
        "rst": "markdown",
        "json5": "javascript",
        "sh": "shellscript",
        "bash": "shellscript",
        "zsh": "shellscript",
        "fish": "ruby",
        "julia": "ruby",
        "crystal": "ruby",
        "powershell": "r",
        "terraform": "r",
        "nix": "r",
        "cython": "python",
        "starlark": "python",
        "gdscript": "python",
        "coffeescript": "python",
        "lisp": "clojure",
        "commonlisp": "clojure",
        "scheme": "clojure",
        "emacs-lisp": "clojure",
        "racket": "clojure",
        "xml": "html",
        "xsl": "html",
        "svg": "html",
        "handlebars": "html",
        "vue": "html",
        "svelte": "html",
        "astro": "html",
        "mdx": "markdown",
        "plaintext": "markdown",
        "restructuredtext": "markdown",
        "asciidoc": "markdown",
        "org": "markdown",
        "git-commit": "markdown",
        "gitcommit": "markdown",
        "text": "markdown",
        "tex": "latex",
        "bibtex": "latex",
        "dockercompose": "yaml",
        "ansible": "yaml",
        "elm": "haskell",
        "purescript": "haskell",
    }
)


def language(name: str) -> Language:
    """The rules for an LSP language id."""
    return _LANGUAGES.get(_ALIASES.get(name, name)) or _LANGUAGES[""]


def is_known(name: str) -> bool:
    """Whether there are rules for an LSP language id."""
    return bool(name) and _ALIASES.get(name, name) in _LANGUAGES


class Bracket(NamedTuple):
    """A bracket without its partner in the text that was skimmed."""

    char: str
    at: int
    """Its offset in characters."""
    line_at: int
    """An offset on the line whose indentation is its own: a block's head may take several."""


class Level(NamedTuple):
    """From an offset on, how many of the text's own brackets are open, and which is innermost."""

    at: int
    depth: int
    innermost: Bracket | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skim:
    """What a text leaves open, and what it closes that it did not open."""

    openers: tuple[Bracket, ...]
    closers: tuple[Bracket, ...]
    inside: str
    """What would end the string or comment in which the text ends; empty in code."""
    spans: tuple[tuple[int, int], ...]
    """Where strings and comments run over a line's end, as offsets."""
    levels: tuple[Level, ...]
    """Every change of depth."""


def skim(
    text: str,
    rules: Language,
    inside: str = "",
    *,
    openers: tuple[Bracket, ...] = (),
    start: int = 0,
) -> Skim:
    """Pair the brackets of a text that starts within what ``inside`` would end.

    What stands before ``start`` was skimmed already, and left these brackets open.
    """
    at, spans, inside = _leave(text, rules, inside, start)
    pairing = _Pairing(text, openers)
    start_at = len(text) if inside else at
    for match in _pattern(rules).finditer(text, start_at):
        found, begins = match[0], match.start()
        if found in "([{":
            pairing.open(found, begins)
        elif found in CLOSERS:
            pairing.close(found, begins)
        else:
            if rules.heredocs and found.startswith("<<"):
                begins = pairing.rest_of_line(begins, match.end(), rules.brackets)
            if "\n" in found:
                spans.append((begins, match.end()))
            if match.end() == len(text):
                inside = _unended(found, rules)
    return Skim(
        openers=tuple(pairing.openers),
        closers=tuple(pairing.closers),
        inside=inside,
        spans=tuple(spans),
        levels=tuple(pairing.levels),
    )


def literals(line: str, rules: Language) -> tuple[tuple[int, int], ...]:
    """Where strings and comments stand in a line that begins as code, as offsets."""
    return tuple(
        match.span() for match in _pattern(rules).finditer(line) if match[0] not in _BRACKETS
    )


class _Pairing:
    """Pairs brackets in the order in which they come."""

    def __init__(self, text: str, openers: tuple[Bracket, ...]) -> None:
        self.text = text
        self.openers = list(openers)
        self.closers: list[Bracket] = []
        self.levels: list[Level] = []
        self._head_at = 0
        self._head_ended_at = -1

    def open(self, char: str, at: int) -> None:
        """Note an opening bracket."""
        ended = self._head_ended_at
        goes_on = char == "{" and ended >= 0 and "\n" not in self.text[ended:at]
        line_at = self._head_at if goes_on else at
        self.openers.append(Bracket(char, at, line_at))
        self._changed(at)

    def close(self, char: str, at: int) -> None:
        """Note a closing bracket.

        One that crosses another pair is not code as we know it: nothing is said about it.
        """
        if self.openers and self.openers[-1].char == CLOSERS[char]:
            opener = self.openers.pop()
            if char == ")":
                self._head_at, self._head_ended_at = opener.line_at, at
            self._changed(at)
        elif not self.openers:
            self.closers.append(Bracket(char, at, at))

    def rest_of_line(self, at: int, end: int, brackets: str) -> int:
        """Pair what stands on the line that begins a string below it; where the line ends."""
        line = self.text.find("\n", at, end)
        stop = line if line >= 0 else end
        for found in _BRACKET.finditer(self.text, at, stop):
            if found[0] in brackets:
                self.open(found[0], found.start())
            elif CLOSERS.get(found[0], " ") in brackets:
                self.close(found[0], found.start())
        return stop

    def _changed(self, at: int) -> None:
        innermost = self.openers[-1] if self.openers else None
        self.levels.append(Level(at, len(self.openers), innermost))


def _leave(
    text: str, rules: Language, inside: str, start: int
) -> tuple[int, list[tuple[int, int]], str]:
    """Where code begins in a text that starts inside a string or comment."""
    if not inside:
        return start, [], ""
    end = _end_of(inside, rules).search(text, start)
    if end is None:
        return len(text), [(start, len(text))], inside
    # a newline that ends a comment is not a part of it
    spans = [(start, end.start())] if text.find("\n", start, end.start()) >= 0 else []
    return end.end(), spans, ""


@cache
def _end_of(inside: str, rules: Language) -> re.Pattern[str]:
    if inside == "\n":
        return re.compile("(?=\n)")
    if inside[0] == "\n" and inside[1:].isidentifier():
        return re.compile(rf"\n[ \t]*{inside[1:]}\b")
    if inside in rules.quotes:  # it ends with the line at the latest
        return re.compile(rf"(?:(?<!\\)|(?<=\\\\)){re.escape(inside)}|(?=\n)")
    return re.compile(rf"(?:(?<!\\)|(?<=\\\\)){re.escape(inside)}")


def _unended(token: str, rules: Language) -> str:
    """What a string or comment at a text's end still waits for."""
    for opening, closing in (*rules.block_comments, *rules.long_quotes):
        if token.startswith(opening):
            ended = len(token) >= len(opening) + len(closing) and token.endswith(closing)
            return "" if ended else closing
    if rules.heredocs and (opening := _HEREDOC_OPENS.match(token)):
        ended = re.search(rf"\n[ \t]*{opening[1]}\Z", token)
        return "" if ended or "\n" not in token else f"\n{opening[1]}"
    if token.startswith(rules.line_comments):
        return "\n"
    quote = token[0]
    return quote if quote in rules.quotes and not (len(token) > 1 and token[-1] == quote) else ""


_BRACKET = re.compile(r"[(\[{)\]}]")
_HEREDOC_OPENS = re.compile(r"<<[-~< ]*[\"']?([A-Za-z_]\w*)")


def _heredoc(between: str) -> str:
    """A string from ``<<WORD`` to the line of that word, with what else the first line holds."""
    word = rf"(?:{between}[\"'](?P<quoted>[A-Za-z_]\w*)[\"']|{between}(?P<word>[A-Z_][A-Z_0-9]+)\b)"
    ends = r"(?:\n(?s:.*?)(?:\n[ \t]*(?:(?P=quoted)|(?P=word))\b|\Z))?"
    return rf"<<(?<![\d)\]}}$<]<<){word}[^\n]*{ends}"


def _run(opening: str, body: str, closing: str) -> str:
    """A string or comment over any number of lines, ended by the text's end at the latest."""
    return rf"{re.escape(opening)}(?s:{body})(?:{re.escape(closing)}|\Z)"


@cache
def _pattern(rules: Language) -> re.Pattern[str]:
    """One alternative for each thing that matters; each starts with a letter, which is quick."""
    parts: list[str] = []
    parts += [_run(opening, r".*?", closing) for opening, closing in rules.block_comments]
    parts += [_heredoc(rules.heredocs)] if rules.heredocs else []
    for opening, closing in rules.long_quotes:
        end = closing[0]
        apart = rf"{re.escape(end)}(?!{re.escape(closing[1:])})" if closing[1:] else "(?!)"
        # unrolled: many times as fast as trying two alternatives for each character
        body = rf"[^{re.escape(end)}\\]*(?:(?:\\.|{apart})[^{re.escape(end)}\\]*)*"
        parts.append(_run(opening, body, closing))
    for comment in rules.line_comments:
        # $#, ${#x}, ${x##*/}, #{…} and [^#] are no comments
        guard = r"(?<![^\s;,()\[\]}\"'|&]#)" if comment == "#" else ""
        parts.append(rf"{re.escape(comment)}{guard}[^\n]*")
    parts += [rf"{quote}(?:\\.|[^{quote}\\\n])*{quote}?" for quote in rules.quotes]
    if rules.char_quote:
        parts.append(r"'(?:\\[^'\n]+|\\'|[^'\\\n])'")
    if rules.regexes:
        parts.append(
            r"/(?:(?<=[(=,:\[!&|?;]/)|(?<=[(=,:\[!&|?;] /)|(?<=return /))(?![*/])"
            r"(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/"
        )
    brackets = rules.brackets + "".join(c for c, o in CLOSERS.items() if o in rules.brackets)
    parts += [re.escape(bracket) for bracket in brackets]
    return re.compile("|".join(parts) or r"(?!)")
