"""Mutations of what real peers send, drawn from a seed; the corpus is in ``tests/corpus``.

What made the server or a parser stumble once is put into the corpus as it is.
"""

from __future__ import annotations

import copy
import itertools
import json
import random
from pathlib import Path
from typing import Any

from fim_lsp.errors import ProviderError
from fim_lsp.providers import Chunk, llamacpp, ollama
from fim_lsp.providers.answers import AnswerReader
from fim_lsp.providers.reading import read_choice
from fim_lsp.providers.refusals import Asked, refusal, retry_after_s

CORPUS = Path(__file__).parent / "corpus"
READERS = {"mistral": read_choice, "llamacpp": llamacpp.read, "ollama": ollama.read}
_ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 0.5, 2**31, 2**32 - 1, 2**63, 10**40, 1e308, float("inf"), float("nan")),
    *("", "x", "\0", "\ud800", "\U0001f600", "a" * 10_000, "file:///", "//", "%", "\r\n", "../.."),
    *([], {}, [[]], {"": {}}, [None] * 50, {"uri": None}, {"line": {}, "character": []}),
)
_BYTES = (
    b"\0",
    b"\xff",
    b"\r",
    b"\n",
    b"\n\n",
    b":",
    b"data:",
    b"{",
    b"}",
    b'"',
    b"\xef\xbb\xbf",
    b"e9999",
)


def mutated_json(rng: random.Random, found: Any) -> Any:
    """A copy with a few leaves, names or lists changed."""
    found = copy.deepcopy(found)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if not (places := _places(found)):
            break
        holder, key = rng.choice(places)
        kind = rng.random()
        if kind < 0.6:
            holder[key] = copy.deepcopy(rng.choice(_ODD))
        elif kind < 0.8 and isinstance(holder, dict):
            del holder[key]
        elif kind < 0.9:
            holder[key] = [holder[key]] * rng.choice((0, 1, 2, 100))
        else:
            holder[key] = {key if isinstance(key, str) else "x": holder[key]}
    return found


def _places(found: Any) -> list[tuple[Any, Any]]:
    """Every holder and key in a JSON value, but for the message's own frame."""
    places: list[tuple[Any, Any]] = []
    below: Any = found.items() if isinstance(found, dict) else enumerate(found)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    for key, value in below:
        if key in {"jsonrpc", "method"}:
            continue
        places.append((found, key))  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(value, (dict, list)):
            places += _places(value)
    return places


def mutated_bytes(rng: random.Random, found: bytes) -> bytes:
    """With a few bytes changed, taken out, doubled or put in."""
    raw = bytearray(found)
    for _ in range(rng.choice((1, 2, 5, 20))):
        at = rng.randrange(len(raw) + 1)
        end = at + rng.choice((1, 1, 2, 9, 60))
        match rng.randrange(5):
            case 0:
                raw[at:end] = rng.randbytes(min(end - at, 4))
            case 1:
                del raw[at:end]
            case 2:
                raw[at:at] = raw[at:end]
            case 3:
                raw[at:at] = rng.choice(_BYTES)
            case _:
                raw[at:at] = rng.choice(_BYTES) * rng.choice((1, 2, 200))
    return bytes(raw)


def split(rng: random.Random, raw: bytes) -> list[bytes]:
    """In pieces, as a network would."""
    cuts = sorted(rng.randrange(len(raw) + 1) for _ in range(rng.randrange(8)))
    ends = [0, *cuts, len(raw)]
    return [raw[low:high] for low, high in itertools.pairwise(ends)]


def bodies() -> list[bytes]:
    """What endpoints answer."""
    return [file.read_bytes() for file in sorted((CORPUS / "bodies").iterdir())]


def messages() -> list[dict[str, Any]]:
    """What editors send."""
    return [json.loads(file.read_bytes()) for file in sorted((CORPUS / "messages").iterdir())]


def read_all(dialect: str, pieces: list[bytes]) -> tuple[str, str | None]:
    """The text of a body, and the error in it; anything but a ``ProviderError`` is a defect."""
    asked = Asked(host="h", model="m")
    reader = AnswerReader(
        READERS[dialect],
        lambda found: (
            refusal(500, json.dumps(found).encode(), {}, asked) if "error" in found else None
        ),
        has_lines=dialect == "ollama",
    )
    chunks: list[Chunk] = []
    said = ""
    try:
        for piece in pieces:
            chunks += reader.feed(piece)
            if reader.is_complete:
                break
        else:
            chunks += reader.end()
    except ProviderError as error:
        said = str(error)
    assert said.isprintable(), said
    return "".join(chunk.text for chunk in chunks), said or None


def check_body(rng: random.Random) -> bool:
    """One mutated body through every reader and as a refusal, whole and in pieces."""
    raw = mutated_bytes(rng, rng.choice(bodies()))
    for dialect in READERS:
        whole, error = read_all(dialect, [raw])
        text, same = read_all(dialect, split(rng, raw))
        # where an error ends it, pieces may have brought more before it
        assert text.startswith(whole) if error else text == whole, raw
        assert (error is None) == (same is None), raw
    status = rng.choice((400, 401, 404, 413, 422, 429, 500, 503))
    refused = refusal(status, raw, {}, Asked(host="h", model="m", sent=("prompt" * 9,)))
    assert len(str(refused)) < 600
    assert str(refused).isprintable(), raw
    pause = retry_after_s({"retry-after": raw[:40].decode("latin-1")})
    assert pause is None or pause >= 0
    return True
