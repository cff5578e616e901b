"""What holds while the settings stay the same: the provider, the project's folders, the client.

Everything heavy is imported here and not before: this module is first imported in a thread, after
the editor has had its answer to ``initialize``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from fim_lsp import settings
from fim_lsp.completer import Answer, Ask, Completer
from fim_lsp.context import CursorContext
from fim_lsp.document import Document
from fim_lsp.errors import FimError, SettingError
from fim_lsp.pacing.accounts import shared_ledger
from fim_lsp.pacing.breaker import Notice
from fim_lsp.pacing.budget import Budget
from fim_lsp.pacing.ledger import Ledger
from fim_lsp.pacing.pause import CLIENT_WAITS_S
from fim_lsp.pacing.redis_ledger import RedisLedger
from fim_lsp.providers import Provider, registry
from fim_lsp.providers.shared_answers import SharedAnswers
from fim_lsp.server.clients import TriggerKinds, client_of
from fim_lsp.server.journal import Journal
from fim_lsp.server.positions import Place
from fim_lsp.server.status import Params, StatusLine, params_of
from fim_lsp.server.switches import Switches
from fim_lsp.settings import Layer, Settings
from fim_lsp.snippets.supply import Snippets
from fim_lsp.store import Store
from fim_lsp.trace import Trace
from fim_lsp.workspace import Workspace, path_of

_LOCAL = Layer(source="fim-lsp", table={"provider": "local"})


class Session:
    """One set of settings at work. ``folders`` are the workspace folders' URIs."""

    def __init__(self, wanted: Settings, client_name: str, folders: Sequence[str]) -> None:
        self.settings = wanted
        self.problems: list[str] = []
        """Lines for the person; where there are any, the local provider stands in."""
        paths = [path_of(folder) for folder in folders]
        self.folders: list[Path] = [path for path in paths if path is not None]
        self.status = StatusLine()
        self._workspace = Workspace(self.folders, wanted.context.exclude)
        self._client = client_of(client_name)
        self._client_wait_s = CLIENT_WAITS_S.get(client_name, 0.0)
        self._kinds = TriggerKinds()
        self._excluded: dict[str, bool] = {}
        self._paths: dict[str, str] = {}
        self._ledger = self._shared_ledger(wanted)
        provider = self._connected(wanted)
        self._provider = provider or registry.connect(settings.parse(_LOCAL).settings)
        self._second = None if self._provider.free else wanted.for_fallback
        self._second_provider = self._connected(self._second) if self._second else None

    def _connected(self, wanted: Settings) -> Provider | None:
        try:
            return self._sharing(registry.connect(wanted), wanted)
        except FimError as error:
            self.problems.append(str(error))
            return None

    def _sharing(self, provider: Provider, wanted: Settings) -> Provider:
        """The provider, asking the team's store for its answers first where that is wanted."""
        if wanted.cache.store is None or provider.free:
            return provider
        try:
            store = Store(wanted.cache.store, ca_bundle=wanted.network.ca_bundle)
            return SharedAnswers(provider, wanted, store)
        except SettingError as error:
            self.problems.append(str(error))
            return provider

    def completer(
        self,
        before: Completer | None,
        *,
        on_notice: Callable[[Notice], None],
        on_change: Callable[[], None],
    ) -> Completer:
        """A completer for these settings; the minute's budget goes on from the one before.

        Call it once, on the loop that the completer will live on.
        """
        completer = Completer(
            self._provider,
            self.settings,
            client_wait_s=self._client_wait_s,
            budget=self._budget(before.budget if before else None, on_notice),
            on_notice=on_notice,
            on_change=on_change,
        )
        completer.reading.snippets = self._snippets(before.reading.snippets if before else None)
        if self._second and self._second_provider:
            completer.stand_in = self._stand_in(self._second, self._second_provider, on_notice)
            completer.stand_in.reading.snippets = completer.reading.snippets
        return completer

    def _snippets(self, before: Snippets | None) -> Snippets | None:
        """The supply from before, if it is of these folders and settings; else a new one."""
        if before is not None:
            if not self._provider.free and before.serves(self.settings.context, self.folders):
                return before
            before.close()
        if self._provider.free:
            return None  # the embedded model reads the project by itself
        snippets = Snippets(self.settings.context, self.folders)
        snippets.start()
        return snippets

    def _stand_in(
        self, second: Settings, provider: Provider, on_notice: Callable[[Notice], None]
    ) -> Completer:
        """A completer of its own for the fallback: its own calls, memory, budget and breaker."""

        def noticed(notice: Notice) -> None:
            if notice.kind == "warning":
                on_notice(replace(notice, text=f"The fallback: {notice.text}"))

        ledger = self._shared_ledger(second)
        if isinstance(ledger, RedisLedger):
            ledger.begin()
        return Completer(
            provider,
            second,
            client_wait_s=self._client_wait_s,
            budget=Budget(second.limits, asyncio.get_running_loop().time, ledger),
            on_notice=noticed,
        )

    def _shared_ledger(self, wanted: Settings) -> Ledger | None:
        try:
            # the loop's clock is this one too, and the machine's other processes go by it
            return shared_ledger(wanted, now=time.monotonic())
        except SettingError as error:
            if str(error) not in self.problems:
                self.problems.append(str(error))
            return None

    def _budget(self, before: Budget | None, on_notice: Callable[[Notice], None]) -> Budget | None:
        """The budget from before where it is this account's; None for a new one in memory."""
        kept, ours = before.ledger if before else None, self._ledger
        if kept is not None and kept.account:
            if ours is not None and kept.account == ours.account:
                ours.close()
                return before
            kept.close()
        elif ours is None:
            return before
        if isinstance(ours, RedisLedger):
            ours.begin(on_notice)
        return Budget(self.settings.limits, asyncio.get_running_loop().time, ours)

    def status_of(
        self, completer: Completer, switches: Switches, problems: Sequence[str]
    ) -> Params:
        """How things stand, as ``fim/status`` says it."""
        return params_of(completer, self.settings, switches, problems)

    def journal(
        self,
        trace: Trace | None,
        document_of: Callable[[str], Document | None],
        log: Callable[[str, str | None], None],
    ) -> Journal:
        """A journal, for as long as the server runs."""
        return Journal(trace, document_of, log)

    def refusal(self, file_uri: str, off: str) -> Answer | None:
        """The answer where nothing may be asked; ``off`` says what the person has switched off.

        ``file_uri`` is the document's own, or its notebook's.
        """
        if self.excludes(file_uri):
            return Answer(reason="not asked: context.exclude names this file, so it is never sent")
        return Answer(reason=f"not asked: {off}") if off else None

    def excludes(self, uri: str) -> bool:
        """Whether a document must never be sent or learned from."""
        if uri not in self._excluded:
            self._excluded[uri] = self._workspace.excludes(uri)
        return self._excluded[uri]

    def closed(self, uri: str) -> None:
        """Forget a document; it may be another file by the next time."""
        self._excluded.pop(uri, None)
        self._paths.pop(uri, None)

    def ask(self, place: Place, trigger_kind: object, completer: Completer) -> Ask:
        """The request in the completer's terms."""
        uri = place.context.uri
        invoked = self._kinds.invoked(trigger_kind, since_key_s=completer.since_key_s(uri))
        return Ask(
            context=place.context,
            path=self._path(place.file_uri),
            line=place.start[0],
            invoked=invoked,
            client=self._client,
        )

    def ask_behind(self, context: CursorContext, file_uri: str) -> Ask:
        """What may be asked next, where nobody asks yet."""
        return Ask(context=context, path=self._path(file_uri), client=self._client)

    def _path(self, uri: str) -> str:
        if uri not in self._paths:  # following links asks the file system
            self._paths[uri] = self._workspace.relative(uri) or uri.rpartition("/")[2]
        return self._paths[uri]
