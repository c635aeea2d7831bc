"""Laws of accuracy: what is measured scatters as the bounds say, and not less."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from heimdall.constants import REFRACTIVE_INDEX_AIR, SPEED_OF_LIGHT_M_S
from heimdall.estimation.cramer_rao import stein_sigma_s
from heimdall.evaluation.simulated_cases import scene_bounds, simulated_cases
from heimdall.evidence.iq.from_recordings import Recordings, evidence_from_recordings
from heimdall.learning.data.simulated import evidence_of
from heimdall.simulation import SceneBatch, draw, scenario, scenes, stream

RATE_HZ, BANDWIDTH_HZ, SAMPLES = 50e3, 25e3, 1024


def _pairs_of_noise(count: int, snr: tuple[float, float]) -> np.ndarray:
    """(count, 2, T): one flat waveform of the channel's width each, heard by two receivers at the same time."""
    rng = np.random.default_rng(8)

    def noise(*shape: int) -> np.ndarray:
        return np.asarray(rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / math.sqrt(2)

    inside = np.abs(np.fft.fftfreq(2 * SAMPLES, 1 / RATE_HZ)) < BANDWIDTH_HZ / 2
    wave = np.fft.ifft(np.fft.fft(noise(count, 2 * SAMPLES)) * inside)[:, None, :SAMPLES]
    amplitude = np.sqrt(2 * np.array(snr) * BANDWIDTH_HZ / RATE_HZ)[:, None]
    return (amplitude * wave + noise(count, 2, SAMPLES)).astype(np.complex64)


@pytest.mark.parametrize("snr", [(10.0, 10.0), (3.0, 30.0)])
def test_the_delay_between_two_receivers_scatters_as_steins_formula_says(snr: tuple[float, float]) -> None:
    """Over 200 records at 5 to 15 dB: not less than nine tenths of it, and no more than a third above."""
    samples = _pairs_of_noise(200, snr)
    both = np.ones((200, 2))
    evidence = evidence_from_recordings(
        Recordings(
            samples_BNT=samples,
            sample_rate_hz=RATE_HZ,
            bandwidth_hz=BANDWIDTH_HZ,
            start_s=0 * both,
            position_enu_m=np.zeros((200, 2, 3)),
            present=both > 0,
            clock_sigma_s=1e-8 * both,
            level_sigma_db=both,
            curvature_per_m=np.zeros((200, 2)),
            transmitter_height_m=np.zeros(200),
            half_width_m=np.full(200, 50e3),
            max_offset_hz=0.0,
        )
    )
    delay_s = evidence.arrival_s[:, 0] - evidence.arrival_s[:, 1]
    bound_s = stein_sigma_s(BANDWIDTH_HZ / math.sqrt(12), BANDWIDTH_HZ * SAMPLES / RATE_HZ, *snr)
    assert 0.9 < np.std(delay_s) / bound_s < 1.33


@pytest.fixture(scope="module")
def line_of_sight() -> SceneBatch:
    return draw(scenario("clear-sight-1mhz"), 16, stream(21, 0))


def test_arrivals_in_line_of_sight_scatter_as_clocks_and_noise_say(line_of_sight: SceneBatch) -> None:
    """1 MHz and clocks of 30 ns: the spread of the errors of all receivers over what is claimed is 1 within a quarter."""
    evidence = evidence_of(line_of_sight)
    away = line_of_sight.receiver_true_enu_m.double() - line_of_sight.transmitter_enu_m[:, None].double()
    late_s = evidence.arrival_s - away.norm(dim=-1) * REFRACTIVE_INDEX_AIR / SPEED_OF_LIGHT_M_S
    variance = evidence.arrival_sigma_s.double() ** 2 + evidence.clock_sigma_s.double() ** 2
    weight = evidence.has_arrival / variance
    total = weight.sum(1, keepdim=True)
    mean_s = (weight * late_s).sum(1, keepdim=True) / total
    score = ((late_s - mean_s) / (variance - 1 / total).sqrt())[evidence.has_arrival]
    assert float(score.std()) == pytest.approx(1, abs=0.25)


def test_the_bound_grows_with_the_clocks_and_with_the_noise(line_of_sight: SceneBatch) -> None:
    before = scene_bounds(line_of_sight)
    worse_clocks = scene_bounds(replace(line_of_sight, clock_sigma_s=3 * line_of_sight.clock_sigma_s))
    weaker = scene_bounds(replace(line_of_sight, snr_db=line_of_sight.snr_db - 20))
    trace = [np.trace(each, axis1=1, axis2=2) for each in (before, worse_clocks, weaker)]
    assert np.all(trace[1] > 2 * trace[0])
    assert np.all(trace[2] > 1.01 * trace[0])


def test_the_bound_turns_with_the_scene(line_of_sight: SceneBatch) -> None:
    """Everything turned by 90 degrees: the covariance too, but for the small difference of the two curvatures."""
    turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    names = ("receiver_enu_m", "receiver_true_enu_m", "transmitter_enu_m")
    changes = {name: getattr(line_of_sight, name) @ turn.T for name in names}
    before, after = scene_bounds(line_of_sight), scene_bounds(replace(line_of_sight, **changes))
    flat = turn[:2, :2].double().numpy()
    expected = flat @ before @ flat.T
    np.testing.assert_allclose(after, expected, rtol=0.02, atol=0.02 * np.abs(expected).max())


def test_cases_are_the_scenes_that_are_simulated() -> None:
    """In their order, with their labels, whatever the count."""
    law = scenario("matched")
    five, two = list(simulated_cases(law, 5, 3)), list(simulated_cases(law, 2, 3))
    batch = next(iter(scenes(law, 3, 5)))
    assert [case.observation.id for case in five] == [f"matched-3-{number:05d}" for number in range(5)]
    for index, case in enumerate(five):
        assert case.label.receivers == int(batch.present[index].sum())
        assert case.label.inside == bool(batch.inside[index])
        assert case.label.blocked_share == pytest.approx(float(batch.blocked[index].float().mean()))
        np.testing.assert_array_equal(case.observation.receptions[0].samples, batch.samples[index, 0].numpy())
    for one, other in zip(five, two, strict=False):
        np.testing.assert_array_equal(one.label.bound_m2, other.label.bound_m2)


def test_without_clocks_the_bound_is_that_of_the_powers() -> None:
    """Kilometres, and finite: four receivers and more say something by power alone."""
    batch = draw(scenario("no-clocks"), 4, stream(5, 0))
    root_m = np.sqrt(np.trace(scene_bounds(batch), axis1=1, axis2=2))
    assert np.all(np.isfinite(root_m))
    assert np.median(root_m) > 2e3
    deaf = replace(batch, shadowing_sigma_db=10 * batch.shadowing_sigma_db)
    assert np.all(np.sqrt(np.trace(scene_bounds(deaf), axis1=1, axis2=2)) > 2 * root_m)


def test_blocked_links_do_not_change_the_bound() -> None:
    """It is the bound of line of sight: with the same receivers, noise and clocks it is the same."""
    clear = draw(scenario("clear-sight-1mhz"), 4, stream(6, 0))
    marked = replace(clear, blocked=~clear.blocked, excess_delay_s=clear.excess_delay_s + 1e-6)
    np.testing.assert_array_equal(scene_bounds(marked), scene_bounds(clear))
