"""From IQ to evidence: the delay is distance over the speed of light, in numpy and torch alike."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.evidence.iq.from_recordings import Recordings, clock_carries_time, evidence_from_recordings

MakeSignal = Callable[..., NDArray[np.complex64]]
MakeRecordings = Callable[..., Recordings]
SameEvidence = Callable[..., None]
FAR = 300e-6


def _delays(recordings: Recordings, place_m: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(recordings.position_enu_m[0] - place_m, axis=-1) / SPEED_OF_LIGHT_M_S)


def _centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values - values.mean())


@pytest.mark.parametrize("snr", [1e3, 10.0])
def test_the_delay_is_distance_over_the_speed_of_light(
    make_signal: MakeSignal, make_recordings: MakeRecordings, snr: float
) -> None:
    """Six receivers with carriers off by up to 15 Hz: within four times what noise and the interpolation leave."""
    place = np.array([12e3, -7e3, 0.0])
    recordings = make_recordings(np.zeros((6, 4096), np.complex64))
    delay = _delays(recordings, place)
    samples = make_signal(delay, snr, offset_hz=np.linspace(-15, 15, 6))
    evidence = evidence_from_recordings(replace(recordings, samples_BNT=samples[None]))
    error = _centred(evidence.arrival_s[0]) - _centred(delay)
    assert evidence.has_arrival.all()
    assert np.all(np.abs(error) < 4 * np.hypot(evidence.arrival_sigma_s[0], 0.1e-6))


def test_errors_scatter_as_the_noise_sigma_says(make_signal: MakeSignal, make_recordings: MakeRecordings) -> None:
    """Forty scenes at 5 to 15 dB: the scores' spread is 1 within a third."""
    scenes = np.stack([make_signal(np.zeros(4), np.array([3, 6, 12, 30.0]), seed=seed) for seed in range(40)])
    evidence = evidence_from_recordings(make_recordings(scenes))
    weight = evidence.arrival_sigma_s**-2
    mean = np.sum(weight * evidence.arrival_s, axis=1) / weight.sum(axis=1)
    spread = np.sqrt(evidence.arrival_sigma_s**2 - 1 / weight.sum(axis=1)[:, None])
    assert np.std((evidence.arrival_s - mean[:, None]) / spread) == pytest.approx(1, abs=0.33)


def test_stamps_of_the_first_samples_are_added(
    make_signal: MakeSignal, make_recordings: MakeRecordings, same_evidence: SameEvidence
) -> None:
    """A recording that starts 5 ms later by its stamp hears everything 5 ms earlier in its record."""
    start = np.array([[0.0, 0.0, 5e-3]])
    together = evidence_from_recordings(make_recordings(make_signal(np.array([0.0, FAR, 2 * FAR]) + 6e-3)))
    apart = evidence_from_recordings(
        make_recordings(make_signal(np.array([0.0, FAR, 2 * FAR]) + 6e-3 - start[0]), start_s=start)
    )
    same_evidence(apart, together, time_s=2e-7, level_db=0.3)


def test_levels_are_the_received_powers(make_signal: MakeSignal, make_recordings: MakeRecordings) -> None:
    gain_db = np.array([0.0, -23.0, 11.0])
    samples = make_signal(np.zeros(3), 100.0, samples=8192) * (10 ** (gain_db / 20))[:, None]
    evidence = evidence_from_recordings(make_recordings(samples.astype(np.complex64)))
    np.testing.assert_allclose(evidence.level_db[0], gain_db, atol=0.3)
    np.testing.assert_allclose(evidence.level_sigma_db, 2.0, atol=0.1)


def test_a_receiver_that_hears_nothing_has_neither_time_nor_level(
    make_signal: MakeSignal, make_recordings: MakeRecordings
) -> None:
    samples = make_signal(np.zeros(4), np.array([100.0, 100.0, 100.0, 1e-9]))
    evidence = evidence_from_recordings(make_recordings(samples))
    assert evidence.has_arrival[0].tolist() == [True, True, True, False]
    assert evidence.has_level[0].tolist() == [True, True, True, False]


def test_a_clock_that_carries_no_time_leaves_the_level(
    make_signal: MakeSignal, make_recordings: MakeRecordings
) -> None:
    """1 ms is 300 km in an area of 200 km; no clock at all is the same."""
    clocks = np.array([[1e-7, 1e-7, 1e-3, np.inf]])
    evidence = evidence_from_recordings(make_recordings(make_signal(np.zeros(4)), clock_sigma_s=clocks))
    assert evidence.has_arrival[0].tolist() == [True, True, False, False]
    assert evidence.has_level.all()
    assert np.all(np.isfinite(evidence.clock_sigma_s))


def test_a_clock_carries_time_up_to_a_quarter_of_the_area() -> None:
    clocks = np.array([[0.24, 0.26]]) * 100e3 / SPEED_OF_LIGHT_M_S
    assert clock_carries_time(np, clocks, np.array([100e3])).tolist() == [[True, False]]


def test_missing_receivers_change_nothing_for_the_others(
    make_signal: MakeSignal, make_recordings: MakeRecordings, same_evidence: SameEvidence
) -> None:
    samples = make_signal(np.array([0.0, FAR, 2 * FAR]), 30.0)
    padded = np.concatenate([samples, np.zeros_like(samples[:1])])
    present = np.array([[True, True, True, False]])
    alone = evidence_from_recordings(make_recordings(samples))
    among = evidence_from_recordings(make_recordings(padded, present=present))
    assert not among.has_arrival[0, 3]
    assert not among.has_level[0, 3]
    three = among.changed(lambda each: each[:, :3] if each.ndim > 1 else each)
    same_evidence(three, alone, time_s=1e-8, level_db=0.01)


def test_scenes_of_a_batch_do_not_meet(
    make_signal: MakeSignal, make_recordings: MakeRecordings, same_evidence: SameEvidence
) -> None:
    scenes = np.stack([make_signal(np.array([0.0, FAR, -FAR]) + 1e-3, 20.0, seed=seed) for seed in range(3)])
    together = evidence_from_recordings(make_recordings(scenes))
    for index in range(3):
        alone = evidence_from_recordings(
            make_recordings(scenes[index], position_enu_m=make_recordings(scenes).position_enu_m[index : index + 1])
        )
        same_evidence(together.select(slice(index, index + 1)), alone, time_s=2e-8, level_db=1e-3)


@pytest.mark.parametrize("snr", [1e3, 3.0])
def test_numpy_and_torch_agree_to_rounding(
    make_signal: MakeSignal,
    make_recordings: MakeRecordings,
    same_evidence: SameEvidence,
    to_torch: Callable[[Any], Any],
    snr: float,
) -> None:
    """Both in single precision where the samples are: to a nanosecond and a hundredth of a decibel."""
    scenes = np.stack([make_signal(np.array([0.0, FAR, -FAR, 2 * FAR]) + 1e-3, snr, seed=seed) for seed in range(2)])
    recordings = make_recordings(scenes)
    one, other = evidence_from_recordings(recordings), evidence_from_recordings(to_torch(recordings))
    same_evidence(one, other, time_s=2e-9, level_db=0.01)
    np.testing.assert_allclose(other.arrival_sigma_s.numpy(), one.arrival_sigma_s, rtol=1e-2)


def test_the_delays_of_a_keyed_carrier_are_not_drawn_to_zero() -> None:
    """A strong line cut off at the same time by all receivers is common to them at no delay; on the mean of 12 scenes that
    takes less than a twenty-fifth of the delays."""
    chance = np.random.default_rng(2)
    scenes, receivers, rate_hz = 12, 6, 4e3
    count, extra = 4000, 400
    frequency = np.fft.fftfreq(count + extra, 1 / rate_hz)
    keys = np.repeat(chance.integers(0, 2, (scenes, (count + extra) // 333 + 1)), 333, axis=1)[:, : count + extra]
    spectrum = np.fft.fft(keys) * (np.abs(frequency) < 60)
    delay_s = chance.uniform(-3e-4, 3e-4, (scenes, receivers))
    turn = np.exp(-2j * np.pi * frequency * delay_s[..., None])
    clean = np.fft.ifft(spectrum[:, None] * turn)[..., :count]
    power = np.mean(np.abs(clean) ** 2, axis=-1, keepdims=True)
    noise = np.sqrt(power * 1e-3 / 2) * (chance.normal(size=clean.shape) + 1j * chance.normal(size=clean.shape))
    heard = np.ones((scenes, receivers), bool)
    evidence = evidence_from_recordings(
        Recordings(
            samples_BNT=(clean + noise).astype(np.complex64),
            sample_rate_hz=rate_hz,
            bandwidth_hz=200.0,
            start_s=np.zeros((scenes, receivers)),
            position_enu_m=np.zeros((scenes, receivers, 3)),
            present=heard,
            clock_sigma_s=np.full((scenes, receivers), 1e-6),
            level_sigma_db=np.full((scenes, receivers), 2.0),
            curvature_per_m=np.zeros((scenes, 2)),
            transmitter_height_m=np.zeros(scenes),
            half_width_m=np.full(scenes, 2e5),
            max_offset_hz=2.0,
            max_detour_s=2e-3,
        )
    )
    assert np.mean(evidence.has_arrival) > 0.9
    slopes = []
    for late, true, timed in zip(evidence.arrival_s, delay_s, evidence.has_arrival, strict=True):
        slopes.append(np.polyfit(true[timed], late[timed], 1)[0])
    assert np.mean(slopes) == pytest.approx(1.0, abs=0.04)
