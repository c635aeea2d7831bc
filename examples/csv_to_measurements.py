"""Turn a spreadsheet, saved as CSV, into a measurement file: one row for each receiver of each transmission.

    python examples/csv_to_measurements.py TABLE.csv OUT.jsonl

The columns are named as in the measurement file. Rows with the same `id` are one transmission. `transmitter_height_m`,
`truth_latitude_deg` and `truth_longitude_deg` say what is known about the transmitter.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

OF_THE_TRANSMISSION = ("id", "time_utc", "frequency_hz", "bandwidth_hz")
TRUTH = "truth_"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    observations = to_observations(read_rows(arguments.table))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text("".join(json.dumps(each) + "\n" for each in observations), encoding="utf-8")


def read_rows(table: Path) -> list[dict[str, str]]:
    """Cells by column, without empty ones; a table with semicolons may have decimal commas."""
    lines = table.read_text(encoding="utf-8-sig").splitlines()
    separator = max(",;\t", key=lines[0].count)
    rows = [
        {key.strip(): cell.strip() for key, cell in row.items()} for row in csv.DictReader(lines, delimiter=separator)
    ]
    return [
        {key: cell.replace(",", ".") if key not in ("id", "receiver") else cell for key, cell in row.items() if cell}
        for row in rows
    ]


def to_observations(rows: Iterable[dict[str, str]]) -> list[dict[str, Any]]:
    """Cells stay text, which keeps every digit of an arrival time."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        observation = found.setdefault(row["id"], {"id": row["id"], "measurements": []})
        measurement = {}
        for key, cell in row.items():
            if key in OF_THE_TRANSMISSION:
                observation[key] = cell
            elif key == "transmitter_height_m":
                observation["height_m"] = cell
            elif key.startswith(TRUTH):
                observation.setdefault("truth", {})[key.removeprefix(TRUTH)] = cell
            else:
                measurement[key] = cell
        observation["measurements"].append(measurement)
    return list(found.values())


if __name__ == "__main__":
    main()
