"""How snippets of other files are written into a prompt whose model has no markers for them."""

from __future__ import annotations

from collections.abc import Sequence

from fim_lsp.providers import FimRequest, Snippet

MARKER = "+++++ "
"""Starts a line that names a file; a generated line that starts so is none of the document's."""


def with_snippets(request: FimRequest) -> str:
    """The request's prompt behind its snippets, each under its path; alone if there are none.

    The blocks come first and in the order given, so that a growing prompt keeps its beginning.
    """
    if not request.snippets:
        return request.prompt
    return blocks(request.snippets) + f"{MARKER}{request.path or 'untitled'}\n{request.prompt}"


def blocks(snippets: Sequence[Snippet]) -> str:
    """Each snippet's path and text, with a blank line behind it."""
    return "".join(f"{MARKER}{one.path}\n{one.text.rstrip()}\n\n" for one in snippets)
