"""Neovim as a person uses it: keys in, and what its screen, buffer and ghost text say out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cursor import CURSOR
from tests.editors.readme import clone_in, snippet
from tests.editors.terminal import Terminal, program, shows, until

# Runs before the README's own lines. `probe` is what the tests ask for; `done` counts the answers.
PROBE = """
vim.o.swapfile = false
vim.o.shadafile = 'NONE'
vim.g.done = 0
vim.api.nvim_create_autocmd('LspRequest', { callback = function(ev)
  local request = ev.data.request
  if request.method == 'textDocument/inlineCompletion' and request.type == 'complete' then
    vim.g.done = vim.g.done + 1
  end
end })
local function joined(chunks)
  return table.concat(vim.tbl_map(function(chunk) return chunk[1] end, chunks or {}))
end
function _G.probe()
  local namespace = vim.api.nvim_create_namespace('nvim.lsp.inline_completion')
  local ghost = ''
  local marks = vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })
  for _, mark in ipairs(marks) do
    ghost = ghost .. joined(mark[4].virt_text)
    for _, line in ipairs(mark[4].virt_lines or {}) do ghost = ghost .. '\\n' .. joined(line) end
  end
  local client = vim.lsp.get_clients({ name = 'fim_lsp' })[1]
  return vim.json.encode({
    lines = vim.api.nvim_buf_get_lines(0, 0, -1, false),
    cursor = vim.api.nvim_win_get_cursor(0),
    mode = vim.api.nvim_get_mode().mode,
    ghost = ghost,
    done = vim.g.done,
    ready = client ~= nil and client.initialized == true and client.attached_buffers[1] ~= nil,
    messages = vim.fn.execute('messages'),
  })
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What Neovim says about itself at one moment."""

    text: str
    """The buffer with ``║`` where the cursor is."""
    mode: str
    ghost: str
    """The ghost text as it is drawn: all its lines."""
    done: int
    """How many requests for ghost text have been answered."""
    ready: bool
    """The server is attached to the buffer."""
    messages: str


class Neovim:
    """One Neovim in a terminal, set up by the README's snippet in an empty home."""

    def __init__(
        self,
        home: Path,
        *,
        file: str,
        text: bytes,
        init: str | None = None,
        extra: str = "",
        attaches: bool = True,
        columns: int = 90,
        environment: Mapping[str, str],
    ) -> None:
        nvim = program("nvim") or "nvim"
        socket = str(home / "nvim")
        self._remote = [nvim, "--headless", "--clean", "--server", socket, "--remote-expr"]
        self.path = home / "project" / file
        self.path.parent.mkdir()
        self.path.write_bytes(text)
        clone_in(home)
        config = home / "config/nvim/init.lua"
        config.parent.mkdir(parents=True)
        config.write_text(
            PROBE + (snippet("neovim", "lua") if init is None else init) + extra, "utf-8"
        )
        self.terminal = Terminal(
            home,
            [nvim, "--listen", socket, str(self.path)],
            environment=environment,
            columns=columns,
        )
        self.log = home / "state/nvim/lsp.log"
        seen = until(self.ready if attaches else self.answers, bool, within_s=30)
        assert seen, f"the server did not attach:\n{self.terminal.screen()}"

    def lua(self, expression: str) -> str:
        """The value of a Lua expression, as text."""
        done = subprocess.run(
            [*self._remote, f"luaeval('{expression}')"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        return done.stdout

    def probe(self) -> Probe:
        """Ask for everything at once, so that it belongs together."""
        said = json.loads(self.lua("probe()"))
        row, column = said["cursor"]
        line = said["lines"][row - 1].encode()
        said["lines"][row - 1] = line[:column].decode() + CURSOR + line[column:].decode()
        return Probe(
            text="\n".join(said["lines"]),
            mode=said["mode"],
            ghost=said["ghost"],
            done=said["done"],
            ready=said["ready"],
            messages=said["messages"].strip(),
        )

    def answers(self) -> bool:
        """Neovim itself has started."""
        try:
            return bool(self.probe())
        except subprocess.CalledProcessError:
            return False

    def ready(self) -> bool:
        """The server is attached; False also while Neovim itself is still starting."""
        try:
            return self.probe().ready
        except subprocess.CalledProcessError:
            return False

    def insert_at(self, before: str) -> None:
        """Begin to insert behind the text ``before``."""
        row, column = before.count("\n") + 1, len(before.rpartition("\n")[2].encode())
        self.keys("i")
        shows(lambda: self.probe().mode, "i")
        self.lua(f"vim.api.nvim_win_set_cursor(0, {{{row}, {column}}})")

    def keys(self, *names: str) -> None:
        """Press named keys."""
        self.terminal.keys(*names)

    def type(self, text: str, *, pause_s: float = 0.02) -> None:
        """Type characters."""
        self.terminal.type(text, pause_s=pause_s)

    def shows_ghost(self, wanted: str) -> None:
        """Assert that the ghost text comes to be ``wanted``."""
        shows(lambda: self.probe().ghost, wanted)

    def shows_text(self, wanted: str) -> None:
        """Assert that the buffer comes to be ``wanted``, with the cursor at the mark."""
        shows(lambda: self.probe().text, wanted)

    def answered(self, more_than: int) -> Probe:
        """Wait until more than so many requests have been answered."""
        seen = until(self.probe, lambda probe: probe.done > more_than)
        assert seen.done > more_than, "no answer came"
        return seen

    def close(self) -> None:
        """Leave Neovim as a person does, so that the server is told."""
        self.keys("Escape", "Escape")
        self.type(":qa!\n", pause_s=0)
        self.terminal.close()
