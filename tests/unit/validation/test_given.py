"""What a program hands over is vetted as what a file holds: flagged, never silently wrong, never a traceback."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import heimdall
from heimdall.errors import InputError
from heimdall.observation import Observation, Place, Receiver, Reception
from heimdall.validation.given import vetted

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
PLACES = ((47.0, 8.0), (47.2, 8.1), (47.1, 8.4), (46.9, 8.2))
RATE_HZ = 48_000.0


def _noise(seed: int) -> Any:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(4096, 2)).astype(np.float32).view(np.complex64)[:, 0]


def _observation(**changes: Any) -> Observation:
    receptions = tuple(
        Reception(Receiver(f"r{index}", *place, clock_sigma_s=1e-7), samples=_noise(index), sample_rate_hz=RATE_HZ)
        for index, place in enumerate(PLACES)
    )
    return replace(Observation("x", 145.5e6, 12_500.0, receptions), **changes)


def _with(change: Callable[[Reception], Reception]) -> Observation:
    """With another second reception."""
    first, second, *others = _observation().receptions
    return _observation(receptions=(first, change(second), *others))


def _at(**changes: Any) -> Callable[[Reception], Reception]:
    return lambda reception: replace(reception, receiver=replace(reception.receiver, **changes))


def _broken(value: complex) -> Callable[[Reception], Reception]:
    def change(reception: Reception) -> Reception:
        samples = np.array(reception.samples)
        samples[5] = value
        return replace(reception, samples=samples)

    return change


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        (_broken(complex("nan")), "1 of its 4096 samples are not numbers"),
        (_broken(complex("inf")), "1 of its 4096 samples are not numbers"),
        (_at(latitude_deg=0.0, longitude_deg=0.0), "its position is (0, 0), which means none"),
        (_at(latitude_deg=95.0), "its position (95, 8.1) is not on the globe: are latitude and longitude swapped?"),
        (_at(latitude_deg=float("nan")), "its position is not known"),
        (_at(latitude_deg="47.2"), "its latitude_deg of '47.2' is not a number"),
        (_at(longitude_deg=None), "its longitude_deg of None is not a number"),
        (_at(height_m="high"), "its height_m of 'high' is not a number"),
        (_at(clock_sigma_s=-1e-7), "its clock uncertainty of -1e-07 cannot be right"),
        (_at(name="r0"), "a receiver named r0 is already there, elsewhere"),
        (lambda each: replace(each, sample_rate_hz=None), "its sample rate of None cannot be right"),
        (lambda each: replace(each, sample_rate_hz=0), "its sample rate of 0.0 cannot be right"),
        (lambda each: replace(each, start_s=None), "its start_s of None is not a number"),
        (lambda each: replace(each, toa_s=float("nan")), "its arrival time is not a number"),
        (lambda each: replace(each, rssi_dbm="-90"), "its rssi_dbm of '-90' is not a number"),
        (lambda each: replace(each, samples=each.samples[:0]), "it holds no samples"),
        (lambda each: replace(each, samples=[]), "it holds no samples"),
        (lambda each: replace(each, samples=each.samples * 0), "no signal: all samples are the same"),
        (lambda each: replace(each, samples=each.samples[None]), "its samples have the shape (1, 4096)"),
        (
            lambda each: replace(each, samples=(each.samples.view(np.float32) * 1000).astype(np.int16)),
            "its samples are int16, not complex: make one complex number of each pair of I and Q",
        ),
        (lambda each: replace(each, samples=["a"] * 100), "its samples are <U1, not complex numbers"),
        (lambda each: replace(each, samples=[[1, 2], [3]]), "its samples, of type list, are no array"),
    ],
)
def test_a_reception_that_must_not_be_used_is_flagged_and_the_others_are_located(
    change: Callable[[Reception], Reception], flaw: str
) -> None:
    (fix,) = heimdall.locate(_with(change))
    reasons = [(each.reason or "") for each in fix.receivers]
    assert reasons[1].startswith(flaw)
    assert not any(flaw in reason for reason in (reasons[0], *reasons[2:]))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"bandwidth_hz": 0.0}, "x: its bandwidth of 0 Hz cannot be right"),
        ({"bandwidth_hz": -5}, "x: its bandwidth of -5 Hz cannot be right"),
        ({"bandwidth_hz": float("nan")}, "x: its bandwidth of nan Hz cannot be right"),
        ({"bandwidth_hz": None}, "x: its bandwidth_hz None is not a number"),
        ({"frequency_hz": "145.5 MHz"}, "x: its frequency_hz '145.5 MHz' is not a number"),
        ({"frequency_hz": True}, "x: its frequency_hz True is not a number"),
        ({"frequency_hz": 10**400}, "x: its frequency_hz 1000.* is not a number"),
        ({"transmitter_height_m": "low"}, "x: its transmitter_height_m 'low' is not a number"),
        ({"truth": (47.0, 8.0)}, "x: its truth is of type tuple: a Place is expected"),
        ({"receptions": None}, "x: its receptions are of type NoneType: Receptions are expected"),
        ({"receptions": np.array(3)}, "x: its receptions are of type ndarray: Receptions are expected"),
        ({"receptions": ({},)}, r"x: its receptions\[0\] is of type dict: a Reception is expected"),
        ({"receptions": (Reception(None),)}, r"x: its receptions\[0\].receiver is of type NoneType"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_an_observation_is_one_line(change: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match=line):
        heimdall.locate([_observation(**change)])


def test_what_is_no_observation_is_told_by_its_place() -> None:
    with pytest.raises(InputError, match=r"observations\[1\] is of type dict: an Observation is expected"):
        heimdall.locate([_observation(), {}])  # type: ignore[list-item]


def test_powers_without_their_sign_are_left_out_with_a_note() -> None:
    receptions = [
        replace(each, samples=None, toa_s=1e-5 * index, rssi_dbm=80.0 + index)
        for index, each in enumerate(_observation().receptions)
    ]
    fixes = heimdall.locate(_observation(receptions=receptions))
    assert [each.rssi_dbm for each in fixes.observations[0].receptions] == [None] * 4
    assert "is the minus sign missing?" in fixes.observations[0].notes[0]


def test_numbers_and_arrays_of_any_kind_are_taken() -> None:
    """A strided or a longer complex array, numpy's numbers, and lists are what programs have at hand."""
    plain = _observation()

    def other(reception: Reception) -> Reception:
        samples = np.repeat(np.asarray(reception.samples, dtype=np.complex128), 2)[::2]
        place = replace(reception.receiver, latitude_deg=np.float64(reception.receiver.latitude_deg), height_m=None)  # type: ignore[arg-type]
        return replace(reception, receiver=place, samples=samples, sample_rate_hz=48_000)  # type: ignore[arg-type]

    given = replace(
        plain,
        frequency_hz=145_500_000,
        bandwidth_hz=np.array(12_500),
        receptions=[other(each) for each in plain.receptions],
    )  # type: ignore[arg-type]
    (found,) = vetted(each for each in [given])
    assert [each.receiver for each in found.receptions] == [each.receiver for each in plain.receptions]
    for one, other_one in zip(found.receptions, plain.receptions, strict=True):
        assert one.flaw is None
        assert one.samples is not None
        assert one.samples.dtype == np.complex64
        np.testing.assert_array_equal(one.samples, other_one.samples)


def test_a_time_without_a_zone_is_utc_and_what_is_no_time_is_left_out() -> None:
    (naive,) = vetted([_observation(time_utc=datetime(2025, 1, 1, 12))])
    assert naive.time_utc == datetime(2025, 1, 1, 12, tzinfo=UTC)
    (text,) = vetted([_observation(time_utc="2025-01-01")])
    assert text.time_utc is None
    assert "its time_utc '2025-01-01' is not used: it is not a datetime" in text.notes


def test_a_known_transmitter_nowhere_is_left_out_with_a_note() -> None:
    (found,) = vetted([_observation(truth=Place("47", 8.0))])  # type: ignore[arg-type]
    assert found.truth is None
    assert found.notes == ("the known transmitter is not compared with: its position is not known",)


def test_one_receiver_is_too_few_and_costs_no_other_observation() -> None:
    alone = _observation(id="alone", receptions=_observation().receptions[:1])
    fixes = heimdall.locate([alone, _observation(receptions=()), _observation()])
    assert [fix.status for fix in fixes][:2] == [heimdall.Status.INSUFFICIENT] * 2
    assert len(fixes) == 3


@pytest.mark.parametrize("name", ["rocket.jsonl", "simulated-session"])
def test_what_a_reader_vetted_does_not_change(name: str) -> None:
    for observation in heimdall.read_observations(EXAMPLES / name):
        _is_unchanged(observation)


@pytest.mark.parametrize(
    "changes",
    [
        {"frequency_hz": 145.5},
        {"bandwidth_hz": 1e6},
        {"frequency_hz": 100e3, "bandwidth_hz": 96e3},
        {"transmitter_height_m": 10.0, "height_m": 900.0},
        {"rssi_dbm": 80.0},
        {"truth": Place(8.1, 47.1)},
    ],
)
def test_vetting_once_more_doubles_no_note(changes: dict[str, Any]) -> None:
    own = {"rssi_dbm": changes.pop("rssi_dbm", None)}
    height_m = changes.pop("height_m", 0.0)
    receptions = tuple(
        replace(each, receiver=replace(each.receiver, height_m=height_m), **own) for each in _observation().receptions
    )
    (once,) = vetted([_observation(receptions=receptions, **changes)])
    assert once.notes
    _is_unchanged(once)


def _is_unchanged(observation: Observation) -> None:
    (again,) = vetted([observation])
    for field in vars(observation):
        if field != "receptions":
            assert getattr(again, field) == getattr(observation, field)
    for one, other in zip(again.receptions, observation.receptions, strict=True):
        assert one.samples is other.samples
        assert {**vars(one), "samples": None} == {**vars(other), "samples": None}


_JUNK = (
    *(None, "x", True, float("nan"), float("inf"), -1e300, 10**400, 0, -1, 1e9, [], {}, 3 + 4j, object()),
    *(np.float32(3), np.array([1, 2]), np.array(5.0), np.zeros(5000, np.complex64), np.ones((3, 3)), _noise(9).real),
    np.array([object()]),
    _noise(9).astype(complex) * 1e300,
)
_FIELDS = {
    "observation": ("id", "time_utc", "transmitter_height_m", "truth", "frequency_hz", "bandwidth_hz", "receptions"),
    "reception": ("samples", "sample_rate_hz", "start_s", "toa_s", "toa_step_s", "rssi_dbm", "sensitivity_dbm"),
    "receiver": ("name", "latitude_deg", "longitude_deg", "height_m", "clock_sigma_s", "position_sigma_m"),
}
_changes = st.sampled_from(sorted(_FIELDS)).flatmap(
    lambda owner: st.tuples(st.just(owner), st.sampled_from(_FIELDS[owner]), st.sampled_from(_JUNK))
)


@settings(max_examples=60, deadline=None)
@given(changes=st.lists(_changes, min_size=1, max_size=3))
def test_whatever_stands_in_a_field_gives_a_fix_or_one_error(changes: list[tuple[str, str, Any]]) -> None:
    own: dict[str, dict[str, Any]] = {owner: {} for owner in _FIELDS}
    for owner, field, value in changes:
        own[owner][field] = value
    wrong = _with(lambda each: _at(**own["receiver"])(replace(each, **own["reception"])))
    with contextlib.suppress(InputError):
        assert len(heimdall.locate(replace(wrong, **own["observation"]))) == 1
