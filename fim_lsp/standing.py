"""How things stand with a provider, for whoever shows it to a person."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from fim_lsp.calls import Calls
from fim_lsp.errors import ProviderError, RateLimitedError, RefusedError
from fim_lsp.pacing.budget import Budget
from fim_lsp.reading import LEAST_PROMPT_TOKENS
from fim_lsp.settings import Settings

NO_BUDGET = "not asked: the minute's budget is used up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How things stand with the provider."""

    state: Literal["idle", "thinking", "limited", "offline", "error"]
    message: str = ""
    """One line for the person; empty where all is well."""
    until_s: float | None = None
    """Seconds until it may be tried again; infinite: when the settings change; None: at once."""

    @property
    def is_well(self) -> bool:
        """Whether the provider can answer."""
        return self.state in {"idle", "thinking"}

    def with_fallback(self, name: str, other: Standing) -> Standing:
        """The same, and how things stand with the one that stands in."""
        said = self.message.rstrip(".")
        if other.is_well:
            return replace(self, message=f"{said}. {name} answers meanwhile.")
        return replace(self, message=f"{said}. {name} cannot answer either: {other.message}")


def standing_of(calls: Calls, budget: Budget, settings: Settings, *, is_free: bool) -> Standing:
    """How things stand now with one provider."""
    error, wait_s = calls.breaker.error, calls.breaker.blocked_for_s()
    if error and wait_s is not None:
        return Standing(state=_state_of(error), message=str(error), until_s=wait_s)
    if calls.any_running():
        return Standing(state="thinking")
    if error and _state_of(error) == "offline":  # which ends with an answer, not with time
        return Standing(state="offline", message=str(error))
    wanted_tokens = LEAST_PROMPT_TOKENS + settings.request.max_tokens
    if not is_free and budget.room(invoked=False) < wanted_tokens:
        free_in_s = budget.free_in_s(wanted_tokens, invoked=False)
        return Standing(state="limited", message=NO_BUDGET, until_s=free_in_s)
    return Standing(state="idle")


def _state_of(error: ProviderError) -> Literal["limited", "offline", "error"]:
    if isinstance(error, RefusedError):
        return "error"
    return "limited" if isinstance(error, RateLimitedError) else "offline"
