"""What a person can tell the server from any editor, with ``workspace/executeCommand``.

Each command takes one table at the most, all of whose names may be missing, and gives back the
text that says what is so now. Unless the table says ``"show": false``, the editor is asked to show
that text, because most editors drop a command's result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from fim_lsp.errors import FimError

if TYPE_CHECKING:
    import tempfile

    from fim_lsp.server.language_server import FimServer

SNOOZE_MINUTES = 10.0
_MAX_MODELS = 20
_MESSAGE_LINES = 4
"""So many lines are still shown as a message, as one line."""
_PAGE = "fim-lsp.txt"
_CANNOT_ASK = "This editor cannot ask which model it should be. Name it to fim.chooseModel: "

Arguments = Mapping[str, Any]


class Commands:
    """The commands of one server, by name in ``all``."""

    def __init__(self, server: FimServer) -> None:
        self._server = server
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.all: dict[str, Callable[[Arguments], Awaitable[str]]] = {
            "fim.toggle": self.toggle,
            "fim.toggleLanguage": self.toggle_language,
            "fim.snooze": self.snooze,
            "fim.clearMemory": self.clear_memory,
            "fim.status": self.status,
            "fim.chooseModel": self.choose_model,
            "fim.why": self.why,
        }

    async def run(self, name: str, sent: object) -> str:
        """Run one command; whatever the editor sends, it gets a text."""
        table: Arguments = cast("Arguments", sent) if isinstance(sent, Mapping) else {}
        await self._server.ready()
        try:
            text = await self.all[name](table)
        except FimError as error:
            text = str(error)
        if table.get("show", True):
            await self._show(text)
        return text

    # -- switches ------------------------------------------------------------------------------

    async def toggle(self, _: Arguments) -> str:
        """Switch everything off, or on again."""
        is_on = self._server.switches.toggle()
        self._server.show_status()
        return f"fim-lsp is {'on' if is_on else 'off'}."

    async def toggle_language(self, table: Arguments) -> str:
        """The same for the document's language, or the ``language`` that is named."""
        document = self._server.documents.get(self._uri(table))
        language = table.get("language") or (document.language if document else "")
        if not isinstance(language, str) or not language:
            return "No document is open whose language could be switched off."
        is_on = self._server.switches.toggle_language(language)
        always = "" if is_on else f" For ever: trigger.disabled_languages = [{language!r}]."
        return f"fim-lsp is {'on' if is_on else 'off'} for {language}.{always}".replace("'", '"')

    async def snooze(self, table: Arguments) -> str:
        """Suggest nothing for some ``minutes``; 0 ends it."""
        minutes = table.get("minutes")
        minutes = SNOOZE_MINUTES if minutes is None else minutes
        if not isinstance(minutes, (int, float)) or not 0 <= minutes <= 24 * 60:
            return "fim.snooze takes minutes from 0 to 1440."
        self._server.switches.snooze(minutes)
        self._server.show_status()
        return f"fim-lsp is {self._server.switches.off or 'on'}."

    async def clear_memory(self, _: Arguments) -> str:
        """Forget what the model has said, so that it is asked anew."""
        if completer := self._server.ready_completer():
            completer.forget()
        return "fim-lsp has forgotten what the model said."

    # -- to be read ----------------------------------------------------------------------------

    async def status(self, _: Arguments) -> str:
        """What goes on, in a few lines."""
        said = self._server.status_now()
        if said is None:
            return "fim-lsp is starting."
        word = "in error" if said["state"] == "error" else said["state"]
        state = f"fim-lsp is {word}" + (f": {said['message']}" if said["message"] else ".")
        lines = [state, f"{said['provider']} {said['model']}".strip()]
        lines += [problem for problem in self._server.problems if problem != said["message"]]
        if said["until_s"]:
            lines.append(f"It goes on in {said['until_s']:.0f} s.")
        if said["budget_used"] is not None:
            lines.append(f"{said['budget_used']:.0%} of the minute's tokens are used.")
        return "\n".join(lines)

    async def why(self, table: Arguments) -> str:
        """The last requests of the document, with their reasons, times and tokens."""
        uri = self._uri(table)
        document = self._server.documents.get(uri)
        name = uri.rpartition("/")[2] or "no document"
        language = f" ({document.language})" if document and document.language else ""
        head = f"Ghost text in {name}{language}, as of {datetime.now().astimezone():%H:%M:%S}"
        requests = self._server.history(uri)
        if (now := self._server.status_now()) and now["message"]:
            requests = requests.replace(now["message"], "see above")
        return f"{head}\n\n{await self.status({})}\n\n{requests}\n\nNo wiser? Run: fim-lsp doctor\n"

    # -- the model -----------------------------------------------------------------------------

    async def choose_model(self, table: Arguments) -> str:
        """Go on with another ``model``, or ask the person which one it should be."""
        settings = self._server.settings
        if settings is None:
            return "fim-lsp is starting."
        model = table.get("model")
        if not isinstance(model, str):
            from fim_lsp.providers.listing import offered

            found = [one.name for one in await offered(settings) if one.fills is not False]
            if not found:
                return "The endpoint lists no models: set model in config.toml."
            if not table.get("show", True):
                return "\n".join(found)
            try:
                model = await self._asked(found[:_MAX_MODELS], settings.effective_model)
            except JsonRpcException:
                return _CANNOT_ASK + ", ".join(found[:_MAX_MODELS]) + "."
        if not model:
            return f"The model is still {settings.effective_model}."
        self._server.use_model(model)
        return f'The model is {model} until this server ends. For ever: model = "{model}".'

    async def _asked(self, models: list[str], now: str) -> str | None:
        question = lsp.ShowMessageRequestParams(
            type=lsp.MessageType.Info,
            message=f"fim-lsp: which model? Now it is {now or 'the embedded one'}.",
            actions=[lsp.MessageActionItem(model) for model in models],
        )
        chosen = await self._server.window_show_message_request_async(question)
        return chosen.title if chosen and chosen.title in models else None

    # -- the editor ----------------------------------------------------------------------------

    def _uri(self, table: Arguments) -> str:
        """The document that is meant: the one named, else the one last asked for or opened."""
        uri = table.get("uri")
        return uri if isinstance(uri, str) else self._server.last_document or ""

    async def _show(self, text: str) -> None:
        """A few lines as a message, more as a document where the editor can open one."""
        lines = text.split("\n")
        if len(lines) <= _MESSAGE_LINES:
            text = "; ".join([line.removesuffix(".") for line in lines[:-1]] + lines[-1:])
        window = self._server.client_capabilities.window
        can_open = bool(window and window.show_document and window.show_document.support)
        if not ("\n" in text and can_open and await self._opened(text)):
            message = lsp.ShowMessageParams(type=lsp.MessageType.Info, message=text)
            self._server.window_show_message(message)

    async def _opened(self, text: str) -> bool:
        """Whether the editor has opened the text as a document."""
        try:
            page = await asyncio.to_thread(self._written, text)
            wanted = lsp.ShowDocumentParams(uri=page.as_uri(), take_focus=True)
            return (await self._server.window_show_document_async(wanted)).success
        except (JsonRpcException, OSError):
            return False

    def _written(self, text: str) -> Path:
        """A file of the text, in a folder that goes when the server ends."""
        import tempfile

        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="fim-lsp-")
        page = Path(self._folder.name) / _PAGE
        page.write_text(text, encoding="utf-8")
        return page
