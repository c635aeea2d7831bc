"""Commands that read measurements read them from a spreadsheet saved as CSV, and from the guide's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from heimdall.geometry import geodesic_distance_m

GUIDE = Path(__file__).parents[4] / "docs" / "how-to" / "spreadsheet.md"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def times(tmp_path: Path) -> Path:
    """The guide's table."""
    path = tmp_path / "times.csv"
    path.write_text(GUIDE.read_text(encoding="utf-8").split("```\n")[1])
    return path


def test_the_table_of_the_guide_is_located_as_it_says(heimdall: Run, times: Path) -> None:
    code, out, _ = heimdall("locate", str(times), "--json")
    (fix,) = json.loads(out)["fixes"]
    assert (code, fix["id"]) == (0, "call-1")
    assert geodesic_distance_m(fix["latitude_deg"], fix["longitude_deg"], 48.0712, 11.4127) < 100


def test_a_german_spreadsheet_is_evaluated_and_its_receivers_checked(heimdall: Run, times: Path) -> None:
    """The same table with decimal commas, twice, and with the place of its transmitter."""
    heading, *rows = times.read_text().splitlines()
    known = [f"{row},48.0712,11.4127" for row in rows]
    again = [row.replace("call-1", "call-2") for row in known]
    text = "\n".join([f"{heading},truth_latitude_deg,truth_longitude_deg", *known, *again])
    times.write_text(text.replace(",", ";").replace(".", ","), encoding="utf-8-sig")
    code, out, _ = heimdall("evaluate", str(times), "--json")
    assert code == 0
    assert '"likelihood"' in out
    code, out, _ = heimdall("receivers", "check", str(times), "--json")
    assert code == 0
    assert {each["observations"] for each in json.loads(out)["receivers"]} == {2}


def test_a_table_that_cannot_be_read_is_told_in_one_line(heimdall: Run, times: Path) -> None:
    times.write_text(times.read_text().replace("0.00005926", "59 µs"))
    for command in (("locate",), ("evaluate",), ("receivers", "check")):
        code, out, err = heimdall(*command, str(times))
        assert (code, out) == (2, "")
        assert "times.csv: row 3, column 'toa_s' must be a number, not '59 µs'" in " ".join(err.split())
