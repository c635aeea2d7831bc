"""From an observation to evidence: who is used for what, and why not."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from heimdall.errors import InputError
from heimdall.evidence.collect import collect
from heimdall.observation import Observation, Receiver, Reception

MakeSignal = Callable[..., NDArray[np.complex64]]
PLACES = [(50.2, 10.1), (49.8, 10.3), (50.1, 9.6), (49.9, 9.7)]


def _receivers(clock_sigma_s: float | None = 1e-7) -> list[Receiver]:
    return [Receiver(f"R{index}", *place, 100.0 * index, clock_sigma_s) for index, place in enumerate(PLACES)]


def _table(**changes: object) -> Observation:
    receptions = [
        Reception(receiver, toa_s=7.0 + 1e-4 * index, rssi_dbm=-80.0 - index)
        for index, receiver in enumerate(_receivers())
    ]
    return replace(Observation("table", 150e6, 25e3, tuple(receptions)), **changes)  # type: ignore[arg-type]


def _recorded(samples: NDArray[np.complex64], start_s: object = 0.0, clock_sigma_s: float | None = 1e-7) -> Observation:
    starts = np.broadcast_to(np.asarray(start_s, dtype=float), len(samples))
    receptions = [
        Reception(receiver, samples=each, sample_rate_hz=50e3, start_s=float(start))
        for receiver, each, start in zip(_receivers(clock_sigma_s), samples, starts, strict=False)
    ]
    return Observation("iq", 150e6, 25e3, tuple(receptions))


def _change(observation: Observation, index: int, **changes: object) -> Observation:
    receptions = list(observation.receptions)
    receptions[index] = replace(receptions[index], **changes)  # type: ignore[arg-type]
    return replace(observation, receptions=tuple(receptions))


def test_a_table_becomes_evidence_number_for_number() -> None:
    collected = collect(_table())
    evidence = collected.evidence
    np.testing.assert_allclose(evidence.arrival_s[0], 1e-4 * np.arange(4), atol=1e-12)
    np.testing.assert_allclose(evidence.level_db[0], -80.0 - np.arange(4))
    np.testing.assert_allclose(evidence.clock_sigma_s, 1e-7)
    assert evidence.has_arrival.all()
    assert evidence.has_level.all()
    assert collected.reasons == (None,) * 4


def test_receivers_lie_where_their_coordinates_say() -> None:
    collected = collect(_table())
    latitude, longitude, height = collected.frame.to_geodetic(collected.evidence.position_enu_m[0])
    np.testing.assert_allclose(np.stack([latitude, longitude], axis=-1), PLACES, atol=1e-9)
    np.testing.assert_allclose(height, 100.0 * np.arange(4), atol=1e-3)


def test_a_flagged_receiver_is_never_part_of_the_evidence() -> None:
    """Neither its number nor its place: not the frame, not the area, not the masks."""
    flagged = _change(_table(), 3, flaw="its position is (0, 0), which stands for none")
    nowhere = _change(flagged, 3, receiver=Receiver("R3", 0.0, 0.0))
    three = replace(_table(), receptions=_table().receptions[:3])
    for observation in (flagged, nowhere):
        evidence, reference = collect(observation).evidence, collect(three).evidence
        assert evidence.present.shape == (1, 3)
        np.testing.assert_array_equal(evidence.position_enu_m, reference.position_enu_m)
        np.testing.assert_array_equal(evidence.half_width_m, reference.half_width_m)
    assert collect(flagged).reasons[3] == "its position is (0, 0), which stands for none"


def test_a_flagged_recording_is_not_aligned_with_the_others(make_signal: MakeSignal) -> None:
    """Its span would cut the others' to nothing."""
    observation = _recorded(make_signal(np.zeros(4)), start_s=[0, 0, 0, 99.0])
    evidence = collect(_change(observation, 3, flaw="too late")).evidence
    assert evidence.has_arrival[0].tolist() == [True] * 3


@pytest.mark.parametrize("flawed", [3, 4])
def test_fewer_than_two_usable_receivers_are_refused_with_their_flaws(flawed: int) -> None:
    observation = _table()
    for index in range(flawed):
        observation = _change(observation, index, flaw="it lies")
    with pytest.raises(InputError, match=r"table: [01] usable receivers?, at least 2 are needed \(R0: it lies;"):
        collect(observation)


def test_arrival_times_that_are_missing_leave_the_power_and_say_so() -> None:
    collected = collect(_change(_table(), 1, toa_s=None))
    assert collected.evidence.has_arrival[0].tolist() == [True, False, True, True]
    assert collected.evidence.has_level.all()


def test_a_receiver_without_any_measurement_is_named() -> None:
    collected = collect(_change(_table(), 1, toa_s=None, rssi_dbm=None))
    assert collected.reasons[1] is not None
    assert collected.reasons[1].startswith("no signal: neither an arrival time nor a power")


def test_clocks_that_cannot_carry_time_are_named() -> None:
    clockless = _change(_table(), 0, receiver=replace(_receivers()[0], clock_sigma_s=None))
    poor = _change(clockless, 1, receiver=replace(_receivers()[1], clock_sigma_s=2e-3))
    collected = collect(poor)
    assert collected.reasons[0] == "no clock: power only"
    assert "clock of 0.002 s says nothing about a place in an area of" in str(collected.reasons[1])
    assert collected.evidence.has_arrival[0].tolist() == [False, False, True, True]


def test_the_area_grows_with_a_transmitter_high_above_ground() -> None:
    low, high = (float(collect(_table(transmitter_height_m=h)).evidence.half_width_m[0]) for h in (10.0, 10_000.0))
    assert high > low + 200e3


def test_an_unknown_height_is_that_of_the_receivers() -> None:
    assert collect(_table()).evidence.transmitter_height_m[0] == pytest.approx(150)
    assert collect(_table(transmitter_height_m=40.0)).evidence.transmitter_height_m[0] == 40


def test_level_uncertainty_is_the_measurements_else_the_receivers_else_our_own() -> None:
    observation = _change(_table(), 0, rssi_sigma_db=5.0)
    observation = _change(observation, 1, receiver=replace(_receivers()[1], level_sigma_db=3.0))
    np.testing.assert_allclose(collect(observation).evidence.level_sigma_db[0], [5, 3, 2, 2])


def test_samples_give_arrival_times_in_their_order(make_signal: MakeSignal) -> None:
    delay = np.array([0.0, 2e-4, 1e-4, 3e-4])
    evidence = collect(_recorded(make_signal(delay))).evidence
    np.testing.assert_allclose(evidence.arrival_s[0] - evidence.arrival_s[0, 0], delay, atol=5e-7)
    assert evidence.arrival_s.dtype == np.float64


def test_recordings_that_start_apart_are_aligned_by_their_stamps(make_signal: MakeSignal) -> None:
    delay, start = np.array([0.0, 2e-4, 1e-4, 3e-4]), np.array([0.0, 1.1e-3, -0.7e-3, 0.33e-3])
    evidence = collect(_recorded(make_signal(delay - start + 2e-3), start_s=start)).evidence
    np.testing.assert_allclose(evidence.arrival_s[0] - evidence.arrival_s[0, 0], delay, atol=5e-7)


def test_a_long_recording_is_cut_into_segments_that_agree(make_signal: MakeSignal) -> None:
    """Three seconds with an oscillator off by 25 Hz and drifting: the arrival times are those of the delays, and surer than
    a second's."""
    delay = np.array([0.0, 2e-4, 1e-4, 3e-4])
    long = _recorded(make_signal(delay, 3.0, samples=150_000, offset_hz=np.array([0.0, 25.0, -10.0, 3.0])))
    short = _recorded(make_signal(delay, 3.0, samples=50_000, offset_hz=np.array([0.0, 25.0, -10.0, 3.0])))
    evidence, of_a_second = collect(long).evidence, collect(short).evidence
    np.testing.assert_allclose(evidence.arrival_s[0] - evidence.arrival_s[0, 0], delay, atol=5e-7)
    assert len(evidence) == 1
    assert np.all(evidence.has_arrival)
    reference = int(np.argmin(evidence.arrival_sigma_s[0]))
    others = np.arange(4) != reference
    assert np.median(evidence.arrival_sigma_s[0, others] / of_a_second.arrival_sigma_s[0, others]) < 1.3


def test_a_receiver_with_numbers_alone_among_recordings_gives_no_time(make_signal: MakeSignal) -> None:
    observation = _recorded(make_signal(np.zeros(4)))
    mixed = _change(observation, 2, samples=None, sample_rate_hz=None, rssi_dbm=-90.0)
    collected = collect(mixed)
    assert collected.evidence.present.shape == (1, 4)
    assert collected.evidence.has_arrival[0].tolist() == [True, True, False, True]
    assert not collected.evidence.has_level[0, 2]


def test_recordings_without_clocks_give_levels_alone(make_signal: MakeSignal) -> None:
    collected = collect(_recorded(make_signal(np.zeros(4), 30.0), clock_sigma_s=None))
    assert not collected.evidence.has_arrival.any()
    assert collected.evidence.has_level.all()
    assert set(collected.reasons) == {"no clock: power only"}
