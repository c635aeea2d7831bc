"""The way from a known transmitter to a receiver: how long it takes, how well that is known, and when it is not known at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.likelihood.arrival_times import echo_sigma_s
from heimdall.estimation.likelihood.sky_wave import echo_variance_s2
from heimdall.estimation.model import AIRBORNE, LONG_WAVE_MAX_HZ, MEDIUM_WAVE_MAX_HZ, PropagationModel, model_for
from heimdall.estimation.reach import carried_m
from heimdall.geometry import LocalFrame, geodesic_distance_m
from heimdall.observation import Receiver
from heimdall.transmitter import KnownTransmitter

MAST_ECHO_SIGMA_S = AIRBORNE.multipath_sigma_s
"""What echoes do to a signal from a high mast where nothing has been measured: as to one from an aircraft."""
_LONG_WAVE_MOST_M = 1500e3
_MEDIUM_WAVE_MOST_M = 150e3
_SHORT_WAVE_MOST_M = 60e3
"""By day and night: the ground wave is the stronger one up to here (ITU-R P.368 with P.1147; long wave by its hop)."""


@dataclass(frozen=True)
class Path:
    """The path from the reference to one receiver."""

    distance_m: float
    delay_s: float
    sigma_s: float
    """From the places of both ends and the ground between them; what echoes do is apart."""
    echo_sigma_s: float | None
    """What echoes do by the model of the band; None where the recording itself tells."""
    flaw: str | None
    """Why its delay is not known."""


def path_to(receiver: Receiver, transmitter: KnownTransmitter) -> Path:
    """The path that the model of the transmitter's band expects: along the ground, or straight."""
    model = model_for(transmitter.frequency_hz, None, math.inf)
    distance_m = _distance_m(receiver, transmitter, model)
    slowness = model.refractive_index / SPEED_OF_LIGHT_M_S
    places_m = math.hypot(transmitter.position_sigma_m, receiver.position_sigma_m or 0.0)
    sigma_s = math.hypot(places_m * slowness, distance_m * model.ground_sigma_s_m)
    return Path(
        distance_m,
        distance_m * slowness,
        sigma_s,
        _echo_sigma_s(distance_m, transmitter, model),
        _flaw(distance_m, transmitter, model),
    )


def _distance_m(receiver: Receiver, transmitter: KnownTransmitter, model: PropagationModel) -> float:
    ends = (receiver.latitude_deg, receiver.longitude_deg, transmitter.latitude_deg, transmitter.longitude_deg)
    if model.along_ground:
        return geodesic_distance_m(*ends)
    frame = LocalFrame(receiver.latitude_deg, receiver.longitude_deg)
    height_m = receiver.height_m if transmitter.height_m is None else transmitter.height_m
    here = np.array([0.0, 0.0, receiver.height_m])
    there = frame.to_enu(np.array(transmitter.latitude_deg), np.array(transmitter.longitude_deg), np.array(height_m))
    return float(np.linalg.norm(there - here))


def _echo_sigma_s(distance_m: float, transmitter: KnownTransmitter, model: PropagationModel) -> float | None:
    if not model.along_ground:
        return None
    width = np.array([transmitter.channel_hz])
    variance = float(echo_sigma_s(width, model)[0]) ** 2
    if model.hop_echo is not None:
        variance += float(echo_variance_s2(np, np.array([[[distance_m]]]), width, model.hop_echo)[0, 0, 0])
    return math.sqrt(variance)


def _flaw(distance_m: float, transmitter: KnownTransmitter, model: PropagationModel) -> str | None:
    kilometres = f"{distance_m / 1e3:.0f} km"
    if not model.along_ground:
        most_m = carried_m(transmitter.height_m or 0.0, model)
        if distance_m <= most_m:
            return None
        return f"{transmitter.name} is {kilometres} away, beyond the radio horizon: what is heard did not come straight"
    bands = ((LONG_WAVE_MAX_HZ, _LONG_WAVE_MOST_M), (MEDIUM_WAVE_MAX_HZ, _MEDIUM_WAVE_MOST_M))
    most_m = next((most for end_hz, most in bands if transmitter.frequency_hz < end_hz), _SHORT_WAVE_MOST_M)
    if distance_m <= most_m:
        return None
    return (
        f"{transmitter.name} is {kilometres} away: at its frequency the sky wave is the stronger one there, and the delay of "
        "a sky wave is not known"
    )
