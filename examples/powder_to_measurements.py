"""Turn the POWDER recordings (received power of hand-held radios on a campus) into a measurement file.

    python examples/powder_to_measurements.py DATA_FOLDER OUT.jsonl
    python examples/powder_to_measurements.py DATA_FOLDER OUT.jsonl --held-out TEST.jsonl

DATA_FOLDER holds `single_tx.csv` and `location_coordinates.txt`. Each row becomes one line with the receivers that heard it.
With --held-out every fifth block of 300 m goes into a file of its own: rows are seconds apart along walks, so only places tell
whether a model knows more than its own rows. Levels are uncalibrated, so their uncertainty stays unknown; there are no clocks.
Nobody recorded heights: all are written as 0, which on a campus seen from itself stands for "level ground".
"""

from __future__ import annotations

import argparse
import ast
import csv
import math
import zlib
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

from heimdall.formats.readers.measurements import measurements_text
from heimdall.observation import Observation, Place, Receiver, Reception

NEEDED = ("single_tx.csv", "location_coordinates.txt")
NOT_HEARD_DBM = -101.0
BLOCK_M = 300.0
FOLDS = 5
METERS_A_DEGREE = 111_195.0
LATITUDE_DEG = 40.77
"""Of the campus."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data_folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every K-th row only")
    parser.add_argument("--limit", type=int, help="stop after this many rows")
    parser.add_argument("--held-out", type=Path, help="write the rows of every fifth place here instead")
    parser.add_argument("--fold", type=int, default=0, choices=range(FOLDS), help="which fifth of the places")
    arguments = parser.parse_args()
    folder = arguments.data_folder
    if missing := [name for name in NEEDED if not list(folder.glob(name))]:
        parser.exit(
            2, f"{folder} has no {' and no '.join(missing)}: docs/reference/data-sets.md says how to get them\n"
        )
    rows = list(islice(islice(observations(folder), 0, None, arguments.every), arguments.limit))
    held_out = [arguments.held_out is not None and fold(row) == arguments.fold for row in rows]
    write(arguments.output, [row for row, out in zip(rows, held_out, strict=True) if not out])
    if arguments.held_out is not None:
        write(arguments.held_out, [row for row, out in zip(rows, held_out, strict=True) if out])


def write(path: Path, rows: list[Observation]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(measurements_text(rows), encoding="utf-8")


def fold(row: Observation) -> int:
    """Which of five folds the row's place is in: whole blocks of some 300 m, scattered by a hash of their number."""
    assert row.truth is not None
    north_m = row.truth.latitude_deg * METERS_A_DEGREE
    east_m = row.truth.longitude_deg * METERS_A_DEGREE * math.cos(math.radians(LATITUDE_DEG))
    block = f"{math.floor(east_m / BLOCK_M)} {math.floor(north_m / BLOCK_M)}"
    return zlib.crc32(block.encode()) % FOLDS


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
