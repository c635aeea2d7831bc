"""The page of findings and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from heimdall.doctor.__main__ import _options
from heimdall.doctor.facts import wheels
from heimdall.doctor.finding import NAMES

REPOSITORY = Path(__file__).resolve().parents[3]
TEXT = (REPOSITORY / "docs" / "reference" / "doctor.md").read_text()
FINDINGS = re.search(r"## Findings\n(.*?)\n## ", TEXT, re.DOTALL)


@pytest.mark.parametrize("name", NAMES)
def test_every_finding_has_its_row(name: str) -> None:
    assert FINDINGS is not None
    assert f"\n| `{name}` |" in FINDINGS[1]


def test_no_row_is_about_a_finding_that_does_not_exist() -> None:
    assert FINDINGS is not None
    assert set(re.findall(r"^\| `(\w+)` \|", FINDINGS[1], re.MULTILINE)) == set(NAMES)


def test_every_finding_that_the_code_makes_is_known() -> None:
    """Read from the source, so that a finding no other test meets is not forgotten."""
    made = set()
    for path in (REPOSITORY / "src/heimdall/doctor").rglob("*.py"):
        made |= set(re.findall(r"\bFinding\(\s*\"(\w+)\"", path.read_text()))
    assert len(made) > 20
    assert made <= set(NAMES)


def test_every_option_has_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _options(["--help"])
    options = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    assert options == set(re.findall(r"^\| `(--[a-z-]+)", TEXT, re.MULTILINE))


def test_the_table_of_wheels_is_the_one_in_the_code() -> None:
    rows = re.findall(r"^\| [\d.x, to]+ \| (\d+)\.(\d+) \| (\d+) \| (\d+)\.(\d+) and up \|", TEXT, re.MULTILINE)
    assert len(rows) == 3
    first = {12: wheels.FIRST_CAPABILITY_CUDA_12, 13: wheels.FIRST_CAPABILITY_CUDA_13}
    for major, minor, driver, capability, sub in rows:
        wheel = wheels.Wheel("x", (int(major), int(minor)), "here")
        assert wheel.oldest_driver == int(driver)
        assert first[int(major)] == (int(capability), int(sub))


def test_the_table_of_builds_is_the_one_in_the_code() -> None:
    header = re.search(r"^\| compute capability \|((?: \d+ \|)+)$", TEXT, re.MULTILINE)
    assert header is not None
    branches = [int(number) for number in re.findall(r"\d+", header[1])]
    rows = re.findall(r"^\| (\d+)\.(\d) \([\w ]+\) \|((?: (?:cu\d+|-) \|)+)$", TEXT, re.MULTILINE)
    assert len(rows) == 13
    for major, minor, cells in rows:
        builds = [wheels.build_for(branch, (int(major), int(minor))) for branch in branches]
        assert re.findall(r"cu\d+|-", cells) == [build.index if build else "-" for build in builds]
