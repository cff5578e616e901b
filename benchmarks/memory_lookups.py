"""What it costs to find a known answer: ours against trying every answer there is.

    python -m benchmarks.memory_lookups

Memory is full (256 answers of one document, each of several lines) and the windows are as large
as they get. The median over blocks, in microseconds of processor time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from fim_lsp.context import PREFIX_CHARS, SUFFIX_CHARS, CursorContext
from fim_lsp.memory import Memory

ANSWERS = 256
BLOCK, BLOCKS = 200, 25
SAID = "total = sum(item.price for item in items)\n    tax = total * rate\n    return total + tax\n"
LINES = "".join(f"def function_{n}(items, rate):\n    check(items, {n})\n" for n in range(2_000))


def context(number: int, typed: str = "") -> CursorContext:
    """A place behind the function of this number."""
    at = LINES.index(f"def function_{number + 1}(")
    return CursorContext(
        uri="file:///w/a.py",
        language="python",
        prefix=LINES[max(0, at - PREFIX_CHARS) : at] + "    " + typed,
        suffix="\n" + LINES[at : at + SUFFIX_CHARS],
    )


def everywhere(known: dict[str, str], here: CursorContext) -> str | None:
    """The simple way: an answer serves if its prefix and a part of it make up ours."""
    for prefix, said in known.items():
        if here.prefix.startswith(prefix) and said.startswith(here.prefix[len(prefix) :]):
            return said
    return None


def microseconds(work: Callable[[], object]) -> float:
    """What a call of ``work`` takes."""
    blocks: list[float] = []
    for _ in range(BLOCKS):
        began = time.process_time_ns()
        for _ in range(BLOCK):
            work()
        blocks.append((time.process_time_ns() - began) / BLOCK / 1000)
    return statistics.median(blocks)


def fresh(here: CursorContext) -> CursorContext:
    """The same place without what a context remembers of itself."""
    return here.moved("")


def main() -> None:
    """Print the table."""
    memory, known = Memory(max_tracks=ANSWERS), dict[str, str]()
    for number in range(100, 100 + ANSWERS):
        track = memory.begin(context(number))
        memory.grow(track, SAID)
        memory.end(track, cut_off=False)
        known[context(number).prefix] = SAID
    later = SAID[: SAID.index("rate\n")]
    places = {
        "hit, where it was asked": (context(120), True),
        "hit, typed through to the second line": (context(120, later), True),
        "hit, the newest": (context(99 + ANSWERS), True),
        "miss, something else was typed": (context(120, "tot_"), False),
        "miss, a place never asked about": (context(1_500), False),
    }
    print("| µs | fim-lsp | trying each |\n|---|---|---|")
    for title, (here, is_known) in places.items():
        if (memory.find(here) is not None) is not is_known:
            raise RuntimeError(title)
        ours = microseconds(lambda here=here: memory.find(fresh(here)))
        naive = microseconds(lambda here=here: everywhere(known, fresh(here)))
        print(f"| {title} | {ours:.1f} | {naive:.1f} |")
    print(f"\n{len(memory)} answers, {memory.chars:,} characters.")


if __name__ == "__main__":
    main()
