"""The thread for what may take long: it goes on whatever becomes of a job."""

from __future__ import annotations

import logging
from collections.abc import Generator

import pytest

from fim_lsp.background import Background
from tests.patience import until


def failing() -> Generator[None]:
    yield
    raise KeyError("a line of somebody's document")


def noting(notes: list[str]) -> Generator[None]:
    yield
    notes.append("done")


def endless() -> Generator[None]:
    while True:
        yield


async def test_a_job_that_fails_stops_no_other_and_its_error_tells_no_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notes: list[str] = []
    background = Background("test")
    with caplog.at_level(logging.ERROR):
        background.start(failing())
        background.start(noting(notes))
        await until(lambda: not background.busy)
    assert notes == ["done"]
    assert caplog.messages == ["test: a job failed: KeyError"]
    background.close()
    assert background.join(60)


async def test_what_was_closed_is_not_busy_any_more() -> None:
    """Whoever waits for the end of its work must not wait for ever."""
    background = Background("test")
    background.start(endless())
    background.start(endless())
    assert background.busy
    background.close()
    assert not background.busy
    assert background.join(60)
