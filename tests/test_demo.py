"""The demo: the real server process at work, on a terminal, in a pipe, and with a bad one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.demo.scene import ABOVE, BELOW, TYPED, Scene, Tally, agreed, keys_of
from fim_lsp.demo.typist import Editor, Pace, Typist
from fim_lsp.demo.views import DrawnView, picture
from fim_lsp.terminal import Screen
from tests.endpoint import Reply, running_endpoint
from tests.little_terminal import LittleTerminal
from tests.virtual_time import in_virtual_time

KEY = "fk-2Jt7Qx9Lm4Rw8Vb3Nz6Yc1"
LIMIT_S = 60


# -- values ----------------------------------------------------------------------------------------

AGREED = {
    "all of it": (" str", " str\n    b: int", " str"),
    "all of several lines": ("a\n  b", "a\n  b\nc", "a\n  b"),
    "the first line alone": ("a\nb\nc", "a\nx\n", "a"),
    "the first two lines": ("a\nb\nc", "a\nb\nx", "a\nb"),
    "a beginning of the first line": ("abc", "abx\n", ""),
    "more than is wanted": ("abc", "ab", ""),
    "nothing": ("", "abc", ""),
}


@pytest.mark.parametrize(("ghost", "wanted", "taken"), AGREED.values(), ids=AGREED.keys())
def test_only_what_is_wanted_is_taken(ghost: str, wanted: str, taken: str) -> None:
    assert agreed(ghost, wanted) == taken


@given(ghost=st.text("ab\n ", max_size=12), wanted=st.text("ab\n ", max_size=12))
def test_what_is_taken_belongs_to_both(ghost: str, wanted: str) -> None:
    taken = agreed(ghost, wanted)
    assert ghost.startswith(taken)
    assert wanted.startswith(taken)


def test_a_new_line_and_its_indentation_are_one_key() -> None:
    assert keys_of("a:\n    b\n\n  c") == ["a", ":", "\n    ", "b", "\n", "\n  ", "c"]


@given(st.text("ab\n "))
def test_the_keys_type_the_text(text: str) -> None:
    assert "".join(keys_of(text)) == text


class Silent:
    """An editor without ghost text."""

    before = after = ""

    def insert(self, text: str) -> None:
        self.before += text

    async def ghost(self) -> str:
        return ""


@in_virtual_time
async def test_what_there_was_no_time_for_was_not_saved() -> None:
    pace = Pace(key_s=1.0, look_s=0.0, wait_s=0.0, patience_s=1.0, limit_s=20.0)
    typist = Typist(
        editor=cast("Editor", Silent()),
        wanted="a" * 100,
        pace=pace,
        show=lambda scene: None,
        suggested=lambda line, text, fate, ms: None,
        source=str,
        budget=str,
        way=str,
        has_trouble=bool,
    )
    await typist.type_all()
    assert 15 < typist.tally.keys_typed < 25
    assert typist.tally.keys_saved == 0


def test_the_text_that_is_typed_is_a_program_that_works() -> None:
    names: dict[str, Callable[[], None]] = {}
    exec(compile(ABOVE + TYPED + BELOW, "shop.py", "exec"), names)  # noqa: S102 - our own text
    names["test_order_survives_a_round_trip"]()
    names["test_customer_survives_a_round_trip"]()


def test_the_text_fits_a_usual_terminal_and_is_ascii() -> None:
    whole = ABOVE + TYPED + BELOW
    assert whole.isascii()
    assert max(map(len, whole.split("\n"))) <= 80 - 6


# -- the picture -----------------------------------------------------------------------------------


def scene(before: str, ghost: str, after: str) -> Scene:
    return Scene(
        before=before,
        ghost=ghost,
        after=after,
        caption="Tab would accept",
        source="a provider",
        answer_ms=3.2,
        way="memory",
        budget="budget ▓░░░░░░░░░ 12%",
    )


def drawn(picture: Scene, width: int, height: int) -> LittleTerminal:
    out = LittleTerminal(width, height)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        patch.setenv("LINES", str(height))
        DrawnView(Screen(out)).show(picture, Tally(keys_needed=10, shown=2, accepted=1))
    return out


def test_ghost_text_stands_behind_the_cursor_and_pushes_nothing_away() -> None:
    out = drawn(scene("a = [\n    x", ".y,\n    z,", "  # end\n]"), 80, 12)
    assert out.rows[0].startswith(" fim-lsp demo · a provider · Ctrl-C ends")
    assert out.rows[1:6] == [
        "   1 a = [",
        "   2     x.y,  # end",
        "         z,",
        "   3 ]",
        "",
    ]
    assert out.cursor == (2, 10)
    assert (
        out.rows[-2] == " Tab would accept    answered after 3 ms  ·  known already, nothing sent"
    )
    assert out.rows[-1] == (" 2 shown · 1 accepted · 0 of 10 keys typed · budget ▓░░░░░░░░░ 12%")
    assert max(map(len, out.rows)) < 80


def test_the_counts_fit_at_the_end_too() -> None:
    tally = Tally(keys_needed=375, keys_typed=374, shown=100, accepted=100)
    rows, _ = picture(scene("a", "", ""), tally, 80, 24)
    assert sum(len(span.text) for span in rows[-1]) < 80 - len("100%") + len("12%")


@pytest.mark.parametrize("size", [(80, 24), (40, 10), (200, 60)])
@pytest.mark.parametrize("lines", [0, 5, 30, 500])
def test_the_cursors_line_is_always_to_be_seen(size: tuple[int, int], lines: int) -> None:
    out = drawn(scene("x\n" * lines + "here", "", "\ny" * lines), *size)
    row, column = out.cursor
    assert 0 < row < size[1] - 3
    assert out.rows[row] == f"{lines + 1:>4} here"
    assert column == 9


# -- in a pipe -------------------------------------------------------------------------------------


def environment(folder: Path, **more: str) -> dict[str, str]:
    """An empty home, broken settings, and no key."""
    config = folder / "config.toml"
    config.write_text("provider = 'mistral'\nbase_url = 'https://x.invalid'\n", encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG"}}
    return {**kept, "HOME": str(folder), "FIM_LSP_CONFIG": str(config), **more}


def demo(
    folder: Path, *arguments: str, variables: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fim_lsp", "demo", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        env=environment(folder, **(variables or {})),
        timeout=LIMIT_S,
        check=False,
    )


def test_in_a_pipe_it_shows_the_embedded_provider_at_work_in_plain_lines(tmp_path: Path) -> None:
    done = demo(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, *lines, last = done.stdout.removesuffix("\n").split("\n")
    assert first == "fim-lsp demo · shop.py · the embedded provider: no key, no network"
    assert last.startswith(f"It works: {len(lines)} suggestions shown, ")
    assert last.endswith("Next: editors/neovim/README.md")
    assert any(line.endswith("accepted") for line in lines)
    assert "\x1b" not in done.stdout


def test_without_unicode_it_is_ascii(tmp_path: Path) -> None:
    variables = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = demo(tmp_path, "--plain", variables=variables)
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert "\\x" not in done.stdout


def rest_of_the_text(prompt: str, suffix: str) -> str:
    """What a perfect model would say."""
    del suffix
    done = len((ABOVE + TYPED)[: (ABOVE + TYPED).find(prompt[-200:])]) + len(prompt[-200:])
    return (ABOVE + TYPED)[done:]


def test_with_an_endpoint_of_ones_own(tmp_path: Path) -> None:
    with running_endpoint(Reply(text=rest_of_the_text), key=KEY) as endpoint:
        done = demo(
            tmp_path,
            *("--provider", "mistral", "--base-url", endpoint.base_url, "--model", "m-1"),
            variables={"ODEUS_API_KEY": KEY},
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("fim-lsp demo · shop.py · mistral m-1\n")
    assert " accepted, " in done.stdout
    assert endpoint.violations == []
    assert 0 < len(endpoint.calls) < 120


def test_an_endpoint_that_refuses_is_the_summary(tmp_path: Path) -> None:
    with running_endpoint(Reply(text="x"), key="another") as endpoint:
        address = ["--provider", "mistral", "--base-url", endpoint.base_url]
        done = demo(tmp_path, *address, variables={"ODEUS_API_KEY": KEY})
    assert done.returncode == 1
    last = done.stdout.removesuffix("\n").split("\n")[-1]
    assert last.startswith("No ghost text was shown: ")
    assert "key" in last
    assert last.endswith("Next: fim-lsp doctor")
    assert KEY not in done.stdout + done.stderr


NOBODY_TO_ASK = {
    "a provider whose model is not known": (["--provider", "ollama"], "needs a model"),
    "a preset that lacks its address": (["--preset", "odeus-dedicated"], "needs base_url"),
    "an address that is none": (["--provider", "mistral", "--base-url", "nowhere"], "base_url"),
}


@pytest.mark.parametrize(("named", "says"), NOBODY_TO_ASK.values(), ids=NOBODY_TO_ASK.keys())
def test_who_cannot_be_asked_is_not_shown_at_work(
    tmp_path: Path, named: list[str], says: str
) -> None:
    """The server would let the embedded model speak, and the demo say that it works."""
    config = tmp_path / "none.toml"
    done = demo(tmp_path, *named, variables={"FIM_LSP_CONFIG": str(config)})
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_fallback_answers_for_who_was_named(tmp_path: Path) -> None:
    with running_endpoint(Reply(text="x"), key="another") as endpoint:
        address = ["--provider", "mistral", "--base-url", endpoint.base_url]
        more = ["--set", "fallback=local"]
        done = demo(tmp_path, *address, *more, variables={"ODEUS_API_KEY": KEY})
    assert done.returncode == 1
    assert "does not accept the key" in done.stdout


def test_it_can_be_recorded_as_a_picture(tmp_path: Path) -> None:
    script = Path(__file__).parents[1] / "docs" / "record_demo.py"
    made = tmp_path / "demo.svg"
    subprocess.run(
        [sys.executable, str(script), str(made), "--speed", "20"],
        env=environment(tmp_path),
        timeout=LIMIT_S,
        check=True,
    )
    root = ET.parse(made).getroot()  # noqa: S314 - written a moment ago
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any("keys typed" in text for text in texts)
    assert any(element.get("class") == "ghost" for element in root.iter())
    assert "http" not in made.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")


# -- on a terminal ---------------------------------------------------------------------------------


class OnTerminal:
    """The demo on a terminal of its own, of which all output is kept."""

    def __init__(self, folder: Path, size: tuple[int, int], *arguments: str) -> None:
        self.leader, follower = pty.openpty()
        self.resize(size)
        self.before = termios.tcgetattr(self.leader)
        self.output = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fim_lsp", "demo", *arguments],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=environment(folder, TERM="xterm-256color"),
            start_new_session=True,
        )
        os.close(follower)

    def resize(self, size: tuple[int, int]) -> None:
        """Tell the terminal's size as a window would: columns and lines."""
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    def read_until(self, wanted: bytes | None) -> str:
        """All output, when ``wanted`` has come (None: when the process has ended)."""
        end = time.monotonic() + LIMIT_S
        while wanted is None or wanted not in self.output:
            assert time.monotonic() < end, self.output[-2000:]
            readable, _, _ = select.select([self.leader], [], [], 1)
            if not readable:
                continue
            try:
                piece = os.read(self.leader, 65_536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            self.output += piece
        return self.output.decode()

    def close(self) -> int:
        """The exit status."""
        try:
            return self.process.wait(LIMIT_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            os.close(self.leader)


RESTORED = "\x1b[0m\x1b[?25h\x1b[?1049l"


def test_on_a_terminal_it_draws_and_leaves_a_summary(tmp_path: Path) -> None:
    shown = OnTerminal(tmp_path, (80, 24), "--speed", "20")
    text = shown.read_until(None)
    assert shown.close() == 0
    picture, summary = text.split(RESTORED)
    terminal = LittleTerminal(80, 24)
    terminal.write(picture)
    assert "assert Order.from_row(order.to_row()) == order" in "\n".join(terminal.rows)
    assert "keys typed" in terminal.rows[-1]
    assert summary.startswith("It works: ")
    assert "\x1b[2;3m" in picture  # ghost text was dim


@pytest.mark.parametrize("size", [(0, 0), (20, 5)])
def test_on_a_terminal_too_small_to_draw_on_it_still_works(
    size: tuple[int, int], tmp_path: Path
) -> None:
    shown = OnTerminal(tmp_path, size, "--speed", "20")
    text = shown.read_until(None)
    assert shown.close() == 0
    assert "It works: " in text


def test_a_window_that_changes_its_size_is_drawn_anew(tmp_path: Path) -> None:
    shown = OnTerminal(tmp_path, (80, 24), "--speed", "2")
    shown.read_until(b"article")
    shown.resize((60, 12))
    shown.output = b""
    text = shown.read_until(b"keys typed")
    shown.process.send_signal(signal.SIGINT)
    shown.read_until(None)
    assert shown.close() == 130
    terminal = LittleTerminal(60, 12)
    terminal.write(text[text.rindex("\x1b[2J") :])
    assert len(terminal.rows[-1]) > 10


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_gives_the_terminal_back(
    number: signal.Signals, status: int, tmp_path: Path
) -> None:
    shown = OnTerminal(tmp_path, (80, 24))
    shown.read_until(b"keys typed")
    shown.process.send_signal(number)
    text = shown.read_until(None)
    after = termios.tcgetattr(shown.leader)
    assert shown.close() == status
    assert text.endswith(RESTORED)
    assert "Traceback" not in text
    assert after[3] & termios.ECHO == shown.before[3] & termios.ECHO
