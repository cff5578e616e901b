"""How snippets of other files are written into a prompt whose model has no tokens for them.

Two shapes. Codestral has seen repositories as ``+++++ path`` blocks when it was trained: that is
how Mistral's own clients lay several files out, and it reads them as files, not as a part of this
one. Any other model gets the same as comments in the document's language, because there a bare
block would be broken code in the middle of the file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from fim_lsp.language import language
from fim_lsp.providers import FimRequest, Snippet

MARKER = "+++++ "
"""Starts a line that names a file; a generated line that starts so is none of the document's."""


def with_snippets(request: FimRequest, model: str) -> FimRequest:
    """The request with its snippets before its prompt, as the model knows them; as it is without.

    They come first and in the order given, so that a growing prompt keeps its beginning.
    """
    if not request.snippets:
        return request
    if not re.search("codestral", model, re.IGNORECASE):
        return replace(request, prompt=comments(request) + request.prompt, snippets=())
    return replace(
        request,
        prompt=blocks(request.snippets) + f"{MARKER}{request.path or 'untitled'}\n{request.prompt}",
        stop=(*request.stop, f"\n{MARKER}"),
        snippets=(),
    )


def blocks(snippets: Sequence[Snippet]) -> str:
    """Each snippet's path and text, with a blank line behind it."""
    return "".join(f"{MARKER}{one.path}\n{one.text.rstrip()}\n\n" for one in snippets)


def comments(request: FimRequest) -> str:
    """Each snippet as comments; nothing where the document's language has none."""
    rules = language(request.language)
    if rules.line_comments:
        before, behind = f"{rules.line_comments[0]} ", ""
    elif rules.block_comments:
        before, behind = f"{rules.block_comments[0][0]} ", f" {rules.block_comments[0][1]}"
    else:
        return ""
    lines = [
        line
        for one in request.snippets
        for line in (f"Path: {one.path}", *one.text.rstrip().split("\n"))
    ]
    closing = behind.strip()
    kept = [line for line in lines if not closing or closing not in line]
    return "".join(f"{before}{line}{behind}".rstrip() + "\n" for line in kept) + "\n"
