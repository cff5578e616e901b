"""An event loop whose clock jumps to the next timer when nothing is left to do: hours in seconds.

For code that waits on timers, events and tasks only; whoever waits for a socket or a thread here
waits for ever, and is told so.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class NothingWillHappenError(RuntimeError):
    """Everybody waits, and no timer will wake anybody."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop in virtual time; ``time()`` starts at 0 and goes on only by waiting."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now_s

    def jump(self, seconds: float) -> None:
        """Let time pass at once."""
        self._now_s += seconds


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting for a file, it moves the clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; where nothing is, the time until the next timer is over already."""
        ready = super().select(0)
        if not ready and timeout is None:
            message = "everybody waits, and no timer will wake anybody"
            raise NothingWillHappenError(message)
        if not ready and timeout:
            self._loop.jump(timeout)
        return ready


def run_virtually(main: Coroutine[Any, Any, _T]) -> _T:
    """Run to the end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def in_virtual_time(
    test: Callable[_P, Coroutine[Any, Any, None]],
) -> Callable[_P, None]:
    """Make an async test one that runs in virtual time."""

    @functools.wraps(test)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> None:
        run_virtually(test(*args, **kwargs))

    return run
