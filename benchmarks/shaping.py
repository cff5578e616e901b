"""How much damage shaping repairs, and how often it harms a right answer.

Holes are cut into real files: the text that stood there is the truth. The truth is damaged as
models damage it, shaped, and compared with the truth (blanks at the end do not count). Nothing is
asked of any model, so the figures say what the rules do and nothing else.

    python benchmarks/shaping.py --holes 1000 FOLDER...
    python benchmarks/shaping.py --show fenced --of python FOLDER...   # what went wrong, in full

Without folders the Python files of this interpreter, and the C headers of this machine, are read.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import sys
import sysconfig
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fim_lsp.context import PREFIX_CHARS, SUFFIX_CHARS, CursorContext
from fim_lsp.indent import indent_of, mixes_blanks
from fim_lsp.postprocess import shape
from fim_lsp.stop import Progress, progress
from fim_lsp.trigger import decide

LANGUAGES = {
    ".py": "python",
    ".ts": "typescript",
    ".tsx": "typescriptreact",
    ".js": "javascript",
    ".mjs": "javascript",
    ".go": "go",
    ".rs": "rust",
    ".c": "c",
    ".h": "c",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".java": "java",
    ".kt": "kotlin",
    ".cs": "csharp",
    ".swift": "swift",
    ".rb": "ruby",
    ".lua": "lua",
    ".php": "php",
    ".pl": "perl",
    ".pm": "perl",
    ".sh": "shellscript",
    ".css": "css",
    ".scss": "scss",
    ".html": "html",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".md": "markdown",
    ".cmake": "cmake",
    ".conf": "conf",
    ".dart": "dart",
    ".el": "emacs-lisp",
    ".ex": "elixir",
    ".f90": "fortran",
    ".fish": "fish",
    ".groovy": "groovy",
    ".hpp": "cpp",
    ".hs": "haskell",
    ".ini": "ini",
    ".json": "json",
    ".less": "less",
    ".m": "objective-c",
    ".mk": "makefile",
    ".mm": "objective-cpp",
    ".proto": "proto",
    ".ps1": "powershell",
    ".qml": "qml",
    ".r": "r",
    ".R": "r",
    ".rst": "restructuredtext",
    ".scala": "scala",
    ".scm": "scheme",
    ".sql": "sql",
    ".sty": "latex",
    ".svelte": "svelte",
    ".tcl": "tcl",
    ".tex": "latex",
    ".toml": "toml",
    ".vim": "vim",
    ".vue": "vue",
    ".xml": "xml",
    ".zsh": "zsh",
}
NAMES = {"CMakeLists.txt": "cmake", "Dockerfile": "dockerfile", "Makefile": "makefile"}
MOST_BYTES = 200_000
PATIENCE = 400
"""So many places without a kind of hole, and another kind is tried."""
LONGEST_BODY_LINES = 20
BARS = {
    "none": 99.0,
    "runs on": 97.0,
    "other code": 90.0,
    "suffix again": 98.0,
    "stuck": 97.0,
    "fenced": 97.0,
    "leading": 95.0,
    "tabs": 95.0,
    "cut off": 97.0,
    "sentinel": 99.0,
    "unclean": 100.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A cursor in a real file, and what stood right of it."""

    kind: str
    context: CursorContext
    truth: str
    other: str
    """Code from elsewhere that a model could go on with, at the depth outside the block."""
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One damaged truth and what should be shown of it."""

    raw: str
    wanted: str
    cut_off: bool = False
    clean_only: bool = False
    """Nothing but the absence of what must never be shown is judged."""


@dataclass(slots=True)
class Score:
    """What became of one kind of damage in one language."""

    tried: int = 0
    right: int = 0
    seconds: list[float] = field(default_factory=list[float])


# -- holes --------------------------------------------------------------------------------------


def files(folders: Sequence[Path]) -> dict[str, list[Path]]:
    """The files to cut holes into, by language."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            language = NAMES.get(path.name) or LANGUAGES.get(path.suffix)
            if language and path.is_file() and 500 < path.stat().st_size < MOST_BYTES:
                found[language].append(path)
    return found


def read(path: Path) -> str | None:
    """A file's text, unless a generator wrote it or it is not UTF-8."""
    try:
        text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None
    lines = text.split("\n")
    if max(map(len, lines)) > 400 or text.count("\x00"):
        return None
    return text


def holes(paths: Sequence[Path], language: str, number: int, draw: random.Random) -> list[Hole]:
    """So many holes, each kind alike where the files have it, from files drawn at random."""
    found: list[Hole] = []
    texts: dict[Path, str | None] = {}
    turn = failed = 0
    for attempt in range(number * 60):
        if len(found) == number:
            break
        if failed == PATIENCE:
            turn, failed = turn + 1, 0
        path = draw.choice(paths)
        if path not in texts:
            texts[path] = read(path)
        text = texts[path]
        if text is None:
            continue
        kind = list(CUTS)[turn % len(CUTS)]
        span = CUTS[kind](text, draw)
        if span is None or not text[slice(*span)].strip():
            failed += 1
            continue
        turn, failed = turn + 1, 0
        found.append(_hole(kind, text, span, language, f"{path}#{attempt}", draw))
    return found


def _hole(
    kind: str, text: str, span: tuple[int, int], language: str, where: str, draw: random.Random
) -> Hole:
    start, end = span
    before = text[max(0, start - PREFIX_CHARS) : start]
    context = CursorContext(
        uri="file:///hole",
        language=language,
        prefix=before,
        suffix=text[end : end + SUFFIX_CHARS],
    )
    return Hole(
        kind=kind,
        context=context,
        truth=text[start:end],
        other=_other(text, span, language, draw),
        where=where,
    )


def _depth(line: str) -> int:
    return len(indent_of(line).expandtabs(4))


def _starts(text: str) -> list[int]:
    starts, at = [0], text.find("\n")
    while at >= 0:
        starts.append(at + 1)
        at = text.find("\n", at + 1)
    return starts


def _rest_of_line(text: str, draw: random.Random) -> tuple[int, int] | None:
    starts = _starts(text)
    start = draw.choice(starts)
    end = text.find("\n", start)
    line = text[start:end]
    places = [match.start() for match in re.finditer(r"(?<=\S)\b|(?<=[^\w\s])", line)]
    places = [at for at in places if len(indent_of(line)) < at < len(line.rstrip())]
    return (start + draw.choice(places), end) if places and end > 0 else None


def _one_line(text: str, draw: random.Random) -> tuple[int, int] | None:
    starts = _starts(text)
    start = draw.choice(starts)
    end = text.find("\n", start)
    line = text[start:end]
    return (start + len(indent_of(line)), end) if end > 0 and line.strip() else None


def _some_lines(text: str, draw: random.Random) -> tuple[int, int] | None:
    """Two to eight lines of one block."""
    lines, starts = text.split("\n"), _starts(text)
    first = draw.randrange(len(lines))
    number = draw.randint(2, 8)
    piece = lines[first : first + number]
    if len(piece) < number or not piece[0].strip() or not piece[-1].strip():
        return None
    if any(line.strip() and _depth(line) < _depth(piece[0]) for line in piece):
        return None
    return _as_typed(starts[first], first, lines, starts[first] + len("\n".join(piece)), draw)


def _body(text: str, draw: random.Random) -> tuple[int, int] | None:
    """Everything deeper below a line that opens a block."""
    lines, starts = text.split("\n"), _starts(text)
    first = draw.randrange(len(lines) - 1) if len(lines) > 1 else 0
    opener = lines[first]
    if not re.search(r"(?:[:{]|\bdo|\bthen)\s*$", opener):
        return None
    last = first
    for number in range(first + 1, min(first + LONGEST_BODY_LINES + 2, len(lines))):
        if lines[number].strip():
            if _depth(lines[number]) <= _depth(opener):
                break
            last = number
    if not first < last <= first + LONGEST_BODY_LINES:
        return None
    end = starts[last] + len(lines[last])
    if draw.random() < 0.5 or not lines[first + 1].strip():
        return starts[first] + len(opener.rstrip()), end
    return starts[first + 1] + len(indent_of(lines[first + 1])), end


def _as_typed(
    start: int, first: int, lines: Sequence[str], end: int, draw: random.Random
) -> tuple[int, int]:
    """The cursor behind the new line's indentation, at its start, or at the end of the last one."""
    where = draw.random()
    if where < 0.25 and first and lines[first - 1].strip():
        return start - 1, end
    return (start if where < 0.4 else start + len(indent_of(lines[first]))), end


def _call(text: str, draw: random.Random) -> tuple[int, int] | None:
    """What stands between a call's brackets, on one line."""
    starts = _starts(text)
    start = draw.choice(starts)
    line = text[start : text.find("\n", start)]
    calls = list(re.finditer(r"\w\(([^()\n]*(?:\([^()\n]*\)[^()\n]*)*)\)", line))
    if not calls:
        return None
    call = draw.choice(calls)
    return start + call.start(1), start + call.end(1)


CUTS: dict[str, Callable[[str, random.Random], tuple[int, int] | None]] = {
    "rest of a line": _rest_of_line,
    "one line": _one_line,
    "2 to 8 lines": _some_lines,
    "a body": _body,
    "in a call": _call,
}


BEGINS = {"html": r"[ \t]*<\w[^<>]*>\s*$", "markdown": r"#+ \w"}
"""What a block begins with where that is no line which ends with a bracket or a colon."""


def _other(text: str, span: tuple[int, int], language: str, draw: random.Random) -> str:
    """How the file might go on outside the block: the block's closer, and other code of the file.

    Half of the time the closer is left out, as models do that see it below.
    """
    lines = text[: span[1]].split("\n")
    hole_line = text.count("\n", 0, span[0])
    first = next((line for line in lines[hole_line:] if line.strip()), "")
    depth = _depth(first)
    outer = next(
        (line for line in reversed(lines[:hole_line]) if line.strip() and _depth(line) < depth), ""
    )
    outside = indent_of(outer)
    everything = text.split("\n")
    begins = BEGINS.get(language, r"[ \t]*\w.*[:{(]\s*$")
    picks = [
        number
        for number, line in enumerate(everything)
        if re.match(begins, line) and not hole_line - 12 < number < len(lines) + 12
    ]
    if not picks:
        return ""
    chosen = draw.choice(picks)
    piece = everything[chosen : chosen + draw.randint(3, 12)]
    own = indent_of(piece[0])
    moved = [outside + line.removeprefix(own) if line.strip() else "" for line in piece]
    closer = {"{": "}", "(": ")", "[": "]"}.get(outer.rstrip()[-1:], "")
    head = f"\n{outside}{closer}" if closer and draw.random() < 0.5 else ""
    return head + "\n\n" + "\n".join(moved)


# -- damage -------------------------------------------------------------------------------------


def undamaged(hole: Hole, draw: random.Random) -> Trial:
    """The truth itself."""
    del draw
    return Trial(raw=hole.truth, wanted=hole.truth)


def runs_on(hole: Hole, draw: random.Random) -> Trial | None:
    """The truth, and 20 to 400 characters of what follows it."""
    suffix = hole.context.suffix
    if len(suffix.strip()) < 20:
        return None
    return Trial(raw=hole.truth + suffix[: draw.randint(20, 400)], wanted=hole.truth)


def other_code(hole: Hole, draw: random.Random) -> Trial | None:
    """The truth, and then other code outside the block."""
    del draw
    if not hole.other:
        return None
    rest = hole.context.line_suffix
    return Trial(raw=hole.truth + rest + hole.other, wanted=hole.truth)


def suffix_again(hole: Hole, draw: random.Random) -> Trial | None:
    """The truth, and the first line that follows, or the closer at its start, once more."""
    rest = hole.context.line_suffix.rstrip()
    if rest:
        closer = rest[:1] if rest[0] in ")]}" else rest
        return Trial(raw=hole.truth + draw.choice([rest, closer]), wanted=hole.truth)
    below = next((line for line in hole.context.lines_below if line.strip()), None)
    if below is None:
        return None
    start = below[: len(indent_of(below)) + 1]
    line = start if start.strip() in tuple(")]}") and draw.random() < 0.5 else below
    return Trial(raw=f"{hole.truth}\n{line}", wanted=hole.truth)


def stuck(hole: Hole, draw: random.Random) -> Trial:
    """The truth, and its last line 3 to 20 times more."""
    last = hole.truth.rstrip().split("\n")[-1]
    if "\n" not in hole.truth.rstrip() and not hole.context.line_prefix.strip():
        last = hole.context.line_prefix + last
    return Trial(raw=hole.truth.rstrip() + f"\n{last}" * draw.randint(3, 20), wanted=hole.truth)


PROSE = (
    "Here is the code:\n\n",
    "Here's the completed code:\n",
    "Sure! Here is the missing part:\n\n",
    "The completed code is as follows:\n\n",
    "",
)


def fenced(hole: Hole, draw: random.Random) -> Trial | None:
    """The truth in a fence, with prose before it and perhaps behind it."""
    if hole.context.language == "markdown" or "```" in hole.truth:
        return None
    behind = draw.choice(["", "\n", "\n\nThis completes the function.", "\n\nHope this helps!"])
    tag = draw.choice([hole.context.language, "", hole.context.language])
    return Trial(raw=f"{draw.choice(PROSE)}```{tag}\n{hole.truth}\n```{behind}", wanted=hole.truth)


def leading(hole: Hole, draw: random.Random) -> Trial | None:
    """A blank or a line end too many, or the indentation twice.

    Behind a word or a sign a blank may be meant, so the first two are for cursors at the start of
    a line, behind a blank, and behind an opening bracket.
    """
    truth, before = hole.truth, hole.context.line_prefix
    choices: list[str] = []
    if (not before or before[-1] in " \t([{") and not truth.startswith(("\n", " ", "\t")):
        choices += [" " + truth, "\n" + truth]
    if before and not before.strip():
        choices.append(before + truth)
        further = [line for line in truth.split("\n")[1:] if line.strip()]
        if further and all(line.startswith(before) for line in further):
            lines = truth.split("\n")
            choices.append(
                before + "\n".join(indent_of(line) + line if line.strip() else "" for line in lines)
            )
    return Trial(raw=draw.choice(choices), wanted=truth) if choices else None


def tabs(hole: Hole, draw: random.Random) -> Trial | None:
    """A tab for each step of spaces, or four spaces for a tab, in every line's indentation.

    Where a document mixes both, a tab is eight columns, and either may be right: left out.
    """
    del draw
    first, *further = hole.truth.split("\n")
    whole = not hole.context.line_prefix
    lines = [first, *further] if whole else further
    indents = [indent_of(line) for line in lines if line.strip()]
    if not any(indents) or any("\t" in i and " " in i for i in indents):
        return None
    near = hole.context.prefix + hole.truth + hole.context.suffix
    if mixes_blanks(near.split("\n")):
        return None
    depths = [len(blanks) for blanks in re.findall(r"\n( {2,})[^\s*]", near)]
    step = 2 if sum(depth in (2, 6) for depth in depths) * 4 > len(depths) else 4
    if any(" " in i and len(i) % step for i in indents):
        return None
    swapped = [_swapped(line, step) for line in lines]
    return Trial(raw="\n".join(swapped if whole else [first, *swapped]), wanted=hole.truth)


def _swapped(line: str, step: int) -> str:
    blanks = indent_of(line)
    other = blanks.replace("\t", "    ") if "\t" in blanks else "\t" * (len(blanks) // step)
    return other + line[len(blanks) :]


def cut_off(hole: Hole, draw: random.Random) -> Trial | None:
    """The truth, ended by the limit of tokens in the middle of a line."""
    lines = hole.truth.split("\n")
    numbers = [
        n
        for n, line in enumerate(lines)
        if n and len(line.strip()) > 3 and any(one.strip() for one in lines[:n])
    ]
    if not numbers:
        return None
    number = draw.choice(numbers)
    line = lines[number]
    end = draw.randint(len(indent_of(line)) + 1, len(line.rstrip()) - 1)
    whole = "\n".join(lines[:number])
    return Trial(raw=f"{whole}\n{line[:end]}", wanted=whole, cut_off=True)


SENTINELS = ("<|endoftext|>", "<|fim_suffix|>", "</s>", "[SUFFIX]", "<｜fim▁end｜>", "<EOT>")
INVISIBLE = "\u202e\u2066\u200b\u200f\ufeff\x07\x1b\x00\u2028\u00ad"


def sentinel(hole: Hole, draw: random.Random) -> Trial | None:
    """A token of the model's own at the end, and perhaps more behind it."""
    if any(s in hole.context.prefix + hole.truth + hole.context.suffix for s in SENTINELS):
        return None
    behind = draw.choice(["", hole.truth, "\nassistant: done"])
    return Trial(raw=hole.truth + draw.choice(SENTINELS) + behind, wanted=hole.truth)


def unclean(hole: Hole, draw: random.Random) -> Trial | None:
    """A token of the model's own, or an invisible character, anywhere."""
    if any(s in hole.context.prefix + hole.truth + hole.context.suffix for s in SENTINELS):
        return None
    at = draw.randint(0, len(hole.truth))
    dirt = draw.choice([draw.choice(SENTINELS), draw.choice(INVISIBLE)])
    raw = hole.truth[:at] + dirt + hole.truth[at:]
    return Trial(raw=raw, wanted="", clean_only=True)


DAMAGES: dict[str, Callable[[Hole, random.Random], Trial | None]] = {
    "none": undamaged,
    "runs on": runs_on,
    "other code": other_code,
    "suffix again": suffix_again,
    "stuck": stuck,
    "fenced": fenced,
    "leading": leading,
    "tabs": tabs,
    "cut off": cut_off,
    "sentinel": sentinel,
    "unclean": unclean,
}


# -- streams ------------------------------------------------------------------------------------

STREAMED = ("none", "runs on", "other code", "stuck")
LONG_CHARS = 1000


@dataclass(slots=True)
class Streams:
    """What became of answers that came in pieces of two to nine characters."""

    tried: int = 0
    worse: int = 0
    """Hung up too soon: the whole answer would have been shown rightly, and this was not."""
    received: int = 0
    all_chars: int = 0
    seconds: list[float] = field(default_factory=list[float])
    """Calls on about LONG_CHARS characters."""


def stream(cut: Sequence[Hole], name: str, seed: int) -> Streams:
    """Let answers come in pieces and hang up when told to."""
    draw, streams = random.Random(seed), Streams()
    for hole, trial in trials(cut, name, seed):
        lines = decide(hole.context).lines
        at = 0
        while at < len(trial.raw):
            at = min(len(trial.raw), at + draw.randint(2, 9))
            began = time.perf_counter()
            now = progress(trial.raw[:at], hole.context, lines=lines)
            if abs(at - LONG_CHARS) < LONG_CHARS / 5:
                streams.seconds.append(time.perf_counter() - began)
            if now.finished:
                break
        streams.tried += 1
        streams.received += at
        streams.all_chars += len(trial.raw)
        whole, got = (
            shape(raw, hole.context, lines=lines).text.rstrip()
            for raw in (trial.raw, trial.raw[:at])
        )
        streams.worse += whole == trial.wanted.rstrip() != got
    return streams


def report_streams(table: dict[str, dict[str, Streams]]) -> None:
    """A Markdown table: what hanging up saves, and what it costs."""
    print("\n| streamed: hung up too soon, received of the text | " + " | ".join(table) + " |")
    print("|---|" + "---|" * len(table))
    for name in STREAMED:
        cells = [
            f"{100 * one[name].worse / max(one[name].tried, 1):.1f} %, "
            f"{100 * one[name].received / max(one[name].all_chars, 1):.0f} %"
            for one in table.values()
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")
    medians = [
        1000 * statistics.median([s for one in streams.values() for s in one.seconds] or [0.0])
        for streams in table.values()
    ]
    print(
        f"| median call at {LONG_CHARS} characters, ms | "
        + " | ".join(f"{m:.2f}" for m in medians)
        + " |"
    )


@dataclass(slots=True)
class Late:
    """How many characters came behind the end of what was right to show, a list for each sign."""

    shown: list[int] = field(default_factory=list[int])
    """Until the text could be shown: nothing that follows changes it."""
    hung_up: list[int] = field(default_factory=list[int])
    """Until the stream could be hung up."""
    never: int = 0
    """The damage ended before that, and so did the stream."""


def lateness(cut: Sequence[Hole], seed: int, late: dict[tuple[str, str], Late]) -> None:
    """Let answers come character by character behind their truth, for each kind of hole."""
    for name in ("runs on", "other code"):
        for hole, trial in trials(cut, name, seed):
            lines = decide(hole.context).lines
            end = len(trial.wanted.rstrip())
            said: list[Progress] = []
            while end + len(said) < len(trial.raw) and not (said and said[-1].finished):
                raw = trial.raw[: end + len(said) + 1]
                said.append(progress(raw, hole.context, lines=lines))
            hung_up = bool(said) and said[-1].finished
            shown = (number for number, now in enumerate(said, 1) if now.shown_whole)
            one = late[name, hole.kind]
            one.shown.append(next(shown, len(said)))
            one.hung_up.append(len(said))
            one.never += not hung_up


def report_lateness(table: dict[tuple[str, str], Late]) -> None:
    """A Markdown table: characters behind the end, median and 90th percentile."""
    print("\n| damage, hole | answers | shown after | hung up after | never hung up |")
    print("|---|---|---|---|---|")
    for (name, kind), late in sorted(table.items()):
        shown, hung_up = (
            f"{statistics.median(counts):.0f}, {sorted(counts)[len(counts) * 9 // 10]}"
            for counts in (late.shown, late.hung_up)
        )
        tried = len(late.shown)
        never = f"{100 * late.never / tried:.0f} %"
        print(f"| {name}, {kind} | {tried} | {shown} | {hung_up} | {never} |")


# -- judging ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """One text that was not what it should be."""

    hole: Hole
    trial: Trial
    shown: str
    reason: str


def judge(hole: Hole, trial: Trial, score: Score) -> Miss | None:
    """Shape one damaged truth; the miss, if it is one."""
    lines = decide(hole.context).lines
    began = time.perf_counter()
    shaped = shape(trial.raw, hole.context, lines=lines, cut_off=trial.cut_off)
    score.seconds.append(time.perf_counter() - began)
    score.tried += 1
    if trial.clean_only:
        right = not any(dirt in shaped.text for dirt in (*INVISIBLE, *SENTINELS))
    else:
        right = shaped.text.rstrip() == trial.wanted.rstrip()
    score.right += right
    if right:
        return None
    return Miss(hole=hole, trial=trial, shown=shaped.text, reason=shaped.reason)


def trials(cut: Sequence[Hole], name: str, seed: int) -> Iterator[tuple[Hole, Trial]]:
    """Each hole with one kind of damage, where that is possible."""
    draw = random.Random(f"{seed} {name}")
    for hole in cut:
        trial = DAMAGES[name](hole, draw)
        if trial is not None:
            yield hole, trial


def explain(miss: Miss) -> str:
    """A miss in full, for whoever tunes the rules."""
    context, trial = miss.hole.context, miss.trial
    above = "\n".join(context.prefix.split("\n")[-8:])
    below = "\n".join(context.suffix.split("\n")[:5])
    return (
        f"{'=' * 30} {miss.hole.kind} ({miss.reason}) {miss.hole.where}\n{above}║{below}\n"
        f"{'-' * 20} wanted\n{trial.wanted}\n{'-' * 20} shown\n{miss.shown}\n"
        f"{'-' * 20} raw\n{trial.raw[:1500]}\n"
    )


def main() -> int:
    """Cut the holes, damage what was in them, and print a table for each language."""
    parser = argparse.ArgumentParser(description="How much damage shaping repairs.")
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--holes", type=int, default=1000, help="for each language")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--of", default="", help="one language alone")
    parser.add_argument("--show", default="", help="print the misses of one damage")
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--streams", type=int, default=0, help="holes for each language, streamed")
    parser.add_argument("--late", type=int, default=0, help="holes for each, how late they end")
    options = parser.parse_args()
    folders = options.folders or [Path(sysconfig.get_path("stdlib")), Path("/usr/include")]
    names = [options.show] if options.show else list(DAMAGES)
    table: dict[str, dict[str, Score]] = {}
    streams: dict[str, dict[str, Streams]] = {}
    late: defaultdict[tuple[str, str], Late] = defaultdict(Late)
    for language, paths in files(folders).items():
        if options.of and language != options.of:
            continue
        draw = random.Random(options.seed)
        cut = holes(paths, language, options.holes, draw)
        if len(cut) < options.holes // 2:
            continue
        table[language] = {}
        if options.streams:
            some = cut[: options.streams]
            streams[language] = {name: stream(some, name, options.seed) for name in STREAMED}
        lateness(cut[: options.late], options.seed, late)
        for name in names:
            score = table[language][name] = Score()
            judged = [judge(hole, trial, score) for hole, trial in trials(cut, name, options.seed)]
            misses = [miss for miss in judged if miss]
            if options.show:
                for miss in misses[: options.limit]:
                    print(explain(miss))
                kinds = Counter((miss.hole.kind, miss.reason) for miss in misses)
                print("\n".join(f"{n:5} {kind}" for kind, n in kinds.most_common(30)))
    report(table, names)
    if streams:
        report_streams(streams)
    if late:
        report_lateness(late)
    return 0


def report(table: dict[str, dict[str, Score]], names: Sequence[str]) -> None:
    """A Markdown table: damage by language, in per cent shown as it should be."""
    print("| damage | bar | " + " | ".join(table) + " |")
    print("|---|---|" + "---|" * len(table))
    for name in names:
        cells = [
            f"{100 * scores[name].right / max(scores[name].tried, 1):.1f} ({scores[name].tried})"
            for scores in table.values()
        ]
        print(f"| {name} | {BARS[name]:.0f} | " + " | ".join(cells) + " |")
    seconds = [
        1000 * statistics.median(s for score in scores.values() for s in score.seconds or [0.0])
        for scores in table.values()
    ]
    print("| median call, ms | 1 | " + " | ".join(f"{ms:.2f}" for ms in seconds) + " |")


if __name__ == "__main__":
    sys.exit(main())
