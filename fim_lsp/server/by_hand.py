"""Complete here: a code action for editors in which nobody could ask for a suggestion by hand.

Its command asks, and the editor is told to apply the edit once the answer is there: nothing waits.
"""

from __future__ import annotations

from typing import cast

from lsprotocol import types as lsp

from fim_lsp.document import Document
from fim_lsp.server.positions import Place

COMPLETE = "fim-lsp.complete"
"""The command: a document's URI, a line and a column in the agreed encoding."""
KIND = lsp.CodeActionKind.Refactor


def action(params: lsp.CodeActionParams) -> lsp.CodeAction:
    """What the editor lists; it costs no call."""
    title, start = "Complete here (fim-lsp)", params.range.start
    arguments: list[lsp.LSPAny] = [params.text_document.uri, start.line, start.character]
    return lsp.CodeAction(title, KIND, command=lsp.Command(title, COMPLETE, arguments=arguments))


def asked_for(arguments: tuple[object, ...]) -> tuple[str, lsp.Position] | None:
    """The place that the command's arguments name; None where they name none."""
    kinds = [type(argument) for argument in arguments]
    if kinds != [str, int, int]:
        return None
    uri, line, column = cast("tuple[str, int, int]", arguments)
    return uri, lsp.Position(line, column)


def edit(place: Place, text: str, document: Document, *, versioned: bool) -> lsp.WorkspaceEdit:
    """The insertion; ``versioned`` where the editor compares its document's version with ours."""
    change = lsp.TextEdit(place.range(0), text.replace("\n", document.newline))
    if not versioned:
        return lsp.WorkspaceEdit(changes={document.uri: [change]})
    identifier = lsp.OptionalVersionedTextDocumentIdentifier(document.uri, document.version)
    return lsp.WorkspaceEdit(document_changes=[lsp.TextDocumentEdit(identifier, [change])])
