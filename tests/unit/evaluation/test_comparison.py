"""Comparing methods: every answer is held against its own truth, and only answers are kept."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from heimdall.errors import InputError
from heimdall.estimation.integrity.fault_odds import FaultOdds
from heimdall.estimation.region import GridPosterior, to_geodetic
from heimdall.evaluation.comparison import (
    Case,
    Comparison,
    Label,
    Method,
    case_of,
    chunks,
    compare,
    joined,
    needed_mass,
    truth_inside,
)
from heimdall.geometry import LocalFrame
from heimdall.locating.located import Located
from heimdall.locating.pipeline import locate_each
from heimdall.observation import Observation, Place

MakeObservation = Callable[..., Observation]
FRAME = LocalFrame(50.0, 10.0)


def run(
    cases: Iterable[Case], methods: list[Method], on_progress: Callable[[int], None] = lambda done: None
) -> Comparison:
    """As the program does it, in this process."""
    return joined((compare(chunk, methods) for chunk in chunks(cases)), on_progress)


def _normal_posterior(sigma_m: float = 500.0) -> GridPosterior:
    axis = 4000 * ((2 * np.arange(81) + 1) / 81 - 1)
    east, north = np.meshgrid(axis, axis)
    mass = np.exp(-0.5 * (east**2 + north**2) / sigma_m**2)
    return GridPosterior(FRAME, 0.0, axis, axis, mass / mass.sum())


def _place(east_m: float, north_m: float) -> Place:
    latitude, longitude, height = to_geodetic(FRAME, np.array([east_m, north_m]), 0.0)
    return Place(float(latitude), float(longitude), float(height))


@pytest.mark.parametrize("radius_m", [0.0, 300.0, 700.0, 1500.0])
def test_the_mass_needed_is_that_of_the_region_through_the_truth(radius_m: float) -> None:
    """Of a round normal: 1 - exp(-r^2 / 2 sigma^2)."""
    needed = needed_mass(_normal_posterior(), _place(0.6 * radius_m, -0.8 * radius_m))
    assert needed == pytest.approx(1 - math.exp(-0.5 * (radius_m / 500) ** 2), abs=0.015)


def test_a_truth_outside_the_grid_needs_everything() -> None:
    assert needed_mass(_normal_posterior(), _place(5000, 0)) == 1


def test_the_mass_needed_says_what_the_regions_say(make_observation: MakeObservation) -> None:
    """Inside the 68 % region just when 68 % suffice."""
    located = next(locate_each([make_observation()]))
    assert located.posterior is not None
    for offset in np.linspace(0, 0.004, 9):
        place = Place(50.02 + offset, 10.05, 0.0)
        needed = needed_mass(located.posterior, place)
        assert located.fix.region_68 is not None
        if abs(needed - 0.68) > 0.03:
            assert (needed < 0.68) == located.fix.region_68.contains(place.latitude_deg, place.longitude_deg)


def test_a_transmitter_is_inside_when_receivers_surround_it(make_observation: MakeObservation) -> None:
    inside, outside = make_observation(), make_observation(truth=Place(50.8, 10.1, 0.0))
    assert truth_inside(inside)
    assert not truth_inside(outside)
    surrounded = replace(inside, receptions=inside.receptions[:2])
    assert not truth_inside(surrounded)


def test_flagged_receivers_surround_nobody(make_observation: MakeObservation) -> None:
    observation = make_observation()
    receptions = [replace(r, flaw="it lies" if r.receiver.longitude_deg < 10 else None) for r in observation.receptions]
    assert not truth_inside(replace(observation, receptions=tuple(receptions)))


def test_an_observation_without_a_truth_is_refused(make_observation: MakeObservation) -> None:
    with pytest.raises(InputError, match="made up: no truth to compare with"):
        case_of(replace(make_observation(), truth=None))


def test_labels_of_recordings_are_read_off_their_receivers(make_observation: MakeObservation) -> None:
    label = case_of(make_observation(clock_sigma_s=50e-9)).label
    assert (label.clock, label.inside, label.receivers) == ("100 ns or better", True, 5)
    assert math.isnan(label.blocked_share)
    assert np.all(np.isinf(label.bound_m2))
    observation = make_observation()
    poor = replace(observation.receptions[0].receiver, clock_sigma_s=1e-3)
    mixed = replace(
        observation, receptions=(replace(observation.receptions[0], receiver=poor), *observation.receptions[1:])
    )
    assert case_of(mixed).label.clock == "mixed"


def _cases(observations: Sequence[Observation]) -> Iterator[Case]:
    for observation in observations:
        yield Case(observation, Label("30 ns", True, 5))


def test_every_method_answers_every_case_in_order(make_observation: MakeObservation) -> None:
    """More cases than are held at a time; progress counts up to all of them."""
    observations = [make_observation(truth=Place(50.0 + 0.001 * k, 10.05, 0.0)) for k in range(18)]
    seen: list[int] = []
    methods = [Method("one", locate_each), Method("two", locate_each)]
    comparison = run(_cases(observations), methods, seen.append)
    assert list(comparison.answers) == ["one", "two"]
    assert seen == [16, 18]
    for located, answer in zip(locate_each(observations[:3]), comparison.answers["two"][:3], strict=True):
        assert located.fix.truth is not None
        assert answer.error_m == pytest.approx(located.fix.truth.error_m, abs=0.01)
        assert answer.covered[1:] == (located.fix.truth.inside_68, located.fix.truth.inside_95)


def test_a_fix_that_failed_is_infinitely_far_off(make_observation: MakeObservation) -> None:
    lonely = replace(make_observation(), receptions=make_observation().receptions[:1])
    answer = run(_cases([lonely]), [Method("any", locate_each)]).answers["any"][0]
    assert math.isinf(answer.error_m)
    assert answer.covered == (False, False, False)


def _calibrated(observations: Sequence[Observation], odds: FaultOdds) -> Iterator[Located]:
    """The likelihood with regions of nearly twice the mass."""
    return (replace(located, mass=lambda p: min(1.0, 1.8 * p)) for located in locate_each(observations, odds=odds))


def test_calibration_shifts_which_region_holds_the_truth(make_observation: MakeObservation) -> None:
    """A method whose 50 % region has a mass of 0.9 needs less probability to hold the truth."""
    observation = make_observation(truth=Place(50.0202, 10.05, 0.0))
    arrivals = tuple(
        replace(r, toa_s=None if r.toa_s is None else r.toa_s + 4e-7 * k) for k, r in enumerate(observation.receptions)
    )
    observation = replace(observation, receptions=arrivals)
    plain = run(_cases([observation]), [Method("any", locate_each)]).answers["any"][0]
    wide = run(_cases([observation]), [Method("any", _calibrated)]).answers["any"][0]
    assert 0.05 < plain.needed_probability < 0.99
    assert wide.needed_probability == pytest.approx(plain.needed_probability / 1.8, abs=0.01)


def test_nothing_to_compare_is_said(make_observation: MakeObservation) -> None:
    def nothing(observations: Sequence[Observation]) -> list[Located]:
        raise AssertionError

    with pytest.raises(InputError, match="nothing to evaluate"):
        run(iter([]), [Method("any", nothing)])
