"""Nothing invisible, and nothing that belongs to the model's own protocol."""

from __future__ import annotations

import re
from dataclasses import replace

from fim_lsp.postprocess.draft import Draft

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls but tab and newline
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e01ef]"
)
"""Controls, bidirectional overrides (CVE-2021-42574), zero-width and blank letters, tags and
supplementary variation selectors (which can carry a hidden text), lone surrogates."""

_SENTINEL = re.compile(
    r"<[|｜][^\s<>|｜]{1,40}[|｜]>"  # <|fim_middle|>, <|endoftext|>, <｜fim▁end｜>
    r"|</?(?:fim|file|repo|issue|jupyter|commit)_\w{2,20}>"
    r"|<(?:EOT|EOM|PRE|SUF|MID|END|pad|unk|eos|bos|end_of_turn|start_of_turn|endoftext)>"
    r"|\[(?:PREFIX|SUFFIX|MIDDLE|INST|/INST)\]"
    r"|</?s>"
    r"|<[|｜][^\s<>|｜]{0,40}\Z"  # one that has only half arrived
)
_STRIKES_THROUGH = frozenset({"html", "markdown", "mdx", "vue", "svelte", "xml", "php"})
_HEADER = re.compile(r"(?:^|\n)(?:\+{5} \S|diff --git a/|<<<<<<< |>>>>>>> )")


def normalise_line_ends(draft: Draft) -> Draft:
    r"""Keep ``\n`` alone: editors insert a ``\r`` as it is."""
    if "\r" not in draft.text:
        return draft
    text = draft.text.replace("\r\n", "\n")
    return replace(draft, text=text if draft.complete else text.removesuffix("\r"))


def end_at_unsafe(draft: Draft) -> Draft:
    """End before the line that holds a character which a person could not see."""
    found = _UNSAFE.search(draft.text)
    if found is None:
        return draft
    line = draft.text.rfind("\n", 0, found.start())
    return draft.cut(max(line, 0), "an invisible or control character")


def end_at_sentinel(draft: Draft) -> Draft:
    """End before the model's own tokens, unless the document is about them."""
    text, context = draft.text, draft.place.context
    at = 0
    while found := _SENTINEL.search(text, at):
        token = found[0]
        if (
            _strikes(token, context.prefix[-500:] + text[: found.start()], context.language)
            or token in context.prefix
            or token in context.suffix
        ):
            at = found.end()
        elif not token.endswith((">", "]")) and not draft.complete:
            return replace(draft, text=text[: found.start()])
        elif not text[: found.start()].strip() and (found.end() < len(text) or not draft.complete):
            text = text[found.end() :]
            at = 0
        else:
            return replace(draft, text=text).cut(found.start(), "a token of the model's own")
    return replace(draft, text=text) if text is not draft.text else draft


def _strikes(token: str, before: str, language: str) -> bool:
    """Whether a token is HTML's mark for struck-out text."""
    if language not in _STRIKES_THROUGH or token[-2:] != "s>":
        return False
    return token[1] == "s" or before.count("<s>") > before.count("</s>")


def end_at_header(draft: Draft) -> Draft:
    """End where the model begins another file."""
    found = _HEADER.search(draft.text)
    return draft.cut(found.start(), "the header of another file") if found else draft
