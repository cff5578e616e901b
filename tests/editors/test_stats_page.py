"""The statistics' page in a real browser: light and dark, wide and narrow, and alone."""

from __future__ import annotations

import os
import random
from collections.abc import Generator
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, sync_playwright

from fim_lsp.stats.counts import Counts
from fim_lsp.stats.page import page
from fim_lsp.stats.report import read
from fim_lsp.stats.watch import bucket_of
from tests.editors.terminal import program
from tests.editors.vscode import BROWSER_FLAGS

pytestmark = [pytest.mark.editor("chromium"), pytest.mark.timeout(120)]

TODAY, DAYS = date(2026, 3, 30), 30
LANGUAGES = {"python": 60, "typescript": 35, "rust": 20, "a-language-with-a-very-long-name": 3}
SPEEDS = {
    "typed through": (0.3, 900),
    "called": (260, 140),
    "in flight": (90, 60),
    "none": (0.2, 300),
}


def a_month(path: Path) -> None:
    """Made-up counts of a month, the same each time."""
    draw, counts = random.Random(9), Counts(path, flush_s=0.01)
    for back in range(DAYS):
        day = TODAY - timedelta(days=back)
        busy = 0.1 if day.weekday() >= 5 else draw.uniform(0.6, 1.4)
        for language, usual in LANGUAGES.items():
            shown = int(usual * busy * 3)
            accepted, partly = int(shown * draw.uniform(0.2, 0.4)), shown // 20
            chars = accepted * 31 + partly * 9
            row = (day.isoformat(), language, "mistral", "codestral-2508")
            counts.add("suggestions", row, shown=shown, accepted_by_command=accepted)
            counts.add("suggestions", row, partly=partly, accepted_chars=chars)
            counts.add("suggestions", row, asked_30s=chars, kept_30s=int(chars * 0.91))
            counts.add("suggestions", row, asked_5m=chars, kept_5m=int(chars * 0.84))
            tokens = {"prompt_tokens": shown * 520, "answer_tokens": shown * 21}
            counts.add("calls", row, calls=shown, failed=shown // 90, hung_up=shown // 9, **tokens)
            for source, (ms, answers) in SPEEDS.items():
                for _ in range(12):
                    key = (row[0], language, source, bucket_of(ms * draw.lognormvariate(0, 0.4)))
                    counts.add("answers", key, answers=int(answers * usual * busy) // 100)
    counts.close()


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program("chromium"), args=BROWSER_FLAGS, headless=True
        )
        yield started
        started.close()


Scheme = Literal["light", "dark"]
WINDOWS: list[tuple[Scheme, int]] = [("light", 1100), ("dark", 1100), ("light", 360), ("dark", 360)]
PAPER = {"light": "rgb(251, 250, 248)", "dark": "rgb(21, 24, 29)"}


@pytest.mark.parametrize(("scheme", "width"), WINDOWS)
def test_the_page_is_whole_in_every_window(
    scheme: Scheme, width: int, browser: Browser, tmp_path: Path
) -> None:
    a_month(tmp_path / "stats.db")
    file = tmp_path / "page.html"
    file.write_text(page(read(tmp_path / "stats.db", days=DAYS, today=TODAY)), encoding="utf-8")
    window = browser.new_page(
        color_scheme=scheme, viewport={"width": width, "height": 900}, java_script_enabled=True
    )
    asked: list[str] = []
    complaints: list[str] = []
    window.on("request", lambda request: asked.append(request.url))
    window.on("console", lambda message: complaints.append(message.text))
    window.goto(file.as_uri())
    assert asked == [file.as_uri()]
    assert complaints == []
    assert window.evaluate("getComputedStyle(document.body).backgroundColor") == PAPER[scheme]
    wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert window.evaluate(wider) is False
    assert window.locator("svg g").count() == 2 * DAYS
    # what is drawn has a size, and the words are to be read
    for chart in window.locator("figure svg").all():
        box = chart.bounding_box()
        assert box
        assert box["width"] > 250
        assert box["height"] > 60
    clipped = "(boxes) => boxes.filter((one) => one.scrollWidth > one.clientWidth).length"
    assert window.locator(".scroll").evaluate_all(clipped) == 0
    assert "suggestions shown" in window.inner_text(".tiles")
    if folder := os.environ.get("FIM_SCREENSHOTS"):
        window.screenshot(path=Path(folder) / f"stats-{scheme}-{width}.png", full_page=True)
        if (scheme, width) == WINDOWS[0]:  # docs/stats.png is this one
            window.set_viewport_size({"width": 1060, "height": 542})
            window.screenshot(path=Path(folder) / "stats.png")
    window.close()
