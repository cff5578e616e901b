"""The language server: LSP in, LSP out, and nothing else.

Only this package knows LSP. It keeps the documents, turns positions into contexts, asks the
completer, and sees to it that each request gets exactly one answer: ``{"items": […]}`` or
RequestCancelled (-32800) where a newer request of the same document has overtaken it or the editor
has cancelled it. Nothing else, because editors show any other error to the person, or keep stale
ghost text on ``null``.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcInvalidParams

from fim_lsp.server import by_hand
from fim_lsp.server.language_server import ACCEPTED, FimServer
from fim_lsp.server.protocol import UNREADABLE, FimProtocol
from fim_lsp.server.streams import serve_stdio

if TYPE_CHECKING:
    from fim_lsp.trace import Trace


def serve(
    tcp: tuple[str, int] | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    trace: Path | None = None,
    trace_text: bool = False,
) -> None:
    """Run the server until its editor is gone: over stdio, or over TCP at ``(host, port)``.

    Raises ``UsageError`` where the trace cannot be written, ``OSError`` where the address cannot be
    listened at, and ``SystemExit`` when the editor says ``exit``: status 1 if it skipped
    ``shutdown``.
    """
    _configure_logging()
    _leave_no_core()
    server = build(overrides or {}, trace=_open_trace(trace, with_text=trace_text))
    protocol = cast("FimProtocol", server.protocol)
    try:
        if tcp is None:
            serve_stdio(protocol)
        else:
            from fim_lsp.server.tcp import serve_tcp

            serve_tcp(protocol, *tcp)
    finally:
        server.ended()


def _open_trace(path: Path | None, *, with_text: bool) -> Trace | None:
    if path is None:
        return None
    from fim_lsp.trace import Trace

    return Trace(path, with_text=with_text)


def build(overrides: Mapping[str, Any], *, trace: Trace | None = None) -> FimServer:
    """A server with all its handlers, not yet started."""
    server = FimServer(overrides, trace)
    feature = cast("Callable[..., Callable[[Any], Any]]", server.feature)

    _hear_of_files(server)

    @feature(lsp.INITIALIZE)
    def initialize(params: lsp.InitializeParams) -> None:
        server.initialized_by(params)
        if server.offers_menu():  # the capability is static: Helix ignores later registrations
            _offer_menu(server)

    @feature(lsp.INITIALIZED)
    async def initialized(_: lsp.InitializedParams) -> None:
        await server.configure()
        await server.watch_files()

    @feature(lsp.WORKSPACE_DID_CHANGE_CONFIGURATION)
    def reconfigured(params: lsp.DidChangeConfigurationParams) -> None:
        server.reconfigured(params.settings)

    @feature(
        lsp.TEXT_DOCUMENT_INLINE_COMPLETION, lsp.InlineCompletionOptions(work_done_progress=False)
    )
    async def inline_completion(params: lsp.InlineCompletionParams) -> lsp.InlineCompletionList:
        return await server.inline_completion(params)

    @feature(UNREADABLE)
    def unreadable(method: str) -> object:
        if method == lsp.TEXT_DOCUMENT_INLINE_COMPLETION:
            return {"items": []}
        raise JsonRpcInvalidParams

    _ = initialize, initialized, reconfigured, inline_completion, unreadable
    _add_commands(server)
    return server


def _add_commands(server: FimServer) -> None:
    """What a person or their editor can tell the server; unknown to the editor's other servers."""

    @server.command(ACCEPTED)
    def accepted(*numbers: Any) -> None:  # for object, pygls would put the server first
        """Answer at once: some editors wait for it."""
        server.accepted(*numbers)

    @server.feature(lsp.SET_TRACE)
    def set_trace(params: lsp.SetTraceParams) -> None:
        server.set_trace(params.value)

    def add(name: str) -> None:
        @server.command(name)
        async def run(*sent: Any) -> str:
            return await server.commands.run(name, sent[0] if sent else None)

        _ = run

    for name in server.commands.all:
        add(name)
    _ = accepted, set_trace


def _hear_of_files(server: FimServer) -> None:
    feature = cast("Callable[..., Callable[[Any], Any]]", server.feature)

    @feature(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def files_changed(params: lsp.DidChangeWatchedFilesParams) -> None:
        server.files_changed([change.uri for change in params.changes])

    @feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: lsp.DidSaveTextDocumentParams) -> None:
        server.files_changed([params.text_document.uri])

    @feature(lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def folders_changed(_: lsp.DidChangeWorkspaceFoldersParams) -> None:
        server.folders_changed()

    _ = files_changed, saved, folders_changed


def _offer_menu(server: FimServer) -> None:
    """Register what editors without ghost text get: entries in their menu, and a code action."""
    feature = cast("Callable[..., Callable[[Any], Any]]", server.feature)

    # options that say nothing would be none at all to ALE
    @feature(lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(resolve_provider=False))
    async def completion(params: lsp.CompletionParams) -> lsp.CompletionList:
        return await server.completion(params)

    @feature(lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions(code_action_kinds=[by_hand.KIND]))
    def code_actions(params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        only = params.context.only
        return [by_hand.action(params)] if not only or by_hand.KIND in only else []

    @server.command(by_hand.COMPLETE)
    def complete(*arguments: object) -> None:
        """Answer at once, and apply the edit when it is known."""
        server.complete_here(arguments[-3:])  # pygls puts the server before them

    _ = completion, code_actions, complete


def _leave_no_core() -> None:
    """A crash must not write the process's memory, with the key in it, to a file."""
    try:
        import resource
    except ImportError:  # Windows writes none unless told
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _configure_logging() -> None:
    """Our warnings go to stderr; pygls' own loggers are shut, for they print documents."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    logging.getLogger("pygls").setLevel(logging.CRITICAL + 1)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
