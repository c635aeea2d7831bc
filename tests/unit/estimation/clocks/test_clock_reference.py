"""Clocks from a reference: dongles whose oscillators and start times are off, made sample by sample in numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dongle_scene import BEGIN_UTC, ERRORS, MAST, START_S, heard_by, later_by, observation_of
from heimdall.errors import InputError
from heimdall.estimation.clocks.carried_clocks import carry_over
from heimdall.estimation.clocks.clock_fit import fit_clock
from heimdall.estimation.clocks.clock_path import path_to
from heimdall.estimation.clocks.synchronise import Synchronised, in_band, synchronise
from heimdall.observation import Observation


def _start_errors_s(found: Synchronised) -> dict[str, float]:
    """Of the first sample of each receiver that has a clock, against the hub's."""
    hub = found.clocks.hub
    assert hub is not None
    receptions = found.observation.receptions
    return {
        each.receiver.name: (each.start_s - receptions[hub].start_s) - (START_S[index] - START_S[hub])
        for index, each in enumerate(receptions)
        if found.clocks.reports[index].synchronised
    }


def test_a_reference_gives_dongles_clocks_that_are_as_good_as_claimed() -> None:
    """Offsets of milliseconds and drifts of parts in a million come down to what is claimed."""
    found = synchronise(observation_of([heard_by(index) for index in range(4)]), MAST, 0.05)
    assert found.clocks.refused is None
    assert found.count == 4
    for index, each in enumerate(found.observation.receptions):
        sigma_s = each.receiver.clock_sigma_s
        assert sigma_s is not None
        assert sigma_s < 150e-9
        assert abs(_start_errors_s(found)[f"R{index}"]) < 4 * sigma_s
    hub = found.clocks.hub
    assert hub is not None
    for index, report in enumerate(found.clocks.reports):
        if index != hub:
            assert report.drift_ppm == pytest.approx((ERRORS[index] - ERRORS[hub]) * 1e6, abs=0.7)
            assert report.carrier_ppm == pytest.approx((ERRORS[index] - ERRORS[hub]) * 1e6, abs=0.3)


def test_who_hears_too_little_or_another_station_is_flagged_and_keeps_no_clock() -> None:
    """Neither is used in silence, and the others go on."""
    heard = [heard_by(0), heard_by(1), heard_by(2, snr=1e-4), heard_by(3, seed=9)]
    found = synchronise(observation_of(heard), MAST, 0.05)
    reports = {report.receiver: report for report in found.clocks.reports}
    assert reports["R0"].synchronised
    assert reports["R1"].synchronised
    assert "too weakly" in (reports["R2"].reason or "")
    assert "another station" in (reports["R3"].reason or "")
    assert [each.receiver.clock_sigma_s for each in found.observation.receptions[2:]] == [None, None]
    assert any("R3: no clock from Mast" in note for note in found.observation.notes)


def test_receivers_with_gps_find_a_station_that_is_not_where_the_list_says() -> None:
    """Two clocks that know better refuse a wrong place for everybody."""
    heard = [heard_by(index) for index in range(4)]
    for index in (0, 1):
        receiver = replace(heard[index].receiver, clock_sigma_s=100e-9)
        heard[index] = replace(heard[index], receiver=receiver, start_s=START_S[index])
    right = synchronise(observation_of(heard), MAST, 0.05)
    assert right.clocks.refused is None
    wrong = synchronise(observation_of(heard), MAST.model_copy(update={"latitude_deg": 50.4}), 0.05)
    assert "another station, or its place is wrong" in (wrong.clocks.refused or "")
    assert wrong.observation.receptions[2].receiver.clock_sigma_s is None


@pytest.mark.parametrize("with_gps", [1, 2])
def test_clocks_of_two_times_are_never_used_together(with_gps: int) -> None:
    """GPS receivers that do not hear the reference know nothing of the time that dongles have from it: the more are used."""
    heard = [heard_by(index) for index in range(4)]
    for index in range(with_gps):
        deaf = heard_by(index, snr=1e-4)
        heard[index] = replace(deaf, receiver=replace(deaf.receiver, clock_sigma_s=100e-9), start_s=START_S[index])
    found = synchronise(observation_of([*heard, *heard[:1]] if with_gps == 2 else heard), MAST, 0.05)
    timed = [each.receiver.clock_sigma_s is not None for each in found.observation.receptions]
    if with_gps == 1:
        assert timed == [False, True, True, True]
        assert any(note.startswith("R0: not used for time") for note in found.observation.notes)
    else:
        assert timed == [True, True, False, False, True]
        assert "have clocks of their own and do not hear it" in (found.clocks.refused or "")


def test_a_clock_of_its_own_that_hears_the_reference_badly_takes_the_time_of_the_others() -> None:
    """The hub hears it clearly and has no clock; nobody calls it another station for that."""
    heard = [heard_by(index) for index in range(4)]
    weak = heard_by(0, snr=0.5)
    heard[0] = replace(weak, receiver=replace(weak.receiver, clock_sigma_s=100e-9), start_s=START_S[0] + 0.01)
    found = synchronise(observation_of(heard), MAST, 0.05)
    assert found.clocks.refused is None
    assert found.count == 4
    errors_s = _start_errors_s(found)
    assert abs(errors_s["R0"] - 0.0) < 1e-6


def test_recordings_that_do_not_overlap_each_other_are_no_internal_error() -> None:
    """Each overlaps the hub's, and not each other: one of them is left out with its reason."""
    heard = [heard_by(index) for index in range(4)]
    part = round(0.4 * len(heard[1].samples))
    later_s = (len(heard[2].samples) - part) / heard[2].sample_rate_hz
    heard[1] = replace(heard[1], samples=heard[1].samples[:part])
    heard[2] = replace(heard[2], samples=heard[2].samples[-part:], start_s=heard[2].start_s + later_s)
    found = synchronise(observation_of(heard), MAST, 0.05)
    assert found.clocks.refused is None
    reasons = [report.reason or "" for report in found.clocks.reports]
    assert sum("at the same time as the others" in reason for reason in reasons) == 1
    assert found.count == 3


def test_a_sky_wave_is_no_reference() -> None:
    """Its delay is not known."""
    medium = MAST.model_copy(update={"frequency_hz": 1.0e6, "latitude_deg": 55.0})
    assert "sky wave" in (path_to(heard_by(0).receiver, medium).flaw or "")


def test_a_reference_outside_the_recordings_says_so() -> None:
    """The call is wrong, and what to do is said."""
    elsewhere = MAST.model_copy(update={"frequency_hz": 105e6})
    with pytest.raises(InputError, match="not in the recordings"):
        synchronise(observation_of([heard_by(0), heard_by(1)]), elsewhere)


def test_what_is_located_is_no_reference_of_its_own() -> None:
    """By itself only a station beside the channel is taken."""
    observation = observation_of([heard_by(0), heard_by(1)])
    assert in_band(observation, [MAST]) == [MAST]
    assert in_band(replace(observation, bandwidth_hz=150e3), [MAST]) == []


def test_a_law_bends_only_as_much_as_the_readings_ask_for() -> None:
    """A steady clock is a line, one that warms up is not; strays do not count."""
    rng = np.random.default_rng(3)
    time_s = np.linspace(0, 20, 32)
    line = 1e-6 + 2e-9 * time_s
    steady = line + 5e-9 * rng.standard_normal(32)
    steady[5] += 1e-6
    fit = fit_clock(time_s, steady, np.full(32, 5e-9))
    assert fit is not None
    assert len(fit.coefficients) == 2
    assert fit.readings == 31
    np.testing.assert_allclose(fit(time_s), line, atol=6e-9)
    warming = fit_clock(time_s, steady + 2e-9 * (time_s - 10) ** 2, np.full(32, 5e-9))
    assert warming is not None
    assert len(warming.coefficients) >= 3


@pytest.fixture(scope="module")
def heard() -> Observation:
    return replace(observation_of([heard_by(index) for index in range(4)]), id="before", time_utc=BEGIN_UTC)


@pytest.mark.parametrize("gap_s", [-1.0, 0.2, 1.0, 5.0])
def test_clocks_are_carried_over_with_a_sigma_that_grows(heard: Observation, gap_s: float) -> None:
    """What is claimed covers what is left of offset and drift, and is the more the further apart the recordings are."""
    near = synchronise(heard, MAST, 0.05)
    found = carry_over(near.clocks, heard, later_by(heard, gap_s))
    assert found.count == 4
    hub = near.clocks.hub
    assert hub is not None
    receptions = found.observation.receptions
    for index, each in enumerate(receptions):
        sigma_s = each.receiver.clock_sigma_s
        assert sigma_s is not None
        error_s = (each.start_s - receptions[hub].start_s) - (START_S[index] - START_S[hub])
        assert abs(error_s) < 4 * sigma_s, (index, error_s, sigma_s)
        if index != hub:
            assert sigma_s > (near.observation.receptions[index].receiver.clock_sigma_s or 0.0)
    assert any(f"in before, recorded {abs(gap_s):.3g} s" in note for note in found.observation.notes)


def test_clocks_of_long_ago_are_not_carried_over(heard: Observation) -> None:
    """Each receiver says why, and keeps the clock that it had."""
    found = carry_over(synchronise(heard, MAST, 0.05).clocks, heard, later_by(heard, 900.0))
    assert "it gives no receiver a clock" in (found.clocks.refused or "")
    assert all(each.receiver.clock_sigma_s is None for each in found.observation.receptions)
    assert any("recorded 900 s before: its clock would be known to" in (r.reason or "") for r in found.clocks.reports)


def test_who_was_not_there_gets_no_clock_and_without_times_nobody(heard: Observation) -> None:
    """Clocks are known by their receivers' names."""
    clocks = synchronise(heard, MAST, 0.05).clocks
    later = later_by(heard, 1.0)
    stranger = replace(later.receptions[1], receiver=replace(later.receptions[1].receiver, name="new"))
    mixed = replace(later, receptions=(later.receptions[0], stranger, *later.receptions[2:]))
    found = carry_over(clocks, heard, mixed)
    assert found.clocks.reports[1].reason == "it is not in before"
    assert any("new: no clock from Mast: it is not in before" in note for note in found.observation.notes)
    with pytest.raises(InputError, match="later does not say when it was recorded"):
        carry_over(clocks, heard, replace(later, time_utc=None))


def test_the_hub_need_not_be_in_the_later_recording(heard: Observation) -> None:
    """The others' times are held against each other all the same."""
    clocks = synchronise(heard, MAST, 0.05).clocks
    later = later_by(heard, 0.5)
    receptions = tuple(each for index, each in enumerate(later.receptions) if index != clocks.hub)
    found = carry_over(clocks, heard, replace(later, receptions=receptions))
    assert found.count == 3
    kept = [index for index in range(4) if index != clocks.hub]
    errors_s = [each.start_s - START_S[index] for index, each in zip(kept, found.observation.receptions, strict=True)]
    assert np.ptp(errors_s) < 8 * max(each.receiver.clock_sigma_s or 0.0 for each in found.observation.receptions)


def test_a_law_goes_on_straight_beyond_its_readings() -> None:
    """A bend that readings show is no forecast of what comes after them."""
    time_s = np.linspace(0.0, 10.0, 30)
    law = fit_clock(time_s, 1e-9 * time_s**3, np.full(30, 1e-10))
    assert law is not None
    assert len(law.coefficients) == 4
    far_s = np.array([20.0, 30.0, 40.0])
    assert np.diff(law(far_s), 2) == pytest.approx([0.0], abs=1e-12)


def test_readings_that_move_together_count_for_few() -> None:
    """An echo that comes and goes moves many readings alike: the drift is known the worse."""
    rng = np.random.default_rng(3)
    time_s, sigma_s = np.linspace(0.0, 0.2, 32), np.full(32, 5e-9)
    misses = []
    for _ in range(60):
        moved = rng.standard_normal(32)
        for index in range(1, 32):
            moved[index] = 0.8 * moved[index - 1] + 0.6 * moved[index]
        law = fit_clock(time_s, 40e-9 * moved, sigma_s)
        assert law is not None
        later = np.array([1.0])
        misses.append(float(law(later)[0]) / law.sigma_s(later))
    assert np.std(misses) < 1.6
