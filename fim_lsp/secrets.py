"""Finds secrets inside ordinary text and puts a placeholder in their place.

Three kinds: private-key blocks, tokens that are known by their form, and what is assigned to a name
such as ``password`` or looks too random to be written by hand. A hash that is cut by mistake costs
a line of context; a secret that is sent cannot be called back.
"""

from __future__ import annotations

import re
from collections import Counter
from math import log2

PLACEHOLDER = "<secret removed>"

_KEY_BLOCK = re.compile(
    r"-----BEGIN (?P<kind>[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?)-----"
    r"(?:.*?-----END (?P=kind)-----"
    r"|[A-Za-z0-9+/=\\]*(?:\n[ \t\"'+]*(?:[A-Za-z0-9+/=]+|[A-Z][A-Za-z-]+: [^\n]*|)[ \t\"'+,]*$)*)",
    re.DOTALL | re.MULTILINE,
)
_KNOWN_FORMS = re.compile(
    r"""(?x) \b (?:
      (?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b
    | gh[opsur]_[A-Za-z0-9]{30,}
    | github_pat_\w{20,}
    | gl(?:pat|dt|rt|cbt|soat)-[\w-]{20,}
    | xox[abeoprs]-[\w-]{10,}
    | xapp-[\w-]{10,}
    | https://hooks\.slack\.com/services/[\w/]+
    | (?:sk|pk|rk)_(?:live|test)_\w{10,}
    | whsec_\w{20,}
    | sk-[\w-]{20,}
    | AIza[\w-]{35}
    | ya29\.[\w-]{20,}
    | GOCSPX-[\w-]{20,}
    | npm_[A-Za-z0-9]{36}
    | hf_[A-Za-z0-9]{30,}
    | do[opr]_v1_[a-f0-9]{64}
    | SG\.[\w-]{16,}\.[\w-]{16,}
    | shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}
    | EAACEdEose0cBA\w+
    | AGE-SECRET-KEY-1[A-Z0-9]{20,}
    | sq0[a-z]{3}-[\w-]{22,}
    | dapi[a-f0-9]{32}
    | ATATT3\w{20,}
    | glsa_\w{20,}
    | hv[sb]\.[\w-]{20,}
    | eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+
    )"""
)
_BEHIND_A_NAME = re.compile(
    r"""(?x)
      (?<=AccountKey=)[A-Za-z0-9+/=]{40,}
    | (?<=Bearer[ ])[\w.~+/-]{16,}=*
    | (?<=Basic[ ])[A-Za-z0-9+/]{16,}=*
    """
)
_NAMES_BEFORE = ("AccountKey=", "Bearer ", "Basic ")
_IN_ADDRESS = re.compile(r"(?<=://)(?P<user>[^\s:/@\"'{}$<>]*):(?P<secret>[^\s/@\"'{}$<>]+)(?=@)")
_NAME = (
    r"(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|credential|"
    r"(?:api|access|auth|private|signing|encryption|master|account|client|session)[_-]?key|apikey|"
    r"auth(?![a-z])|salt|dsn|connection[_-]?string)"
)
_NAMED = re.compile(
    rf"""(?ix)
    (?P<head> (?<![\w.$-]) [\w.$-]*{_NAME}[\w$-]* ["'\]]* \s* (?: [:=]>? | :?= | , (?=\s*["']) )
        (?: \s* \w+ (?:\[\w+\])? \s* = )? \s*
        (?: \( \s* (?: ["'][^"'\n]*["'] \s* , \s* )? )? )  # a long text, or a user and a password
    (?: (?P<prefix>[bfru]{{0,2}}) (?P<quote>["'`]) (?P<quoted>[^"'`\n]{{4,}}) (?P=quote)
      | (?P<bare> [^\s"'`,;(){{}}\[\]<>$]{{8,}} ) (?= \s* (?:$|[,;#}}]) ) )
    """,
    re.MULTILINE,
)
_MAY_BE_NAMED = re.compile(rf"{_NAME}[\w$-]*[\"'\]]*\s*[:=,]")
"""What ``_NAMED`` needs, for casefolded text: four times as fast, and most text has nothing."""
_QUOTED = re.compile(r"""(?P<quote>["'`])(?P<content>[A-Za-z0-9+/=_.~-]{20,512})(?P=quote)""")
_ASSIGNED = re.compile(r"(?m)(?<=[=:])[ \t]*(?P<content>[A-Za-z0-9+/_-]{24,512}={0,2})[ \t]*$")
_HEX = re.compile(r"[0-9a-fA-F]{32,}")
_HARMLESS = re.compile(
    r"(?i)\$\{|\{\{|%\(|^<.*>$|^[x*.•-]+$|^(?:none|null|true|false|undefined|str|string|bytes)$"
    r"|environ|getenv|process\.env|\s.*\s.*\s"
)


def cut_secrets(text: str) -> str:
    """The text with a placeholder for each secret; every line stays in its place.

    Lines of a key block become empty but for the first, so that line numbers hold.
    """
    text = cut_key_blocks(text)
    text = _KNOWN_FORMS.sub(PLACEHOLDER, text)
    if any(name in text for name in _NAMES_BEFORE):
        text = _BEHIND_A_NAME.sub(PLACEHOLDER, text)
    if "://" in text:
        text = _IN_ADDRESS.sub(rf"\g<user>:{PLACEHOLDER}", text)
    if _MAY_BE_NAMED.search(text.casefold()):
        text = _NAMED.sub(_named_removed, text)
    text = _QUOTED.sub(_random_removed, text)
    return _ASSIGNED.sub(_random_assigned_removed, text)


def cut_key_blocks(text: str) -> str:
    """The text without private keys; a piece of a file must not begin in the middle of one."""
    return _KEY_BLOCK.sub(_block_removed, text) if "PRIVATE KEY" in text else text


def _block_removed(match: re.Match[str]) -> str:
    return PLACEHOLDER + "\n" * match.group().count("\n")


def _named_removed(match: re.Match[str]) -> str:
    quoted, bare = match["quoted"], match["bare"]
    if quoted is not None:
        if _HARMLESS.search(quoted):
            return match.group()
        quote = match["quote"]
        return f"{match['head']}{match['prefix']}{quote}{PLACEHOLDER}{quote}"
    # Unquoted it is a secret only where it could not be a name or a call.
    if _HARMLESS.search(bare) or not (re.search(r"\d", bare) and re.search(r"[A-Za-z]", bare)):
        return match.group()
    return match["head"] + PLACEHOLDER


def _random_removed(match: re.Match[str]) -> str:
    if not looks_random(match["content"]):
        return match.group()
    return f"{match['quote']}{PLACEHOLDER}{match['quote']}"


def _random_assigned_removed(match: re.Match[str]) -> str:
    content = match["content"]
    return match.group().replace(content, PLACEHOLDER) if looks_random(content) else match.group()


def looks_random(word: str) -> bool:
    """Whether a word has more entropy than people write: letters and digits in no order."""
    if _HEX.fullmatch(word):
        return _entropy_bits(word.lower()) > 3.0
    digits = sum(char.isdigit() for char in word)
    if not digits or digits == len(word) or re.search(r"[a-z]", word, re.IGNORECASE) is None:
        return False
    if re.search(r"[/.].*[/.]", word) and digits < len(word) / 8:
        return False  # a path or a dotted name
    return _entropy_bits(word) > (3.6 if len(word) < 32 else 4.0)


def _entropy_bits(word: str) -> float:
    """Shannon's, in bits for each character."""
    size = len(word)
    return -sum(n / size * log2(n / size) for n in Counter(word).values())
