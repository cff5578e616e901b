"""One thread for work that may take long and must never be felt.

Python runs one thread at a time: a job that held the interpreter for long would make every key
wait. So jobs are generators; they run for about a millisecond at a time and sleep in between.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterator

SLICE_S, _PAUSE_S = 0.001, 0.001

Job = Iterator[None]
"""Does a small piece of its work at each step."""

_log = logging.getLogger(__name__)


class Background:
    """Runs jobs one after another on a daemon thread, which starts with the first one."""

    def __init__(self, name: str, slice_s: float = SLICE_S) -> None:
        self._name = name
        self._slice_s = slice_s
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._changing = threading.Lock()
        self._pending = 0

    @property
    def busy(self) -> bool:
        """True while a job runs or waits; never again after ``close``."""
        return self._pending > 0 and not self._closed.is_set()

    def start(self, job: Job) -> None:
        """Run a job when those before it are done; nothing after ``close``."""
        with self._changing:
            if self._closed.is_set():
                return
            self._pending += 1
            self._jobs.put(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End at the next step of the running job. Does not wait."""
        self._closed.set()
        self._jobs.put(None)

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; False where it still runs."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                was_ended = self._run(job)
            except Exception as error:  # noqa: BLE001 - the edge: the jobs behind it would never run
                _log.error("%s: a job failed: %s", self._name, type(error).__name__)
                was_ended = False
            if was_ended:
                return
            with self._changing:
                self._pending -= 1

    def _run(self, job: Job) -> bool:
        """Run one job in slices; True where it was ended before its time."""
        until = time.perf_counter() + self._slice_s
        for _ in job:
            if time.perf_counter() >= until:
                if self._closed.wait(_PAUSE_S):
                    return True
                until = time.perf_counter() + self._slice_s
        return self._closed.is_set()
