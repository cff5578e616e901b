"""A file with one JSON line for each request and one for each call, for whoever wonders why.

A line of ``"type": "request"``: ``at`` (UTC), ``run`` (which server, with which settings),
``document`` (a short hash of its URI), ``language``, ``invoked``, ``source`` (see
``completer.Source``), ``reason``, ``ms`` (from request to answer), ``paused_ms`` (of these, waited
on purpose), ``call`` (the number of the call that the answer comes from, or null), ``items`` and
``chars`` (of the first).

A line of ``"type": "call"``, when it has ended: ``at``, ``run``, ``call``, ``language``, ``end``
(``whole``, ``hung up``, ``failed``), ``prompt_tokens``, ``completion_tokens``, ``is_estimated``,
``first_text_ms`` (or null), ``total_ms``, ``made_ahead`` (before anybody was where it was made),
``reason``.

Never document text, unless it was wished: then requests have ``before``, ``after`` (the cursor's
line) and ``text`` (what is shown), too.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fim_lsp.errors import UsageError

if TYPE_CHECKING:
    from fim_lsp.calls import Bill
    from fim_lsp.completer import Answer, Ask


class Trace:
    """A file of trace lines. Raises ``UsageError`` where it cannot be written."""

    def __init__(self, path: Path, *, with_text: bool = False) -> None:
        self._with_text = with_text
        self._run = ""
        self.restarted()
        self._file: TextIOWrapper | None
        try:
            self._file = path.open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            message = f"The trace {path} cannot be written ({error.strerror}): name another file."
            raise UsageError(message) from error

    def restarted(self) -> None:
        """Calls are numbered from 1 again."""
        self._run = secrets.token_hex(4)

    def answered(self, ask: Ask, answer: Answer, seconds: float) -> None:
        """Note a request and its answer."""
        line = request_line(ask, answer, seconds)
        if self._with_text:
            line["before"], line["after"] = ask.context.line_prefix, ask.context.line_suffix
            line["text"] = answer.items[0].text if answer.items else ""
        self._write("request", line)

    def billed(self, bill: Bill) -> None:
        """Note a call that has ended."""
        line = dataclasses.asdict(bill)
        self._write("call", {"call": line.pop("number"), **_rounded(line)})

    def _write(self, kind: str, line: Mapping[str, Any]) -> None:
        """Write a line; a disk that is full ends the trace, not the server."""
        if self._file is None:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            whole = {"type": kind, "at": at, "run": self._run, **line}
            self._file.write(json.dumps(whole) + "\n")
        except OSError:
            self._file = None


def request_line(ask: Ask, answer: Answer, seconds: float) -> dict[str, Any]:
    """A request and its answer as JSON takes it, without document text."""
    uri = ask.context.uri.encode()
    return {
        "document": hashlib.blake2s(uri, digest_size=4).hexdigest(),
        "language": ask.context.language,
        "invoked": ask.invoked,
        "source": answer.source,
        "reason": answer.reason,
        "ms": round(seconds * 1000, 1),
        "paused_ms": round(answer.paused_ms, 1),
        "call": answer.call,
        "items": len(answer.items),
        "chars": len(answer.items[0].text) if answer.items else 0,
    }


def _rounded(line: Mapping[str, Any]) -> dict[str, Any]:
    return {k: round(v, 1) if isinstance(v, float) else v for k, v in line.items()}
