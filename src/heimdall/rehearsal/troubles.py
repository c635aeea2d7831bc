"""Faults that a receiver of the rehearsal has on request."""

from __future__ import annotations

from enum import StrEnum

from heimdall.errors import InputError

TROUBLE_AFTER_S = 8.0
"""Seconds of the scene from the start of a stream to the trouble that begins within it."""
PASSWORD = "rehearsal"
"""What a receiver with the trouble `password` wants."""


class Trouble(StrEnum):
    """What is wrong with one receiver."""

    BUSY = "busy"
    OFFLINE = "offline"
    PASSWORD = "password"
    TIME_LIMIT = "time-limit"
    REDIRECT = "redirect"
    PAGE = "page"
    """Its address holds a page of something else than a receiver."""
    SILENT = "silent"
    SLOW = "slow"
    """Two seconds pass before it answers anything."""
    GAP = "gap"
    GPS_LOST = "gps-lost"
    NO_GPS = "no-gps"
    DROP = "drop"
    """The connection breaks; the next one is whole."""
    KICK = "kick"
    NOWHERE = "nowhere"
    """It says that it is at 0, 0."""
    LIAR = "liar"
    """It says that it is 60 km north of where it is."""
    DRIFT = "drift"
    """Its sample rate changes as it goes."""
    DEAF = "deaf"
    """It hears its own noise only."""


def parse_trouble(text: str) -> tuple[str, Trouble]:
    """`NAME=TROUBLE`."""
    name, _, trouble = text.partition("=")
    if not name or trouble not in list(Trouble):
        raise InputError(f"{text!r} is not a fault: write NAME=FAULT with one of {', '.join(Trouble)}")
    return name, Trouble(trouble)
