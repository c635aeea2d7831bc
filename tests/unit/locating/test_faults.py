"""One clock that is early by ten microseconds: the fix holds by the others, or its region allows for a fault."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

import heimdall
from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.geometry import geodesic_distance_m

_RECEIVERS, _SIDE_KM, _EARLY_S = 8, 30.0, 10e-6


def _scene(seed: int) -> tuple[dict[str, object], tuple[float, float]]:
    """433 MHz, 12.5 kHz, clocks of 100 ns; one link in five is blocked, by three microseconds on average."""
    rng = np.random.default_rng(seed)
    east_km, north_km = rng.uniform(-_SIDE_KM, _SIDE_KM, (2, _RECEIVERS + 1))
    distance_m = 1e3 * np.hypot(east_km - east_km[-1], north_km - north_km[-1])[:-1]
    late_s = rng.normal(0, 0.5e-6, _RECEIVERS) + (rng.random(_RECEIVERS) < 0.2) * rng.exponential(3e-6, _RECEIVERS)
    toa_s = 1e-3 + distance_m * 1.0003 / SPEED_OF_LIGHT_M_S + late_s
    toa_s[rng.integers(_RECEIVERS)] -= _EARLY_S
    latitude_deg = 47 + north_km / 111.18
    longitude_deg = 8 + east_km / 111.32 / math.cos(math.radians(47))
    measurements = [
        {
            "receiver": f"R{index}",
            "latitude_deg": round(latitude_deg[index], 7),
            "longitude_deg": round(longitude_deg[index], 7),
            "height_m": 300,
            "toa_s": toa_s[index],
            "clock_sigma_s": 1e-7,
        }
        for index in range(_RECEIVERS)
    ]
    row = {"id": str(seed), "frequency_hz": 433e6, "bandwidth_hz": 12_500, "measurements": measurements}
    return row, (float(latitude_deg[-1]), float(longitude_deg[-1]))


def test_an_early_clock_among_eight_does_not_move_the_fix(tmp_path: Path) -> None:
    scenes = [_scene(seed) for seed in range(40)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row, _ in scenes))
    error_m, inside = [], []
    for fix, (_, (latitude_deg, longitude_deg)) in zip(heimdall.locate(path), scenes, strict=True):
        assert fix.latitude_deg is not None
        assert fix.longitude_deg is not None
        assert fix.region_95 is not None
        error_m.append(geodesic_distance_m(fix.latitude_deg, fix.longitude_deg, latitude_deg, longitude_deg))
        inside.append(fix.region_95.contains(latitude_deg, longitude_deg))
    assert np.median(error_m) < 700
    assert np.mean(inside) >= 0.85
