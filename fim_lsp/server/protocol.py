"""pygls' protocol over our own documents: whatever comes, it goes on."""

from __future__ import annotations

import contextvars
import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException, JsonRpcInvalidRequest, JsonRpcParseError
from pygls.protocol import LanguageServerProtocol, lsp_method
from pygls.protocol.json_rpc import JsonRPCNotification, JsonRPCRequestMessage

if TYPE_CHECKING:
    from fim_lsp.server.language_server import FimServer

UNREADABLE = "$/fim-lsp/unreadable"
"""What a request that cannot be read is turned into, with its method as the parameter."""

_log = logging.getLogger(__name__)


class FimProtocol(LanguageServerProtocol):
    """The protocol over our own documents; it never leaves a request unanswered."""

    _is_initialized = False

    def receive(self, body: bytes) -> None:
        """Act on one message. Whatever it is, the next one will be read too.

        Raises ``SystemExit`` on ``exit``, and where nobody reads the answers.
        """
        try:
            sent: object = json.loads(body)
        except (ValueError, RecursionError):
            self._refuse(None, JsonRpcParseError())
            return
        message = cast("dict[str, Any]", sent) if isinstance(sent, dict) else {}
        if message.get("jsonrpc") != self.VERSION:
            self._refuse(message.get("id"), JsonRpcInvalidRequest())
            return
        try:
            self._act_on(message, self.structure_message(message))
        except Exception as error:  # noqa: BLE001 - the edge: a server that has ended helps nobody
            _log.warning("a message was passed over: %s", type(error).__name__)

    def _act_on(self, sent: Mapping[str, Any], message: Any) -> None:
        """Hand a message on. pygls would find out what it is by asking for all its attributes."""
        if "method" not in sent:
            result, error = getattr(message, "result", None), getattr(message, "error", None)
            self._handle_response(message.id, result, error)
        elif self._shutdown and message.method != lsp.EXIT:
            if "id" in sent:
                self._refuse(sent["id"], JsonRpcInvalidRequest())
        elif message.method == lsp.INITIALIZE and self._is_initialized:
            self._refuse(message.id, JsonRpcInvalidRequest())
        elif message.method == lsp.TEXT_DOCUMENT_DID_CHANGE:  # each key: without a task to watch
            self.lsp_text_document__did_change(message.params)
        elif "id" in sent:
            self._is_initialized |= message.method == lsp.INITIALIZE
            contextvars.copy_context().run(
                self._handle_request, message.id, message.method, message.params
            )
        else:
            self._handle_notification(message.method, message.params)

    def _refuse(self, number: object, error: JsonRpcException) -> None:
        """Answer what is no message, by its number where it has one (JSON-RPC 2.0, section 5)."""
        told = {"code": error.code, "message": error.message}
        number = number if isinstance(number, (int, str)) else None
        self._send_data({"jsonrpc": self.VERSION, "id": number, "error": told})

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Read a message; one that cannot be read becomes one that can be answered."""
        try:
            return super().structure_message(data)
        except JsonRpcException:
            _log.warning("a %s message could not be read", data.get("method", "response"))
            if "method" not in data:  # whoever waits for this answer must not wait for ever
                unread = lsp.ResponseError(JsonRpcParseError.CODE, JsonRpcParseError.MESSAGE)
                return lsp.ResponseErrorMessage(id=data.get("id"), error=unread)
            if "id" in data:
                return JsonRPCRequestMessage(data["id"], UNREADABLE, "2.0", data["method"])
            return JsonRPCNotification(UNREADABLE, "2.0", None)

    # pygls' own handlers keep a second copy of every document, at a cost that grows with it; they
    # are generators, these need not be
    @lsp_method(lsp.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, params: lsp.DidOpenTextDocumentParams
    ) -> None:
        """Keep a document."""
        cast("FimServer", self._server).opened(params.text_document)

    @lsp_method(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, params: lsp.DidChangeTextDocumentParams
    ) -> None:
        """Edit a document."""
        cast("FimServer", self._server).changed(params)

    @lsp_method(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, params: lsp.DidCloseTextDocumentParams
    ) -> None:
        """Forget a document."""
        cast("FimServer", self._server).closed(params.text_document.uri)

    @lsp_method(lsp.NOTEBOOK_DOCUMENT_DID_OPEN)
    def lsp_notebook_document__did_open(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, params: lsp.DidOpenNotebookDocumentParams
    ) -> None:
        """Keep a notebook's cells."""
        cast("FimServer", self._server).notebooks.opened(params)

    @lsp_method(lsp.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def lsp_notebook_document__did_change(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, params: lsp.DidChangeNotebookDocumentParams
    ) -> None:
        """Edit cells, or put others in their place."""
        cast("FimServer", self._server).notebooks.changed(params)

    @lsp_method(lsp.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def lsp_notebook_document__did_close(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, params: lsp.DidCloseNotebookDocumentParams
    ) -> None:
        """Forget a notebook's cells."""
        cast("FimServer", self._server).notebooks.closed(params)
