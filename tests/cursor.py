"""A document with a visible cursor, for tests: ``at("foo(║)")``."""

from fim_lsp.context import CursorContext

CURSOR = "║"


def at(document: str, *, language: str = "python", uri: str = "file:///w/a.py") -> CursorContext:
    """The context at the mark."""
    prefix, mark, suffix = document.partition(CURSOR)
    assert mark, "the document has no cursor"
    return CursorContext(uri=uri, language=language, prefix=prefix, suffix=suffix)
