"""Turn LocaRDS messages (arrival times of aircraft transponders) into a measurement file.

    python examples/locards_to_measurements.py DATA_FOLDER OUT.jsonl

DATA_FOLDER holds `sensors.csv` and `set_*.csv`. Each message becomes one line: five GPS-timed receivers, the aircraft's
altitude taken as known, and its reported position as the truth. The recorded signal strengths are in no known unit, so no
power is written.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from heimdall.formats.readers.measurements import measurements_text
from heimdall.observation import Observation, Place, Receiver, Reception

NEEDED = ("sensors.csv", "set_*.csv")
GPS_CLOCK_SIGMA_S = 50e-9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data_folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every K-th message only")
    parser.add_argument("--limit", type=int, help="stop after this many messages")
    arguments = parser.parse_args()
    folder = arguments.data_folder
    if missing := [name for name in NEEDED if not list(folder.glob(name))]:
        parser.exit(
            2, f"{folder} has no {' and no '.join(missing)}: docs/reference/data-sets.md says how to get them\n"
        )
    messages = islice(observations(folder), 0, None, arguments.every)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(measurements_text(islice(messages, arguments.limit)), encoding="utf-8")


def observations(folder: Path) -> Iterator[Observation]:
    """One observation a message, in the order of the sets."""
    with (folder / "sensors.csv").open(newline="") as stream:
        sensors = {int(row["serial"]): to_receiver(row) for row in csv.DictReader(stream)}
    for path in sorted(folder.glob("set_*.csv")):
        with path.open(newline="") as stream:
            for row in csv.DictReader(stream):
                yield to_observation(f"{path.stem}-{row['id']}", row, sensors)


def to_receiver(row: dict[str, str]) -> Receiver:
    latitude_deg, longitude_deg = float(row["latitude"]), float(row["longitude"])
    return Receiver(row["serial"], latitude_deg, longitude_deg, float(row["height"] or 0), GPS_CLOCK_SIGMA_S)


def to_observation(name: str, row: dict[str, str], sensors: dict[int, Receiver]) -> Observation:
    """Arrival times count from the message's first, as whole nanoseconds before they become seconds."""
    heard: list[tuple[int, int, int]] = json.loads(row["measurements"])
    first_ns = min(stamp_ns for _, stamp_ns, _ in heard)
    altitude_m = float(row["geoAltitude"])
    return Observation(
        id=name,
        frequency_hz=1090e6,
        bandwidth_hz=2e6,
        receptions=tuple(
            Reception(sensors[serial], toa_s=(stamp_ns - first_ns) / 1e9) for serial, stamp_ns, _ in heard
        ),
        transmitter_height_m=altitude_m,
        truth=Place(float(row["latitude"]), float(row["longitude"]), altitude_m),
    )


if __name__ == "__main__":
    main()
