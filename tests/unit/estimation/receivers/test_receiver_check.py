"""Over many observations the bad receiver is named, and what is wrong with it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import heimdall
from heimdall.estimation.receivers.receiver_check import ReceiverCheck, check_receivers, evenly
from heimdall.observation import Observation, Place

MakeObservation = Callable[..., Observation]
FIVE = [(50.2, 10.1), (49.8, 10.3), (50.1, 9.6), (49.9, 9.7), (50.3, 10.6)]
COUNT = 14
ROCKET = Path(__file__).parents[4] / "examples" / "rocket.jsonl"


def observed(make_observation: MakeObservation, known: bool) -> Iterator[Observation]:
    """Transmitters all round, with clocks and levels as they are."""
    rng = np.random.default_rng(7)
    for number in range(COUNT):
        truth = Place(50.0 + rng.uniform(-0.25, 0.25), 10.1 + rng.uniform(-0.4, 0.4), 0.0)
        made = make_observation(FIVE, truth)
        receptions = tuple(
            replace(each, toa_s=each.toa_s + rng.normal(0, 1e-7), rssi_dbm=each.rssi_dbm + rng.normal(0, 3))
            for each in made.receptions
        )
        yield replace(made, id=f"{number}", receptions=receptions, truth=truth if known else None)


def with_fault(observation: Observation, index: int, **changes: object) -> Observation:
    receptions = list(observation.receptions)
    receptions[index] = replace(receptions[index], **changes)
    return replace(observation, receptions=tuple(receptions))


def worst(observations: list[Observation]) -> ReceiverCheck:
    return check_receivers(observations)[0]


@pytest.mark.parametrize("known", [True, False])
def test_good_receivers_are_not_suspicious(make_observation: MakeObservation, known: bool) -> None:
    found = check_receivers(list(observed(make_observation, known)))
    assert {each.name for each in found} == {f"R{index}" for index in range(5)}
    assert all(each.suspicion == "" for each in found)
    assert all(each.timed == each.observations == COUNT for each in found)


@pytest.mark.parametrize("known", [True, False])
def test_a_late_clock_is_named_with_its_delay(make_observation: MakeObservation, known: bool) -> None:
    """6 us, whether or not the transmitters are known, and nobody else is accused."""
    late = [with_fault(each, 3, toa_s=each.receptions[3].toa_s + 6e-6) for each in observed(make_observation, known)]
    first, *others = check_receivers(late)
    assert first.name == "R3"
    assert "its clock is late by" in first.suspicion
    assert first.median_late_s == pytest.approx(6e-6, abs=1e-6)
    assert all(each.suspicion == "" for each in others)


@pytest.mark.parametrize(("north_deg", "off"), [(0.036, "4 km"), (-0.16, "18 km"), (0.9, "100 km")])
@pytest.mark.parametrize("known", [True, False])
def test_a_wrong_place_is_told_from_a_wrong_clock(
    make_observation: MakeObservation, north_deg: float, off: str, known: bool
) -> None:
    """Transmitters all round it, near or far from where it says it is, are late from one side and early from the other."""
    wrong = []
    for each in observed(make_observation, known):
        receiver = each.receptions[0].receiver
        wrong.append(with_fault(each, 0, receiver=replace(receiver, latitude_deg=receiver.latitude_deg + north_deg)))
    first = worst(wrong)
    assert first.name == "R0"
    assert f"its position is off by about {off}" in first.suspicion


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("drift", [3e-6, -2e-7])
def test_a_clock_that_drifts_is_told_from_one_that_jumps(
    make_observation: MakeObservation, drift: float, dated: bool
) -> None:
    """In parts per million where times are known, from the first to the last where they are not."""
    begin, chance = datetime(2025, 1, 1, tzinfo=UTC), np.random.default_rng(5)
    at_s = np.cumsum(chance.uniform(2, 30, COUNT)) if dated else np.arange(COUNT) * 12.0
    drifting = [
        replace(
            with_fault(each, 1, toa_s=each.receptions[1].toa_s + drift * float(at)),
            time_utc=begin + timedelta(seconds=float(at)) if dated else None,
        )
        for each, at in zip(observed(make_observation, True), at_s, strict=True)
    ]
    first, *others = check_receivers(drifting)
    assert first.name == "R1"
    words = re.fullmatch(r"its clock drifts, by (\S+) (ppm|us over these observations)", first.suspicion)
    assert words is not None
    assert float(words[1]) == pytest.approx(1e6 * drift if dated else 12e6 * abs(drift) * (COUNT - 1), rel=0.1)
    assert dated == (words[2] == "ppm")
    assert not any(each.suspicion for each in others)


def test_jumping_stamps_and_a_low_level_are_named(make_observation: MakeObservation) -> None:
    rng = np.random.default_rng(3)
    jumping = [
        with_fault(
            each, 1, toa_s=each.receptions[1].toa_s + rng.normal(0, 40e-6), rssi_dbm=each.receptions[1].rssi_dbm - 20
        )
        for each in observed(make_observation, True)
    ]
    first = worst(jumping)
    assert first.name == "R1"
    assert "its time stamps jump" in first.suspicion
    assert "dB low" in first.suspicion


def test_a_receiver_that_is_seldom_used_is_named_with_the_reason(make_observation: MakeObservation) -> None:
    deaf = [
        with_fault(each, 2, flaw="no signal: all samples are the same") for each in observed(make_observation, True)
    ]
    first = worst(deaf)
    assert first.name == "R2"
    assert first.unused_share == 1.0
    assert first.suspicion == "not used in 100 % of the observations: no signal: all samples are the same"
    assert first.median_late_s is None


def test_of_many_observations_some_are_taken_evenly(make_observation: MakeObservation) -> None:
    many = [make_observation()] * 10
    assert len(evenly(many, 4)) == 4
    assert evenly(many, 20) is many
    assert evenly(list(range(10)), 4) == [0, 3, 6, 9]  # type: ignore[arg-type]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("late", "offset_s"), [((0, 2, 5), 8e-6), ((0, 1, 4, 7), -15e-6)])
def test_receivers_that_share_an_offset_are_named_together(
    make_observation: MakeObservation, known: bool, late: tuple[int, ...], offset_s: float
) -> None:
    """Up to half of them, of which no receiver alone can be told from the rest; nobody else is accused."""
    rng = np.random.default_rng(3)
    places = [*FIVE, (50.4, 9.9), (49.7, 10.0), (50.0, 10.7)]
    observations = []
    for _ in range(COUNT):
        truth = Place(50.0 + rng.uniform(-0.25, 0.25), 10.1 + rng.uniform(-0.4, 0.4), 0.0)
        made = make_observation(places, truth)
        receptions = tuple(
            replace(each, toa_s=each.toa_s + rng.normal(0, 1e-7) + offset_s * (index in late))
            for index, each in enumerate(made.receptions)
        )
        observations.append(replace(made, receptions=receptions, truth=truth if known else None))
    found = {each.name: each for each in check_receivers(observations)}
    apart = {f"R{index}" for index in late}
    if 2 * len(late) == len(places) and f"R{late[0]}" not in _named(found):
        apart, offset_s = set(found) - apart, -offset_s
    assert _named(found) == apart
    for name in apart:
        assert found[name].median_late_s == pytest.approx(offset_s, abs=1e-6)
        assert f"its clock is {'late' if offset_s > 0 else 'early'} by" in found[name].suspicion
        assert all(other in found[name].suspicion for other in apart - {name})


def _named(found: dict[str, ReceiverCheck]) -> set[str]:
    return {name for name, each in found.items() if each.suspicion}


def test_a_far_place_that_only_a_clock_as_far_off_makes_up_for_is_not_suspected() -> None:
    """A rocket's packets come from nearly one direction: a place among them would explain some of the noise."""
    packets = list(heimdall.read_observations(ROCKET))
    assert all(each.suspicion == "" for each in check_receivers(evenly(packets, 20)))
