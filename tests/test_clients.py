"""What a trigger kind means depends on the client's draft of the protocol."""

from __future__ import annotations

import pytest

from fim_lsp.server.clients import TriggerKinds, client_of

LATER, AT_ONCE = 1.0, 0.05
KINDS: dict[str, tuple[list[tuple[object, float]], list[bool]]] = {
    "LSP 3.18": ([(2, AT_ONCE), (1, AT_ONCE), (1, LATER)], [False, True, True]),
    "an old draft": ([(0, LATER), (1, LATER), (1, AT_ONCE)], [True, False, False]),
    "unknown yet, right behind a key": ([(1, AT_ONCE)], [False]),
    "unknown yet, in a pause": ([(1, LATER)], [True]),
    "none, or nonsense": ([(None, LATER), (7, LATER), ("1", LATER)], [False, False, False]),
}


@pytest.mark.parametrize(("sent", "invoked"), KINDS.values(), ids=KINDS.keys())
def test_trigger_kinds(sent: list[tuple[object, float]], invoked: list[bool]) -> None:
    kinds = TriggerKinds()
    assert [kinds.invoked(kind, since_key_s=since) for kind, since in sent] == invoked


def test_only_the_vs_code_family_draws_a_swallowed_suffix() -> None:
    names = ("visual studio code", "code-server", "vscodium", "neovim", "helix", "emacs", "")
    assert [client_of(name).swallows_suffix for name in names] == [True] * 3 + [False] * 4
