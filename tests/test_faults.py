"""Nothing that breaks around the server breaks a promise: the rows of ``tests/faults.py``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.broken_endpoint import TEXT
from tests.faults import KEY, ROWS, Played, play

AT_ONCE = 4
"""Rows wait most of their time."""
BACK_S = 20.0
"""Ghost text is back this soon after the mending, beyond a cool-down, on a busy machine."""
GROWTH_MB = 24.0
PEAK_MB = 40.0

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def playing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[dict[str, asyncio.Task[Played]]]:
    """Every row that was asked for, as a task; a few play at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, folder: Path) -> Played:
        async with gate:
            return await play(ROWS[name], folder)

    items: list[Any] = [item for item in request.session.items if _is_row(item)]
    wanted: list[str] = [item.callspec.params["name"] for item in items]
    tasks = {
        name: asyncio.create_task(one(name, tmp_path_factory.mktemp("row"))) for name in wanted
    }
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


def _is_row(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and item.originalname == "test_fault"


@pytest.mark.parametrize("name", ROWS)
async def test_fault(name: str, playing: dict[str, asyncio.Task[Played]]) -> None:
    row, played = ROWS[name], await playing[name]
    assert played.unanswered == 0
    said = [message for message in played.messages if row.says and row.says in message]
    assert len(said) == (row.says is not None), played.messages
    assert len(played.messages) <= 1, "a toast storm"
    assert all("\n" not in message for message in played.messages)
    assert bool(played.shown) == row.shows, played.shown
    assert played.back_s < BACK_S + played.cool_down_s
    assert played.rss_growth_mb < GROWTH_MB
    assert played.peak_growth_mb < PEAK_MB
    assert played.descriptor_growth <= row.new_descriptors
    assert played.went_elsewhere == 0
    assert KEY not in played.everything_said
    assert not [line for line in played.stderr if "Traceback" in line or TEXT in line]
