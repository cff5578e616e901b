"""When the status is told anew."""

from __future__ import annotations

from typing import Any

import pytest

from fim_lsp.server.status import (
    BUDGET_AGAIN_S,
    MENDED_AGAIN_S,
    Params,
    StatusLine,
    looked_at_again_in_s,
)

WRONG = {"message": "127.0.0.1 does not accept the key (status 401): check ODEUS_API_KEY."}


def status(
    state: str = "idle", used: float | None = 0.0, until_s: float | None = None
) -> dict[str, Any]:
    what = {"provider": "mistral", "model": "codestral-2501", "message": ""}
    return {**what, "state": state, "until_s": until_s, "budget_used": used}


# what was told, how things stand now, whether that is told
NEWS: dict[str, tuple[Params, Params, bool]] = {
    "nothing has changed": (status(), status(), False),
    "another state": (status(), status("thinking"), True),
    "the time goes by": (status("limited", 0.9, 30), status("limited", 0.9, 25), False),
    "no budget at all": (status(used=None), status(used=None), False),
    "the first call of a minute": (status(), status(used=0.01), True),
    "a call that one cannot see": (status(used=0.42), status(used=0.44), False),
    "a call that one can see": (status(used=0.42), status(used=0.47), True),
    "the minute is over": (status(used=0.42), status(used=0.36), True),
    "all of it is back": (status(used=0.01), status(), True),
}


@pytest.mark.parametrize(("before", "now", "told"), NEWS.values(), ids=NEWS.keys())
def test_only_news_is_told(before: Params, now: Params, *, told: bool) -> None:
    line, notified = StatusLine(), list[Params]()

    def notify(_: str, params: Params) -> None:
        notified.append(params)

    line.show(before, notify)
    line.show(now, notify)
    assert notified == ([before, now] if told else [before])


def test_a_budget_that_moves_slowly_is_told_once_it_has_moved_far() -> None:
    line, notified = StatusLine(), list[Any]()
    for percent in range(31):
        line.show(status(used=percent / 100), lambda _, params: notified.append(params))
    assert [said["budget_used"] for said in notified] == [0, 0.01, 0.06, 0.11, 0.16, 0.21, 0.26]


AGAIN: dict[str, tuple[Params, float | None]] = {
    "nothing to wait for": (status(), None),
    "no budget that could come back": (status(used=None), None),
    "a budget that comes back": (status(used=0.3), BUDGET_AGAIN_S),
    "a limit that ends": (status("limited", 0.9, 2.5), 2.5),
    "a key that somebody corrects": (status("error") | WRONG, MENDED_AGAIN_S),
    "a typing error that somebody corrects": (status() | WRONG, MENDED_AGAIN_S),
    "a host that is tried late": (status("offline", until_s=60.0) | WRONG, MENDED_AGAIN_S),
    "a host that is tried soon": (status("offline", until_s=0.5) | WRONG, 0.5),
    "what is switched off": (status("off", until_s=600.0) | WRONG, 600.0),
}


@pytest.mark.parametrize(("now", "seconds"), AGAIN.values(), ids=AGAIN.keys())
def test_it_is_looked_at_again_when_time_changes_it(now: Params, seconds: float | None) -> None:
    assert looked_at_again_in_s(now) == seconds
