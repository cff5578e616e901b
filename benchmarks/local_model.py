"""How often the local model speaks, how often it is right, and what that costs.

For each project a fifth of the files is held out and the others are learned. In held-out files,
lines are drawn and the cursor is put at the line's start (after its indentation) or after one of
its tokens; the rest of the line is taken away, the text above and below stays. A suggestion counts
as right when it equals the rest of the line. Projects given with ``--other`` are not learned at
all: their lines are asked of a model that knows the first project of their language.

    python benchmarks/local_model.py --seeds 3 python=PROJECT typescript=PROJECT --other c=PROJECT

``--index LANGUAGE=FOLDER`` instead learns a folder in the background, as the server does, and says
how long that takes, what it adds to the memory, and how long an event loop waits meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import resource
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fim_lsp.context import PREFIX_CHARS, SUFFIX_CHARS
from fim_lsp.providers.line_model import LineModel
from fim_lsp.providers.local import MIN_CONFIDENCE, LocalProvider
from fim_lsp.workspace import Workspace, family_of

_TOKEN = re.compile(r"\w+|[^\w\s]")
_SHARE_HELD_OUT = 0.2
_MAX_LEARNED_LINES = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A place in a held-out file, and what stood there."""

    prefix: str
    suffix: str
    truth: str
    at_start: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model said at a hole."""

    hole: Hole
    text: str
    confidence: float
    took_ms: float

    @property
    def right(self) -> bool:
        """The suggestion is the rest of the line."""
        return self.text.partition("\n")[0].rstrip() == self.hole.truth


def holes(texts: Sequence[str], count: int, draw: random.Random, *, starts: float) -> list[Hole]:
    """Random places: a share of ``starts`` at a line's start, the others after a whole token."""
    lines = [
        (text, number)
        for text in texts
        for number, line in enumerate(text.split("\n"))
        if line.strip()
    ]
    draw.shuffle(lines)
    found: list[Hole] = []
    for text, number in lines:
        hole = _hole(text.split("\n"), number, draw, at_start=draw.random() < starts)
        if hole is not None:
            found.append(hole)
        if len(found) == count:
            break
    return found


def _hole(lines: list[str], number: int, draw: random.Random, *, at_start: bool) -> Hole | None:
    line = lines[number].rstrip()
    ends = [match.end() for match in _TOKEN.finditer(line)]
    if not at_start and len(ends) < 2:
        return None
    column = len(line) - len(line.lstrip()) if at_start else draw.choice(ends[:-1])
    above = "\n".join([*lines[:number], line[:column]])
    below = "\n" + "\n".join(lines[number + 1 :])
    return Hole(
        prefix=above[-PREFIX_CHARS:],
        suffix=below[:SUFFIX_CHARS],
        truth=line[column:],
        at_start=at_start,
    )


def project_texts(folder: Path, family: str) -> list[str]:
    """The texts of a project's files in one language family."""
    workspace = Workspace([folder])
    texts = (
        found.read()
        for found in workspace.files()
        if family_of(found.language) == family and not found.relative.endswith((".d.ts", ".min.js"))
    )
    return [text for text in texts if text is not None and text.strip()]


def split(texts: list[str], draw: random.Random) -> tuple[list[str], list[str]]:
    """Learned files and held-out files."""
    shuffled = draw.sample(texts, len(texts))
    cut = max(1, round(len(texts) * _SHARE_HELD_OUT))
    return shuffled[cut:], shuffled[:cut]


def trained(texts: Iterable[str]) -> LineModel:
    """A model that knows these files."""
    model = LineModel()
    lines = 0
    for text in texts:
        lines += text.count("\n")
        if lines > _MAX_LEARNED_LINES:
            break
        for _ in model.learn(text.split("\n")):
            pass
    return model


def ask(model: LineModel, hole: Hole) -> Answer:
    """One prediction, timed in milliseconds of the processor."""
    before = time.thread_time()
    prediction = model.predict(hole.prefix, hole.suffix)
    took_ms = (time.thread_time() - before) * 1000
    return Answer(
        hole=hole, text=prediction.text, confidence=prediction.confidence, took_ms=took_ms
    )


def row(name: str, answers: Sequence[Answer], threshold: float = MIN_CONFIDENCE) -> str:
    """One line of the table: what is shown at ``threshold``."""
    spoken = [one for one in answers if one.text.strip() and one.confidence >= threshold]
    right = sum(one.right for one in spoken)
    chars = sum(len(one.hole.truth) for one in spoken if one.right)
    worded = [one for one in answers if re.search(r"\w", one.hole.truth)]
    worded_spoken = [one for one in spoken if re.search(r"\w", one.hole.truth)]
    worded_right = sum(one.right for one in worded_spoken)
    times = [one.took_ms for one in answers]
    slow = statistics.quantiles(times, n=20)[-1]
    return (
        f"| {name} | {len(answers)} | {_percent(len(spoken), len(answers))} "
        f"| {_percent(right, len(spoken))} | {_percent(len(worded_spoken), len(worded))} "
        f"| {_percent(worded_right, len(worded_spoken))} "
        f"| {chars / max(1, right):.1f} | {statistics.median(times):.2f} | {slow:.2f} |"
    )


HEADER = (
    "| lines | asked | speaks | right when it speaks | speaks (rest has a word) "
    "| right (rest has a word) | characters when right | ms median | ms p95 |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def curve(answers: Sequence[Answer]) -> str:
    """Precision at growing coverage, most confident first."""
    ordered = sorted(answers, key=lambda one: -one.confidence)
    ordered = [one for one in ordered if one.text.strip()]
    cells: list[str] = []
    for share in (0.1, 0.2, 0.3, 0.4, 0.5):
        cut = round(len(answers) * share)
        top = ordered[:cut]
        right = _percent(sum(one.right for one in top), len(top))
        cells.append(right if len(ordered) >= cut else "-")
    return " | ".join(cells)


def asked_of(model: LineModel, texts: list[str], seed: int, options: Options) -> list[Answer]:
    """Answers at holes of held-out files, the second time each is asked.

    The first answer in a document encodes its lines; every later one finds them encoded.
    """
    asked = holes(texts, options.lines, random.Random(seed), starts=options.starts)
    answers: list[Answer] = []
    for hole in asked:
        model.predict(hole.prefix, hole.suffix)
        answers.append(ask(model, hole))
    return answers


def further_lines(answers: Sequence[Answer]) -> str:
    """How often lines after the first were shown, and how many of them stand in the file."""
    shown = right = 0
    for one in answers:
        if one.confidence < MIN_CONFIDENCE or not one.right:
            continue
        below = [line.rstrip() for line in one.hole.suffix.split("\n") if line.strip()]
        lines = [line.rstrip() for line in one.text.split("\n")[1:] if line.strip()]
        shown += len(lines)
        right += sum(line == truth for line, truth in zip(lines, below, strict=False))
    return f"further lines shown: {shown}, of which stand there in the file: {right}"


async def index(language: str, folder: Path) -> None:
    """Learn a folder as the server does, and watch the event loop."""
    before_mb, started = _resident_mb(), time.perf_counter()
    cpu = time.process_time()
    provider = LocalProvider()
    provider.learn_folder([folder], ())
    provider.observe(str(folder / "untitled"), language, "")
    late_ms: list[float] = []
    while provider.is_learning:
        asked = time.perf_counter()
        await asyncio.sleep(0.005)
        late_ms.append((time.perf_counter() - asked) * 1000 - 5)
    took_s = time.perf_counter() - started
    cuts = statistics.quantiles(late_ms, n=100)
    lines = provider.learned_lines
    print(f"{lines:,} lines in {took_s:.1f} s ({time.process_time() - cpu:.1f} s of one core)")
    print(f"resident memory added: {_resident_mb() - before_mb:.0f} MB")
    print(
        f"an event loop that sleeps 5 ms wakes late by {cuts[49]:.2f} ms (median), "
        f"{cuts[94]:.2f} ms (p95), {cuts[98]:.2f} ms (p99), {max(late_ms):.1f} ms (worst)"
    )
    await provider.aclose()


def _resident_mb() -> float:
    """The resident memory of this process; Linux only."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


class Options(argparse.Namespace):
    """The command line."""

    projects: list[str]
    other: list[str]
    index: str | None
    lines: int
    seeds: int
    starts: float


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("projects", nargs="*", metavar="LANGUAGE=FOLDER")
    parser.add_argument("--other", action="append", default=[], metavar="LANGUAGE=FOLDER")
    parser.add_argument("--index", metavar="LANGUAGE=FOLDER")
    parser.add_argument("--lines", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--starts", type=float, default=0.5, help="share of line starts")
    options = parser.parse_args(namespace=Options())
    if options.index:
        language, _, folder = options.index.partition("=")
        asyncio.run(index(language, Path(folder)))
        return
    print(HEADER)
    everything = [one for project in options.projects for one in _same_project(project, options)]
    if everything:
        print(row("all", everything))
        print(row("all, line starts", [one for one in everything if one.hole.at_start]))
        print(row("all, after a token", [one for one in everything if not one.hole.at_start]))
    elsewhere = [one for project in options.other for one in _other_project(project, options)]
    if elsewhere:
        print(row("all of projects not learned", elsewhere))
    print("\n| most confident | 10 % | 20 % | 30 % | 40 % | 50 % |\n|---|---|---|---|---|---|")
    print("| right |", curve(everything), "|")
    if elsewhere:
        print("| right, projects not learned |", curve(elsewhere), "|")
    print(f"\n{further_lines([*everything, *elsewhere])}")


def _same_project(project: str, options: Options) -> list[Answer]:
    """Some of a project's files are learned, lines of the others are asked."""
    language, _, folder = project.partition("=")
    texts = project_texts(Path(folder), family_of(language))
    answers: list[Answer] = []
    for seed in range(options.seeds):
        learned, held_out = split(texts, random.Random(seed))
        answers += asked_of(trained(learned), held_out, seed, options)
    print(row(f"{Path(folder).name} ({language})", answers), flush=True)
    return answers


def _other_project(project: str, options: Options) -> list[Answer]:
    """Lines of a project are asked of a model that knows only another one."""
    language, _, folder = project.partition("=")
    known = [one for one in options.projects if one.startswith(f"{language}=")]
    model = trained(
        text
        for one in known[:1]
        for text in project_texts(Path(one.partition("=")[2]), family_of(language))
    )
    texts = project_texts(Path(folder), family_of(language))
    answers = [
        one for seed in range(options.seeds) for one in asked_of(model, texts, seed, options)
    ]
    print(row(f"{Path(folder).name} ({language}), not learned", answers), flush=True)
    return answers


if __name__ == "__main__":
    main()
