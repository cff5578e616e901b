"""What can go wrong, as a tree: a class exists only where somebody treats it differently.

Every message is one line for a person: the cause, and what to do about it. It never holds an API
key or document text.
"""

from __future__ import annotations


class FimError(Exception):
    """The root of everything this program raises on purpose."""


class UsageError(FimError):
    """The user's mistake (a path, an option, a setting): nothing was sent. Exit status 2."""


class ProviderError(FimError):
    """The endpoint or the way to it failed. Exit status 1."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status, where there was one."""


class RefusedError(ProviderError):
    """Asking again cannot help until the settings change: wrong key, host, model or request."""


class PromptTooLongError(RefusedError):
    """The prompt does not fit the model's window; a shorter one may."""


class RateLimitedError(ProviderError):
    """The endpoint asks us to slow down (429)."""

    def __init__(
        self, message: str, *, status: int | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, status=status)
        self.retry_after_s = retry_after_s
        """Seconds that the endpoint asks us to wait, or None where it does not say."""


class UnavailableError(ProviderError):
    """It may work again in a while: no network, a time limit, 5xx, a model that is loading."""


class SettingError(UsageError, RefusedError):
    """A setting that cannot work, noticed only when it is used: the user's mistake, nothing sent.

    A ``UsageError`` for the command line, a ``RefusedError`` for who decides about asking again.
    """
