"""What receivers without a clock and without calibration have in common, whatever program stands between."""

from __future__ import annotations

from heimdall.capture.interface import Gives, ReceiverStatus, Target

LEVEL_SIGMA_DB = 10.0
"""Nobody calibrates dongles: their gain and full scale differ from each other's and from a KiwiSDR's by about so much."""
BLOCK_S = 0.1
_DEFAULT_GAIN_DB = 30.0


def gain_db(target: Target) -> float:
    return _DEFAULT_GAIN_DB if target.gain_db is None else target.gain_db


def dongle_status(target: Target, title: str, program: str) -> ReceiverStatus:
    """Status of a receiver that says nothing about itself: its position is what the operator has stated."""
    return ReceiverStatus(
        gives=Gives.IQ,
        title=title,
        place=target.place,
        position_sigma_m=target.position_sigma_m,
        fault=None if target.place else f"{program} does not say where it is: give its place",
        notes=("it has no clock of its own: its recordings carry power, and time only by a reference transmitter",),
    )
