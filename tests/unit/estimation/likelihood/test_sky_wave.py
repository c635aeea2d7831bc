"""Waves by the ionosphere: where they are located, how surely, and that the ground wave is not forgotten."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.likelihood.arrival_times import arrival_log_likelihood, arrival_residual_s, link_distance_m
from heimdall.estimation.likelihood.sky_wave import echo_variance_s2
from heimdall.estimation.model import GROUND_WAVE, MEDIUM_WAVE, SHORT_WAVE, HopEcho, model_for
from heimdall.estimation.search import log_posterior
from heimdall.evidence.collect import collect
from heimdall.fix import Fix, Status
from heimdall.geometry import geodesic_distance_m, hop_path
from heimdall.locating.pipeline import locate
from heimdall.observation import Observation, Place, Receiver, Reception

FAR = ((52.5, 13.4), (48.9, 2.4), (55.7, 12.6), (45.5, 9.2), (50.1, 19.9), (43.6, 1.4), (59.3, 18.1), (53.3, -6.2))
"""Receivers some hundred kilometres round the middle of Europe."""
NEAR = ((50.2, 10.1), (49.8, 10.3), (50.1, 9.6), (49.9, 9.7), (50.3, 10.6))
TRUTH = Place(50.02, 10.05, 0.0)


def _heard(places: Sequence[tuple[float, float]], delay_s: Sequence[float], frequency_hz: float) -> Observation:
    receptions = tuple(
        Reception(Receiver(f"R{index}", *place, 0.0, 300e-9), toa_s=0.1 + delay)
        for index, (place, delay) in enumerate(zip(places, delay_s, strict=True))
    )
    return Observation("made up", frequency_hz, 10e3, receptions, truth=TRUTH)


def _by_ground(places: Sequence[tuple[float, float]], truth: Place = TRUTH) -> list[float]:
    return [geodesic_distance_m(*at, truth.latitude_deg, truth.longitude_deg) / SPEED_OF_LIGHT_M_S for at in places]


def _by_hop(places: Sequence[tuple[float, float]], height_m: Sequence[float], hops: int = 1) -> list[float]:
    """Each link by a layer of its own height."""
    ground_m = np.array(_by_ground(places)) * SPEED_OF_LIGHT_M_S
    return [
        float(hop_path(np.array(distance), height, hops)[0]) / SPEED_OF_LIGHT_M_S
        for distance, height in zip(ground_m, height_m, strict=True)
    ]


def _fix(observation: Observation) -> Fix:
    return locate([observation])[0].fix


@pytest.mark.parametrize("height_m", [240e3, 310e3, 370e3])
def test_a_hop_by_a_layer_of_unknown_height_is_located_within_its_region(height_m: float) -> None:
    """Taken for ground waves the same times were a hundred kilometres off, with a region of twenty and status ok."""
    scatter_m = np.random.default_rng(0).normal(0, 10e3, len(FAR))
    fix = _fix(_heard(FAR, _by_hop(FAR, height_m + scatter_m), 7.1e6))
    assert fix.truth is not None
    assert fix.truth.error_m < 80e3
    assert fix.truth.inside_95
    assert "located by sky wave" in fix.advice
    assert fix.region_95 is not None
    assert fix.region_95.reach_m(fix.latitude_deg or 0.0, fix.longitude_deg or 0.0) > 20e3


def test_of_three_links_by_the_sky_it_is_said_that_they_are_unchecked() -> None:
    """Modes are open and nothing is linear there: no fix by the sky has a protection level."""
    three, more = (_fix(_heard(at, _by_hop(at, [300e3] * len(at)), 7.1e6)) for at in ((FAR[0], *FAR[2:4]), FAR))
    assert (three.protection_level_m, more.protection_level_m) == (None, None)
    assert (three.status, more.status) == (Status.OK, Status.OK)
    assert "three arrival times cannot check each other" in three.advice
    assert "cannot check" not in more.advice


def test_links_by_different_modes_are_told_apart() -> None:
    """Two links by the E layer among those by the F layer."""
    height_m = [300e3] * len(FAR)
    height_m[0] = height_m[3] = 110e3
    fix = _fix(_heard(FAR, _by_hop(FAR, height_m), 7.1e6))
    assert fix.truth is not None
    assert fix.truth.error_m < 80e3
    assert fix.truth.inside_95
    assert "by 1 E hop" in fix.advice
    assert "by 1 F hop" in fix.advice
    residuals_m = [each.residual_m for each in fix.receivers]
    assert max(abs(each) for each in residuals_m if each is not None) < 60e3


def test_near_by_short_waves_are_still_located_by_the_ground_wave() -> None:
    fix = _fix(_heard(NEAR, _by_ground(NEAR), 7.1e6))
    assert fix.truth is not None
    assert fix.truth.error_m < 300
    assert fix.truth.inside_68
    assert "sky wave" not in fix.advice


@pytest.mark.parametrize("places", [NEAR, FAR])
def test_medium_waves_by_the_ground_are_as_good_as_without_a_sky(places: Sequence[tuple[float, float]]) -> None:
    fix = _fix(_heard(places, _by_ground(places), 1e6))
    assert fix.truth is not None
    assert fix.truth.error_m < 1500
    assert fix.truth.inside_95
    assert "sky wave" not in fix.advice


def test_medium_waves_by_night_come_by_the_sky() -> None:
    fix = _fix(_heard(FAR, _by_hop(FAR, [100e3] * len(FAR)), 1e6))
    assert fix.truth is not None
    assert fix.truth.error_m < 50e3
    assert fix.truth.inside_95
    assert "located by sky wave" in fix.advice


@pytest.mark.parametrize("height_m", [250e3, 330e3, 370e3])
def test_medium_waves_by_night_may_come_by_a_high_layer_and_by_two_hops(height_m: float) -> None:
    """A second hop was unknown below 3 MHz: some of these had no bounded distance."""
    layer_m = height_m + np.random.default_rng(0).normal(0, 10e3, len(FAR))
    once, twice = _by_hop(FAR, layer_m), _by_hop(FAR, layer_m, hops=2)
    fix = _fix(_heard(FAR, [*once[:-2], *twice[-2:]], 1e6))
    assert fix.truth is not None
    assert fix.status == "ok"
    assert fix.truth.error_m < 80e3
    assert fix.truth.inside_95
    assert "located by sky wave" in fix.advice


def test_the_band_decides_what_waves_do() -> None:
    assert model_for(77.5e3, None, 500e3) is GROUND_WAVE
    assert model_for(1e6, None, 500e3) is MEDIUM_WAVE
    assert model_for(7e6, None, 500e3).name == SHORT_WAVE.name
    assert model_for(29.9e6, None, 500e3).sky_wave is not None
    assert model_for(145e6, None, 500e3).sky_wave is None


def test_numpy_and_torch_agree_about_the_sky(make_evidence, to_torch) -> None:
    import torch

    places = np.random.default_rng(7).uniform(-60e3, 60e3, (3, 11, 2))
    batch = make_evidence(11)
    tensors, as_torch = to_torch(batch), torch.as_tensor(places)
    for model in (SHORT_WAVE, MEDIUM_WAVE):
        value = arrival_log_likelihood(link_distance_m(places, batch, model), batch, model)
        other = arrival_log_likelihood(link_distance_m(as_torch, tensors, model), tensors, model)
        np.testing.assert_allclose(other.numpy(), value, rtol=1e-4, atol=1e-2)
        late_s = arrival_residual_s(places, batch, model)
        np.testing.assert_allclose(arrival_residual_s(as_torch, tensors, model).numpy(), late_s, atol=5e-7)


def test_receivers_without_an_arrival_have_no_say(make_evidence) -> None:
    batch = make_evidence(5)
    nonsense = replace(batch, arrival_s=np.where(batch.has_arrival, batch.arrival_s, 123.0))
    distance = link_distance_m(np.zeros((3, 4, 2)), batch, SHORT_WAVE)
    np.testing.assert_array_equal(
        arrival_log_likelihood(distance, nonsense, SHORT_WAVE), arrival_log_likelihood(distance, batch, SHORT_WAVE)
    )


def test_a_weak_echo_moves_the_peak_of_a_narrow_long_wave_by_its_amplitude_times_its_delay() -> None:
    """Against the group delay of a ground wave with its echo, over all phases between them."""
    distance_m, echo = 400e3, HopEcho()
    path_m = float(hop_path(np.array(distance_m), echo.height_m, 1)[0])
    delay_s = (path_m - distance_m) / SPEED_OF_LIGHT_M_S
    stronger = 10 ** (distance_m * echo.absorption_db_per_m / 20)
    amplitude = echo.reflection * (distance_m / path_m) ** 3 * stronger
    phase = np.linspace(0, 2 * math.pi, 3600, endpoint=False)
    response = 1 + amplitude * np.exp(1j * phase)
    moved_s = delay_s * np.real(amplitude * np.exp(1j * phase) / response)
    variance = echo_variance_s2(np, np.array([[[distance_m]]]), np.array([1.0]), echo)
    assert math.sqrt(variance[0, 0, 0]) == pytest.approx(math.sqrt(np.mean(moved_s**2)), rel=0.05)


def test_a_long_wave_is_the_less_certain_the_further_it_came() -> None:
    """The first sky wave is weak near by, where the ground wave is strong and leaves antennas that radiate along the ground."""
    distance_m = np.array([[[30e3, 150e3, 400e3, 900e3]]])
    sigma_s = np.sqrt(echo_variance_s2(np, distance_m, np.array([1e3]), HopEcho()))[0, 0]
    assert np.all(np.diff(sigma_s) > 0)
    assert sigma_s[0] < 1e-6
    assert 10e-6 < sigma_s[3] < 40e-6


@pytest.mark.parametrize("frequency_hz", [7.1e6, 77.5e3, 145e6])
def test_places_off_the_earth_are_ruled_out(frequency_hz: float) -> None:
    """Windows reach beyond its edge, where distances along the ground mean nothing, and numpy would warn of them."""
    batch = collect(_heard(FAR, _by_ground(FAR), frequency_hz)).evidence
    density = log_posterior(batch, model_for(frequency_hz, None, float(batch.half_width_m[0])))
    places_m = np.array([[[0.0, 0.0], [9e6, 0.0], [3e7, -3e7], [0.0, 1e9]]])
    value = density(places_m, np.zeros((1, 4)))[0]
    assert np.all(np.isfinite(value))
    assert np.all(value[1:] < value[0] - 1e6)
