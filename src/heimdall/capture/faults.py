"""What goes wrong with a receiver, as data: a kind to decide by, and a sentence for the operator."""

from __future__ import annotations

from enum import StrEnum

from heimdall.errors import HeimdallError


class Fault(StrEnum):
    """Kinds of fault. `Fault.passing` says which are worth another try soon."""

    ADDRESS = "address"
    """What was typed is no address of a receiver."""
    PRIVATE = "private"
    """The address lies in a loopback or private network that nobody allowed."""
    UNREACHABLE = "unreachable"
    TLS = "tls"
    NO_RECEIVER = "no receiver"
    """Something answers, but it is no receiver of the kind expected."""
    REDIRECT = "redirect"
    PASSWORD = "password"
    BUSY = "busy"
    OFFLINE = "offline"
    TIME_LIMIT = "time limit"
    KICKED = "kicked"
    DROPPED = "dropped"
    SILENT = "silent"
    """It is connected and sends nothing."""
    TUNING = "tuning"
    """It cannot receive what was asked for."""
    CLOCK = "clock"
    """Its count of samples has a gap where it must have none."""
    PLACE = "place"
    MISSING = "missing"
    """A program or library that this kind of receiver needs is not installed."""
    DISK = "disk"
    IN_USE = "in use"
    """This computer holds a slot of that receiver already."""

    @property
    def passing(self) -> bool:
        """Whether it may be over in a minute."""
        return self in _PASSING


_PASSING = {
    Fault.UNREACHABLE,
    Fault.BUSY,
    Fault.OFFLINE,
    Fault.KICKED,
    Fault.DROPPED,
    Fault.SILENT,
    Fault.IN_USE,
    Fault.CLOCK,
}


class CaptureError(HeimdallError):
    """A receiver cannot be used, now or at all; the message completes "NAME: ..."."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(plain(message, 500))
        self.fault = fault


def plain(text: object, most: int = 200) -> str:
    """What a receiver says, on one line and fit for a terminal: control characters become spaces."""
    return "".join(each if each.isprintable() else " " for each in str(text)[:most])
