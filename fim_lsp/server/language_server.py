"""One editor's server: its documents, its settings, and the completer that they feed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import traceback
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException, JsonRpcMethodNotFound
from pygls.lsp.server import LanguageServer

from fim_lsp import __version__
from fim_lsp.document import Documents, Encoding
from fim_lsp.server import progress
from fim_lsp.server.clients import REWRITES_BLANKS, SHOWS_MIXED_RETURNS
from fim_lsp.server.commands import Commands
from fim_lsp.server.configuration import Configuration
from fim_lsp.server.messages import converter
from fim_lsp.server.notebooks import ALL_NOTEBOOKS, Notebooks
from fim_lsp.server.parent import watch_parent
from fim_lsp.server.positions import Place, behind, change_of
from fim_lsp.server.protocol import FimProtocol
from fim_lsp.server.status import looked_at_again_in_s
from fim_lsp.server.switches import Switches
from fim_lsp.server.teaching import Teaching
from fim_lsp.settings import Settings
from fim_lsp.workspace import LANGUAGE_BY_EXTENSION

if TYPE_CHECKING:
    from pygls.server import ServerErrors

    from fim_lsp.completer import Answer, Ask, Completer
    from fim_lsp.pacing.breaker import Notice
    from fim_lsp.postprocess import Shaped
    from fim_lsp.server.journal import Journal, Verbosity
    from fim_lsp.server.session import Session
    from fim_lsp.trace import Trace

ACCEPTED = "fim-lsp.accepted"
"""The command that an editor runs after it has inserted an item."""
MAX_ITEM_CHARS = 4_000
"""VS Code shows nothing beyond 5,000."""
WATCHED = (
    f"**/*.{{{','.join(sorted(LANGUAGE_BY_EXTENSION))}}}",
    "**/.gitignore",
)
"""The files whose changes matter."""
GHOST_TEXT_WITHIN_S = 0.4
"""An editor that shows ghost text has asked for it so soon after its first menu (Neovim: 0.2)."""
STATUS_AFTER_S = 0.02
"""A call that is over within that time changes no status line."""

_log = logging.getLogger(__name__)


class FimServer(LanguageServer):
    """One editor's server: documents, settings, and the completer that they feed."""

    def __init__(self, overrides: Mapping[str, Any], trace: Trace | None = None) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - pygls leaves *args untyped
            "fim-lsp",
            __version__,
            text_document_sync_kind=lsp.TextDocumentSyncKind.Incremental,
            notebook_document_sync=ALL_NOTEBOOKS,
            protocol_cls=FimProtocol,
            converter_factory=converter,
        )
        self.documents = Documents()
        self.notebooks = Notebooks(self)
        self.client_name = ""
        self.encoding: Encoding = "utf-16"
        self._configuration = Configuration(overrides)
        self._settings: Settings | None = None
        self._completer: asyncio.Task[Completer] | None = None
        self._session: Session | None = None
        self._trace = trace
        self._journal: Journal | None = None
        self.switches = Switches()
        self.commands = Commands(self)
        self._goes_on: asyncio.TimerHandle | None = None
        self._told: set[str] = set()
        self._doubts: tuple[str, ...] = ()
        """A line for each thing in the settings that was not understood."""
        self.teaching = Teaching(self)
        self._asking: dict[str, asyncio.Task[Any]] = {}
        self._item_ids = itertools.count(1)
        self._ghost_text = asyncio.Event()
        self._has_waited_for_it = False
        self._background: set[asyncio.Future[Any]] = set()

    # -- documents -----------------------------------------------------------------------------

    def opened(self, item: lsp.TextDocumentItem) -> None:
        """Keep a document as the editor holds it."""
        document = self.documents.open(item.uri, item.language_id, item.version, item.text)
        self.teaching.opened(document)

    def changed(self, params: lsp.DidChangeTextDocumentParams) -> None:
        """Apply the editor's edits, and hang up a stream that they refute."""
        uri = params.text_document.uri
        changes = [change_of(change) for change in params.content_changes]
        version = params.text_document.version
        document = self.documents.change(uri, changes, version, self.encoding)
        completer = self.ready_completer()
        if document is None or completer is None:
            return
        if self._journal:
            self._journal.edited(document, changes)
        place = behind(changes[-1], document, self.encoding) if changes else None
        self.teaching.edited(uri, place)
        streams = place is not None and completer.calls.running(uri)
        completer.edited(uri, document.context(*place) if place and streams else None)
        if place and completer.reading.snippets:
            line = place[0]
            completer.reading.snippets.edited(uri, line)
            if not completer.reading.snippets.has_looked(uri, line):
                completer.reading.look(document.context(*place), line)

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self.documents.close(uri)
        self.teaching.closed(uri)
        if self._journal:
            self._journal.closed(uri)
        if self._session is not None:
            self._session.closed(uri)
        if completer := self.ready_completer():
            completer.closed(uri)
            for learner in completer.learners:
                learner.forget(uri)

    def files_changed(self, uris: Sequence[str]) -> None:
        """Files were written, made or deleted."""
        completer = self.ready_completer()
        if completer and completer.reading.snippets:
            completer.reading.snippets.files_changed(uris)

    def folders_changed(self) -> None:
        """Start over with the workspace's folders as they are now."""
        if self._settings is not None:
            self._restart(self._settings)

    async def watch_files(self) -> None:
        """Ask the editor to tell of changed files, where it can be asked."""
        workspace = self.client_capabilities.workspace
        watched = workspace.did_change_watched_files if workspace else None
        if watched is None or not watched.dynamic_registration:
            return
        watchers = [lsp.FileSystemWatcher(glob_pattern=glob) for glob in WATCHED]
        options = lsp.DidChangeWatchedFilesRegistrationOptions(watchers)
        method = lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES
        registration = lsp.Registration(id="fim-lsp.files", method=method, register_options=options)
        try:
            await self.client_register_capability_async(lsp.RegistrationParams([registration]))
        except JsonRpcException:
            _log.info("the editor does not tell of changed files")

    # -- settings ------------------------------------------------------------------------------

    def initialized_by(self, params: lsp.InitializeParams) -> None:
        """Take what the editor says of itself, and the position encoding that was agreed on."""
        self.client_name = params.client_info.name.lower() if params.client_info else ""
        agreed = self.workspace.position_encoding or lsp.PositionEncodingKind.Utf16
        self.encoding = lsp.PositionEncodingKind(agreed).value
        self.documents.mixed_returns_are_text = self.client_name in SHOWS_MIXED_RETURNS
        self._configuration.initial(params.initialization_options, self.client_name)
        watch_parent(params.process_id)

    def offers_menu(self) -> bool:
        """Whether to answer ``textDocument/completion`` in this editor at all."""
        from fim_lsp.server.menu import WITHOUT_GHOST_TEXT

        wanted = self._configuration.read()[0].trigger.completion_menu
        return wanted == "always" or (wanted == "auto" and self.client_name in WITHOUT_GHOST_TEXT)

    async def configure(self) -> None:
        """Apply the settings that are known, then those that the editor says when asked."""
        self.apply_settings()
        if self._answers_configuration():
            await self._ask_for_settings()

    def reconfigured(self, sent: object) -> None:
        """Apply what the editor has pushed; where that says nothing, it may want to be asked."""
        self._configuration.pushed(sent)
        if sent or not self._answers_configuration():
            self.apply_settings()
        else:
            self._in_background(self._ask_for_settings())

    def _answers_configuration(self) -> bool:
        workspace = self.client_capabilities.workspace
        return bool(workspace and workspace.configuration)

    async def _ask_for_settings(self) -> None:
        # without a section, VS Code would send the person's entire settings
        wanted = lsp.ConfigurationParams([lsp.ConfigurationItem(section="fim")])
        try:
            answers = await self.workspace_configuration_async(wanted)
        except JsonRpcException:
            _log.info("the editor did not say its settings")
        else:
            self._configuration.answered(answers[0] if answers else None)
        self.apply_settings()

    def apply_settings(self) -> None:
        """Read all places, say what was not understood, and start over where they differ."""
        new, self._doubts = self._configuration.read()
        for line in self._doubts:
            self.tell(line)
        if new != self._settings:
            self._settings = new
            self._restart(new)
        elif completer := self.ready_completer():
            completer.calls.breaker.reset()
            self.show_status()

    async def _check_settings_file(self) -> None:
        if await self._configuration.file_has_changed():
            self._told.clear()  # who has just saved it wants to know what is still wrong
            self.apply_settings()

    def tell(self, line: str, kind: lsp.MessageType = lsp.MessageType.Warning) -> None:
        """Show one line to the person, once."""
        if line not in self._told:
            self._told.add(line)
            self.window_show_message(lsp.ShowMessageParams(type=kind, message=f"fim-lsp: {line}"))

    # -- the completer -------------------------------------------------------------------------

    def _restart(self, new: Settings) -> None:
        """Replace the completer; the old one ends, and its budget goes on in the new one."""
        self._completer = asyncio.ensure_future(self._started(new, self._completer))

    async def _started(self, new: Settings, old: asyncio.Task[Completer] | None) -> Completer:
        """A completer for these settings; what it imports must not make the editor wait."""
        session = await asyncio.to_thread(_begin, new, self.client_name, self._folders())
        before = await _outcome(old) if old else None
        if before:
            await before.aclose()
        for problem in session.problems:
            self.tell(problem)
        completer = session.completer(before, on_notice=self._noticed, on_change=self._show_soon)
        self._session = session
        if self._journal is None:
            self._journal = session.journal(self._trace, self.documents.get, self._log_trace)
        self._journal.begin(new)
        self.set_trace(self.protocol.trace or "off")
        completer.calls.on_bill = self._journal.billed
        self._in_background(completer.provider.warm())
        for learner in completer.learners:
            learner.learn_folder(session.folders, new.context.exclude)
        self.teaching.show_all(completer)
        if completer.learners or completer.reading.snippets is not None:
            self._in_background(progress.report_reading(self, partial(_is_reading, completer)))
        asyncio.get_running_loop().call_soon(self.show_status)
        return completer

    async def ready(self) -> None:
        """Wait until the settings apply; at once where the editor has not said hello."""
        if self._completer:
            await asyncio.shield(self._completer)

    def ready_completer(self) -> Completer | None:
        """The completer; None while it is being made."""
        task = self._completer
        return task.result() if task and task.done() and not task.exception() else None

    @property
    def session(self) -> Session | None:
        """What holds while the settings stay the same; None while the first is being made."""
        return self._session

    @property
    def problems(self) -> tuple[str, ...]:
        """What only the person can mend in the settings, a line each."""
        return (*self._doubts, *(self._session.problems if self._session else ()))

    def status_now(self) -> Mapping[str, Any] | None:
        """The parameters of ``fim/status``; None while the server starts."""
        completer = self.ready_completer()
        return (
            self._session.status_of(completer, self.switches, self.problems)
            if self._session and completer
            else None
        )

    def _show_soon(self) -> None:
        """Show the status when the call that has changed it is on its way."""
        asyncio.get_running_loop().call_later(STATUS_AFTER_S, self.show_status)

    def show_status(self) -> None:
        """Tell the editor how things stand, where that is news, and again when time changes it."""
        params = self.status_now()
        if self._session is None or params is None:
            return
        self._session.status.show(params, self._notify_status)
        if self._goes_on:
            self._goes_on.cancel()
        again_s = looked_at_again_in_s(params)
        loop = asyncio.get_running_loop()
        self._goes_on = loop.call_later(again_s, self._look_again) if again_s else None

    def _look_again(self) -> None:
        self.show_status()
        self._in_background(self._check_settings_file())

    def _notify_status(self, method: str, params: Mapping[str, Any]) -> None:
        self.protocol.notify(method, params)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that nobody waits for; asyncio itself keeps only a weak reference."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._worked)

    def _worked(self, task: asyncio.Future[Any]) -> None:
        """Say that something has failed which nobody waited for; asyncio would tell its values."""
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("work in the background failed inside fim-lsp: %s", _where(error))

    def _noticed(self, notice: Notice) -> None:
        kind = lsp.MessageType.Warning if notice.kind == "warning" else lsp.MessageType.Info
        self._told.discard(notice.text)
        self.tell(notice.text, kind)

    # -- requests ------------------------------------------------------------------------------

    async def inline_completion(
        self, params: lsp.InlineCompletionParams
    ) -> lsp.InlineCompletionList:
        """Answer one request; a newer one for the same document overtakes it."""
        self._ghost_text.set()
        uri = params.text_document.uri
        if (older := self._asking.get(uri)) is not None:
            older.cancel()
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._asking[uri] = task
        try:
            selected = params.context.selected_completion_info
            place, answer = await self._suggestions(
                uri, params.position, params.context.trigger_kind, selected
            )
        finally:
            if self._asking.get(uri) is task:
                del self._asking[uri]
        if place is None or answer is None or not self._is_there_still(place):
            return lsp.InlineCompletionList([])
        numbers = [next(self._item_ids) for _ in answer.items]
        if self._journal:
            self._journal.shown(place, answer, numbers)
        rewrites = self.client_name in REWRITES_BLANKS
        pairs = zip(answer.items, numbers, strict=True)
        return lsp.InlineCompletionList(
            [_item(place, item, number, rewrites_blanks=rewrites) for item, number in pairs]
        )

    def _is_there_still(self, place: Place) -> bool:
        """Whether nothing but what was typed has changed the place's line meanwhile."""
        document = self.documents.get(place.context.uri)
        return document is not None and place.typed_since(document) is not None

    async def completion(self, params: lsp.CompletionParams) -> lsp.CompletionList:
        """Answer for the menu; empty where the editor shows ghost text already."""
        from fim_lsp.server import menu

        uri = params.text_document.uri
        automatic = lsp.InlineCompletionTriggerKind.Automatic
        if await self._shows_ghost_text():
            return lsp.CompletionList(is_incomplete=False, items=[])
        place, answer = await self._suggestions(uri, params.position, automatic, None)
        document = self.documents.get(uri)
        if place is None or answer is None or document is None:
            return lsp.CompletionList(is_incomplete=False, items=[])
        if self._journal:
            self._journal.shown(place, answer)
        fitting = [one for one in answer.items if menu.fits(place, one.text, document)]
        replaces = self.client_name not in menu.INSERTS_AT_THE_CURSOR
        entries = [menu.entry(place, one.text, document, replaces_word=replaces) for one in fitting]
        return lsp.CompletionList(is_incomplete=False, items=entries)

    async def _shows_ghost_text(self) -> bool:
        """Whether the editor asks for ghost text; one that can is first given time to do so."""
        text_document = self.client_capabilities.text_document
        can = text_document is not None and text_document.inline_completion is not None
        if can and not self._ghost_text.is_set() and not self._has_waited_for_it:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ghost_text.wait(), GHOST_TEXT_WITHIN_S)
            self._has_waited_for_it = True
        return self._ghost_text.is_set()

    def complete_here(self, arguments: tuple[object, ...]) -> None:
        """Insert a suggestion where the code action's command says, as soon as there is one."""
        from fim_lsp.server.by_hand import asked_for

        if asked := asked_for(arguments):
            self._in_background(self._complete_at(*asked))

    async def _complete_at(self, uri: str, position: lsp.Position) -> None:
        from fim_lsp.server import by_hand

        invoked = lsp.InlineCompletionTriggerKind.Invoked
        place, answer = await self._suggestions(uri, position, invoked, None)
        document = self.documents.get(uri)
        if place is None or answer is None or document is None or not answer.items:
            return self._say((answer and answer.reason) or "nothing to suggest here")
        if place.typed_since(document) != "":
            return self._say("the text has changed since; ask again")
        workspace = self.client_capabilities.workspace
        edits = workspace.workspace_edit if workspace else None
        versioned = bool(edits and edits.document_changes)
        change = by_hand.edit(place, answer.items[0].text, document, versioned=versioned)
        try:
            await self.workspace_apply_edit_async(lsp.ApplyWorkspaceEditParams(change))
        except JsonRpcException:
            _log.info("the editor did not apply the edit")
        return None

    def _say(self, line: str) -> None:
        """Show one line to a person who has asked."""
        shown = lsp.ShowMessageParams(type=lsp.MessageType.Info, message=f"fim-lsp: {line}")
        self.window_show_message(shown)

    async def _suggestions(
        self,
        uri: str,
        position: lsp.Position,
        kind: object,
        selected: lsp.SelectedCompletionInfo | None,
    ) -> tuple[Place | None, Answer | None]:
        """What to suggest at a place, and the place. Raises nothing but a cancellation."""
        document = self.documents.get(uri)
        if document is None or self._completer is None:
            return None, None
        try:
            place = Place(document, position, self.encoding, selected)
            answer = await self._answer(place, kind)
        except Exception as error:  # noqa: BLE001 - the edge: an editor would show it to the person
            _log.error("a request failed inside fim-lsp: %s", _where(error))
            return None, None
        self._in_background(self._check_settings_file())
        return place, answer

    async def _answer(self, place: Place, kind: object) -> Answer:
        """The answer; where the settings have changed before there was one, the new completer's."""
        while True:
            asked = cast("asyncio.Task[Completer]", self._completer)
            completer = await asyncio.shield(asked)
            ask = cast("Session", self._session).ask(place, kind, completer)
            answer = await self._answered(completer, ask, place.file_uri)
            if answer.items or self._completer is asked:
                return answer

    async def _answered(self, completer: Completer, ask: Ask, file_uri: str) -> Answer:
        """The answer, noted in the journal."""
        session, journal = cast("Session", self._session), cast("Journal", self._journal)
        clock = asyncio.get_running_loop().time
        began = clock()
        off = self.switches.off_for(ask.context.language)
        try:
            answer = session.refusal(file_uri, off) or await completer.complete(ask)
        except asyncio.CancelledError:
            journal.overtaken(ask, clock() - began)
            raise
        journal.answered(ask, answer, clock() - began)
        return answer

    def _log_trace(self, message: str, verbose: str | None) -> None:
        self.log_trace(lsp.LogTraceParams(message, verbose))

    def accepted(self, *numbers: object) -> None:
        """Note that the editor has inserted an item."""
        for number in numbers:
            if self._journal and isinstance(number, int):
                self._journal.accepted(number)

    def ended(self) -> None:
        """Write what is left to write."""
        if self._journal:
            self._journal.close()

    # -- for commands --------------------------------------------------------------------------

    @property
    def settings(self) -> Settings | None:
        """The settings in force; None before the editor has said hello."""
        return self._settings

    @property
    def last_document(self) -> str | None:
        """The URI of the document that was asked for last, else of the one that was opened last."""
        asked = self._journal.history.last_document if self._journal else None
        return asked or next((document.uri for document in reversed(self.documents.all())), None)

    def history(self, uri: str) -> str:
        """The document's last requests, for a person."""
        return self._journal.history.readable(uri) if self._journal else "fim-lsp is starting."

    def use_model(self, model: str) -> None:
        """Go on with another model, whatever the settings say."""
        self._configuration.use_model(model)
        self.apply_settings()

    def set_trace(self, value: str) -> None:
        """What the editor wants to be told of each request, with ``$/logTrace``."""
        if self._journal and value in {"off", "messages", "verbose"}:
            self._journal.verbosity = cast("Verbosity", value)

    def _folders(self) -> tuple[str, ...]:
        # not by their keys, which are no addresses any more: pygls has decoded them
        return tuple(folder.uri for folder in self.workspace.folders.values())

    def report_server_error(self, error: Exception, source: ServerErrors) -> None:
        """Log it; pygls would show it to the person at every key.

        Kate asks at every key for what was never promised, and shows what is logged.
        """
        usual = isinstance(error, JsonRpcMethodNotFound)
        _log.log(
            logging.DEBUG if usual else logging.WARNING,
            "%s in %s",
            type(error).__name__,
            source.__name__,
        )


def _item(
    place: Place, shaped: Shaped, number: int, *, rewrites_blanks: bool
) -> lsp.InlineCompletionItem:
    text = place.selected + shaped.text[:MAX_ITEM_CHARS]
    # so that no blank stands first
    repeated = place.last_char.strip() if rewrites_blanks and text.startswith((" ", "\t")) else ""
    return lsp.InlineCompletionItem(
        insert_text=repeated + text,
        range=place.range(shaped.swallowed_chars, repeated_chars=len(repeated)),
        command=lsp.Command("Accepted", ACCEPTED, arguments=[number]),
    )


def _begin(new: Settings, client_name: str, folders: tuple[str, ...]) -> Session:
    """Import, in a thread, what the start of the server does not need."""
    from fim_lsp.server.session import Session

    return Session(new, client_name, folders)


async def _outcome(starting: asyncio.Task[Completer]) -> Completer | None:
    """What a start has come to, once it is over; None where it has failed."""
    await asyncio.wait([starting])
    return None if starting.cancelled() or starting.exception() else starting.result()


def _is_reading(completer: Completer) -> bool:
    snippets = completer.reading.snippets
    is_indexing = snippets is not None and snippets.is_indexing
    return is_indexing or any(learner.is_learning for learner in completer.learners)


def _where(error: BaseException) -> str:
    """An error's kind and place, without its values: they may hold document text."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"
