"""What is known of the editors by their names, and of what their trigger kinds mean."""

from __future__ import annotations

from dataclasses import dataclass

from fim_lsp.postprocess import Client

AUTOMATIC_WITHIN_S = 0.15
"""Nobody asks by hand so soon after a key."""

REWRITES_BLANKS = frozenset({"coc.nvim"})
"""Clients that take a blank at the beginning of an item for indentation, and make tabs of it."""

SHOWS_MIXED_RETURNS = frozenset({"neovim", "fim-lsp.vim"})
r"""Clients that have a ``\r`` at the end of some lines in the text, where not all lines end so."""


def client_of(name: str) -> Client:
    """What the editor of this name draws well."""
    return Client(swallows_suffix="code" in name or "codium" in name)


@dataclass(slots=True)
class TriggerKinds:
    """Which draft of the protocol the client counts by.

    Since LSP 3.18 Invoked is 1 and Automatic 2; clients of older drafts send 0 and 1.
    """

    _is_old: bool | None = None

    def invoked(self, kind: object, *, since_key_s: float) -> bool:
        """Whether the person asked by hand."""
        if kind == 0:
            self._is_old = True
            return True
        if kind != 1:
            self._is_old = False
            return False
        if self._is_old is None:
            return since_key_s > AUTOMATIC_WITHIN_S
        return not self._is_old
