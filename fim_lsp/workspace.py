"""Which files of the workspace may be read: the one gate for everything that leaves a document.

What git ignores, what ``context.exclude`` names, binaries, huge files and links that lead out of
the folder are never read. Every doubt is a no: a file that cannot be judged is not allowed.
The walk is an iterator and holds no lock, so that its caller decides how slowly it goes.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

MAX_FILES = 100_000
"""At most this many files are looked at in one walk."""
MAX_FILE_BYTES = 1_000_000
"""Larger files are generated or are no code."""
SNIFF_BYTES = 8_192
"""A NUL among this many first bytes means a binary (git's own rule)."""

NEVER = (".git/", ".hg/", ".svn/", ".jj/")
"""Never read, whatever the settings and the ignore files say."""

_DRIVE = re.compile(r"\A/([A-Za-z])%3[Aa]")
"""How VS Code writes a Windows drive in a URI; the standard library knows only a plain colon."""
_SEPARATORS = re.compile(r"[/\\!]|::")

_EXTENSIONS = {
    "bibtex": "bib",
    "c": "c h",
    "clojure": "clj cljc cljs",
    "cpp": "cc cpp cxx hh hpp hxx ipp",
    "csharp": "cs",
    "css": "css",
    "cuda-cpp": "cu cuh",
    "dart": "dart",
    "elixir": "ex exs",
    "erlang": "erl hrl",
    "fsharp": "fs fsi fsx",
    "go": "go",
    "groovy": "gradle groovy",
    "haskell": "hs",
    "html": "htm html",
    "java": "java",
    "javascript": "cjs js mjs",
    "javascriptreact": "jsx",
    "json": "json",
    "julia": "jl",
    "kotlin": "kt kts",
    "latex": "tex",
    "less": "less",
    "lua": "lua",
    "markdown": "markdown md",
    "nix": "nix",
    "objective-c": "m",
    "ocaml": "ml mli",
    "perl": "pl pm",
    "php": "php",
    "powershell": "ps1 psm1",
    "proto": "proto",
    "python": "py pyi pyw",
    "r": "r",
    "ruby": "rb",
    "rust": "rs",
    "scala": "sc scala",
    "scss": "scss",
    "shellscript": "bash sh zsh",
    "sql": "sql",
    "svelte": "svelte",
    "swift": "swift",
    "terraform": "tf",
    "toml": "toml",
    "typescript": "cts mts ts",
    "typescriptreact": "tsx",
    "vue": "vue",
    "xml": "xml",
    "yaml": "yaml yml",
    "zig": "zig",
}
LANGUAGE_BY_EXTENSION: Mapping[str, str] = MappingProxyType(
    {ending: language for language, endings in _EXTENSIONS.items() for ending in endings.split()}
)
"""File name ending, without its dot, to the LSP language id."""
_FAMILIES = {
    "cpp": "c",
    "cuda-cpp": "c",
    "javascript": "typescript",
    "javascriptreact": "typescript",
    "objective-c": "c",
    "typescriptreact": "typescript",
}


def language_of(path: str) -> str:
    """The LSP language id that a path's ending tells, or an empty text."""
    return LANGUAGE_BY_EXTENSION.get(path.rpartition(".")[2].lower(), "")


def family_of(language: str) -> str:
    """One name for languages that share their words: ``tsx`` learns from ``ts`` and ``js``."""
    return _FAMILIES.get(language, language)


def path_of(uri_or_path: str | Path) -> Path | None:
    """The local path of a ``file:`` URI or a path; None for other schemes, and for what is no path.

    A cell's URI (``vscode-notebook-cell:``) has its notebook's path.
    """
    text = str(uri_or_path)
    scheme = re.match(r"[A-Za-z][\w+.-]+(?=:)", text)  # one letter is a Windows drive
    name = text if scheme is None else _name_in(text, scheme.group().lower())
    return None if name is None or "\0" in name else Path(name)


def _name_in(uri: str, scheme: str) -> str | None:
    try:
        parts = urllib.parse.urlsplit(uri)
    except ValueError:
        return None
    name = urllib.request.url2pathname(_DRIVE.sub(r"/\1:", parts.path))
    if scheme == "vscode-notebook-cell":
        return name  # its host may be the remote's
    if scheme != "file":
        return None
    return name if parts.netloc in {"", "localhost"} else f"//{parts.netloc}{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """One file that may be read."""

    path: Path
    relative: str
    """Relative to its workspace folder, with forward slashes."""
    language: str
    """The LSP language id by its ending; empty where unknown."""
    size_bytes: int
    modified_ns: int

    def read(self) -> str | None:
        r"""Its text with ``\n`` line ends; None where it is binary, too large or unreadable."""
        return read_text(self.path)


@dataclass(frozen=True, slots=True)
class _Rules:
    """The ignore patterns of one folder; patterns are relative to it."""

    spec: GitIgnoreSpec
    base: str = ""
    """The folder below the workspace folder, with forward slashes; empty for that itself."""
    above: str = ""
    """For a folder above the workspace folder: the way down to that, ending with a slash."""

    def verdict(self, relative: str) -> bool | None:
        """Whether ``relative`` (below the root) is ignored, or None where nothing is said."""
        inside = relative[len(self.base) + 1 :] if self.base else self.above + relative
        return self.spec.check_file(inside).include


class Workspace:
    """The workspace's folders and the rule for what may be read in them."""

    def __init__(self, folders: Sequence[Path], exclude: Sequence[str] = ()) -> None:
        self._roots = tuple(dict.fromkeys(_resolved(folder) for folder in folders))
        self._exclude = _spec((*exclude, *NEVER))

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders, with symbolic links resolved."""
        return self._roots

    def relative(self, uri_or_path: str | Path) -> str | None:
        """The path below its workspace folder, with forward slashes; None outside of all.

        ``..`` and symbolic links are followed first: what counts is where the file really is.
        """
        place = self._place(uri_or_path)
        return place[1] if place else None

    def allowed(self, uri_or_path: str | Path) -> bool:
        """Whether this file may be read and sent. Any error means no."""
        try:
            place = self._place(uri_or_path)
            return place is not None and self._readable(*place)
        except (OSError, ValueError, RecursionError):
            return False

    def refusal(self, uri_or_path: str | Path) -> str:
        """Why a file may not be read, in a few words; empty where it may."""
        if self.allowed(uri_or_path):
            return ""
        try:
            place = self._place(uri_or_path)
            if place is None:
                return "outside of the workspace"
            if self.excluded(place[1]):
                return "context.exclude names it"
            return _unfit(place[0] / place[1]) or "git ignores it"
        except (OSError, ValueError, RecursionError):
            return "it cannot be read"

    def excluded(self, relative: str) -> bool:
        """Whether ``context.exclude`` or the fixed rules name this path or a folder above it.

        Needs no file system, so that a document never saved can be judged by its name.
        """
        try:
            # In small letters too: where file names ignore the case, .ENV is .env.
            small = relative.lower()
            match = self._exclude.match_file
            return match(relative) or (small != relative and match(small))
        except (ValueError, RecursionError):
            return True

    def excludes(self, uri_or_path: str | Path) -> bool:
        """Whether a document must never be sent, by what it is called or by where it really is.

        A link with a harmless name may lead to a key; outside of every folder each end of the
        path counts, so that ``.ssh/`` and ``secret/*`` keep what is below them.
        """
        try:
            return any(self.excluded(name) for name in self._names(uri_or_path))
        except (OSError, ValueError, RuntimeError):
            return True

    def _names(self, uri_or_path: str | Path) -> set[str]:
        path = path_of(uri_or_path)
        if path is None:  # of another scheme, such as git: or untitled:
            return set(_names_in(str(uri_or_path)))
        if not path.is_absolute():
            return {path.as_posix()}
        called = path.parent.resolve() / path.name
        return {name for one in (called, path.resolve()) for name in self._names_below(one)}

    def _names_below(self, path: Path) -> list[str]:
        """The path below its folder; outside of all, below each folder that it is in."""
        holders = [root for root in self._roots if path.is_relative_to(root) and path != root]
        if holders:
            longest = max(holders, key=lambda one: len(one.parts))
            return [path.relative_to(longest).as_posix()]
        return [path.relative_to(folder).as_posix() for folder in path.parents]

    def files(self) -> Iterator[FoundFile]:
        """Every file that may be read, nearest to the root first; at most MAX_FILES are seen.

        Binaries are not sniffed here, because that opens the file: ``FoundFile.read`` does.
        """
        seen = 0
        for root in self._roots:
            for found in self._walk(root):
                seen += 1
                if seen > MAX_FILES:
                    return
                if found is not None:
                    yield found

    def _place(self, uri_or_path: str | Path) -> tuple[Path, str] | None:
        """The root and the path below it, or None outside of every folder."""
        try:
            path = path_of(uri_or_path)
            if path is None or not path.is_absolute():
                return None
            real = path.resolve()
        except (OSError, ValueError, RuntimeError):
            return None
        holders = [root for root in self._roots if real.is_relative_to(root) and real != root]
        if not holders:
            return None
        root = max(holders, key=lambda one: len(one.parts))
        return root, real.relative_to(root).as_posix()

    def _readable(self, root: Path, relative: str) -> bool:
        info = (root / relative).stat()
        if not stat.S_ISREG(info.st_mode) or info.st_size > MAX_FILE_BYTES:
            return False
        rules = [*_root_rules(root)]
        parts = PurePosixPath(relative).parts
        for depth in range(1, len(parts) + 1):
            here = "/".join(parts[:depth])
            folder = depth < len(parts)
            if self._ignored(rules, here, folder=folder):
                return False
            if folder:
                rules += _rules(root / here, here)
        return not _is_binary(root / relative)

    def _ignored(self, rules: Sequence[_Rules], relative: str, *, folder: bool) -> bool:
        """The last rule file that says anything wins, as in git; the settings win over all."""
        name = f"{relative}/" if folder else relative
        if self.excluded(name):
            return True
        for rule in reversed(rules):
            verdict = rule.verdict(name)
            if verdict is not None:
                return verdict
        return False

    def _walk(self, root: Path) -> Iterator[FoundFile | None]:
        """Breadth first; yields None for a file that was seen and is not to be read."""
        folders: list[tuple[str, list[_Rules]]] = [("", [])]
        visited = 0
        while visited < len(folders):
            here, above = folders[visited]
            visited += 1
            rules = [*above, *_rules(root / here, here)] if here else _root_rules(root)
            for entry in _entries(root / here):
                relative = f"{here}/{entry.name}" if here else entry.name
                is_folder = entry.is_dir(follow_symlinks=False)
                if self._ignored(rules, relative, folder=is_folder):
                    yield None
                elif is_folder and root / relative not in self._roots:
                    folders.append((relative, rules))
                elif not is_folder:
                    yield self._found(root, relative, entry)

    def _found(self, root: Path, relative: str, entry: os.DirEntry[str]) -> FoundFile | None:
        try:
            # A link inside the workspace is skipped too: its target is met on its own way.
            info = entry.stat(follow_symlinks=False)
        except OSError:
            return None
        if not stat.S_ISREG(info.st_mode) or info.st_size > MAX_FILE_BYTES:
            return None
        return FoundFile(
            path=root / relative,
            relative=relative,
            language=language_of(relative),
            size_bytes=info.st_size,
            modified_ns=info.st_mtime_ns,
        )


def _names_in(uri: str) -> list[str]:
    """The path in an address of any scheme, below each folder that it names, or an archive's."""
    path = urllib.parse.unquote(uri.partition(":")[2].partition("?")[0].partition("#")[0])
    parts = [part for part in _SEPARATORS.split(path) if part]
    return ["/".join(parts[at:]) for at in range(len(parts))]


def read_text(path: Path) -> str | None:
    r"""A file's text with ``\n`` line ends; None where it is binary, too large or unreadable."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError:
        return None
    if len(content) > MAX_FILE_BYTES or b"\0" in content[:SNIFF_BYTES]:
        return None
    return content.decode("utf-8", errors="replace").replace("\r\n", "\n")


def _unfit(path: Path) -> str:
    if not path.is_file():
        return "no file"
    if path.stat().st_size > MAX_FILE_BYTES:
        return "larger than a megabyte"
    return "a binary" if _is_binary(path) else ""


def _is_binary(path: Path) -> bool:
    with path.open("rb") as file:
        return b"\0" in file.read(SNIFF_BYTES)


def _resolved(folder: Path) -> Path:
    try:
        return folder.resolve()
    except (OSError, RuntimeError):  # a loop of links; nothing below it will be allowed
        return folder.absolute()


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _root_rules(root: Path) -> list[_Rules]:
    """The rules that hold in all of ``root``: the user's, the repository's, and its own."""
    rules = _file_rules(_user_ignore_file())
    top = next((one for one in (root, *root.parents) if (one / ".git").exists()), None)
    if top is None:
        return [*rules, *_rules(root, "")]
    rules += _file_rules(_exclude_file(top), above=_way_down(top, root))
    parts = root.relative_to(top).parts
    for depth in range(len(parts)):
        folder = top.joinpath(*parts[:depth])
        rules += _file_rules(folder / ".gitignore", above=_way_down(folder, root))
    return [*rules, *_rules(root, "")]


def _way_down(top: Path, root: Path) -> str:
    return f"{root.relative_to(top).as_posix()}/" if top != root else ""


def _user_ignore_file() -> Path:
    """Git's default for ``core.excludesFile``."""
    config = os.environ.get("XDG_CONFIG_HOME")
    folder = Path(config) if config else Path.home() / ".config"
    return folder / "git" / "ignore"


def _exclude_file(top: Path) -> Path:
    """The repository's own exclude file; a worktree's ``.git`` is a file that names the folder."""
    folder = top / ".git"
    if folder.is_file():
        named = (read_text(folder) or "").partition("gitdir:")[2].strip()
        folder = top / named
        common = read_text(folder / "commondir")
        folder = folder / common.strip() if common else folder
    return folder / "info" / "exclude"


def _rules(folder: Path, base: str) -> list[_Rules]:
    return _file_rules(folder / ".gitignore", base=base)


def _file_rules(path: Path, *, base: str = "", above: str = "") -> list[_Rules]:
    try:
        info = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError:
        info = None
    if info is None or stat.S_ISFIFO(info.st_mode):  # to open a pipe would wait for a writer
        # an ignore file that cannot be read might have ignored anything
        return [_Rules(_spec(("*",)), base, above)]
    return [_Rules(_spec_of_file(str(path), info.st_mtime_ns, info.st_size), base, above)]


@lru_cache(maxsize=1_024)
def _spec_of_file(path: str, _modified_ns: int, _size_bytes: int) -> GitIgnoreSpec:
    text = read_text(Path(path))
    return _spec(text.split("\n") if text is not None else ("*",))


def _spec(patterns: Sequence[str]) -> GitIgnoreSpec:
    """Patterns in git's sense; git passes over a line that is none, and so does this."""
    import pathspec
    from pathspec.patterns.gitignore import GitIgnorePatternError

    understood: list[GitIgnoreSpec] = []
    try:
        return pathspec.GitIgnoreSpec.from_lines(patterns)
    except GitIgnorePatternError:
        for pattern in patterns:
            with contextlib.suppress(GitIgnorePatternError):
                understood.append(pathspec.GitIgnoreSpec.from_lines((pattern,)))
    return sum(understood, start=pathspec.GitIgnoreSpec(()))
