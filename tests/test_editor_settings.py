"""What the editors' pages tell people to paste can be read, and starts the server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.editor import editing
from tests.editors.readme import block, snippet
from tests.editors.terminal import program


def lines_of(editor: str) -> list[Any]:
    """The command lines that an editor's settings start, whatever holds them."""
    match editor:
        case "Sublime Text":
            client = json.loads(block(editor, "json"))["clients"]["fim-lsp"]
            assert client["enabled"]
            assert client["selector"]
            return [client["command"]]
        case "Kate":
            servers = json.loads(block(editor, "json"))["servers"]
            assert all(re.compile(one["highlightingModeRegex"]) for one in servers.values())
            return [one["command"] for one in servers.values()]
        case "Kakoune":
            table = re.search(r"lsp_servers %\{(.*?)\n    \}", block(editor, "kak"), re.DOTALL)
            assert table
            servers = tomllib.loads(table[1])
            assert all(one["root_globs"] for one in servers.values())
            return [[one.get("command", name), *one["args"]] for name, one in servers.items()]
        case _:
            servers = json.loads(snippet("coc", "json"))["languageserver"]
            assert all(one["filetypes"] for one in servers.values())
            return [[one["command"], *one.get("args", [])] for one in servers.values()]


# the name that a client gives of itself, and whether it is to be offered the menu
EDITORS = {
    "Sublime Text": ("Sublime Text LSP", True),
    "Kate": ("", True),
    "Kakoune": ("", True),
    "coc": ("coc.nvim", False),
}


@pytest.mark.parametrize("editor", EDITORS)
async def test_the_settings_start_the_server_with_what_the_editor_can_show(
    editor: str, tmp_path: Path
) -> None:
    name, has_menu = EDITORS[editor]
    for command, *options in lines_of(editor):
        assert command == "fim-lsp"
        async with editing(
            tmp_path, {"provider": "local"}, client_name=name, options=tuple(options)
        ) as e:
            assert "inlineCompletionProvider" in e.capabilities
            assert ("completionProvider" in e.capabilities) is has_menu


def test_zeds_settings_can_be_read() -> None:
    assert json.loads(block("Zed", "json")) == {"edit_predictions": {"provider": "codestral"}}


# Stands for the plugin: keeps what its function of that name is given.
PLUGINS = {
    "vim-lsp": ("lsp_setup", "lsp#register_server", 0),
    "yegappan's lsp": ("LspSetup", "LspAddServer", 1),
}


@pytest.mark.editor("nvim")
@pytest.mark.parametrize("plugin", PLUGINS)
def test_what_vims_plugins_are_given_is_the_server(plugin: str, tmp_path: Path) -> None:
    event, function, number = PLUGINS[plugin]
    (tmp_path / "autoload").mkdir()
    kept = "let g:kept = type(a:it) == v:t_list ? a:it[0] : a:it"
    stand_in = f"function! {function}(it) abort\n  {kept}\nendfunction\n"
    (tmp_path / "autoload/lsp.vim").write_text(stand_in, "utf-8")
    (tmp_path / "vimrc").write_text(
        (stand_in if "#" not in function else "")
        + block("Vim without coc", "vim", number)
        + f"doautocmd User {event}\ncall writefile([json_encode(g:kept)], 'kept.json')\nqall!\n",
        "utf-8",
    )
    given = _sourced(tmp_path, "kept.json")
    assert given["name"] == "fim-lsp"
    assert [Path(word).name for word in given.get("cmd") or [given["path"]]] == ["fim-lsp"]
    assert given.get("allowlist") or given["filetype"]


@pytest.mark.editor("nvim")
def test_cocs_keys_are_its_own_where_there_is_no_ghost_text(tmp_path: Path) -> None:
    (tmp_path / "autoload/coc").mkdir(parents=True)
    (tmp_path / "autoload/coc/inline.vim").write_text(
        "function! coc#inline#visible() abort\n  return 0\nendfunction\n", "utf-8"
    )
    (tmp_path / "vimrc").write_text(
        snippet("coc", "vim")
        + "call feedkeys(\"ia\\<Tab>b\\<Esc>\", 'tx')\n"
        + "call writefile([json_encode(getline(1))], 'kept.json')\nqall!\n",
        "utf-8",
    )
    assert _sourced(tmp_path, "kept.json") == "a\tb"


def _sourced(folder: Path, kept: str) -> Any:
    """What Vim script that Neovim reads as its only configuration has written down."""
    alone = ["--headless", "-n", "-i", "NONE", "-u", "vimrc"]
    done = subprocess.run(
        [program("nvim") or "nvim", *alone, "--cmd", f"set runtimepath^={folder}"],
        cwd=folder,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (folder / kept).exists(), done.stderr
    return json.loads((folder / kept).read_text("utf-8"))
