"""`heimdall receivers check` on files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.geometry import LocalFrame

PLACES_KM = [(-40.0, -30.0), (45.0, -20.0), (5.0, 50.0), (-30.0, 35.0), (30.0, 30.0)]
FRAME = LocalFrame(48.0, 11.0)


def table(path: Path, late_s: float, count: int = 8) -> Path:
    """Transmitters at drawn places; the receiver "bad [/x]" is late."""
    rng = np.random.default_rng(1)
    lines = []
    for number in range(count):
        transmitter = np.array([*rng.uniform(-25e3, 25e3, 2), 0.0])
        measurements = []
        for index, (east, north) in enumerate(PLACES_KM):
            place = np.array([1e3 * east, 1e3 * north, 0.0])
            distance_m = float(np.linalg.norm(place - transmitter))
            latitude, longitude, height = FRAME.to_geodetic(place)
            measurements.append(
                {
                    "receiver": "bad [/x]" if index == 2 else f"good {index}",
                    "latitude_deg": float(latitude),
                    "longitude_deg": float(longitude),
                    "height_m": float(height),
                    "toa_s": distance_m * 1.0003 / SPEED_OF_LIGHT_M_S + (late_s if index == 2 else 0.0),
                    "clock_sigma_s": 1e-7,
                }
            )
        row = {"id": f"{number}", "frequency_hz": 150e6, "bandwidth_hz": 25e3, "measurements": measurements}
        lines.append(json.dumps(row))
    path.write_text("\n".join(lines))
    return path


def test_the_bad_receiver_comes_first_and_is_named_as_it_is_written(heimdall, tmp_path):
    """As JSON and as a table, where a name is no markup."""
    path = table(tmp_path / "late.jsonl", 9e-6)
    code, out, _ = heimdall("receivers", "check", str(path), "--json")
    document = json.loads(out)
    assert (code, document["observations"], document["checked"]) == (0, 8, 8)
    first, *others = document["receivers"]
    assert first["name"] == "bad [/x]"
    assert first["median_late_s"] == pytest.approx(9e-6, abs=1e-6)
    assert "its clock is late by" in first["suspicion"]
    assert not any(each["suspicion"] for each in others)
    code, out, err = heimdall("receivers", "check", str(path))
    assert (code, out) == (0, "")
    assert "bad [/x]: its clock is late by" in err


def test_a_line_that_cannot_be_read_is_told_beside_the_others(heimdall, tmp_path):
    path = table(tmp_path / "cut.jsonl", 0.0)
    path.write_text(path.read_text()[:-50])
    code, out, err = heimdall("receivers", "check", str(path), "--json")
    assert code == 0
    assert json.loads(out)["observations"] == 7
    assert "not read: cut.jsonl line 8: Invalid JSON" in err


def test_good_receivers_are_said_to_be_good_and_few_of_many_are_said(heimdall, tmp_path):
    code, _, err = heimdall("receivers", "check", str(table(tmp_path / "good.jsonl", 0.0)), "--most", "6")
    assert code == 0
    assert "no receiver is suspicious" in err
    assert "6 of 8 observations" in err
