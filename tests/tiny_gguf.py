"""A model of 2 MB for a real llama-server, written in a second and without a download.

It is a table of which token follows which, dressed up as a transformer: embeddings are one-hot, the
attention and the feed-forward part are zero, and the output matrix holds the table. After
``<|fim_middle|>`` comes ANSWER and the end, whatever the prompt, at any temperature. The file's
format: github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

ANSWER = ("\n    ", "total", " =", " a", " + b", "\n    return", " total")
"""The pieces of what the model answers."""
LOOP = "~"
"""What an endless model answers for ever."""

_SPECIAL = (
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
)
_ROLES = {"pre": 1, "mid": 2, "suf": 3, "pad": 4, "rep": 5, "sep": 6}
"""Which of _SPECIAL llama.cpp takes for which part of a prompt."""
_NORMAL, _CONTROL = 1, 3
_ALIGNMENT = 32
_HIDDEN = 32


def write_model(path: Path, *, is_endless: bool = False, can_fill: bool = True) -> None:
    """Write the model; without ``can_fill`` its marks are ones that llama.cpp does not know."""
    special = [mark if can_fill else f"<x{number}>" for number, mark in enumerate(_SPECIAL)]
    pieces = [*map(_byte_char, range(256)), "re", *map(_bpe, ANSWER)]
    tokens = [*pieces, *special]
    tokens += [f"[PAD{number}]" for number in range(-len(tokens) % 32)]
    ids = {token: number for number, token in enumerate(tokens)}
    end = ids[special[0]]
    follows = dict.fromkeys(range(len(tokens)), end)
    chain = [ids[special[2]], *(ids[_bpe(piece)] for piece in ANSWER), end]
    follows.update(pairwise(chain))
    loop = ids[_byte_char(ord(LOOP))]
    follows[loop] = loop
    if is_endless:
        follows[chain[0]] = loop
    kinds = [_NORMAL if number < len(pieces) else _CONTROL for number in range(len(tokens))]
    facts = _facts(tokens, kinds, first_special=len(pieces), can_fill=can_fill)
    with path.open("wb") as file:
        _write(file, facts, _tensors(len(tokens), follows))


def _facts(
    tokens: Sequence[str], kinds: Sequence[int], *, first_special: int, can_fill: bool
) -> dict[str, Any]:
    size = len(tokens)
    facts: dict[str, Any] = {
        "general.architecture": "llama",
        "general.name": "tiny",
        "llama.context_length": 131072,
        "llama.embedding_length": size,  # one dimension for each token
        "llama.block_count": 1,
        "llama.feed_forward_length": _HIDDEN,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 4,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": size // 4,
        "llama.vocab_size": size,
        "general.file_type": 0,  # every weight is a 32-bit float
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": list(tokens),
        "tokenizer.ggml.token_type": list(kinds),
        "tokenizer.ggml.merges": ["r e"],  # there must be one
        "tokenizer.ggml.bos_token_id": first_special,
        "tokenizer.ggml.eos_token_id": first_special,
        "tokenizer.ggml.add_bos_token": False,
    }
    if can_fill:
        for role, place in _ROLES.items():
            facts[f"tokenizer.ggml.fim_{role}_token_id"] = first_special + place
    return facts


def _tensors(
    size: int, follows: dict[int, int]
) -> dict[str, tuple[tuple[int, ...], Iterable[tuple[int, float]]]]:
    """Each tensor's shape, fastest dimension first, and its entries that are not zero."""
    square, wide, tall = (size, size), (size, _HIDDEN), (_HIDDEN, size)
    ones = [(at, 1.0) for at in range(size)]
    tensors: dict[str, tuple[tuple[int, ...], Iterable[tuple[int, float]]]] = {
        "token_embd.weight": (square, [(at * size + at, 1.0) for at in range(size)]),
        "output_norm.weight": ((size,), ones),
        "output.weight": (square, [(to * size + at, 2.0) for at, to in follows.items()]),
        "blk.0.attn_norm.weight": ((size,), ones),
        "blk.0.ffn_norm.weight": ((size,), ones),
        "blk.0.ffn_gate.weight": (wide, ()),
        "blk.0.ffn_up.weight": (wide, ()),
        "blk.0.ffn_down.weight": (tall, ()),
    }
    for part in ("q", "k", "v", "output"):
        tensors[f"blk.0.attn_{part}.weight"] = (square, ())
    return tensors


def _write(
    file: IO[bytes],
    facts: dict[str, Any],
    tensors: dict[str, tuple[tuple[int, ...], Iterable[tuple[int, float]]]],
) -> None:
    head, body = bytearray(), bytearray()
    head += b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(facts))
    for name, value in facts.items():
        head += _text(name) + _value(value)
    for name, (shape, entries) in tensors.items():
        head += _text(name) + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}QIQ", *shape, 0, len(body))
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        weights = array("f", bytes(4 * count))
        for at, weight in entries:
            weights[at] = weight
        body += weights.tobytes()
        body += bytes(-len(body) % _ALIGNMENT)
    file.write(head + bytes(-len(head) % _ALIGNMENT) + body)


def _value(value: Any) -> bytes:
    """A value behind the number of its type."""
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + _text(value)
        case [str(), *_]:
            return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_text, value))
        case _:
            return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _bpe(text: str) -> str:
    return "".join(map(_byte_char, text.encode()))


def _byte_char(byte: int) -> str:
    """GPT-2's character for a byte: itself where it prints, else one from 256 on."""
    prints = [*range(33, 127), *range(161, 173), *range(174, 256)]
    if byte in prints:
        return chr(byte)
    return chr(256 + [other for other in range(256) if other not in prints].index(byte))
