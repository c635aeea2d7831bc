"""A simulated scene as the readers would have it: the way into everything that takes observations."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np

from heimdall.geometry import LocalFrame
from heimdall.observation import Observation, Place, Receiver, Reception
from heimdall.simulation.scene import SceneBatch

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
"""When simulated scenes are said to have happened."""


def to_observation(
    batch: SceneBatch, index: int, name: str = "simulated", time_utc: datetime = EPOCH, known_height: bool = False
) -> Observation:
    """Scene `index` of the batch in geodetic coordinates, without the receivers that are missing, with its truth.

    `known_height` tells the transmitter's height, as a measurement file may.
    """
    frame = LocalFrame(float(batch.latitude_deg[index]), float(batch.longitude_deg[index]))
    latitude_deg, longitude_deg, height_m = frame.to_geodetic(batch.transmitter_enu_m[index].cpu().numpy())
    present = batch.present[index].cpu().numpy()
    return Observation(
        id=name,
        frequency_hz=float(batch.frequency_hz[index]),
        bandwidth_hz=batch.bandwidth_hz,
        receptions=tuple(_reception(batch, index, int(number), frame) for number in np.flatnonzero(present)),
        time_utc=time_utc,
        transmitter_height_m=float(batch.transmitter_height_m[index]) if known_height else None,
        truth=Place(float(latitude_deg), float(longitude_deg), float(height_m)),
    )


def _reception(batch: SceneBatch, index: int, number: int, frame: LocalFrame) -> Reception:
    latitude_deg, longitude_deg, height_m = frame.to_geodetic(batch.receiver_enu_m[index, number].cpu().numpy())
    clock_sigma_s = float(batch.clock_sigma_s[index, number])
    return Reception(
        receiver=Receiver(
            name=f"R{number + 1:02d}",
            latitude_deg=float(latitude_deg),
            longitude_deg=float(longitude_deg),
            height_m=float(height_m),
            # Nobody claims the digits that single precision adds.
            clock_sigma_s=float(f"{clock_sigma_s:.6g}") if math.isfinite(clock_sigma_s) else None,
            level_sigma_db=float(batch.level_sigma_db[index, number]),
        ),
        samples=batch.samples[index, number].cpu().numpy(),
        sample_rate_hz=batch.sample_rate_hz,
        start_s=float(batch.start_s[index, number]),
    )
