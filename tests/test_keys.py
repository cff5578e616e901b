"""Where the key comes from, what each failure says, and that nobody sees it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from fim_lsp.errors import RefusedError, SettingError, UnavailableError, UsageError
from fim_lsp.keys import Key, KeySource
from fim_lsp.settings import Settings
from tests.patience import PATIENCE_S, until

SECRET = "sk-very-secret-1234567890"  # noqa: S105 - nobody's


def printing(code: str) -> Settings:
    """Settings whose key command is Python code."""
    return Settings(api_key_command=(sys.executable, "-c", code))


async def test_the_variable_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", f" {SECRET}\n")
    assert await KeySource(Settings(api_key_env="SOME_KEY")).get() == Key(SECRET)


async def test_the_command_wins_over_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODEUS_API_KEY", "another")
    assert await KeySource(printing(f"print('{SECRET}')")).get() == Key(SECRET)


@pytest.mark.parametrize("ending", ["", "\\n", "\\r\\n", "\\n\\n"])
async def test_line_ends_behind_it_do_not_count(ending: str) -> None:
    source = KeySource(printing(f"import sys; sys.stdout.write('{SECRET}{ending}')"))
    assert await source.get() == Key(SECRET)


async def test_no_key_is_none_and_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ODEUS_API_KEY", raising=False)
    source = KeySource(Settings())
    assert await source.get() is None
    with pytest.raises(SettingError, match="set the environment variable ODEUS_API_KEY"):
        await source.require()


FAILING = {
    "it fails": ("raise SystemExit(3)", "failed with status 3: run it in a terminal"),
    "it prints nothing": ("pass", "printed nothing: run it in a terminal"),
    "it prints a line end": ("print()", "printed nothing"),
    "it prints more": (f"print('{SECRET}\\nmore')", "printed 2 lines: let it print the key alone"),
    "it prints blanks": (f"print('{SECRET} x')", "blanks or characters that no API key has"),
    "it prints what is no key": ("print('k\u00e9y')", "blanks or characters that no API key has"),
}


@pytest.mark.parametrize(("code", "words"), FAILING.values(), ids=FAILING.keys())
async def test_a_command_that_gives_no_key_says_so(code: str, words: str) -> None:
    with pytest.raises(SettingError, match=words) as raised:
        await KeySource(printing(code), limit_s=PATIENCE_S).get()
    message = str(raised.value)
    assert message.startswith(f"api_key_command ({sys.executable}) ")
    assert "\n" not in message
    assert SECRET not in message


async def test_a_command_that_hangs_says_so() -> None:
    with pytest.raises(SettingError, match=r"took longer than 0\.5 s"):
        await KeySource(printing("import time; time.sleep(60)"), limit_s=0.5).get()


@pytest.mark.skipif(sys.platform == "win32", reason="no sh")
async def test_a_child_that_the_command_leaves_behind_is_not_waited_for() -> None:
    """A key agent that it has started, say."""
    command = ("sh", "-c", f"sleep 30 & echo {SECRET}")
    assert await KeySource(Settings(api_key_command=command), limit_s=20).get() == Key(SECRET)


async def test_a_command_that_is_not_there_says_so() -> None:
    settings = Settings(api_key_command=("no-such-program-here",))
    with pytest.raises(SettingError, match=r"cannot be run \(No such file or directory\)"):
        await KeySource(settings).get()


async def test_a_bad_variable_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODEUS_API_KEY", f"{SECRET}\r\nX-More: 1")
    with pytest.raises(SettingError, match="The variable ODEUS_API_KEY holds") as raised:
        await KeySource(Settings()).get()
    assert SECRET not in str(raised.value)


def counting(log: Path, then: str) -> Settings:
    """A command that leaves a mark for each run."""
    return printing(f"open({str(log)!r}, 'a').write('x'); {then}")


async def test_it_is_read_once_for_all(tmp_path: Path) -> None:
    source = KeySource(counting(tmp_path / "log", f"print('{SECRET}')"))
    assert await asyncio.gather(*(source.get() for _ in range(5))) == [Key(SECRET)] * 5
    assert await source.get() == Key(SECRET)
    assert (tmp_path / "log").read_text() == "x"


async def test_a_wait_that_is_cancelled_does_not_start_it_anew(tmp_path: Path) -> None:
    """A password prompt must not come up at each key stroke."""
    code = f"import time; time.sleep(0.3); print('{SECRET}')"
    source = KeySource(counting(tmp_path / "log", code))
    for _ in range(3):
        waiting = asyncio.create_task(source.get())
        await asyncio.sleep(0.02)
        waiting.cancel()
    assert await source.get() == Key(SECRET)
    assert (tmp_path / "log").read_text() == "x"


async def test_it_is_read_anew_after_a_failure_and_when_forgotten(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = f"import sys; n = len(open({str(log)!r}).read()); sys.exit(1) if n == 1 else print(n)"
    source = KeySource(counting(log, code))
    with pytest.raises(SettingError):
        await source.get()
    assert await source.get() == Key("2")
    source.forget()
    assert await source.get() == Key("3")


async def test_closing_ends_a_command_that_runs(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = f"import time; open({str(mark)!r}, 'w'); time.sleep(60)"
    source = KeySource(printing(code))
    waiting = asyncio.create_task(source.get())
    await until(mark.exists)
    async with asyncio.timeout(30):
        await source.aclose()
        with pytest.raises(UnavailableError):
            await waiting


def test_a_key_prints_as_nothing() -> None:
    assert SECRET not in f"{Key(SECRET)!r} {Key(SECRET)!s}"
    assert Key(SECRET).header == {"authorization": f"Bearer {SECRET}"}


def test_the_error_is_the_users_and_ends_the_asking() -> None:
    assert issubclass(SettingError, UsageError)
    assert issubclass(SettingError, RefusedError)
