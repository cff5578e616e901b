"""Whether a grammar shapes better than the plain rules: tree-sitter, on the same holes and damage.

``alone`` puts the grammar in the place of the rules on brackets, blocks and the rest of the line:
the text ends where the construct around the cursor does, and at the longest cut with the least
errors. ``behind`` asks the grammar once more behind all rules: what they leave is cut to the
longest part with which everything parses, and left alone where nothing does. ``near`` is the same
with 2,000 characters around the cursor, where errors count within the text and the next line.

The product has no part of this; the grammars are installed for the comparison alone:

    uv pip install tree-sitter tree-sitter-{python,javascript,typescript,go,rust,c,cpp,java} \
        tree-sitter-{css,html,bash,ruby,php,c-sharp}
    python -m benchmarks.shaping_syntax --holes 400 FOLDER...
"""

from __future__ import annotations

import argparse
import importlib
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.shaping import Hole, Trial, files, holes, read, trials
from fim_lsp.place import place
from fim_lsp.postprocess import FILTERS, extent, right
from fim_lsp.postprocess.draft import Draft, Filter
from fim_lsp.trigger import decide

GRAMMARS = {
    "python": ("python", "language"),
    "javascript": ("javascript", "language"),
    "typescript": ("typescript", "language_typescript"),
    "typescriptreact": ("typescript", "language_tsx"),
    "go": ("go", "language"),
    "rust": ("rust", "language"),
    "c": ("c", "language"),
    "cpp": ("cpp", "language"),
    "java": ("java", "language"),
    "css": ("css", "language"),
    "html": ("html", "language"),
    "shellscript": ("bash", "language"),
    "ruby": ("ruby", "language"),
    "php": ("php", "language_php"),
    "csharp": ("c_sharp", "language"),
}
JUDGED = ("none", "runs on", "other code", "suffix again", "stuck", "tabs", "cut off")
MOST_CUTS = 12
NEAR_CHARS = 1_000
FILE_LINES = 2_000

Node = Any


@cache
def parser(language: str) -> Any:
    """The parser for a language, loaded at its first use."""
    package, name = GRAMMARS[language]
    tree_sitter = importlib.import_module("tree_sitter")
    grammar = getattr(importlib.import_module(f"tree_sitter_{package}"), name)()
    return tree_sitter.Parser(tree_sitter.Language(grammar))


def errors(node: Node, start: int = 0, end: int = sys.maxsize) -> int:
    """How much does not parse between two offsets in bytes: nodes, and what they skip."""
    if not node.has_error or node.end_byte < start or node.start_byte > end:
        return 0
    own = 1 if node.is_missing else 0
    if node.is_error and node.start_byte >= start:
        own = 5 + node.end_byte - node.start_byte
    return own + sum(errors(child, start, end) for child in node.children)


class Reading:
    """A document with the text in it, parsed again for each cut from the tree before."""

    def __init__(self, draft: Draft, chars: int = sys.maxsize) -> None:
        context = draft.place.context
        self.text = draft.text
        self.parser = parser(context.language)
        self.before = context.prefix[-chars:].encode()
        self.behind = context.suffix[:chars].encode()
        self.start = len(self.before)
        self.tree: Any = None
        self.size = 0

    def root(self, cut: int) -> Node:
        """The tree's root where the text ends at a cut, in characters."""
        kept = self.text[:cut].encode()
        source = self.before + kept + self.behind
        if self.tree is not None:
            old, new = self.start + self.size, self.start + len(kept)
            points = [_point(self.before + self.text.encode(), at) for at in (new, old, new)]
            self.tree.edit(min(old, new), old, new, *points)
        self.tree = self.parser.parse(source, self.tree) if self.tree else self.parser.parse(source)
        self.size = len(kept)
        return self.tree.root_node

    def leaves(self) -> int | None:
        """Where the construct ends that was begun on a line before the cursor's."""
        line = self.before.rfind(b"\n") + 1
        end = self.start + len(self.text.encode())
        node = self.root(len(self.text)).descendant_for_byte_range(self.start, self.start)
        while node is not None and node.parent is not None:
            if node.start_byte < line and self.start < node.end_byte < end and not node.is_error:
                last = node.children[-1] if node.children else node
                closes = last.type in {")", "]", "}", "end", "fi", "done", "esac"}
                stop = (last.start_byte if closes else node.end_byte) - self.start
                return len(self.text.encode()[: max(stop, 0)].decode(errors="ignore").rstrip())
            node = node.parent
        return None


def _point(source: bytes, at: int) -> tuple[int, int]:
    return source.count(b"\n", 0, at), at - source.rfind(b"\n", 0, at) - 1


def cuts(draft: Draft) -> list[int]:
    """Where the text may end, longest first: line ends, and words before a rest of the line."""
    text = draft.text
    found = {at for at, char in enumerate(text) if char == "\n"}
    if draft.place.rest.strip():
        first = text.partition("\n")[0]
        found |= {match.start() for match in re.finditer(r"\b|(?<=\W)(?=\W)", first)}
    return sorted((at for at in found if text[:at].strip()), reverse=True)[:MOST_CUTS]


def alone(draft: Draft) -> Draft:
    """Cut by the grammar: at the construct's end, and at the longest part with the least errors."""
    if not draft.text.strip():
        return draft
    reading = Reading(draft)
    left = None if draft.one_line else reading.leaves()
    if left and draft.text[:left].strip():
        draft = draft.cut(left, "syntax")
        reading = Reading(draft)
    if draft.cut_off:
        return draft  # what is unfinished never parses
    possible = [len(draft.text), *cuts(draft)]
    costs = {cut: errors(reading.root(cut)) for cut in possible}
    best = [cut for cut in possible if costs[cut] == min(costs.values())]
    first_line = draft.one_line and not draft.place.rest.strip()
    return draft.cut(best[-1] if first_line else best[0], "syntax")


def behind(draft: Draft) -> Draft:
    """Cut what the rules leave to the longest part with which all of the document parses."""
    reading = Reading(draft)
    return _first_clean(draft, lambda cut: errors(reading.root(cut)))


def near(draft: Draft) -> Draft:
    """The same, judged by the text and the next line, with a part of the document."""
    reading = Reading(draft, NEAR_CHARS)
    line = len((b"\n" + reading.behind).split(b"\n", 2)[1]) + 1

    def count(cut: int) -> int:
        end = reading.start + len(draft.text[:cut].encode()) + line
        return errors(reading.root(cut), reading.start, end)

    return _first_clean(draft, count)


def _first_clean(draft: Draft, count: Callable[[int], int]) -> Draft:
    if draft.swallowed_chars or draft.cut_off or not draft.text.strip():
        return draft
    if not count(len(draft.text)):
        return draft
    clean = next((cut for cut in cuts(draft) if not count(cut)), None)
    return draft if clean is None else draft.cut(clean, "syntax")


def filters(way: str) -> tuple[Filter, ...]:
    """The product's filters, with the grammar among them."""
    found: list[Filter] = []
    for step in FILTERS:
        if way == "alone" and step is right.end_at_rest_of_line:
            continue
        found.append(alone if way == "alone" and step is extent.end_with_block else step)
        if way in ("behind", "near") and step is extent.end_with_block:
            found.append(behind if way == "behind" else near)
    return tuple(found)


def shown(hole: Hole, trial: Trial, steps: Sequence[Filter]) -> str:
    """What one way shows of a damaged truth."""
    draft = Draft(
        text=trial.raw,
        place=place(hole.context),
        lines=decide(hole.context).lines,
        cut_off=trial.cut_off,
    )
    for step in steps:
        draft = step(draft)
    return draft.text.rstrip()


def compare(language: str, cut: Sequence[Hole], seed: int) -> None:
    """A row for each way: what is repaired, and the time of a call on one core."""
    for way in ("plain", "alone", "behind", "near"):
        steps, cells, seconds = filters(way), list[str](), list[float]()
        for name in JUDGED:
            right_ones = tried = 0
            for hole, trial in trials(cut, name, seed):
                began = time.thread_time()
                right_ones += shown(hole, trial, steps) == trial.wanted.rstrip()
                seconds.append(time.thread_time() - began)
                tried += 1
            cells.append(f"{100 * right_ones / max(tried, 1):.1f}")
        print(f"| {language} | {way} | " + " | ".join(cells) + f" | {_ms(seconds)} |", flush=True)


def _ms(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    median, late = ordered[len(ordered) // 2], ordered[len(ordered) * 95 // 100]
    return f"{1000 * median:.2f}, {1000 * late:.1f}"


def cost(language: str, paths: Sequence[Path]) -> None:
    """A row: what it takes to parse a file of about FILE_LINES lines, and to hold it."""
    texts = [text for path in paths if (text := read(path))]
    text = min(texts, key=lambda text: abs(text.count("\n") - FILE_LINES))
    middle = text.find("\n", len(text) // 2) + 1
    before = _resident_mb()
    parse, cells = parser(language).parse, list[str]()
    for prefix, suffix in ((NEAR_CHARS, NEAR_CHARS), (16_000, 8_000), (len(text), len(text))):
        source = text[max(middle - prefix, 0) : middle + suffix].encode()
        seconds: list[float] = []
        for _ in range(15):
            began = time.thread_time()
            parse(source)
            seconds.append(time.thread_time() - began)
        cells.append(_ms(seconds))
    grown = _resident_mb() - before
    lines = text.count("\n")
    print(f"| {language} | {lines} | " + " | ".join(cells) + f" | {grown:+.1f} |", flush=True)


def _resident_mb() -> float:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * 4096 / 1e6


def main() -> int:
    """Compare the ways language by language, then say what parsing costs."""
    options = argparse.ArgumentParser(description="A grammar beside the plain rules.")
    options.add_argument("folders", nargs="+", type=Path)
    options.add_argument("--holes", type=int, default=400, help="for each language")
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    found = {name: paths for name, paths in files(asked.folders).items() if name in GRAMMARS}
    print("| language | lines | 2,000 characters, ms | 24,000 | the file | resident, MB |")
    print("|---|---|---|---|---|---|")
    for language, paths in found.items():
        cost(language, paths)
    print("\n| language | way | " + " | ".join(JUDGED) + " | ms: median, p95 |")
    print("|---|---|" + "---|" * (len(JUDGED) + 1))
    for language, paths in found.items():
        cut = holes(paths, language, asked.holes, random.Random(asked.seed))
        if len(cut) >= asked.holes // 2:
            compare(language, cut, asked.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
