"""What is installed is what was looked at, and what is built is always the same."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PINS = ROOT / ".ci/requirements.txt"
SOURCES = ("fim_lsp", "tests", "editors", "docs", "README.md", "CHANGELOG.md", "LICENSE")


def name_of(requirement: str) -> str:
    """A requirement's package, as package indexes compare names."""
    found = re.match(r"[\w.-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def pins() -> dict[str, str]:
    """Each pinned package, and all that its entry says."""
    entries = re.split(r"\n(?=\S)", PINS.read_text())
    return {name_of(entry): entry for entry in entries if not entry.startswith("#")}


def test_every_dependency_is_pinned_by_the_hashes_of_its_files() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        named += extra
    missing = {name_of(one) for one in named} - pins().keys() - {"fim-lsp"}
    assert missing == set(), "run .ci/pin"
    for name, entry in pins().items():
        assert re.match(r"\S+==\S+", entry), name
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), name


def test_no_pin_says_where_it_comes_from() -> None:
    assert "://" not in PINS.read_text()


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_the_same_sources_build_the_same_bytes(tmp_path: Path, kind: str) -> None:
    """On another day, under another name, with another umask."""
    built = [built_in(tmp_path / name, kind, at) for at, name in enumerate(("here", "elsewhere"))]
    assert built[0] == built[1]


def built_in(folder: Path, kind: str, at: int) -> tuple[str, str]:
    """The name and the hash of what is built from a copy of the sources."""
    folder.mkdir()
    for name in (*SOURCES, "pyproject.toml", "SECURITY.md"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns(*_NOT_SOURCES))
        elif source.exists():
            shutil.copy(source, folder / name)
    for file in folder.rglob("*"):
        os.utime(file, (at, 1_600_000_000 + at * 86_400))
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder / "out")]
    environment = {**os.environ, "TZ": ("UTC", "Asia/Tokyo")[at], "HOME": str(folder)}
    environment.pop("SOURCE_DATE_EPOCH", None)
    umask = (0o022, 0o077)[at]
    subprocess.run(
        command, cwd=folder, env=environment, umask=umask, check=True, capture_output=True
    )
    (file,) = (folder / "out").iterdir()
    return file.name, hashlib.sha256(file.read_bytes()).hexdigest()


_NOT_SOURCES = ("__pycache__", "node_modules", "dist", "*.vsix", "*.pyc")


def test_every_licence_is_permissive() -> None:
    listed = subprocess.run(
        [sys.executable, ".ci/licences"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert listed.returncode == 0, listed.stdout
    assert "pygls" in listed.stdout
