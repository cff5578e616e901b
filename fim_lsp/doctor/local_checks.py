"""What can be found out on this machine without any network: versions, settings, key, editors."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import platform
import re
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from fim_lsp import __version__
from fim_lsp.doctor.check import Check, at_home, from_error
from fim_lsp.errors import SettingError
from fim_lsp.keys import KeySource
from fim_lsp.providers.route import is_loopback
from fim_lsp.settings import Parsed, Settings, config_path, state_folder
from fim_lsp.stats.counts import stats_file

EDITOR_LIMIT_S = 5.0
_EDITORS: tuple[tuple[str, tuple[int, int], tuple[str, ...], str], ...] = (
    # program, the first version that shows a language server's ghost text, where its set-up is, its
    # page in editors/
    ("nvim", (0, 12), ("config/nvim", "share/nvim/site"), "neovim"),
    ("vim", (9, 0), ("home/.vimrc", "home/.vim", "config/vim"), "vim"),
    ("code", (1, 90), ("home/.vscode/extensions",), "vscode"),
    ("hx", (24, 0), ("config/helix",), "helix"),
    ("emacs", (29, 0), ("config/emacs", "home/.emacs.d", "home/.emacs"), "emacs"),
)
_MAX_LOOKED_AT = 2_000
_SMALLEST_DATABASE = 16_384
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_SET_UPS = frozenset({".vimrc", "vimrc", ".emacs"})
_OUR_NAME = re.compile(r"fim[-_]lsp")
_KEYS_OF_HOSTS = (
    ("api.odeus.ai", "an Odeus key", ("MISTRAL", "CODESTRAL", "DEEPSEEK", "OPENAI")),
    ("codestral.mistral.ai", "a Codestral key", ("ODEUS", "MISTRAL", "DEEPSEEK", "OPENAI")),
    ("api.mistral.ai", "a Mistral key", ("ODEUS", "CODESTRAL", "DEEPSEEK", "OPENAI")),
    ("api.deepseek.com", "a DeepSeek key", ("ODEUS", "MISTRAL", "CODESTRAL", "OPENAI")),
)
"""Host, whose key it takes, and what the names of others' keys begin with."""
_MAY_NEED_NO_KEY = frozenset({"local", "llamacpp", "ollama", "openai"})


def version() -> Check:
    """The program, its Python and the system."""
    system = f"{platform.system()} {platform.release()}"
    return Check(
        name="fim-lsp", found=f"{__version__}, Python {platform.python_version()}, {system}"
    )


def of_settings(parsed: Parsed, trouble: str | None) -> Iterator[Check]:
    """The settings file, and each thing in the settings that was not understood."""
    path = config_path()
    if trouble:
        yield from_error("settings", trouble, "settings")
    else:
        place = at_home(path) if path.exists() else f"no file {at_home(path)}"
        names = ", ".join(
            name if source == str(path) else f"{name} ({source})"
            for name, source in sorted(parsed.sources.items())
        )
        found = f"{place}; " + (f"set: {names}" if names else "all by default")
        yield Check(name="settings", found=found)
    for line in parsed.problems:
        remedy = "correct it; the other settings apply"
        yield Check(name="settings", found=line, state="settings", remedy=remedy)


def state() -> Check:
    """Whether what is remembered across runs can be: the shared budget and the statistics."""
    folder = state_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_SMALLEST_DATABASE))  # an empty file fits a full disk, too
    except OSError as error:
        remedy = "make room" if error.errno in _FULL else "mend its permissions"
        return Check(
            name="state folder",
            found=f"{at_home(folder)} cannot be written ({error.strerror})",
            state="warning",
            remedy=f"{remedy}; until then each window counts its calls for itself, "
            "and there are no statistics",
        )
    if _is_damaged(stats_file()):
        return Check(
            name="state folder",
            found=f"{at_home(stats_file())} cannot be read, and nothing is counted",
            state="warning",
            remedy="move it away and start your editor again",
        )
    sizes = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    return Check(name="state folder", found=f"{at_home(folder)}, {sizes / 1024:,.0f} kB")


def _is_damaged(path: Path) -> bool:
    """Whether SQLite can do nothing with a file that is there."""
    if not path.exists():
        return False
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as file:
            file.execute("SELECT name FROM sqlite_master").fetchall()
    except sqlite3.Error as error:
        return not getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")
    return False


def endpoint(parsed: Parsed) -> Check:
    """Provider, address and model, and where each was set."""
    settings = parsed.settings
    preset = parsed.sources.get("preset", "by default")
    values = {
        "provider": settings.effective_provider,
        "base_url": settings.effective_base_url,
        "model": settings.effective_model,
    }
    parts = [
        f"{value} ({at_home(parsed.sources.get(name) or preset)})"
        for name, value in values.items()
        if value
    ]
    return Check(name="provider", found=", ".join(parts))


async def key(settings: Settings) -> AsyncGenerator[Check]:
    """Whether there is a key, and whether its name fits the host. Never its value."""
    if settings.effective_provider == "local":
        yield Check(name="key", found="none needed")
        return
    host = urlsplit(settings.effective_base_url).hostname or ""
    place = "api_key_command" if settings.api_key_command else settings.api_key_env
    source = KeySource(settings)
    try:
        found = await source.get()
    except SettingError as error:
        yield from_error("key", str(error), "settings")
        return
    finally:
        await source.aclose()
    if found is not None:
        yield Check(name="key", found=f"present, from {place}")
    elif settings.effective_provider in _MAY_NEED_NO_KEY or is_loopback(host):
        yield Check(name="key", found=f"none ({place} is not set); this provider may need none")
    else:
        remedy = f"export {place}=… in the shell that starts your editor, or set api_key_command"
        yield Check(name="key", found=f"{place} is not set", state="settings", remedy=remedy)
    if found is not None and (check := _key_of_another_host(settings)):
        yield check


def _key_of_another_host(settings: Settings) -> Check | None:
    """Whether the key's variable is named after somebody else than the host."""
    if settings.api_key_command:
        return None
    host = urlsplit(settings.effective_base_url).hostname or ""
    for known, whose, others in _KEYS_OF_HOSTS:
        if host == known and settings.api_key_env.startswith(others):
            return Check(
                name="key and host",
                found=f"{host} takes {whose}; {settings.api_key_env} sounds like another's",
                state="warning",
                remedy="set api_key_env or base_url so that they belong together",
            )
    return None


async def editors() -> AsyncGenerator[Check]:
    """The editors on the PATH that can show ghost text, and whether they know of this server."""
    there = [(program, path) for program, *_ in _EDITORS if (path := shutil.which(program))]
    for program, path in there:
        yield await _editor(program, path)
    if not there:
        yield Check(
            name="editors",
            found=f"none of {', '.join(program for program, *_ in _EDITORS)} on the PATH",
            state="warning",
            remedy="see editors/README.md for what works with which editor",
        )


async def _editor(program: str, path: str) -> Check:
    _, least, places, page = next(known for known in _EDITORS if known[0] == program)
    match = re.search(r"(\d+)\.(\d+)(?:\.\d+)?", await _version_of(path))
    if match is None:
        return Check(name=program, found="does not tell its version", state="warning")
    if (int(match[1]), int(match[2])) < least:
        wanted = ".".join(map(str, least))
        return Check(
            name=program,
            found=f"{match[0]} cannot show ghost text from a language server",
            state="warning",
            remedy=f"use version {wanted} or newer",
        )
    if any(_mentions_us(_folder(place)) for place in places):
        return Check(name=program, found=f"{match[0]}, set up for fim-lsp")
    return Check(
        name=program,
        found=f"{match[0]}, no mention of fim-lsp in {at_home(_folder(places[0]))}",
        state="warning",
        remedy=f"see editors/{page}/README.md for its set-up",
    )


async def _version_of(path: str) -> str:
    process = await asyncio.create_subprocess_exec(
        path,
        "--version",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(EDITOR_LIMIT_S):
            return (await process.communicate())[0].decode(errors="replace")
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""


def _folder(place: str) -> Path:
    kind, _, rest = place.partition("/")
    bases = {
        "home": Path.home(),
        "config": Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"),
        "share": Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"),
    }
    return bases[kind] / rest


def _mentions_us(folder: Path) -> bool:
    """Whether a file's name or a settings file's text in there names this server."""
    paths = itertools.chain([folder], folder.rglob("*"))
    for path in itertools.islice(paths, _MAX_LOOKED_AT):
        if _OUR_NAME.search(path.name):
            return True
        is_set_up = path.suffix in {".lua", ".vim", ".toml", ".el"} or path.name in _SET_UPS
        if is_set_up and _OUR_NAME.search(_text(path)):
            return True
    return False


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
