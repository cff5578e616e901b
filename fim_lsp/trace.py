"""One JSON line for each request, for a person who wonders why: never document text.

``at`` (UTC), ``document`` (a short hash of its URI), ``invoked``, ``source`` (``memory``,
``in flight``, ``called``, ``none``), ``reason``, ``ms`` (from request to answer), ``items`` and
``chars`` (of the first).
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path

from fim_lsp.completer import Answer, Ask
from fim_lsp.errors import UsageError


class Trace:
    """A file of trace lines. Raises ``UsageError`` where it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._file: TextIOWrapper | None
        try:
            self._file = path.open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            message = f"The trace {path} cannot be written ({error.strerror}): name another file."
            raise UsageError(message) from error

    def answered(self, ask: Ask, answer: Answer, seconds: float) -> None:
        """Note a request and its answer; a disk that is full ends the trace, not the server."""
        if self._file is None:
            return
        uri = ask.context.uri.encode()
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "document": hashlib.blake2s(uri, digest_size=4).hexdigest(),
            "invoked": ask.invoked,
            "source": answer.source,
            "reason": answer.reason,
            "ms": round(seconds * 1000, 1),
            "items": len(answer.items),
            "chars": len(answer.items[0].text) if answer.items else 0,
        }
        try:
            self._file.write(json.dumps(line) + "\n")
        except OSError:
            self._file = None
