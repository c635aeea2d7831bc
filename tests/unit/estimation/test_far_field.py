"""From outside, a network knows the bearing well and the distance hardly: the region says so."""

from __future__ import annotations

import math

import numpy as np

from heimdall.geometry import LocalFrame
from heimdall.locating.fixes import locate
from heimdall.observation import Observation, Receiver, Reception

_AWAY_M = 100_000.0
_CLOCK_SIGMA_S = 1e-7
_SCENES = 20
_FRAME = LocalFrame(48.0, 11.0)


def _place(east_m: float, north_m: float) -> tuple[float, float]:
    latitude, longitude, _ = _FRAME.to_geodetic(np.array([[east_m, north_m, 0.0]]))
    return float(latitude[0]), float(longitude[0])


def _seen_from_afar(seed: int) -> tuple[Observation, tuple[float, float]]:
    """Six receivers within 20 km, GNSS-timed, and a transmitter 100 km away."""
    rng = np.random.default_rng(seed)
    bearing = rng.uniform(0, 2 * math.pi)
    east_m, north_m = _AWAY_M * math.sin(bearing), _AWAY_M * math.cos(bearing)
    receptions = []
    for index, (x, y) in enumerate(rng.uniform(-14_000, 14_000, (6, 2))):
        delay_s = math.hypot(east_m - x, north_m - y) * 1.0003 / 299_792_458 + rng.normal(0, _CLOCK_SIGMA_S)
        receptions.append(Reception(Receiver(f"r{index}", *_place(x, y), 0.0, _CLOCK_SIGMA_S), toa_s=delay_s))
    return Observation("far", 433e6, 2e5, tuple(receptions), transmitter_height_m=0.0), _place(east_m, north_m)


def test_the_regions_of_transmitters_far_outside_hold_them() -> None:
    held = 0
    for seed in range(_SCENES):
        observation, truth = _seen_from_afar(seed)
        (fix,) = locate(observation)
        assert fix.region_95 is not None
        held += fix.region_95.contains(*truth)
    # 95 % of 20 less three standard deviations of a binomial; 10 when every cell was blurred by its own width.
    assert held >= 16
