"""What a key costs the server in a large file: CPU time for an edit and a request, real process.

``python -m benchmarks.large_file``. Both documents are typed in by turns in one server, so that the
machine's other work falls on both alike; the bar is a ratio below 2.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from statistics import median

from tests.editor import Editor, editing
from tests.endpoint import Endpoint, Reply

LINES = (1_000, 200_000)
ROUNDS, KEYS = 12, 40
LINE = "    value_{n} = compute(value_{n}, other=None)  # a line as they are\n"


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def type_keys(editor: Editor, uri: str, line: int) -> None:
    """Type in the middle of one document, asking after each key."""
    for n in range(KEYS):
        edit = {"line": line, "character": n}
        editor.client.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": uri, "version": n},
                "contentChanges": [{"range": {"start": edit, "end": edit}, "text": "x"}],
            },
        )
        await editor.client.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": uri},
                "position": {"line": line, "character": n + 1},
                "context": {"triggerKind": 2},
            },
        )


async def main() -> None:
    """Print CPU milliseconds for a key in each file, and their ratio."""
    spent: dict[int, list[float]] = {lines: [] for lines in LINES}
    with tempfile.TemporaryDirectory() as folder:
        async with (
            Endpoint(Reply(text="")) as endpoint,
            editing(Path(folder), endpoint.settings(trigger={"debounce_ms": 0})) as editor,
        ):
            texts = {lines: "".join(LINE.format(n=n) for n in range(lines)) for lines in LINES}
            for lines, text in texts.items():
                editor.open("║" + text, uri=f"file:///w/{lines}.py")
            pid = editor.client.pid
            for _ in range(ROUNDS):
                for lines in LINES:
                    before = cpu_s(pid)
                    await type_keys(editor, f"file:///w/{lines}.py", lines // 2)
                    spent[lines].append((cpu_s(pid) - before) * 1000 / KEYS)
    print("| lines | CPU ms a key (median) |\n|---|---|")
    for lines in LINES:
        print(f"| {lines:,} | {median(spent[lines]):.2f} |")
    small, large = (median(spent[lines]) for lines in LINES)
    print(f"\nratio {large / small:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
