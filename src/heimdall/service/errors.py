"""Why the service does not do what it was asked to, by what the one who asked can do about it."""

from __future__ import annotations

from heimdall.errors import HeimdallError, InputError


class UnknownError(InputError):
    """No such thing."""


class ConflictError(HeimdallError):
    """It is there, but in a state that does not allow the change."""


class BusyError(HeimdallError):
    """Too much to do at the moment: come back after `retry_after_s`."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooOftenError(BusyError):
    """This one asker asks more than its share."""


class LateError(HeimdallError):
    """An upload that did not arrive in its time."""
