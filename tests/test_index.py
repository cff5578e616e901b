"""The workspace's index: what it knows of files, its bounds, and how it follows the disk."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TypeVar

import pytest

from fim_lsp import workspace
from fim_lsp.snippets import index as index_module
from fim_lsp.snippets.index import Index
from fim_lsp.workspace import FoundFile, Workspace

T = TypeVar("T")


def run(job: Generator[None, None, T]) -> T:
    """What a job returns, once it is done."""
    while True:
        try:
            next(job)
        except StopIteration as end:
            return end.value


def finish(job: Iterable[None]) -> None:
    for _ in job:
        pass


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def indexed(root: Path, files: dict[str, str]) -> Index:
    write(root, files)
    index = Index(Workspace([root]))
    finish(index.build())
    return index


def names(root: Path, paths: Iterable[str]) -> list[str]:
    return [Path(path).relative_to(root).as_posix() for path in paths]


def files_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read from now on."""
    read: list[str] = []
    original = FoundFile.read

    def noted(one: FoundFile) -> str | None:
        read.append(one.relative)
        return original(one)

    monkeypatch.setattr(FoundFile, "read", noted)
    return read


def test_no_more_text_than_the_bound_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "MAX_INDEXED_BYTES", 1_000)
    text = "def weigh(): ...\n" * 20
    index = indexed(tmp_path, {f"a{number}.py": text for number in range(9)})
    assert len(index) == 2
    assert index.size_bytes <= 1_000
    assert index.is_complete


def test_no_more_files_than_the_bound_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "MAX_FILES", 4)
    index = indexed(tmp_path, {f"a{number}.py": f"x{number} = 1\n" for number in range(9)})
    assert len(index) == 4
    assert index.is_complete


def test_of_a_long_file_the_beginning_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "MAX_READ_CHARS", 30)
    index = indexed(tmp_path, {"a.py": "first = 1\n" + "#" * 40 + "\nlast = 1\n"})
    assert index.declaring("first")
    assert not index.declaring("last")


def test_a_job_that_was_ended_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {f"a{number}.py": f"name_{number} = 1\n" for number in range(9)})
    index = Index(Workspace([tmp_path]))
    first = index.build()
    while len(index) < 4:
        next(first)
    assert not index.is_complete
    assert index.declaring("name_0")  # what is there is of use already
    read = files_read(monkeypatch)
    finish(index.build())
    assert index.is_complete
    assert read == [f"a{number}.py" for number in range(4, 9)]  # none twice


def test_only_what_has_changed_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = indexed(tmp_path, {"a.py": "old = 1\n", "b.py": "kept = 1\n", "c.py": "gone = 1\n"})
    write(tmp_path, {"a.py": "renewed = 1\n", "d.py": "added = 1\n"})
    os.utime(tmp_path / "a.py", ns=(1, 1))
    (tmp_path / "c.py").unlink()
    read = files_read(monkeypatch)
    finish(index.build())
    assert read == ["a.py", "d.py"]
    known = {name for name in ("old", "renewed", "kept", "gone", "added") if index.declaring(name)}
    assert known == {"renewed", "kept", "added"}


CHANGES: dict[str, tuple[dict[str, str], set[str]]] = {
    "written": ({"a.py": "renewed = 1\n"}, {"renewed", "kept"}),
    "made": ({"new.py": "added = 1\n"}, {"old", "kept", "added"}),
    "deleted": ({"a.py": ""}, {"kept"}),
    "no code": ({"a.txt": "added = 1\n"}, {"old", "kept"}),
    "ignored from now on": ({".gitignore": "a.py\n"}, {"kept"}),
}


@pytest.mark.parametrize(("files", "wanted"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_on_the_disk_is_taken_in(
    tmp_path: Path, files: dict[str, str], wanted: set[str]
) -> None:
    index = indexed(tmp_path, {"a.py": "old = 1\n", "b.py": "kept = 1\n"})
    write(tmp_path, files)
    for path, text in files.items():
        if not text:
            (tmp_path / path).unlink()
        finish(index.refresh((tmp_path / path).as_uri()))
    known = {name for name in ("old", "renewed", "kept", "added") if index.declaring(name)}
    assert known == wanted


def test_several_folders_are_one_index(tmp_path: Path) -> None:
    write(tmp_path, {"one/a.py": "first = 1\n", "two/a.py": "second = 1\n", "no/a.py": "x = 1\n"})
    index = Index(Workspace([tmp_path / "one", tmp_path / "two"]))
    finish(index.build())
    assert names(tmp_path, (*index.declaring("first"), *index.declaring("second"))) == [
        "one/a.py",
        "two/a.py",
    ]
    assert not index.declaring("x")


SIBLINGS: dict[str, tuple[str, list[str]]] = {
    "its test": ("shop/store.py", ["tests/test_store.py"]),
    "what it tests": ("tests/test_store.py", ["shop/store.py"]),
    "its header": ("lib/shelf.c", ["include/shelf.h"]),
    "its source": ("include/shelf.h", ["lib/shelf.c"]),
    "a test beside": ("web/cart.ts", ["web/cart.test.ts"]),
    "what a test beside tests": ("web/cart.test.ts", ["web/cart.ts"]),
    "a go test": ("go/cart.go", ["go/cart_test.go"]),
    "none": ("shop/other.py", []),
}


@pytest.mark.parametrize(("path", "wanted"), SIBLINGS.values(), ids=SIBLINGS.keys())
def test_a_file_s_sibling_is_known(tmp_path: Path, path: str, wanted: list[str]) -> None:
    paths = (
        *("shop/store.py", "tests/test_store.py", "lib/shelf.c", "include/shelf.h"),
        *("web/cart.ts", "web/cart.test.ts", "go/cart.go", "go/cart_test.go", "shop/other.py"),
    )
    index = indexed(tmp_path, dict.fromkeys(paths, "x = 1\n"))
    assert sorted(names(tmp_path, index.siblings(path))) == wanted


def test_the_neighbours_most_like_a_place_are_found(tmp_path: Path) -> None:
    files = {f"plugins/p{n}.py": "register(weigh, PARCEL)\n" for n in range(6)}
    files |= {"plugins/far.py": "print(1)\n", "other/same.py": "register(weigh, PARCEL)\n"}
    index = indexed(tmp_path, files | {"plugins/web.ts": "register(weigh, PARCEL)\n"})
    weights = {"register": 0.5, "weigh": 0.3, "PARCEL": 0.2}
    found = names(tmp_path, run(index.neighbours("plugins/p0.py", weights)))
    assert len(found) == index_module.MAX_NEIGHBOURS
    assert set(found) < {f"plugins/p{n}.py" for n in range(1, 6)} | {"other/same.py"}
    assert run(index.neighbours("plugins/p0.py", {"unheard": 1.0})) == []


def test_a_name_that_many_declare_comes_from_nowhere(tmp_path: Path) -> None:
    files = {f"a{n}.py": "def main(): ...\n" for n in range(index_module.MAX_FILES_OF_A_NAME + 1)}
    index = indexed(tmp_path, files | {"b.py": "def weigh(): ...\n"})
    assert not index.declaring("main")
    assert index.declaring("weigh")
    assert index.used_by("main") > index.used_by("weigh") > index.used_by("unheard") == 0
    assert index.rarity("unheard") > index.rarity("weigh") > index.rarity("main") > 0


def test_texts_near_the_cursor_leave_memory_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "MAX_KEPT_LINES", 25)
    index = indexed(tmp_path, {f"a{n}.py": "x = 1\n" * 9 for n in range(4)})
    first = run(index.source(str(tmp_path / "a0.py")))
    assert run(index.source(str(tmp_path / "a0.py"))) is first
    for number in (1, 2, 3):
        run(index.source(str(tmp_path / f"a{number}.py")))
    assert run(index.source(str(tmp_path / "a0.py"))) is not first
