"""A session to look at for who has none yet: a transmitter that five receivers have timed, made up."""

from __future__ import annotations

import json

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.geometry import geodesic_distance_m
from heimdall.service.storage.uploads import Upload

NAME = "Example: a made-up transmitter near Frankfurt"
_FILE = "example.jsonl"
_TRUTH = (50.0155, 9.0108)
_RECEIVERS = {
    "Zürich": (47.38, 8.54),
    "Leipzig": (51.34, 12.37),
    "Antwerp": (51.22, 4.40),
    "Nuremberg": (49.45, 11.08),
    "Münster": (51.96, 7.63),
}
_CLOCK_SIGMA_S = 1e-6
_ERRORS_S = (0.6e-6, -1.1e-6, 0.3e-6, 1.4e-6, -0.8e-6)
"""Errors of the receivers' clocks, of the size that they state."""


def put_example(upload: Upload) -> None:
    """Three transmissions, each with the receivers' errors dealt out anew."""
    lines = [json.dumps(_transmission(number)) for number in range(3)]
    content = ("\n".join(lines) + "\n").encode()
    upload.room_for(_FILE, len(content)).write_bytes(content)


def _transmission(number: int) -> dict[str, object]:
    errors_s = _ERRORS_S[number:] + _ERRORS_S[:number]
    rows = [
        {
            "receiver": name,
            "latitude_deg": place[0],
            "longitude_deg": place[1],
            "height_m": 0.0,
            "toa_s": geodesic_distance_m(*place, *_TRUTH) / SPEED_OF_LIGHT_M_S + error_s,
            "clock_sigma_s": _CLOCK_SIGMA_S,
        }
        for (name, place), error_s in zip(_RECEIVERS.items(), errors_s, strict=True)
    ]
    truth = {"latitude_deg": _TRUTH[0], "longitude_deg": _TRUTH[1], "height_m": 0.0}
    return {
        "id": f"transmission {number + 1}",
        "frequency_hz": 77_500.0,
        "bandwidth_hz": 1000.0,
        "measurements": rows,
        "truth": truth,
    }
