"""How many of the names to be typed next cross-file context shows, and what that costs.

    python -m benchmarks.context [--holes 500] [--seed 1] [--new]

Real multi-file projects are installed into a temporary folder with pip and npm. In each, pieces of
code that use a name defined in another file are cut out; the file is opened with the hole, after
two other files were visited. Counted are the names of the cut-out text that the document's own
window does not show: how many of them do the snippets show? ``--new`` measures projects that no
weight was fitted to; a second table narrows down what counts. ``--index`` measures the first index.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from fim_lsp import prompt
from fim_lsp.context import CursorContext
from fim_lsp.document import Document
from fim_lsp.pacing.tokens import CAUTIOUS
from fim_lsp.settings import ContextSettings, SnippetMode
from fim_lsp.snippets.declarations import declarations
from fim_lsp.snippets.imports import imports
from fim_lsp.snippets.supply import Snippets
from fim_lsp.snippets.words import code_of, known_to_all, names_in
from fim_lsp.workspace import language_of

FITTED = {
    "flask": "flask",
    "click": "click",
    "celery": "celery",
    "jinja2": "jinja2",
    "requests": "requests",
    "django": "django",
    "tornado": "tornado",
    "httpx": "httpx",
    "fastapi": "fastapi",
    "rxjs": "rxjs/src",
    "zod": "zod/src",
    "toolkit": "@reduxjs/toolkit/src",
    "query-core": "@tanstack/query-core/src",
    "openai": "openai/src",
}
"""Projects whose code the weights were fitted to, by the folder of their sources."""
NEW = {
    "werkzeug": "werkzeug",
    "scrapy": "scrapy",
    "starlette": "starlette",
    "rich": "rich",
    "networkx": "networkx",
    "sqlalchemy": "sqlalchemy",
    "aiohttp": "aiohttp",
    "sphinx": "sphinx",
    "paramiko": "paramiko",
    "mobx": "mobx/src",
    "effect": "effect/src",
    "trpc": "@trpc/server/src",
    "immer": "immer/src",
    "mongodb": "mongodb/src",
    "xterm": "@xterm/xterm/src",
    "msw": "msw/src",
    "chevrotain": "chevrotain/src",
    "router-core": "@tanstack/router-core/src",
    "langium": "langium/src",
}
"""Projects that nothing was fitted to."""
PYTHON, SCRIPT = (".py",), (".ts", ".tsx")
KINDS = ("the rest of a line", "a line", "2 to 8 lines")
"""What is cut out, in turn."""
READINGS = {
    "all": "all names that the window lacks",
    "telling": "without what the language brings (such as `len`)",
    "declared": "only what another file declares",
    "beyond": "only what no window of the whole budget would show either",
}
"""What may count as wanted: all of them narrow the first down."""
MODES: tuple[SnippetMode, ...] = ("open", "workspace")
BUDGETS = (700, 1500)
INDEXED_FILES = 5_000
SMALL_CHARS = 40_000
"""Larger files are left out of the large workspace: with them 64 MB are reached before."""
_HIDDEN = re.compile(r'("""|\'\'\')[\s\S]*?\1|/\*[\s\S]*?\*/')
_NO_HOLE = re.compile(r"\s*(?:import\b|from\b|export [{*]|\} from|#|//|\*|@)")
_CUT = re.compile(r"[\w)\]]?[\s.(\[=,:]+")


@dataclass(frozen=True, slots=True)
class Hole:
    """A piece of code that was cut out, and what the person saw before."""

    path: str
    start: int
    end: int
    visited: tuple[str, ...]
    kind: str


@dataclass(slots=True)
class Project:
    """A project's sources."""

    name: str
    root: Path
    """The workspace folder."""
    texts: dict[str, str] = field(default_factory=dict[str, str])
    declared: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    @property
    def language(self) -> str:
        """The LSP language id of its sources."""
        return language_of(next(iter(self.texts)))


def install(folder: Path, wanted: dict[str, str]) -> list[Project]:
    """The projects, each with its sources alone in a folder of its own."""
    python = [name for name, path in wanted.items() if not path.endswith("/src")]
    script = [path.removesuffix("/src") for path in wanted.values() if path.endswith("/src")]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target"]
    subprocess.run([*pip, str(folder / "py"), *python], check=True)
    (folder / "ts").mkdir()
    (folder / "ts" / "package.json").write_text("{}")
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run([*npm, "--legacy-peer-deps", *script], cwd=folder / "ts", check=True)
    projects: list[Project] = []
    for name, path in wanted.items():
        is_script = path.endswith("/src")
        source = folder / ("ts/node_modules" if is_script else "py") / path
        root = folder / "workspaces" / name
        shutil.copytree(source, root / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        projects.append(_read(Project(name, root), SCRIPT if is_script else PYTHON))
    return projects


def _read(project: Project, endings: tuple[str, ...]) -> Project:
    for file in sorted(project.root.rglob("*")):
        if file.suffix in endings and not file.name.endswith(".d.ts") and file.is_file():
            text = file.read_text("utf-8", errors="replace").replace("\r\n", "\n")
            if len(text) < 400_000:
                path = file.relative_to(project.root).as_posix()
                project.texts[path] = text
                project.declared[path] = {d.name for d in declarations(text, language_of(path))}
    return project


def holes(project: Project, count: int, seed: int) -> list[Hole]:
    """Rests of lines, lines, and blocks whose code uses a name that another file declares."""
    rng = random.Random(f"{seed} {project.name}")
    elsewhere = Counter(name for names in project.declared.values() for name in names)
    paths = [path for path, text in project.texts.items() if text.count("\n") >= 30]
    found: list[Hole] = []
    for _ in range(count * 400):
        if len(found) == count:
            break
        path = rng.choice(paths)
        kind = KINDS[len(found) % len(KINDS)]
        start, end = _piece(rng, project.texts[path], kind)
        if start == end:
            continue
        truth = names_in(project.texts[path][start:end], project.language)
        own = project.declared[path]
        if any(len(name) > 2 and elsewhere[name] and name not in own for name in truth):
            found.append(Hole(path, start, end, _visited(rng, project, path, paths), kind))
    return found


def _piece(rng: random.Random, text: str, kind: str) -> tuple[int, int]:
    """Where a piece of code begins and ends; nowhere where it is none."""
    masked = _HIDDEN.sub(lambda found: re.sub(r"[^\n]", "#", found.group()), text)
    lines = masked.split("\n")
    first = rng.randrange(len(lines))
    line = lines[first]
    taken = lines[first : first + (rng.randint(2, 8) if kind == KINDS[2] else 1)]
    if len(line.strip()) < 8 or _NO_HOLE.match(line) or "###" in "".join(taken):
        return 0, 0
    column = len(line) - len(line.lstrip())
    if kind == KINDS[0]:
        cuts = [cut.end() for cut in _CUT.finditer(line) if cut.end() < len(line) - 2]
        if not cuts:
            return 0, 0
        column = rng.choice(cuts)
    before = sum(len(one) + 1 for one in lines[:first])
    return before + column, before + sum(len(one) + 1 for one in taken) - 1


def _visited(
    rng: random.Random, project: Project, path: str, paths: Sequence[str]
) -> tuple[str, str]:
    """A file that is imported, where there is one, and any other."""
    named = {one.parts[-1] for one in imports(project.texts[path], project.language) if one.parts}
    others = [one for one in paths if one != path]
    related = [one for one in others if PurePosixPath(one).name.split(".")[0] in named]
    return rng.choice(related or others), rng.choice(others)


@dataclass(slots=True)
class Tally:
    """Names that the window lacks, and those of them that were shown, by kind and reading."""

    wanted: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    shown: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    origins: Counter[str] = field(default_factory=Counter[str])

    def share(self, reading: str, kinds: Sequence[str] = KINDS) -> float:
        """Shown of wanted, 0 to 1."""
        wanted = sum(self.wanted[kind, reading] for kind in kinds)
        return sum(self.shown[kind, reading] for kind in kinds) / max(1, wanted)

    def add(self, other: Tally) -> None:
        """Count another's too."""
        self.wanted += other.wanted
        self.shown += other.shown
        self.origins += other.origins


class Arm:
    """One mode's supply for one project."""

    def __init__(self, project: Project, mode: SnippetMode) -> None:
        self.project = project
        self.snippets = Snippets(ContextSettings(snippets=mode), [project.root])
        self.snippets.start()
        self.took_ms: list[float] = []

    async def measure(self, hole: Hole, tokens: int, tally: Tally) -> None:
        """Open what was visited and the file with its hole, ask, and count."""
        project, language = self.project, self.project.language
        text = project.texts[hole.path]
        for path in (*hole.visited, hole.path):
            shown = text[: hole.start] + text[hole.end :] if path == hole.path else None
            self.snippets.opened(self._uri(path), language, shown or project.texts[path])
        context, line = _context(self._uri(hole.path), language, text, hole)
        chars = int(tokens * CAUTIOUS)
        self.snippets.look(context, line, max_chars=chars, chars_per_token=CAUTIOUS)
        await self.snippets.settle(context.uri, 60)
        began = time.perf_counter()
        self.snippets.look(context, line, max_chars=chars, chars_per_token=CAUTIOUS)
        supply = self.snippets.gather(context, max_chars=chars, chars_per_token=CAUTIOUS)
        self.took_ms.append((time.perf_counter() - began) * 1000)
        truth = names_in(code_of(text[hole.start : hole.end], language), language)
        lacking = truth - _window_names(context, chars - supply.chars)
        self._count(hole, lacking, lacking - _window_names(context, chars), tally)
        for path in (*hole.visited, hole.path):
            self.snippets.closed(self._uri(path))

    def _count(self, hole: Hole, lacking: set[str], beyond: set[str], tally: Tally) -> None:
        elsewhere = set[str]()
        for path, names in self.project.declared.items():
            if path != hole.path:
                elsewhere |= names & lacking
        left = set(lacking)
        for one in self.snippets.pack_of(self._uri(hole.path)).chosen:
            found = left & one.piece.names
            tally.origins[one.piece.origin] += len(found)
            left -= found
        counted = {
            "all": lacking,
            "telling": lacking - known_to_all(self.project.language),
            "declared": elsewhere,
            "beyond": beyond,
        }
        for reading, names in counted.items():
            tally.wanted[hole.kind, reading] += len(names)
            tally.shown[hole.kind, reading] += len(names - left)

    def _uri(self, path: str) -> str:
        return (self.project.root / path).as_uri()


def _window_names(context: CursorContext, chars: int) -> set[str]:
    windows = prompt.cut(context, max_chars=chars)
    return names_in(f"{windows.prompt}\n{windows.suffix}", context.language)


def _context(uri: str, language: str, text: str, hole: Hole) -> tuple[CursorContext, int]:
    document = Document(uri, language, None, text[: hole.start] + text[hole.end :])
    line = text.count("\n", 0, hole.start)
    return document.context(line, hole.start - text.rfind("\n", 0, hole.start) - 1), line


async def compare(projects: Sequence[Project], count: int, seed: int) -> None:
    """Print, for each project and budget, what each mode shows."""
    print("| project | holes | 700: open | 700: workspace | 1,500: open | 1,500: workspace |")
    print("|---|---|---|---|---|---|")
    totals: dict[tuple[int, SnippetMode], Tally] = {
        (tokens, mode): Tally() for tokens in BUDGETS for mode in MODES
    }
    took: list[float] = []
    each = -(-count // len(projects))
    for project in projects:
        cut = holes(project, each, seed)
        cells: list[str] = []
        arms: dict[SnippetMode, Arm] = {mode: Arm(project, mode) for mode in MODES}
        for arm in arms.values():
            await _indexed(arm.snippets)
        for tokens in BUDGETS:
            for mode, arm in arms.items():
                own = Tally()
                for hole in cut:
                    await arm.measure(hole, tokens, own)
                totals[tokens, mode].add(own)
                cells.append(f"{own.share('all'):.1%}")
        took += arms["workspace"].took_ms
        for arm in arms.values():
            arm.snippets.close()
        print(f"| {project.name} | {len(cut)} | " + " | ".join(cells) + " |", flush=True)
    shares = [f"**{tally.share('all'):.1%}**" for tally in totals.values()]
    print("| **all** | | " + " | ".join(shares) + " |\n")
    _print_readings(totals)
    for tokens in BUDGETS:
        best, plain = totals[tokens, "workspace"], totals[tokens, "open"]
        times = best.share("all") / max(plain.share("all"), 1e-9)
        parts = ", ".join(f"{n} {k}" for k, n in best.origins.most_common())
        wanted = sum(best.wanted[kind, "all"] for kind in KINDS)
        print(f"{tokens} tokens: {times:.2f} times as many as from open documents only;")
        print(f"  of {wanted} names {best.origins.total()} were shown: {parts}")
    took.sort()
    print(f"at a request: {_at(took, 0.5):.3f} ms median, {_at(took, 0.95):.3f} ms at 95 %")


def _print_readings(totals: dict[tuple[int, SnippetMode], Tally]) -> None:
    """The workspace's shares at each budget, for each kind of hole and each reading."""
    print("| counted | " + " | ".join((*KINDS, "all")) + " |")
    print("|---|" + "---|" * (len(KINDS) + 1))
    for reading, said in READINGS.items():
        cells = [
            ", ".join(
                f"{totals[tokens, 'workspace'].share(reading, kinds):.1%}" for tokens in BUDGETS
            )
            for kinds in (*((kind,) for kind in KINDS), KINDS)
        ]
        print(f"| {said} | " + " | ".join(cells) + " |")
    print()


def _at(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


async def index_many(projects: Sequence[Project], folder: Path) -> None:
    """Index a workspace of 5,000 files made of the projects; print time and memory."""
    root = folder / "large"
    files = 0
    for copy, project in _endless(projects):
        for path, text in project.texts.items():
            if files == INDEXED_FILES:
                break
            if len(text) > SMALL_CHARS:
                continue
            file = root / f"{project.name}{copy}" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            # names of their own, as another project's would be
            file.write_text(re.sub(r"\b(\w{8,})\b", rf"\g<1>{copy or ''}", text), "utf-8")
            files += 1
        if files == INDEXED_FILES:
            break
    for project in projects:
        project.texts.clear()
    gc.collect()
    before = _resident_mb()
    snippets = Snippets(ContextSettings(), [root])
    began, cpu = time.perf_counter(), time.process_time()
    snippets.start()
    await _indexed(snippets)
    spent = time.perf_counter() - began
    cpu = time.process_time() - cpu
    size = snippets.index.size_bytes / 1e6
    print(f"index: {len(snippets.index)} files, {size:.0f} MB in {spent:.1f} s", end="")
    print(f" ({cpu:.1f} s of CPU), {_resident_mb() - before:.0f} MB more resident")
    snippets.close()


async def _indexed(snippets: Snippets) -> None:
    while snippets.is_indexing:  # noqa: ASYNC110 - it reads in a thread
        await asyncio.sleep(0.05)


def _endless(projects: Sequence[Project]) -> Iterator[tuple[int, Project]]:
    for copy in range(100):
        for project in projects:
            yield copy, project


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Install, measure, print."""
    parser = argparse.ArgumentParser(description="Measure cross-file context.")
    parser.add_argument("--holes", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--new", action="store_true", help="projects that nothing was fitted to")
    parser.add_argument("--index", action="store_true", help="only the index of 5,000 files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        projects = install(Path(folder), NEW if options.new else FITTED)
        if options.index:
            asyncio.run(index_many(projects, Path(folder)))
        else:
            asyncio.run(compare(projects, options.holes, options.seed))


if __name__ == "__main__":
    main()
