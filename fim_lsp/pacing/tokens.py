"""How many characters make a token, by language, corrected by what endpoints report."""

from __future__ import annotations

CAUTIOUS = 3.0
"""Characters a token where nothing is known yet; tokenizers of code make 2.8 to 4.2."""
_DENSE = 2.5
_DENSE_LANGUAGES = frozenset({"json", "jsonc", "c", "cpp", "csv", "xml", "svg"})
_LEARNING = 0.2
_LOWEST, _HIGHEST = 1.0, 6.0


class TokenRates:
    """Characters per token for each language, as a moving average of the reported usage."""

    def __init__(self) -> None:
        self._rates: dict[str, float] = {}

    def chars_per_token(self, language: str) -> float:
        """The rate believed now."""
        usual = _DENSE if language in _DENSE_LANGUAGES else CAUTIOUS
        return self._rates.get(language, usual)

    def tokens(self, chars: int, language: str) -> int:
        """About how many tokens so many characters are; never less than one for some text."""
        return -int(-chars // self.chars_per_token(language))

    def chars(self, tokens: int, language: str) -> int:
        """About how many characters fit into so many tokens."""
        return int(tokens * self.chars_per_token(language))

    def learn(self, language: str, *, chars: int, tokens: int) -> None:
        """Correct the rate by a call of ``chars`` that was counted as ``tokens``."""
        if chars < 100 or tokens < 10:
            return
        seen = min(max(chars / tokens, _LOWEST), _HIGHEST)
        rate = self.chars_per_token(language)
        self._rates[language] = rate + _LEARNING * (seen - rate)
