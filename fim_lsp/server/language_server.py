"""One editor's server: its documents, its settings, and the completer that they feed."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from fim_lsp import __version__, settings
from fim_lsp.document import Documents, Encoding
from fim_lsp.providers import Learner
from fim_lsp.server.positions import Place, behind, change_of
from fim_lsp.server.protocol import FimProtocol, converter
from fim_lsp.settings import Layer, Settings

if TYPE_CHECKING:
    from pygls.server import ServerErrors

    from fim_lsp.completer import Completer
    from fim_lsp.pacing.breaker import Notice
    from fim_lsp.postprocess import Shaped

ACCEPTED = "fim-lsp.accepted"
"""The command that an editor runs after it has inserted an item."""
MAX_ITEM_CHARS = 4_000
"""VS Code shows nothing beyond 5,000."""
SETTINGS_CHECK_S = 1.0
"""The settings file is looked at so often at the most, and only when a request comes."""

IDLE_S = 0.5
"""After this long without a key a document is read for what it teaches."""

_log = logging.getLogger(__name__)


class FimServer(LanguageServer):
    """One editor's server: documents, settings, and the completer that they feed."""

    def __init__(self, overrides: Mapping[str, Any]) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - pygls leaves *args untyped
            "fim-lsp",
            __version__,
            text_document_sync_kind=lsp.TextDocumentSyncKind.Incremental,
            protocol_cls=FimProtocol,
            converter_factory=converter,
        )
        self.documents = Documents()
        self.client_name = ""
        self.encoding: Encoding = "utf-16"
        self._overrides = Layer(source="command line", table=overrides)
        self._editor: Layer | None = None
        self._initial: Layer | None = None
        self._config = settings.config_path()
        self._config_stamp: tuple[int, int] | None = None
        self._config_checked_at = 0.0
        self._told: set[str] = set()
        self._teaching: dict[str, asyncio.TimerHandle] = {}
        self._settings: Settings | None = None
        self._completer: asyncio.Task[Completer] | None = None
        self._asking: dict[str, asyncio.Task[Any]] = {}
        self._item_ids = itertools.count(1)
        self._background: set[asyncio.Future[Any]] = set()

    # -- documents -----------------------------------------------------------------------------

    def opened(self, item: lsp.TextDocumentItem) -> None:
        """Keep a document as the editor holds it."""
        self.documents.open(item.uri, item.language_id, item.version, item.text)
        self._teach_soon(item.uri)

    def changed(self, params: lsp.DidChangeTextDocumentParams) -> None:
        """Apply the editor's edits, and hang up a stream that they refute."""
        uri = params.text_document.uri
        changes = [change_of(change) for change in params.content_changes]
        version = params.text_document.version
        document = self.documents.change(uri, changes, version, self.encoding)
        completer = self._ready_completer()
        if document is None or completer is None:
            return
        self._teach_soon(uri)
        place = behind(changes[-1], document, self.encoding) if changes else None
        streams = place is not None and completer.calls.running(uri)
        completer.edited(uri, document.context(*place) if place and streams else None)

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self.documents.close(uri)
        if timer := self._teaching.pop(uri, None):
            timer.cancel()
        if completer := self._ready_completer():
            completer.closed(uri)
            if isinstance(completer.provider, Learner):
                completer.provider.forget(uri)

    def _teach_soon(self, uri: str) -> None:
        """Let a learning provider see the document as soon as the person pauses."""
        if timer := self._teaching.pop(uri, None):
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._teaching[uri] = loop.call_later(IDLE_S, self._teach, uri)

    def _teach(self, uri: str) -> None:
        self._teaching.pop(uri, None)
        completer, document = self._ready_completer(), self.documents.get(uri)
        if completer and document and isinstance(completer.provider, Learner):
            completer.provider.observe(uri, document.language, document.text)

    # -- settings ------------------------------------------------------------------------------

    def initialized_by(self, params: lsp.InitializeParams) -> None:
        """Take what the editor says of itself, and the position encoding that was agreed on."""
        self.client_name = params.client_info.name.lower() if params.client_info else ""
        agreed = self.workspace.position_encoding or lsp.PositionEncodingKind.Utf16
        self.encoding = lsp.PositionEncodingKind(agreed).value
        self._initial = settings.editor_layer(params.initialization_options)

    async def configure(self) -> None:
        """Apply the settings that are known, then those that the editor says when asked."""
        self.apply_settings()
        workspace = self.client_capabilities.workspace
        if workspace is None or not workspace.configuration:
            return
        # without a section, VS Code would send the person's entire settings
        wanted = lsp.ConfigurationParams([lsp.ConfigurationItem(section="fim")])
        try:
            answers = await self.workspace_configuration_async(wanted)
        except JsonRpcException:
            _log.info("the editor did not say its settings")
        else:
            self.reconfigured(answers[0] if answers else None)

    def reconfigured(self, sent: object) -> None:
        """Apply the editor's settings, flat or under ``fim``; an empty table says nothing."""
        layer = settings.editor_layer(sent)
        if layer is not None and layer.table:
            self._editor = layer
            self.apply_settings()

    def apply_settings(self) -> None:
        """Read all places, say what was not understood, and start over where they differ."""
        self._config_stamp = _stamp(self._config)
        layer, problem = settings.read_file(self._config)
        parsed = settings.parse(layer, self._initial, self._editor, self._overrides)
        for line in (*([problem] if problem else ()), *parsed.problems):
            self.tell(line)
        if parsed.settings != self._settings:
            self._settings = parsed.settings
            self._restart(parsed.settings)
        elif completer := self._ready_completer():
            completer.calls.breaker.reset()

    def tell(self, line: str, kind: lsp.MessageType = lsp.MessageType.Warning) -> None:
        """Show one line to the person, once."""
        if line not in self._told:
            self._told.add(line)
            self.window_show_message(lsp.ShowMessageParams(type=kind, message=f"fim-lsp: {line}"))

    async def check_settings_file(self) -> None:
        """Apply the settings file again where it has changed; looks at most once a second."""
        now = asyncio.get_running_loop().time()
        if now - self._config_checked_at < SETTINGS_CHECK_S:
            return
        self._config_checked_at = now
        if await asyncio.to_thread(_stamp, self._config) != self._config_stamp:
            self.apply_settings()

    # -- the completer -------------------------------------------------------------------------

    def _restart(self, new: Settings) -> None:
        """Replace the completer; the old one ends in the background."""
        old, self._completer = self._completer, asyncio.ensure_future(self._started(new))
        if old is not None:
            self._in_background(_end(old))

    async def _started(self, new: Settings) -> Completer:
        """A completer for these settings; what it imports must not make the editor wait."""
        from fim_lsp.errors import FimError

        completer_of = await asyncio.to_thread(_import_completer)
        registry, completer, client_waits_s = completer_of
        try:
            provider = registry.connect(new)
        except FimError as error:
            self.tell(str(error))
            provider = registry.connect(settings.parse(_LOCAL).settings)
        waits = client_waits_s.get(self.client_name, 0.0)
        made: Completer = completer(provider, new, client_wait_s=waits, on_notice=self._noticed)
        self._in_background(provider.warm())
        if isinstance(provider, Learner):
            provider.learn_folder(self._folders(), new.context.exclude)
            for document in self.documents.all():
                provider.observe(document.uri, document.language, document.text)
        return made

    def _ready_completer(self) -> Completer | None:
        task = self._completer
        return task.result() if task and task.done() and not task.exception() else None

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that nobody waits for; asyncio itself keeps only a weak reference."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _noticed(self, notice: Notice) -> None:
        kind = lsp.MessageType.Warning if notice.kind == "warning" else lsp.MessageType.Info
        self._told.discard(notice.text)
        self.tell(notice.text, kind)

    # -- requests ------------------------------------------------------------------------------

    async def inline_completion(
        self, params: lsp.InlineCompletionParams
    ) -> lsp.InlineCompletionList:
        """Answer one request; a newer one for the same document overtakes it."""
        uri = params.text_document.uri
        if (older := self._asking.get(uri)) is not None:
            older.cancel()
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._asking[uri] = task
        try:
            return lsp.InlineCompletionList(items=await self._items(params))
        except Exception:  # noqa: BLE001 - the edge: whatever fails, the editor gets an empty answer
            _log.exception("a request failed inside fim-lsp")
            return lsp.InlineCompletionList(items=[])
        finally:
            if self._asking.get(uri) is task:
                del self._asking[uri]

    async def _items(self, params: lsp.InlineCompletionParams) -> list[lsp.InlineCompletionItem]:
        from fim_lsp.completer import Ask

        document = self.documents.get(params.text_document.uri)
        if document is None or self._completer is None:
            return []
        place = Place(document, params, self.encoding)
        completer = await asyncio.shield(self._completer)
        ask = Ask(
            context=place.context,
            path=self._relative_path(document.uri),
            invoked=params.context.trigger_kind == lsp.InlineCompletionTriggerKind.Invoked,
            client=_client_of(self.client_name),
        )
        answer = await completer.complete(ask)
        self._in_background(self.check_settings_file())
        return [self._item(place, shaped) for shaped in answer.items]

    def _item(self, place: Place, shaped: Shaped) -> lsp.InlineCompletionItem:
        return lsp.InlineCompletionItem(
            insert_text=place.selected + shaped.text[:MAX_ITEM_CHARS],
            range=place.range(shaped.swallowed_chars),
            command=lsp.Command("Accepted", ACCEPTED, arguments=[next(self._item_ids)]),
        )

    def _folders(self) -> list[Path]:
        from fim_lsp.workspace import path_of

        paths = [path_of(uri) for uri in self.workspace.folders]
        return [path for path in paths if path is not None]

    def _relative_path(self, uri: str) -> str:
        for folder in self.workspace.folders:
            if uri.startswith(folder.rstrip("/") + "/"):
                from urllib.parse import unquote

                return unquote(uri[len(folder.rstrip("/")) + 1 :])
        return uri.rpartition("/")[2]

    def report_server_error(self, error: Exception, source: ServerErrors) -> None:
        """Log it; pygls would show it to the person at every key."""
        _log.warning("%s in %s", type(error).__name__, source.__name__)


_LOCAL = Layer(source="fim-lsp", table={"provider": "local"})


def _import_completer() -> tuple[Any, type[Completer], Mapping[str, float]]:
    """Import what the start of the server does not need."""
    from fim_lsp.completer import Completer
    from fim_lsp.pacing.pause import CLIENT_WAITS_S
    from fim_lsp.providers import registry

    return registry, Completer, CLIENT_WAITS_S


async def _end(completer: asyncio.Task[Completer]) -> None:
    await (await completer).aclose()


def _client_of(name: str) -> Any:
    """What this editor draws well."""
    from fim_lsp.postprocess import Client

    return Client(swallows_suffix="code" in name or "codium" in name, reindents=name == "helix")


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size
