"""What the statistics cost at each key: ``python -m benchmarks.stats_watch``.

A suggestion is typed through in a file of 20,000 lines; beside it, what the edit itself costs.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from fim_lsp.document import Change, Document, Position
from fim_lsp.stats.counts import Counts
from fim_lsp.stats.watch import Shown, Watch

LINE, ROUNDS = 10_000, 40
TEXT = "result = compute(first, second)\n    return result"


async def main() -> None:
    """Print both medians."""
    document = Document("file:///w/a.py", "python", 0, "x = 1\n" * 2 * LINE)
    edits_s: list[float] = []
    counts_s: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        counts = Counts(Path(folder) / "stats.db")
        watch = Watch(counts, provider="mistral", model="m", document_of=lambda _: document)
        for _ in range(ROUNDS):
            watch.shown(document, Shown(place=(LINE, 0), texts=(TEXT,)))
            for at, key in enumerate(TEXT.partition("\n")[0]):
                here = Position(LINE, at)
                change = Change(text=key, start=here, end=here)
                began_s = perf_counter()
                document.apply([change], None, "utf-16")
                edited_s = perf_counter()
                watch.edited(document, [change])
                watch.answered("python", "typed through", 0.2)
                watch.shown(document, Shown(place=(LINE, at + 1), texts=(TEXT[at + 1 :],)))
                counts_s.append(perf_counter() - edited_s)
                edits_s.append(edited_s - began_s)
            whole = Change(text="", start=Position(LINE, 0), end=Position(LINE, len(TEXT)))
            document.apply([whole], None, "utf-16")
        counts.close()
    print(
        f"the edit {median(edits_s) * 1e6:.1f} µs, counting {median(counts_s) * 1e6:.1f} µs a key"
    )


if __name__ == "__main__":
    asyncio.run(main())
