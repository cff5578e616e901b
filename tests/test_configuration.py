"""What editors say of their settings, in whatever order and form, and what is in force then."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from lsprotocol import types as lsp
from pytest_lsp import ClientServerConfig, LanguageClient

from fim_lsp.server.configuration import Configuration
from tests.editor import SERVER

FIRST, PUSHED, ANSWERED = ({"fim": {"model": name}} for name in ("first", "pushed", "answered"))
Said = tuple[tuple[str, Any], ...]

SAID: dict[str, tuple[Said, str]] = {
    "nothing": ((), "first"),
    "it pushes": ((("pushed", PUSHED),), "pushed"),
    "it pushes them flat": ((("pushed", PUSHED["fim"]),), "pushed"),
    "it answers": ((("answered", ANSWERED["fim"]),), "answered"),
    "it has nothing when asked": ((("answered", {}),), "first"),
    "it does not know the section": ((("answered", None),), "first"),
    "it pushes, and nothing is set any more": ((("pushed", PUSHED), ("pushed", {})), "first"),
    "it pushes an empty section": ((("pushed", PUSHED), ("pushed", {"fim": {}})), "first"),
    "it pushes an empty Lua table": ((("pushed", PUSHED), ("pushed", {"fim": []})), "first"),
    "it pushes null": ((("pushed", PUSHED), ("pushed", None)), "pushed"),
    "it answers, and nothing is set any more": (
        (("answered", ANSWERED["fim"]), ("answered", {})),
        "first",
    ),
    "it answers null where it has answered": (
        (("answered", ANSWERED["fim"]), ("answered", None)),
        "first",
    ),
    "it pushes, and has nothing when asked": ((("pushed", PUSHED), ("answered", {})), "pushed"),
    "it answers, then pushes": ((("answered", ANSWERED["fim"]), ("pushed", PUSHED)), "pushed"),
    "it pushes what unsets all": (
        (("answered", ANSWERED["fim"]), ("pushed", {"fim": {"model": None}})),
        "first",
    ),
}


@pytest.mark.parametrize(("said", "model"), SAID.values(), ids=SAID.keys())
def test_the_editor_has_the_last_word_on_its_own_settings(
    said: Said, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIM_LSP_CONFIG", str(tmp_path / "none.toml"))
    configuration = Configuration({"provider": "mistral"})
    configuration.initial(FIRST, "")
    for how, sent in said:
        getattr(configuration, how)(sent)
    assert configuration.read()[0].model == model


async def test_an_editor_that_only_tells_of_a_change_is_asked(tmp_path: Path) -> None:
    """As clients do that leave the pulling to the server; clearing the last setting works, too."""
    environment = {**os.environ, "FIM_LSP_CONFIG": str(tmp_path / "none.toml")}
    config = ClientServerConfig(server_command=[*SERVER], server_env=environment)
    client = cast("LanguageClient", await config.start())
    models: asyncio.Queue[str] = asyncio.Queue()

    def status(said: Any) -> None:
        models.put_nowait(said.model)

    feature = cast("Callable[..., Callable[[Any], Any]]", client.feature)
    feature("fim/status")(status)
    try:
        client.set_configuration({"fim": {"provider": "ollama", "model": "one"}})
        capabilities = lsp.ClientCapabilities(
            workspace=lsp.WorkspaceClientCapabilities(configuration=True)
        )
        await client.initialize_session(lsp.InitializeParams(capabilities=capabilities))
        for fim, model in (({"provider": "ollama", "model": "two"}, "two"), ({}, "")):
            client.set_configuration({"fim": fim})
            client.workspace_did_change_configuration(lsp.DidChangeConfigurationParams(None))
            async with asyncio.timeout(20):
                while await models.get() != model:
                    pass
    finally:
        await client.shutdown_session()
        await client.stop()
