"""What clients send, read leniently: only what is looked at here has to be as LSP says.

A client may be of a later LSP, write null for what it could leave out, or count from -1. pygls
would refuse the whole message for one member that it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types as lsp
from pygls.protocol import default_converter

if TYPE_CHECKING:
    from cattrs import Converter

_MAX_UINT = 2**31 - 1
_TRACES = list(lsp.TraceValue)

Sent = Mapping[str, Any]


def converter() -> Converter:
    """A converter like pygls' own, lenient with what editors really send."""
    made = default_converter()
    made.register_structure_hook(lsp.InitializeParams, _initialize_params)
    made.register_structure_hook(lsp.TextDocumentItem, _text_document_item)
    made.register_structure_hook(lsp.Position, _position)
    made.register_structure_hook(
        lsp.InlineCompletionParams, partial(_inline_completion_params, made)
    )
    made.register_structure_hook(lsp.DidChangeTextDocumentParams, _change_params)
    made.register_structure_hook(lsp.DidChangeConfigurationParams, _configuration_params)
    return made


# -- the editor's hello ----------------------------------------------------------------------------


def _initialize_params(sent: Any, _: object = None) -> lsp.InitializeParams:
    """A hello. Raises where it is no table; what is strange in it counts as not said."""
    table = cast("Sent", sent)
    name, process_id = _at(table, "clientInfo", "name"), table.get("processId")
    trace = table.get("trace")
    return lsp.InitializeParams(
        process_id=process_id if isinstance(process_id, int) else None,
        client_info=lsp.ClientInfo(name) if isinstance(name, str) else None,
        workspace_folders=_folders(table),
        initialization_options=table.get("initializationOptions"),
        trace=lsp.TraceValue(trace) if trace in _TRACES else None,
        capabilities=_capabilities(table),
    )


def _folders(hello: Sent) -> list[lsp.WorkspaceFolder]:
    """The workspace's folders; those who know only one say its URI, or long ago its path."""
    named = hello.get("workspaceFolders")
    if isinstance(named, list):
        uris = [_at(folder, "uri") for folder in cast("list[object]", named)]
    else:
        uris = [hello.get("rootUri") or hello.get("rootPath")]
    return [
        lsp.WorkspaceFolder(uri, uri.rpartition("/")[2])
        for uri in uris
        if isinstance(uri, str) and uri
    ]


def _capabilities(hello: Sent) -> lsp.ClientCapabilities:
    """What of a client's capabilities is looked at, by pygls or here."""

    def has(*names: str) -> bool:
        found = _at(hello, "capabilities", *names)
        return found is not None and found is not False

    watched = lsp.DidChangeWatchedFilesClientCapabilities(
        dynamic_registration=has("workspace", "didChangeWatchedFiles", "dynamicRegistration")
    )
    edits = lsp.WorkspaceEditClientCapabilities(
        document_changes=has("workspace", "workspaceEdit", "documentChanges")
    )
    shows = lsp.ShowDocumentClientCapabilities(support=has("window", "showDocument", "support"))
    ghost_text = lsp.InlineCompletionClientCapabilities()
    notebooks = lsp.NotebookDocumentSyncClientCapabilities()
    return lsp.ClientCapabilities(
        general=lsp.GeneralClientCapabilities(position_encodings=_encodings(hello)),
        workspace=lsp.WorkspaceClientCapabilities(
            configuration=has("workspace", "configuration"),
            did_change_watched_files=watched,
            workspace_edit=edits,
        ),
        text_document=lsp.TextDocumentClientCapabilities(
            inline_completion=ghost_text if has("textDocument", "inlineCompletion") else None
        ),
        window=lsp.WindowClientCapabilities(
            work_done_progress=has("window", "workDoneProgress"), show_document=shows
        ),
        notebook_document=lsp.NotebookDocumentClientCapabilities(notebooks)
        if has("notebookDocument")
        else None,
    )


def _encodings(hello: Sent) -> list[lsp.PositionEncodingKind | str]:
    said = _at(hello, "capabilities", "general", "positionEncodings")
    named = cast("list[object]", said) if isinstance(said, list) else []
    return [lsp.PositionEncodingKind(one) for one in named if one in list(lsp.PositionEncodingKind)]


def _at(found: object, *names: str) -> object:
    """What stands under these names in a table of tables; None where nothing does."""
    for name in names:
        found = cast("Sent", found).get(name) if isinstance(found, Mapping) else None
    return found


# -- documents -------------------------------------------------------------------------------------


def _text_document_item(sent: Any, _: object = None) -> lsp.TextDocumentItem:
    """A document, or a notebook's cell. Raises where it has no address or no text."""
    language, version, text = sent.get("languageId"), sent.get("version"), sent["text"]
    if not isinstance(text, str):
        raise TypeError
    return lsp.TextDocumentItem(
        uri=str(sent["uri"]),
        language_id=language if isinstance(language, str) else "",
        version=_uint(version),
        text=text,
    )


def _change_params(sent: Any, _: object = None) -> lsp.DidChangeTextDocumentParams:
    """Edits; what has no range replaces everything. Raises where a text is missing."""
    document = sent["textDocument"]
    return lsp.DidChangeTextDocumentParams(
        lsp.VersionedTextDocumentIdentifier(_uint(document.get("version")), document["uri"]),
        [_content_change(change) for change in sent["contentChanges"]],
    )


def _content_change(sent: Sent) -> lsp.TextDocumentContentChangeEvent:
    place = sent.get("range")
    if place is None:
        return lsp.TextDocumentContentChangeWholeDocument(sent["text"])
    span = lsp.Range(_position(place.get("start")), _position(place.get("end")))
    return lsp.TextDocumentContentChangePartial(span, sent["text"])


def _configuration_params(sent: Any, _: object = None) -> lsp.DidChangeConfigurationParams:
    """Settings as they are; a client may leave out a null."""
    return lsp.DidChangeConfigurationParams(settings=sent.get("settings"))


def _position(sent: Any, _: object = None) -> lsp.Position:
    """A position with both numbers in range; clients send 2^32-1 and -1."""
    table = cast("Sent", sent if isinstance(sent, Mapping) else {})
    return lsp.Position(_uint(table.get("line")), _uint(table.get("character")))


def _uint(value: object) -> int:
    return min(max(value, 0), _MAX_UINT) if isinstance(value, int) else 0


# -- requests --------------------------------------------------------------------------------------


def _inline_completion_params(
    made: Converter, sent: Any, _: object = None
) -> lsp.InlineCompletionParams:
    """Read a request with any trigger kind, or none, and whatever else a client adds.

    The trigger kind stays as it was sent: what it means depends on the client's draft.
    """
    context = cast("Sent", sent.get("context") or {})
    return lsp.InlineCompletionParams(
        text_document=lsp.TextDocumentIdentifier(str(sent["textDocument"]["uri"])),
        position=_position(sent.get("position")),
        context=lsp.InlineCompletionContext(
            trigger_kind=cast("Any", context.get("triggerKind")),
            selected_completion_info=_selected(made, context.get("selectedCompletionInfo")),
        ),
    )


def _selected(made: Converter, sent: object) -> lsp.SelectedCompletionInfo | None:
    """The popup's selected entry, where there is one that can be read."""
    if not isinstance(sent, Mapping):
        return None
    return made.structure(sent, lsp.SelectedCompletionInfo)
