"""A receiver that listened and heard nothing says where the transmitter is not; from a file as from a simulation."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

import heimdall
from heimdall.fix import Fix

_SIDE_KM = 5.0
_SENSITIVITY_DBM = -95.0


def _row(seed: int, receivers: int = 9) -> dict[str, object]:
    """868 MHz in a town, exponent 3, shadowing of 6 dB; who would have less than the sensitivity reports nothing."""
    rng = np.random.default_rng(seed)
    east_km, north_km = rng.uniform(-_SIDE_KM, _SIDE_KM, (2, receivers))
    at_km = rng.uniform(-_SIDE_KM, _SIDE_KM, 2)
    distance_km = np.hypot(east_km - at_km[0], north_km - at_km[1])
    power_dbm = -78 - 30 * np.log10(distance_km) + rng.normal(0, 6, receivers)
    measurements = []
    for index in range(receivers):
        heard = power_dbm[index] > _SENSITIVITY_DBM
        measurements.append(
            {
                "receiver": f"R{index}",
                "latitude_deg": 47 + north_km[index] / 111.2,
                "longitude_deg": 8 + east_km[index] / 111.2 / math.cos(math.radians(47)),
                "height_m": 400,
                "rssi_dbm": round(float(power_dbm[index]), 1) if heard else None,
                "sensitivity_dbm": _SENSITIVITY_DBM,
            }
        )
    return {"id": str(seed), "frequency_hz": 868e6, "bandwidth_hz": 125e3, "measurements": measurements}


def _located(folder: Path, rows: list[dict[str, object]]) -> list[Fix]:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return heimdall.locate(path)


def _heard(row: dict[str, object]) -> int:
    measurements = row["measurements"]
    assert isinstance(measurements, list)
    return sum(each["rssi_dbm"] is not None for each in measurements)


def _without_silence(row: dict[str, object]) -> dict[str, object]:
    measurements = row["measurements"]
    assert isinstance(measurements, list)
    return {**row, "measurements": [each for each in measurements if each["rssi_dbm"] is not None]}


def _reach_m(fix: Fix) -> float:
    if fix.region_95 is None or fix.latitude_deg is None or fix.longitude_deg is None:
        return math.inf
    return fix.region_95.reach_m(fix.latitude_deg, fix.longitude_deg)


def test_silence_narrows_the_region_and_is_said(tmp_path: Path) -> None:
    rows = [row for row in map(_row, range(30)) if 3 <= _heard(row) <= 6]
    with_silence, without = (_located(tmp_path, part) for part in (rows, [_without_silence(row) for row in rows]))
    assert np.median(list(map(_reach_m, with_silence))) < 0.9 * np.median(list(map(_reach_m, without)))
    silent = [each for fix in with_silence for each in fix.receivers if each.reason]
    assert silent
    assert {(each.used, each.reason) for each in silent} == {
        (True, "heard nothing: used as a power below its sensitivity")
    }


def test_one_power_and_silences_are_not_enough(tmp_path: Path) -> None:
    """A single power in recordings may be noise; what remains is where the transmitter is not."""
    row = _row(0)
    measurements = row["measurements"]
    assert isinstance(measurements, list)
    loudest = max(measurements, key=lambda each: each["rssi_dbm"] or -math.inf)
    others = [{**each, "rssi_dbm": None} for each in measurements if each is not loudest]
    (fix,) = _located(tmp_path, [{**row, "measurements": [loudest, *others]}])
    assert fix.status is heimdall.Status.INSUFFICIENT
