"""What may be read of a workspace, checked against git itself where git is installed."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fim_lsp import workspace
from fim_lsp.settings import EXCLUDE_BY_DEFAULT
from fim_lsp.workspace import Workspace, family_of, language_of, path_of, read_text
from tests.patience import PATIENCE_S

SECRETS = (
    ".env",
    ".env.local",
    ".ENV",
    "deploy/.env.production",
    "server.pem",
    "certs/tls.key",
    "id_rsa",
    "id_ed25519.pub",
    ".ssh/config",
    ".aws/credentials",
    "gcp-credentials.json",
    "secrets.yaml",
    "secrets/token.txt",
    "prod.tfvars",
    "terraform.tfstate.backup",
    ".npmrc",
    ".git/config",
    "sub/.git/hooks/pre-commit",
)


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def walked(folder: Path, *exclude: str) -> set[str]:
    return {found.relative for found in Workspace([folder], exclude).files()}


IGNORED = {
    "a name anywhere": ({".gitignore": "*.log\n"}, {"a.log", "deep/b.log"}, {"a.py"}),
    "a folder": ({".gitignore": "build/\n"}, {"build/a.py", "x/build/b.py"}, {"builds/a.py"}),
    "only at the root": ({".gitignore": "/out\n"}, {"out/a.py"}, {"x/out/a.py"}),
    "an exception": ({".gitignore": "*.log\n!keep.log\n"}, {"a.log"}, {"keep.log"}),
    "no exception in an ignored folder": (
        {".gitignore": "dist/\n!dist/keep.py\n"},
        {"dist/keep.py"},
        {"a.py"},
    ),
    "a nested file wins": (
        {".gitignore": "*.gen.py\n", "api/.gitignore": "!*.gen.py\n"},
        {"a.gen.py"},
        {"api/b.gen.py"},
    ),
    "a nested file holds below itself only": (
        {"api/.gitignore": "local.py\n"},
        {"api/local.py", "api/v1/local.py"},
        {"local.py"},
    ),
    "the repository's own exclude file": (
        {".git/info/exclude": "scratch.py\n"},
        {"scratch.py", "sub/scratch.py"},
        {"a.py"},
    ),
    "a line that is no pattern is passed over": (
        {".gitignore": "!\n\\\n*.tmp\n"},
        {"a.tmp"},
        {"a.py"},
    ),
    "a comment, blanks and a byte order of lines": (
        {".gitignore": "# *.py\n\n*.tmp   \r\n"},
        {"a.tmp"},
        {"a.py"},
    ),
}


@pytest.mark.parametrize(("rules", "hidden", "seen"), IGNORED.values(), ids=IGNORED.keys())
def test_what_git_ignores_is_not_read(
    tmp_path: Path, rules: dict[str, str], hidden: set[str], seen: set[str]
) -> None:
    (tmp_path / ".git").mkdir()
    tree(tmp_path, rules | dict.fromkeys([*hidden, *seen], "x = 1\n"))
    found = walked(tmp_path)
    space = Workspace([tmp_path])
    assert seen <= found
    assert not hidden & found
    assert all(space.allowed(tmp_path / name) for name in seen)
    assert not any(space.allowed(tmp_path / name) for name in hidden)


@pytest.mark.skipif(not shutil.which("git"), reason="git is the reference here")
@pytest.mark.parametrize(("rules", "hidden", "seen"), IGNORED.values(), ids=IGNORED.keys())
def test_git_says_the_same(
    tmp_path: Path, rules: dict[str, str], hidden: set[str], seen: set[str]
) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    tree(tmp_path, rules | dict.fromkeys([*hidden, *seen], "x = 1\n"))
    listed = subprocess.run(
        ["git", "-C", str(tmp_path), "ls-files", "-co", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert walked(tmp_path) == set(listed.stdout.split())


def test_rules_of_the_repository_above_hold_in_a_folder_of_it(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    files = {".gitignore": "*.gen.py\n/packages/app/local/\n", "packages/.gitignore": "tmp.py\n"}
    files |= dict.fromkeys(
        [f"packages/app/{name}" for name in ("a.py", "b.gen.py", "tmp.py", "local/c.py")], "x\n"
    )
    tree(tmp_path, files)
    assert walked(tmp_path / "packages" / "app") == {"a.py"}


def test_a_worktree_has_its_excludes_elsewhere(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            "main/.git/info/exclude": "notes.md\n",
            "main/.git/worktrees/w/commondir": "../..\n",
            "w/.git": f"gitdir: {tmp_path}/main/.git/worktrees/w\n",
            "w/notes.md": "x\n",
            "w/a.py": "x\n",
        },
    )
    assert walked(tmp_path / "w") - {".git"} == {"a.py"}


def test_the_user_s_own_ignore_file_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    tree(
        tmp_path, {"config/git/ignore": "*.private.py\n", "w/a.private.py": "x\n", "w/a.py": "x\n"}
    )
    assert walked(tmp_path / "w") == {"a.py"}


@pytest.mark.parametrize("name", SECRETS)
def test_secret_files_are_never_read(tmp_path: Path, name: str) -> None:
    tree(tmp_path, {name: "password=1\n", "a.py": "x\n"})
    space = Workspace([tmp_path], EXCLUDE_BY_DEFAULT)
    assert {found.relative for found in space.files()} == {"a.py"}
    assert space.allowed(tmp_path / "a.py")
    assert not space.allowed(tmp_path / name)
    assert space.excluded(name)


def test_an_ignore_file_cannot_bring_back_what_the_settings_exclude(tmp_path: Path) -> None:
    tree(tmp_path, {".gitignore": "!.env\n!secrets/\n", ".env": "x\n", "secrets/a.py": "x\n"})
    assert walked(tmp_path, *EXCLUDE_BY_DEFAULT) == {".gitignore"}


def test_the_repository_s_folder_is_never_read_whatever_the_settings_say(tmp_path: Path) -> None:
    tree(tmp_path, {".git/config": "x\n", "a.py": "x\n"})
    assert walked(tmp_path, "!.git/") == {"a.py"}


def test_links_out_of_the_workspace_are_not_followed(tmp_path: Path) -> None:
    tree(tmp_path, {"outside/secret.py": "x\n", "w/a.py": "x\n"})
    inside = tmp_path / "w"
    (inside / "file.py").symlink_to(tmp_path / "outside" / "secret.py")
    (inside / "folder").symlink_to(tmp_path / "outside")
    (inside / "loop").symlink_to(inside)
    space = Workspace([inside])
    assert {found.relative for found in space.files()} == {"a.py"}
    assert not space.allowed(inside / "file.py")
    assert not space.allowed(inside / "folder" / "secret.py")
    assert space.relative(inside / "file.py") is None


def test_a_link_within_the_workspace_is_judged_by_its_target(tmp_path: Path) -> None:
    tree(tmp_path, {"a.py": "x\n", ".env": "x\n"})
    (tmp_path / "good.py").symlink_to(tmp_path / "a.py")
    (tmp_path / "bad.py").symlink_to(tmp_path / ".env")
    space = Workspace([tmp_path], EXCLUDE_BY_DEFAULT)
    assert space.allowed(tmp_path / "good.py")
    assert not space.allowed(tmp_path / "bad.py")


def test_binaries_and_huge_files_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"x = 1\n" + b"\0")
    (tmp_path / "b.py").write_bytes(b"x" * (workspace.MAX_FILE_BYTES + 1))
    (tmp_path / "c.py").write_bytes(b"x" * workspace.SNIFF_BYTES + b"\0")
    space = Workspace([tmp_path])
    read = {found.relative: found.read() for found in space.files()}
    assert read["a.py"] is None
    assert "b.py" not in read
    assert read["c.py"]
    assert [space.allowed(tmp_path / name) for name in ("a.py", "b.py", "c.py")] == [
        False,
        False,
        True,
    ]
    assert read_text(tmp_path / "b.py") is None


def test_line_ends_are_read_as_newlines(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"a\r\nb\x0cc\r\n\xff")
    assert read_text(tmp_path / "a.py") == "a\nb\x0cc\n\ufffd"


def test_no_more_files_than_the_bound_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, {f"{number}.py": "x\n" for number in range(9)})
    monkeypatch.setattr(workspace, "MAX_FILES", 5)
    assert len(walked(tmp_path)) == 5


@pytest.mark.parametrize(
    "outside",
    ["relative.py", "untitled:Untitled-1", "https://example.org/a.py", "\0", "/", "file:///"],
)
def test_in_doubt_the_answer_is_no(tmp_path: Path, outside: str) -> None:
    space = Workspace([tmp_path])
    assert not space.allowed(outside)
    assert space.relative(outside) is None


def test_a_file_that_is_not_there_or_a_folder_is_not_allowed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    space = Workspace([tmp_path])
    assert not space.allowed(tmp_path / "missing.py")
    assert not space.allowed(tmp_path / "folder")
    assert not space.allowed(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    assert walked(tmp_path) == set()
    assert not Workspace([tmp_path]).allowed(tmp_path / "pipe.py")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", [".gitignore", ".git/info/exclude"])
def test_an_ignore_file_that_is_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    tree(tmp_path, {"a.py": "x\n", ".git/info/x": ""})
    os.mkfifo(tmp_path / name)
    reading = multiprocessing.get_context("spawn").Process(target=walked, args=(tmp_path,))
    reading.start()
    reading.join(PATIENCE_S)
    assert reading.exitcode == 0
    assert walked(tmp_path) == set(), "it might have ignored anything"


def test_paths_are_relative_to_the_nearest_folder(tmp_path: Path) -> None:
    tree(tmp_path, {"a/b/c d.py": "x\n"})
    space = Workspace([tmp_path, tmp_path / "a"])
    uri = (tmp_path / "a" / "b" / "c d.py").as_uri()
    assert space.relative(uri) == "b/c d.py"
    assert space.relative(tmp_path / "a" / ".." / "a" / "b" / "c d.py") == "b/c d.py"
    assert sorted(found.relative for found in space.files()) == ["b/c d.py"]


LANGUAGES = {
    "a.py": ("python", "python"),
    "src/App.TSX": ("typescriptreact", "typescript"),
    "a.mjs": ("javascript", "typescript"),
    "a.hpp": ("cpp", "c"),
    "Makefile": ("", ""),
    "a.unknown": ("", ""),
}


@pytest.mark.parametrize(("path", "named"), LANGUAGES.items(), ids=LANGUAGES.keys())
def test_the_language_is_told_by_the_ending(path: str, named: tuple[str, str]) -> None:
    assert (language_of(path), family_of(language_of(path))) == named


ELSEWHERE = {
    "git:/w/.ssh/config?%7B%22ref%22%3A%22HEAD%22%7D": True,
    "git:/w/secrets/token.txt?x": True,
    "git:/w/src/token.py?.env": False,
    "untitled:.env": True,
    "untitled:/w/.aws/credentials": True,
    "untitled:Untitled-1": False,
    "vscode-remote://ssh-remote%2Bhost/home/me/.ssh/id_rsa": True,
    "zipfile:///w/a.zip::secrets/token.txt": True,
    "jar:file:///w/a.jar!/secrets/token.txt": True,
    "fugitive:///w/%2Eenv": True,
    "https://example.org/a.py": False,
    "file://[no-address/.env": True,
}


@pytest.mark.parametrize(("uri", "is_excluded"), ELSEWHERE.items(), ids=ELSEWHERE)
def test_a_document_that_is_no_file_is_judged_by_its_path(uri: str, is_excluded: bool) -> None:
    assert Workspace([Path("/w")], EXCLUDE_BY_DEFAULT).excludes(uri) is is_excluded


def test_a_windows_drive_may_be_written_with_a_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    """As VS Code writes it; Windows' own converter takes only a plain colon for a drive's."""
    seen: list[str] = []

    def converted(path: str) -> str:
        seen.append(path)
        return path

    monkeypatch.setattr("urllib.request.url2pathname", converted)
    path_of("file:///c%3A/Users/a%20b.py")
    path_of("file:///D:/a.py")
    path_of("file:///dir/c%3A/a.py")
    assert seen == ["/c:/Users/a%20b.py", "/D:/a.py", "/dir/c%3A/a.py"]


def test_what_is_no_address_has_no_path() -> None:
    assert [path_of(uri) for uri in ("file://[", "file:///a%00b", "a\0b")] == [None] * 3


def test_uris_become_paths() -> None:
    assert path_of("file:///a/b%20c.py") == Path("/a/b c.py")
    assert path_of("file://localhost/a.py") == Path("/a.py")
    assert path_of("/a/b.py") == Path("/a/b.py")
    assert path_of("untitled:Untitled-1") is None
    assert path_of("vscode-notebook-cell:/a/b%20c.ipynb#W0sZmlsZQ%3D%3D") == Path("/a/b c.ipynb")
    assert path_of("vscode-notebook-cell://remote/y.ipynb#W0") == Path("/y.ipynb")
