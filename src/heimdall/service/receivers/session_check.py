"""Which of the receivers are bad, from stored sessions: the same as `heimdall receivers check` says of files."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from heimdall.errors import InputError
from heimdall.estimation.receivers.receiver_check import ReceiverCheck, check_receivers, evenly
from heimdall.service.database.tables import RegisteredReceiver, StoredSession
from heimdall.service.receivers import registered
from heimdall.service.settings import Settings
from heimdall.service.storage import sessions

MOST = 60
"""Observations that are looked at unless more are asked for: seconds of work."""


class CheckedReceiver(BaseModel):
    """One receiver against what the others say."""

    name: str
    observations: int
    timed: int = Field(description="Number of observations with a residual of its arrival time.")
    median_late_s: float | None
    scatter_s: float | None = Field(
        description="Standard deviation of how late it is, from the median absolute deviation."
    )
    median_level_db: float | None
    scatter_db: float | None
    unused_share: float = Field(description="Share of its observations in which it could not be used, 0 to 1.")
    suspicion: str = Field(
        description="What is suspicious, in words; empty if nothing is.", examples=["its clock is late by 3.1 us"]
    )
    agreement: float | None = Field(description="How much better the others agree without this receiver, in nats.")
    badness: float = Field(
        description="How far off it is, in units of what is usual; suspicious receivers are sorted by it."
    )


class Checked(BaseModel):
    observations: int = Field(description="Number of observations in the sessions.")
    checked: int = Field(description="Number of observations that were checked, evenly chosen.")
    receivers: list[CheckedReceiver] = Field(description="Receivers, the worst first.")
    unreadable: list[str] = Field(description="Sessions that could not be read, and why.")


def check(
    settings: Settings, chosen: Sequence[StoredSession], known: Sequence[RegisteredReceiver], most: int = MOST
) -> Checked:
    """Checks with the positions and corrections of registered receivers, so that what is left is what is still wrong."""
    observations, unreadable = [], []
    for stored in chosen:
        try:
            observations += sessions.read(settings, stored)
        except InputError as error:
            unreadable.append(f"{stored.name}: {error}")
    looked_at = evenly(registered.corrected(observations, known), most)
    found = check_receivers(looked_at)
    receivers = [CheckedReceiver(**vars(each)) for each in found]
    return Checked(observations=len(observations), checked=len(looked_at), receivers=receivers, unreadable=unreadable)


def plain(receiver: CheckedReceiver) -> ReceiverCheck:
    """The check as the estimation has it, for code that puts it into words."""
    return ReceiverCheck(**receiver.model_dump())
