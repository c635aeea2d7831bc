"""Measurements of a made-up transmitter, as a file people would upload."""

from __future__ import annotations

import json

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.geometry import geodesic_distance_m

RECEIVERS = {"A": (50.2, 10.1), "B": (49.8, 10.3), "C": (50.1, 9.6), "D": (49.9, 9.7)}
TRUTH = (50.02, 10.05)


def line(
    name: str = "one",
    truth: tuple[float, float] | None = None,
    at: tuple[float, float] = TRUTH,
    late_s: dict[str, float] | None = None,
) -> str:
    measurements = [
        {
            "receiver": receiver,
            "latitude_deg": place[0],
            "longitude_deg": place[1],
            "height_m": 0.0,
            "toa_s": geodesic_distance_m(*place, *at) * 1.0003 / SPEED_OF_LIGHT_M_S + (late_s or {}).get(receiver, 0.0),
            "clock_sigma_s": 5e-8,
        }
        for receiver, place in RECEIVERS.items()
    ]
    known = None if truth is None else {"latitude_deg": truth[0], "longitude_deg": truth[1], "height_m": 0.0}
    row = {"id": name, "frequency_hz": 150e6, "bandwidth_hz": 25e3, "measurements": measurements, "truth": known}
    return json.dumps(row) + "\n"


def table(count: int = 1, **values: object) -> bytes:
    return "".join(line(f"m{number}", **values) for number in range(count)).encode()  # type: ignore[arg-type]
