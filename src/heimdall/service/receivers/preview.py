"""Spectra of one receiver by address, for whoever wants to see the channel before recording it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from heimdall.capture.faults import CaptureError
from heimdall.capture.interface import Tuning
from heimdall.capture.spectrum import Spectrum
from heimdall.capture.spectrum import spectra as spectra_of
from heimdall.errors import InputError
from heimdall.service.database.tables import OnlineReceiver
from heimdall.service.errors import ConflictError
from heimdall.service.receivers.online import access_of, target_of
from heimdall.service.settings import Settings

MOST_S = 120.0
"""A receiver has few slots: nobody holds one by looking at it."""


async def spectra(
    receiver: OnlineReceiver, frequency_hz: float, bandwidth_hz: float, settings: Settings, seconds: float = 30.0
) -> AsyncGenerator[Spectrum]:
    """Takes a slot of the receiver while it is iterated. Raises ConflictError where it cannot be listened to now."""
    if not receiver.enabled:
        raise ConflictError(f"{receiver.name} is switched off: switch it on first")
    if not 0 < seconds <= MOST_S:
        raise InputError(f"{seconds:g} seconds cannot be listened: choose 1 to {MOST_S:g}")
    try:
        async for each in spectra_of(
            target_of(receiver), Tuning(frequency_hz, bandwidth_hz), seconds, access_of(settings)
        ):
            yield each
    except CaptureError as error:
        raise ConflictError(f"{receiver.name}: {error}") from None
