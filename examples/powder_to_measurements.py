"""Turn the POWDER recordings (received power of hand-held radios on a campus) into a measurement file.

    python examples/powder_to_measurements.py DATA_FOLDER OUT.jsonl

DATA_FOLDER holds `single_tx.csv` and `location_coordinates.txt`. Each row becomes one line with the receivers that heard it.
Levels are uncalibrated, so their uncertainty stays unknown; there are no clocks. Nobody recorded heights: all are written as 0,
which on a campus seen from itself stands for "level ground".
"""

from __future__ import annotations

import argparse
import ast
import csv
import math
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

from heimdall.formats.measurements import measurements_text
from heimdall.observation import Observation, Place, Receiver, Reception

NOT_HEARD_DBM = -101.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data_folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every K-th row only")
    parser.add_argument("--limit", type=int, help="stop after this many rows")
    arguments = parser.parse_args()
    rows = islice(observations(arguments.data_folder), 0, None, arguments.every)
    arguments.output.write_text(measurements_text(islice(rows, arguments.limit)), encoding="utf-8")


def observations(folder: Path) -> Iterator[Observation]:
    """One observation a row that at least two receivers heard, in the order of the file."""
    sites = ast.literal_eval((folder / "location_coordinates.txt").read_text())
    with (folder / "single_tx.csv").open(newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=1):
            observation = to_observation(f"row-{number}", row, sites)
            if len(observation.receptions) >= 2:
                yield observation


def to_observation(name: str, row: dict[str, str], sites: dict[str, tuple[float, float] | None]) -> Observation:
    fixed = (reception(site, row.get(site), place) for site, place in sites.items() if place is not None)
    shuttles = (
        reception(bus, row.get(f"{bus}_rss"), bus_place(bus, row)) for bus, place in sites.items() if place is None
    )
    return Observation(
        id=name,
        frequency_hz=462.7e6,
        bandwidth_hz=12.5e3,
        receptions=tuple(heard for heard in (*fixed, *shuttles) if heard is not None),
        time_utc=datetime.fromisoformat(f"{row['timestamp']}+00:00"),
        truth=Place(float(row["tx_x_coord"]), float(row["tx_y_coord"])),
    )


def bus_place(bus: str, row: dict[str, str]) -> tuple[float, float] | None:
    """Where a shuttle was; None for the stand-ins (0, 0) and (-1, -1)."""
    place = (number(row.get(f"{bus}_x")), number(row.get(f"{bus}_y")))
    return None if place in ((0, 0), (-1, -1)) or not all(map(math.isfinite, place)) else place


def reception(name: str, level: str | None, place: tuple[float, float] | None) -> Reception | None:
    """None for a receiver that heard nothing or was nowhere."""
    rssi_dbm = number(level)
    if place is None or not math.isfinite(rssi_dbm) or rssi_dbm == NOT_HEARD_DBM:
        return None
    return Reception(Receiver(name, *place), rssi_dbm=rssi_dbm)


def number(cell: str | None) -> float:
    """NaN for an empty or missing cell."""
    return float(cell) if cell and cell.lower() != "null" else math.nan


if __name__ == "__main__":
    main()
