"""Suggestions in the completion menu, for editors that know no inline completion.

Helix is what this is made for: an accept undoes what was typed since the request, so an answer that
does not begin with it must be empty; only what its fuzzy filter finds by the word before the cursor
is shown; further lines are inserted as they are, with their indentation and their line ends.

Others are used to entries that replace the word before the cursor: ALE and Kate take any entry for
one, whatever range it names, and would lose what was typed of the word.
"""

from __future__ import annotations

import re

from lsprotocol import types as lsp

from fim_lsp.document import Document
from fim_lsp.server.positions import Place

WITHOUT_GHOST_TEXT = frozenset(
    {"helix", "eglot", "kakoune", "kak-lsp", "kate", "sublime text lsp", "vim-lsp", "vim"}
)
"""Clients, by name in lower case, that have a menu and no inline completion."""
INSERTS_AT_THE_CURSOR = frozenset({"helix"})
"""Clients, by name in lower case, whose entries leave the word before the cursor alone."""
_LABEL_CHARS = 60
_WORD = re.compile(r"\w*$")


def entry(
    place: Place, text: str, document: Document, *, replaces_word: bool
) -> lsp.CompletionItem:
    """The menu's entry for a suggestion; with the word before the cursor, or behind it."""
    word = _WORD.search(place.context.line_prefix)
    typed = word.group() if word else ""
    first, more, _ = text.partition("\n")
    label = (typed + first).strip()[:_LABEL_CHARS] or "…"
    replaced = typed if replaces_word else ""
    return lsp.CompletionItem(
        label=f"{label} …" if more or len(typed + first) > _LABEL_CHARS else label,
        kind=lsp.CompletionItemKind.Text,
        detail="fim-lsp",
        documentation=lsp.MarkupContent(
            lsp.MarkupKind.Markdown, f"```{document.language}\n{typed}{text}\n```"
        ),
        preselect=True,
        filter_text=typed + first,
        text_edit=lsp.TextEdit(
            place.range(0, repeated_chars=len(replaced)),
            replaced + text.replace("\n", document.newline),
        ),
        insert_text_mode=lsp.InsertTextMode.AsIs,
    )


def fits(place: Place, text: str, document: Document) -> bool:
    """Whether what was typed since the request is how the suggestion begins."""
    typed = place.typed_since(document)
    return typed is not None and text.startswith(typed)
