"""Receptions and reports are put side by side."""

from __future__ import annotations

from dataclasses import replace

from heimdall.fix import Fix
from heimdall.formats.reports import reported
from heimdall.observation import Observation


def test_reports_in_order_stay_in_order(located: tuple[Fix, Observation]) -> None:
    """Two receivers of one name each keep their own report."""
    fix, observation = located
    twins = tuple(
        replace(reception, receiver=replace(reception.receiver, name="twin")) for reception in observation.receptions
    )
    reports = tuple(replace(report, name="twin") for report in fix.receivers)
    pairs = reported(replace(fix, receivers=reports), replace(observation, receptions=twins))
    assert [report.residual_m for _, report in pairs] == [120.0, -40.0, None, None]


def test_reports_in_another_order_are_found_by_name(located: tuple[Fix, Observation]) -> None:
    """A missing report means that the receiver was not used, for the reader's reason."""
    fix, observation = located
    pairs = reported(replace(fix, receivers=fix.receivers[2::-1]), observation)
    assert [report.name for _, report in pairs] == ["R0 <&>", "R1 <&>", "R2 <&>", "lost"]
    assert [report.residual_m for _, report in pairs] == [120.0, -40.0, None, None]
    assert (pairs[3][1].used, pairs[3][1].reason) == (False, "its position is not known")
