"""Figures that stand for none are not taken for measurements: asked about, or not used where they cannot be one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heimdall.observation import Observation, Receiver, Reception
from heimdall.validation.reception import vet

FINE = (6.000428948e-05, 9.047351854e-05, 7.831833339e-05)
PLACES = ((47.0, 8.0), (47.2, 8.1), (47.1, 8.4), (46.9, 8.2), (47.05, 8.3), (46.95, 8.35))


def _vetted(*toa_s: float | None, clock_sigma_s: float | None = 1e-7, rssi_dbm: float | None = -90.0) -> Observation:
    receptions = tuple(
        Reception(Receiver(f"r{index}", *place, clock_sigma_s=clock_sigma_s), toa_s=each, rssi_dbm=rssi_dbm)
        for index, (place, each) in enumerate(zip(PLACES, toa_s, strict=False))
    )
    return vet(Observation("x", 145.5e6, 12_500.0, receptions))


@pytest.mark.parametrize(
    ("toa_s", "said"),
    [
        ((*FINE, 0.0, 0.0, 0.0), "r3, r4, r5 report an arrival time of exactly 0 s"),
        ((-6.2e-05, *FINE, 0.0, 0.0), "r4, r5 report an arrival time of exactly 0 s"),
        ((0.0, 0.0, 0.0, 0.0, 6.000428948e-05), "r0, r1, r2 and others report an arrival time of exactly 0 s"),
        ((6.0e-5, 9.0e-5, 7.8e-5, 0.25, 0.25), ""),
        ((1000.00006, 1000.00009, 1000.00008, 0.0, 0.0), "r3, r4 report an arrival time of exactly 0 s"),
        ((6.0e-5, 9.0e-5, 7.8e-5, -1.0, -1.0), "r3, r4 report an arrival time that others have to the digit"),
        ((25.0, 31.0, 47.0, 60.0, 60.0), ""),
        ((*FINE, 0.0), ""),
        ((0.0,) * 5, ""),
        ((0.0, 0.0, 1e-5, 3e-5, 2e-5), ""),
    ],
    ids=[
        "fine",
        "not the first",
        "most",
        "no whole number",
        "far",
        "minus one",
        "another unit",
        "one alone is the origin",
        "all",
        "coarse",
    ],
)
def test_a_time_that_stands_for_none_is_not_used(toa_s: tuple[float, ...], said: str) -> None:
    """The power of its receiver stays."""
    observation = _vetted(*toa_s)
    told = [note for note in observation.notes if "stand for none" in note]
    assert [note.startswith(said) for note in told] == [True] * bool(said)
    common = max(set(toa_s), key=toa_s.count)
    kept = [None if said and each == common else each for each in toa_s]
    assert [each.toa_s for each in observation.receptions] == kept
    assert all(each.rssi_dbm == -90.0 and each.flaw is None for each in observation.receptions)
    assert vet(observation).notes == observation.notes


def test_a_receiver_with_nothing_but_such_a_time_is_flagged() -> None:
    """With its sensitivity it would pass for one that listened and heard nothing, which nobody knows."""
    observation = _vetted(*FINE, 0.0, 0.0, 0.0, rssi_dbm=None)
    assert [bool(each.flaw) for each in observation.receptions] == [False, False, False, True, True, True]
    assert observation.receptions[3].flaw == (
        "an arrival time of exactly 0 s: it is taken to stand for none and not used; make `toa_s` null"
    )
    silent = tuple(replace(each, sensitivity_dbm=-100.0, flaw=None) for each in observation.receptions)
    assert vet(replace(observation, receptions=silent)).receptions[3].flaw is not None


@pytest.mark.parametrize(
    ("toa_s", "asked"),
    [((0.0, 0.0, 60e-6, 90e-6, 78e-6), False), ((0.0, 0.0, 61.5e-6, 9e-5), True), ((0.0, 0.0, *FINE), True)],
)
def test_zeros_that_may_be_chance_are_asked_about_at_most(toa_s: tuple[float, ...], asked: bool) -> None:
    """Of times since the first one, written to a microsecond, the second may be 0 as well."""
    observation = _vetted(*toa_s)
    assert [each.toa_s for each in observation.receptions] == list(toa_s)
    assert any("does that stand for no signal?" in note for note in observation.notes) == asked


@pytest.mark.parametrize("clock_sigma_s", [None, 1e-7])
def test_a_recording_and_a_receiver_without_a_clock_need_no_time(clock_sigma_s: float | None) -> None:
    observation = _vetted(0.0, 0.0, 0.0, *FINE, clock_sigma_s=clock_sigma_s)
    assert any("stand for none" in note for note in observation.notes) == (clock_sigma_s is not None)
