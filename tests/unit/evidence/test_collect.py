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


def _recorded(
    samples: NDArray[np.complex64],
    start_s: object = 0.0,
    clock_sigma_s: float | None = 1e-7,
    rate_hz: float = 50e3,
) -> Observation:
    starts = np.broadcast_to(np.asarray(start_s, dtype=float), len(samples))
    receptions = [
        Reception(receiver, samples=each, sample_rate_hz=rate_hz, start_s=float(start))
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


def test_an_arrival_time_is_no_better_than_it_is_written() -> None:
    """A step of 10 us leaves 2.9 us open, however good the clock is; one of 1 s leaves nothing to use."""
    evidence = collect(_change(_table(), 1, toa_step_s=1e-5)).evidence
    np.testing.assert_allclose(evidence.clock_sigma_s[0], [1e-7, 2.888e-6, 1e-7, 1e-7], rtol=1e-3)
    collected = collect(_change(_table(), 1, toa_step_s=1.0))
    assert not collected.evidence.has_arrival[0, 1]
    assert "clock of 0.29 s is too poor" in str(collected.reasons[1])


def test_receivers_lie_where_their_coordinates_say() -> None:
    collected = collect(_table())
    latitude, longitude, height = collected.frame.to_geodetic(collected.evidence.position_enu_m[0])
    np.testing.assert_allclose(np.stack([latitude, longitude], axis=-1), PLACES, atol=1e-9)
    np.testing.assert_allclose(height, 100.0 * np.arange(4), atol=1e-3)


def test_a_flagged_receiver_is_never_part_of_the_evidence() -> None:
    """Neither its number nor its place: not the frame, not the area, not the masks."""
    flagged = _change(_table(), 3, flaw="its position is (0, 0), which means none")
    nowhere = _change(flagged, 3, receiver=Receiver("R3", 0.0, 0.0))
    three = replace(_table(), receptions=_table().receptions[:3])
    for observation in (flagged, nowhere):
        evidence, reference = collect(observation).evidence, collect(three).evidence
        assert evidence.present.shape == (1, 3)
        np.testing.assert_array_equal(evidence.position_enu_m, reference.position_enu_m)
        np.testing.assert_array_equal(evidence.half_width_m, reference.half_width_m)
    assert collect(flagged).reasons[3] == "its position is (0, 0), which means none"


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
    with pytest.raises(
        InputError, match=r"table: [01] usable receivers?, at least 2 are needed \(R0 \(likewise R1, R2.*: it lies"
    ):
        collect(observation)


def test_what_is_wrong_with_all_receivers_is_said_once() -> None:
    """Also where its figures differ."""
    observation = _table()
    for index in range(4):
        observation = _change(observation, index, flaw=f"its received power of {index + 10.5} dBm cannot be right")
    with pytest.raises(InputError) as told:
        collect(observation)
    assert str(told.value).count("cannot be right") == 1
    assert "R0 (likewise R1, R2, R3): its received power of 10.5 dBm" in str(told.value)


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
    assert "clock of 0.002 s is too poor for an area of" in str(collected.reasons[1])
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


def test_a_power_among_recordings_counts_little_without_a_common_scale(make_signal: MakeSignal) -> None:
    """A number in dBm beside levels of recordings is used with the gains of receivers in its uncertainty, and that is said."""
    observation = _recorded(make_signal(np.zeros(4)))
    collected = collect(_change(observation, 2, samples=None, sample_rate_hz=None, rssi_dbm=-90.0))
    assert collected.evidence.present.shape == (1, 4)
    assert collected.evidence.has_arrival[0].tolist() == [True, True, False, True]
    assert collected.evidence.has_level[0].all()
    assert collected.evidence.level_sigma_db[0, 2] > 15
    assert "another scale" in str(collected.reasons[2])


def test_a_receiver_with_both_ties_the_powers_of_the_others(make_signal: MakeSignal) -> None:
    """Two receivers of equal level, one with IQ and dBm, the third with dBm alone: their levels differ as the dBm do."""
    observation = _recorded(make_signal(np.zeros(4), 100.0))
    observation = _change(observation, 0, rssi_dbm=-70.0)
    collected = collect(_change(observation, 2, samples=None, sample_rate_hz=None, rssi_dbm=-76.0, rssi_sigma_db=1.0))
    level = collected.evidence.level_db[0]
    assert level[2] - level[0] == pytest.approx(-6.0, abs=1e-9)
    assert collected.evidence.level_sigma_db[0, 2] == pytest.approx(1.0)
    assert collected.reasons[2] is None


def test_a_receiver_with_both_ties_the_arrival_times_of_the_others(make_signal: MakeSignal) -> None:
    """An arrival time of a receiver without IQ takes its place among those that were correlated."""
    delay = np.array([0.0, 2e-4, 1e-4, 3e-4])
    observation = _change(_recorded(make_signal(delay)), 0, toa_s=12.5)
    collected = collect(_change(observation, 2, samples=None, sample_rate_hz=None, toa_s=12.5 + 1e-4))
    arrival = collected.evidence.arrival_s[0]
    assert collected.evidence.has_arrival[0].all()
    np.testing.assert_allclose(arrival - arrival[0], delay, atol=5e-7)


def test_arrival_times_of_another_origin_are_named(make_signal: MakeSignal) -> None:
    """Without a receiver that gives both, the larger part is used and the reason for the other is true."""
    observation = _recorded(make_signal(np.zeros(4)))
    few = collect(_change(observation, 2, samples=None, sample_rate_hz=None, toa_s=12.5))
    assert few.evidence.has_arrival[0].tolist() == [True, True, False, True]
    assert "another origin" in str(few.reasons[2])
    many = observation
    for index in (1, 2, 3):
        many = _change(
            many, index, toa_s=12.5 + index * 1e-4, samples=None if index > 1 else many.receptions[1].samples
        )
    collected = collect(many)
    assert collected.evidence.has_arrival[0].all()


def test_one_wrong_stamp_costs_one_receiver(make_signal: MakeSignal) -> None:
    """A start an hour off is named; the others are located as if it were not there."""
    delay = np.array([0.0, 2e-4, 1e-4, 3e-4])
    collected = collect(_recorded(make_signal(delay), start_s=[0, 0, 3600, 0]))
    assert "recorded at another time, 3.6e+03 s after the others end" in str(collected.reasons[2])
    assert collected.evidence.present.shape == (1, 3)
    np.testing.assert_allclose(
        collected.evidence.arrival_s[0, 1:] - collected.evidence.arrival_s[0, 0], delay[[1, 3]], atol=5e-7
    )


def test_a_rate_in_another_unit_costs_one_receiver(make_signal: MakeSignal) -> None:
    """All are brought to the lowest rate: 50 Hz instead of 50 kHz would leave nothing of the others."""
    delay = np.array([0.0, 2e-4, 1e-4, 3e-4])
    collected = collect(_change(_recorded(make_signal(delay)), 2, sample_rate_hz=50.0))
    assert "it recorded 50 Hz of a channel of 25000 Hz" in str(collected.reasons[2])
    np.testing.assert_allclose(
        collected.evidence.arrival_s[0, 1:] - collected.evidence.arrival_s[0, 0], delay[[1, 3]], atol=5e-7
    )


def test_where_nobody_holds_the_channel_all_serve(make_signal: MakeSignal) -> None:
    collected = collect(replace(_recorded(make_signal(np.zeros(4))), bandwidth_hz=200e3))
    assert collected.reasons == (None,) * 4


def test_a_wrong_stamp_does_not_move_a_receiver_without_a_clock(make_signal: MakeSignal) -> None:
    """It starts with those that were recorded together."""
    observation = _recorded(make_signal(np.zeros(4), 30.0), start_s=[0, 0, 3600, 0])
    observation = _change(observation, 3, receiver=replace(_receivers()[3], clock_sigma_s=None))
    assert collect(observation).evidence.has_level[0].tolist() == [True] * 3


def test_one_short_file_does_not_cut_the_others(make_signal: MakeSignal) -> None:
    """A receiver with a tenth of a second beside two seconds has its arrival time, and theirs are as sure as without it."""
    delay = np.array([0.0, 2e-4, 1e-4, 3e-4])
    samples = make_signal(delay, 3.0, samples=100_000)
    observation = _recorded(samples)
    short = collect(_change(observation, 3, samples=samples[3, :5000])).evidence
    without = collect(replace(observation, receptions=observation.receptions[:3])).evidence
    np.testing.assert_allclose(short.arrival_s[0] - short.arrival_s[0, 0], delay, atol=3e-6)
    assert short.has_arrival.all()
    assert np.median(short.arrival_sigma_s[0, :3] / without.arrival_sigma_s[0]) < 1.3
    assert short.arrival_sigma_s[0, 3] > 2 * np.median(short.arrival_sigma_s[0, :3])


def test_each_pair_serves_in_the_span_it_shares(make_signal: MakeSignal) -> None:
    """Two receivers that never recorded at one time are tied by the third, which recorded with both."""
    delay = np.array([0.0, 2e-4, 1e-4])
    samples = make_signal(delay, 30.0, samples=150_000)
    observation = _recorded(samples, start_s=[0, 0, 1.6])
    observation = _change(observation, 1, samples=samples[1, :70_000])
    observation = _change(observation, 2, samples=samples[2, 80_000:])
    evidence = collect(observation).evidence
    np.testing.assert_allclose(evidence.arrival_s[0] - evidence.arrival_s[0, 0], delay, atol=5e-7)


def test_a_silent_second_costs_no_certainty(make_signal: MakeSignal) -> None:
    """One second in five without a signal at one receiver: its figures are those of the others, not what fills the gap."""
    samples = make_signal(np.array([0.0, 2e-4, 1e-4, 3e-4]), 30.0, samples=250_000)
    whole = collect(_recorded(samples)).evidence
    rng = np.random.default_rng(5)
    for second in (0, 3):
        gap = samples.copy()
        gap[1, second * 50_000 : (second + 1) * 50_000] = 0.01 * rng.normal(size=100_000).view(complex)
        evidence = collect(_recorded(gap)).evidence
        assert evidence.has_arrival.all()
        assert evidence.arrival_sigma_s[0, 1] < 1.5 * whole.arrival_sigma_s[0, 1] + 5e-8
        assert evidence.level_sigma_db[0, 1] == pytest.approx(whole.level_sigma_db[0, 1], rel=0.05)
        assert evidence.level_db[0, 1] == pytest.approx(whole.level_db[0, 1], abs=0.2)


def test_a_wide_recording_tells_as_much_as_one_of_its_channel(make_signal: MakeSignal) -> None:
    """A channel of 5 kHz in 200 kHz, with another signal in the same recording, and the same at 20 kHz."""
    delay, seconds = np.array([0.0, 2e-4, 1e-4, 3e-4]), 0.5
    wide = {"samples": int(200e3 * seconds), "sample_rate_hz": 200e3}
    channel = make_signal(delay, 10.0, bandwidth_hz=5e3, seed=1, **wide)
    beside = make_signal(-delay, 1e6, bandwidth_hz=30e3, offset_hz=60e3, seed=2, **wide)
    observation = replace(_recorded(channel + 10 * beside, rate_hz=200e3), bandwidth_hz=5e3, frequency_hz=10e6)
    evidence = collect(observation).evidence
    narrow = make_signal(delay, 10.0, bandwidth_hz=5e3, seed=1, samples=int(20e3 * seconds), sample_rate_hz=20e3)
    expected = collect(replace(_recorded(narrow, rate_hz=20e3), bandwidth_hz=5e3, frequency_hz=10e6)).evidence
    found_s = evidence.arrival_s[0] - evidence.arrival_s[0, 0]
    np.testing.assert_allclose(found_s, delay, atol=4 * float(np.max(evidence.arrival_sigma_s)))
    np.testing.assert_allclose(evidence.arrival_sigma_s, expected.arrival_sigma_s, rtol=0.3)
    np.testing.assert_allclose(evidence.snr, expected.snr, rtol=0.2)


def test_more_segments_than_are_looked_at_together_make_one_arrival_time(make_signal: MakeSignal) -> None:
    delay = np.array([0.0, 2e-4, 1e-4, 3e-4])
    samples = make_signal(delay, 10.0, samples=900_000, sample_rate_hz=100e3)
    evidence = collect(_recorded(samples, rate_hz=100e3)).evidence
    found_s = evidence.arrival_s[0] - evidence.arrival_s[0, 0]
    np.testing.assert_allclose(found_s, delay, atol=4 * float(np.max(evidence.arrival_sigma_s)))


@pytest.mark.parametrize("parts", [1e-6, -1e-6, 12e-6])
def test_a_carrier_that_is_off_as_oscillators_are_is_found_and_said(make_signal: MakeSignal, parts: float) -> None:
    """One part in a million and more at 433 MHz, far beyond what is searched at first."""
    delay = np.array([0.0, 2e-4, 1e-4, 3e-4])
    offset_hz = np.array([0.0, 0.0, parts * 433e6, 0.0])
    samples = make_signal(delay, 10.0, samples=8192, bandwidth_hz=12.5e3, offset_hz=offset_hz)
    observation = replace(_recorded(samples), frequency_hz=433e6, bandwidth_hz=12.5e3)
    collected = collect(observation)
    evidence = collected.evidence
    assert evidence.has_arrival.all()
    np.testing.assert_allclose(evidence.arrival_s[0] - evidence.arrival_s[0, 0], delay, atol=2e-6)
    assert f"({parts * 1e6:+.1f}"[:-1] in str(collected.reasons[2])
    assert "ppm" in str(collected.reasons[2])
    assert [collected.reasons[index] for index in (0, 1, 3)] == [None] * 3


@pytest.mark.parametrize("offset_hz", [0.0, -25.0, 900.0])
@pytest.mark.parametrize("snr", [3.0, 100.0])
def test_a_mirrored_spectrum_is_found_and_said(make_signal: MakeSignal, offset_hz: float, snr: float) -> None:
    """I and Q swapped at one receiver, at its own carrier: its arrival time is as good as the others'."""
    delay = np.array([0.0, 2e-4, 1e-4, 3e-4])
    offsets = np.array([0.0, 0.0, offset_hz, 10.0])
    samples = make_signal(delay, snr, samples=8192, bandwidth_hz=12.5e3, offset_hz=offsets)
    samples[2] = samples[2].imag + 1j * samples[2].real
    collected = collect(replace(_recorded(samples), frequency_hz=433e6, bandwidth_hz=12.5e3))
    evidence = collected.evidence
    assert evidence.has_arrival.all()
    np.testing.assert_allclose(evidence.arrival_s[0] - evidence.arrival_s[0, 0], delay, atol=2e-6)
    assert "mirrored" in str(collected.reasons[2])
    assert ("ppm" in str(collected.reasons[2])) == (offset_hz == 900.0)
    assert [collected.reasons[index] for index in (0, 1, 3)] == [None] * 3


def test_a_chance_offset_does_not_hide_a_mirrored_spectrum(make_signal: MakeSignal) -> None:
    """Of the samples and their conjugate the one counts that agrees better, whatever the first one offers."""
    delay = np.array([0.0, 2e-4, 1e-4, 3e-4])
    for seed in range(12):
        samples = make_signal(delay, 20.0, samples=14_400, sample_rate_hz=48e3, bandwidth_hz=12.5e3, seed=seed)
        samples[1] = np.conj(samples[1])
        collected = collect(replace(_recorded(samples, rate_hz=48e3), frequency_hz=145e6, bandwidth_hz=12.5e3))
        assert collected.evidence.has_arrival.all()
        assert "mirrored" in str(collected.reasons[1])


def test_receivers_that_are_all_mirrored_agree(make_signal: MakeSignal) -> None:
    delay = np.array([0.0, 2e-4, 1e-4, 3e-4])
    collected = collect(_recorded(np.conj(make_signal(delay, 30.0))))
    evidence = collected.evidence
    np.testing.assert_allclose(evidence.arrival_s[0] - evidence.arrival_s[0, 0], delay, atol=2e-6)
    assert set(collected.reasons) == {None}


def test_a_receiver_without_a_clock_does_not_keep_a_carrier_from_being_found(make_signal: MakeSignal) -> None:
    delay = np.array([0.0, 2e-4, 1e-4, 3e-4])
    samples = make_signal(delay, 10.0, samples=8192, bandwidth_hz=12.5e3, offset_hz=np.array([0.0, 0.0, 433.0, 0.0]))
    observation = replace(_recorded(samples), frequency_hz=433e6, bandwidth_hz=12.5e3)
    clockless = _change(observation, 0, receiver=replace(_receivers()[0], clock_sigma_s=None))
    assert collect(clockless).evidence.has_arrival[0].tolist() == [False, True, True, True]


def test_carriers_that_are_all_off_are_found(make_signal: MakeSignal) -> None:
    delay = np.array([0.0, 2e-4, 1e-4])
    samples = make_signal(delay, 10.0, samples=8192, bandwidth_hz=12.5e3, offset_hz=np.array([433.0, -433.0, -20.0]))
    evidence = collect(replace(_recorded(samples), frequency_hz=433e6, bandwidth_hz=12.5e3)).evidence
    assert evidence.has_arrival.all()
    np.testing.assert_allclose(evidence.arrival_s[0] - evidence.arrival_s[0, 0], delay, atol=2e-6)


def test_noise_has_no_carrier(make_signal: MakeSignal) -> None:
    samples = make_signal(np.zeros(4), np.array([30.0, 30.0, 1e-9, 30.0]), samples=8192)
    collected = collect(replace(_recorded(samples), frequency_hz=433e6))
    assert collected.evidence.has_arrival[0].tolist() == [True, True, False, True]
    assert str(collected.reasons[2]).startswith("no arrival time that agrees")


def test_recordings_without_clocks_give_levels_alone(make_signal: MakeSignal) -> None:
    collected = collect(_recorded(make_signal(np.zeros(4), 30.0), clock_sigma_s=None))
    assert not collected.evidence.has_arrival.any()
    assert collected.evidence.has_level.all()
    assert set(collected.reasons) == {"no clock: power only"}
