"""The document store agrees with the protocol's reference implementation, edit by edit."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from fim_lsp.document import Encoding
from tests import document_differential
from tests.document_differential import REFERENCE, Session, differences, sessions

EDITS = 20_000


@pytest.mark.editor(REFERENCE)
def test_edits_in_utf_16_are_those_of_the_reference() -> None:
    assert differences(EDITS, "utf-16", seed=7) == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-32"])
def test_edits_in_other_encodings_are_those_of_a_string(encoding: Encoding) -> None:
    assert differences(EDITS, encoding, seed=7) == 0


def test_a_difference_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    (session,) = sessions(100, "utf-8", 7)
    wrong = Session(session.text, session.changes, ["", *session.behind[1:]])
    monkeypatch.setattr(document_differential, "sessions", _only(wrong))
    assert differences(100, "utf-8") == 1


def _only(session: Session) -> Callable[[int, Encoding, int], Iterator[Session]]:
    return lambda count, encoding, seed: iter([session])


def test_the_edits_are_of_every_kind() -> None:
    seen = list(sessions(5_000, "utf-16", 7))
    texts = "".join(one.text for one in seen)
    assert {"\r\n", "\u2028", "😀", "é"} <= {one for one in ("\r\n", *texts) if one in texts}
    changes = [change for one in seen for change in one.changes]
    assert any(change.start is None for change in changes)
    assert any(change.end and change.end.character > 2**30 for change in changes)
    assert any("\n" in change.text for change in changes)
