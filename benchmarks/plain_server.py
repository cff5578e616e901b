"""The simplest server that works, to measure against: a pause, one call, the answer as it is.

With ``--mute`` it does nothing at all: what is left is the cost of pygls.
"""

from __future__ import annotations

import asyncio
import os
import sys

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer

PAUSE_S = 0.1
PROMPT_CHARS = 8_000
SUFFIX_CHARS = 2_000
MAX_TOKENS = 64


def mute() -> LanguageServer:
    """A server with the feature and nothing behind it."""
    server = LanguageServer("plain", "0")

    @server.feature(lsp.TEXT_DOCUMENT_INLINE_COMPLETION, lsp.InlineCompletionOptions())
    def complete(_: lsp.InlineCompletionParams) -> lsp.InlineCompletionList:
        return lsp.InlineCompletionList(items=[])

    _ = complete
    return server


def asking(base_url: str, key: str) -> LanguageServer:
    """A server that asks at every pause of the typist."""
    import httpx

    server = LanguageServer("plain", "0")
    http = httpx.AsyncClient(timeout=10)

    @server.feature(lsp.TEXT_DOCUMENT_INLINE_COMPLETION, lsp.InlineCompletionOptions())
    async def complete(params: lsp.InlineCompletionParams) -> lsp.InlineCompletionList:
        await asyncio.sleep(PAUSE_S)
        document = server.workspace.get_text_document(params.text_document.uri)
        at = document.offset_at_position(params.position)
        source = document.source
        body = {
            "model": "codestral-2501",
            "prompt": source[max(0, at - PROMPT_CHARS) : at],
            "suffix": source[at : at + SUFFIX_CHARS],
            "max_tokens": MAX_TOKENS,
        }
        answer = await http.post(
            f"{base_url}/fim/completions", headers={"Authorization": f"Bearer {key}"}, json=body
        )
        text = answer.json()["choices"][0]["message"]["content"]
        return lsp.InlineCompletionList(items=[lsp.InlineCompletionItem(insert_text=text)])

    _ = complete
    return server


if __name__ == "__main__":
    if "--mute" in sys.argv:
        mute().start_io()
    else:
        asking(os.environ["PLAIN_BASE_URL"], os.environ["PLAIN_KEY"]).start_io()
