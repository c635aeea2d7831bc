"""Where the receivers of an observation stand, the area around them, and how well their clocks and levels are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import AIRBORNE_HEIGHT_M
from heimdall.evidence.iq.from_recordings import DEFAULT_LEVEL_SIGMA_DB
from heimdall.geometry import LocalFrame
from heimdall.observation import Observation, Reception

_AREA_FACTOR = 2.0
_MIN_HALF_WIDTH_M = 500.0
_AIRBORNE_REACH_M = 350_000.0
"""How much further a transmitter high above ground is heard."""


def frame_of(receptions: Sequence[Reception]) -> LocalFrame:
    return LocalFrame.around(
        np.array([reception.receiver.latitude_deg for reception in receptions]),
        np.array([reception.receiver.longitude_deg for reception in receptions]),
    )


def positions_in(frame: LocalFrame, receptions: Sequence[Reception]) -> NDArray[np.float64]:
    """(N, 3) east, north and up of the receivers, in m."""
    receivers = [reception.receiver for reception in receptions]
    return frame.to_enu(
        np.array([receiver.latitude_deg for receiver in receivers]),
        np.array([receiver.longitude_deg for receiver in receivers]),
        np.array([receiver.height_m for receiver in receivers]),
    )


def half_width_around(extent_m: float, transmitter_height_m: float | None) -> float:
    """The scale of a network whose furthest receiver is `extent_m` east or north of the middle: half the side of the square
    that is searched most finely. Twice as far out as the receivers, and the line of sight of an aircraft."""
    extent_m = max(extent_m, _MIN_HALF_WIDTH_M)
    if transmitter_height_m is not None and transmitter_height_m > AIRBORNE_HEIGHT_M:
        return extent_m + _AIRBORNE_REACH_M
    return _AREA_FACTOR * extent_m


def geometry_fields(
    observation: Observation,
    receptions: Sequence[Reception],
    position_N3: NDArray[np.float64],
    frame: LocalFrame,
    half_width_m: float,
) -> dict[str, Any]:
    """The fields of a batch of one that no measurement touches."""
    height_m = observation.transmitter_height_m
    if height_m is None:
        height_m = float(np.mean([reception.receiver.height_m for reception in receptions]))
    return {
        "position_enu_m": position_N3[None],
        "present": np.ones((1, len(receptions)), dtype=bool),
        "clock_sigma_s": np.array([[clock_sigma_of(reception) for reception in receptions]]),
        "curvature_per_m": np.array([frame.curvature_per_m]),
        "transmitter_height_m": np.array([height_m]),
        "half_width_m": np.array([half_width_m]),
    }


def clock_sigma_of(reception: Reception) -> float:
    """In s, with what the digits leave open of an arrival time that came as a number; infinite for no clock."""
    sigma_s = reception.receiver.clock_sigma_s
    if sigma_s is None:
        return math.inf
    step_s = 0.0 if reception.samples is not None else reception.toa_step_s or 0.0
    return math.hypot(sigma_s, step_s / math.sqrt(12)) if step_s else sigma_s


def level_sigma_of(reception: Reception) -> float:
    if reception.rssi_sigma_db is not None:
        return reception.rssi_sigma_db
    stated = reception.receiver.level_sigma_db
    return DEFAULT_LEVEL_SIGMA_DB if stated is None else stated
