"""The bounds against slow and obvious ways to the same matrices."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.cramer_rao import (
    MeasuredLinks,
    arrival_information,
    arrival_variance_s2,
    bound_at,
    level_information,
    position_covariance,
    stein_sigma_s,
    surface_tangent,
)
from heimdall.estimation.model import PropagationModel
from heimdall.evidence.batch import EvidenceBatch

Values = NDArray[np.float64]
SLOWNESS = 1 / SPEED_OF_LIGHT_M_S


def _links(rng: np.random.Generator, scenes: int = 2, receivers: int = 5) -> MeasuredLinks:
    return MeasuredLinks(
        offset_m=rng.normal(0, 30e3, (scenes, receivers, 3)),
        arrival_variance_s2=rng.uniform(30e-9, 300e-9, (scenes, receivers)) ** 2,
        level_variance_db2=rng.uniform(4, 8, (scenes, receivers)) ** 2,
    )


def _eliminated(information: Values, kept: int) -> Values:
    """Information about the first `kept` parameters, by inverting everything."""
    return np.asarray(np.linalg.inv(np.linalg.inv(information)[:kept, :kept]))


def _sample_information(snr_N: Values, shape_F: Values, frequency_F: Values, delay_N: Values) -> Values:
    """Fisher information (Kay 15.52) of complex samples about every delay and carrier phase, by differences and loops."""
    count, step_s, step_rad = len(snr_N), 1e-9, 1e-5

    def covariance(index: int, parameters: Values) -> Values:
        angle = 2 * np.pi * frequency_F[index] * parameters[:count] + parameters[count:]
        steering = np.sqrt(snr_N * shape_F[index]) * np.exp(-1j * angle)
        return np.asarray(np.eye(count) + np.outer(steering, steering.conj()))

    parameters = np.concatenate([delay_N, np.linspace(0, 2, count)])
    steps = np.array([step_s] * count + [step_rad] * count)
    information = np.zeros((2 * count, 2 * count))
    for index in range(len(frequency_F)):
        inverse = np.linalg.inv(covariance(index, parameters))
        slopes = []
        for axis in range(2 * count):
            step = np.eye(2 * count)[axis] * steps[axis]
            ahead, behind = covariance(index, parameters + step), covariance(index, parameters - step)
            slopes.append(inverse @ (ahead - behind) / (2 * steps[axis]))
        for row in range(2 * count):
            for column in range(2 * count):
                information[row, column] += np.trace(slopes[row] @ slopes[column]).real
    return information


def test_independent_arrival_times_carry_the_information_of_the_samples() -> None:
    """Delays of an unknown waveform: emission time and carrier phases unknown, any spectrum, any signal-to-noise ratio."""
    rng = np.random.default_rng(1)
    snr = np.array([0.3, 4.0, 20.0])
    frequency = np.linspace(-20e3, 30e3, 24)
    shape = rng.uniform(0.1, 2.0, 24)
    full = _sample_information(snr, shape, frequency, rng.uniform(0, 1e-5, 3))
    phases = full[3:, 3:]
    of_samples = full[:3, :3] - full[:3, 3:] @ np.linalg.pinv(phases, rcond=1e-9) @ full[3:, :3]
    weight = 1 / arrival_variance_s2(snr, shape, frequency)
    of_times = np.diag(weight) - np.outer(weight, weight) / weight.sum()
    np.testing.assert_allclose(of_samples, of_times, rtol=1e-4, atol=1e-4 * weight.max())


def test_two_receivers_and_a_flat_spectrum_are_steins_formula() -> None:
    bandwidth, duration = 25e3, 0.1
    frequency = np.arange(-1250, 1250) / duration
    variance = arrival_variance_s2(np.array([2.0, 9.0]), np.ones(2500), frequency)
    expected = stein_sigma_s(bandwidth / math.sqrt(12), bandwidth * duration, 2.0, 9.0)
    assert math.sqrt(variance.sum()) == pytest.approx(expected, rel=1e-3)


def test_the_time_of_emission_is_eliminated_as_by_inverting_everything() -> None:
    links = _links(np.random.default_rng(2))
    for scene in range(2):
        joint = np.zeros((4, 4))
        for offset, variance in zip(links.offset_m[scene], links.arrival_variance_s2[scene], strict=True):
            gradient = np.append(offset / np.linalg.norm(offset) * SLOWNESS, 1.0)
            joint += np.outer(gradient, gradient) / variance
        scale = np.array([1e6, 1e6, 1e6, 1e-2])  # keeps the inverse well conditioned
        expected = _eliminated(joint * np.outer(scale, scale), 3) / 1e12
        np.testing.assert_allclose(arrival_information(links, SLOWNESS)[scene], expected, rtol=1e-6)


def test_arrival_times_and_their_differences_with_full_covariance_say_the_same() -> None:
    links = _links(np.random.default_rng(3), scenes=1)
    direction = links.offset_m[0] / np.linalg.norm(links.offset_m[0], axis=-1, keepdims=True)
    difference = np.concatenate([-np.ones((4, 1)), np.eye(4)], axis=1)
    covariance = difference @ np.diag(links.arrival_variance_s2[0]) @ difference.T
    gradient = difference @ direction * SLOWNESS
    expected = gradient.T @ np.linalg.solve(covariance, gradient)
    np.testing.assert_allclose(arrival_information(links, SLOWNESS)[0], expected, rtol=1e-6)


@pytest.mark.parametrize("exponent_sigma", [0.5, math.inf])
def test_power_and_exponent_are_eliminated_as_by_inverting_everything(exponent_sigma: float) -> None:
    links = _links(np.random.default_rng(4), scenes=1, receivers=6)
    exponent = 3.2
    place = links.offset_m[0].mean(axis=0)
    receivers = place - links.offset_m[0]

    def level_db(parameters: Values) -> Values:
        distance = np.linalg.norm(parameters[:3] - receivers, axis=-1)
        return np.asarray(parameters[3] - 10 * parameters[4] * np.log10(distance))

    at, steps = np.array([*place, -40.0, exponent]), np.array([1.0, 1.0, 1.0, 1e-3, 1e-5])
    jacobian = np.stack(
        [(level_db(at + step) - level_db(at - step)) / (2 * step.sum()) for step in np.diag(steps)], axis=-1
    )
    joint = jacobian.T @ (jacobian / links.level_variance_db2[0][:, None])
    joint[4, 4] += exponent_sigma**-2
    scale = np.array([1e4, 1e4, 1e4, 1.0, 0.1])
    expected = _eliminated(joint * np.outer(scale, scale), 3) / 1e8
    information = level_information(links, np.array([exponent]), exponent_sigma)[0]
    np.testing.assert_allclose(information, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())


@given(angle=st.floats(0, 2 * math.pi), seed=st.integers(0, 1000))
@settings(max_examples=25)
def test_turning_everything_turns_the_bound(angle: float, seed: int) -> None:
    links = _links(np.random.default_rng(seed), scenes=1)
    turn = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    turned = MeasuredLinks(links.offset_m @ turn.T, links.arrival_variance_s2, links.level_variance_db2)
    before, after = (
        position_covariance(arrival_information(each, SLOWNESS) + level_information(each, np.array([3.0])))[0]
        for each in (links, turned)
    )
    np.testing.assert_allclose(after, turn @ before @ turn.T, rtol=1e-6, atol=1e-6 * np.trace(before))


def test_two_receivers_know_one_direction_only() -> None:
    """The information has rank one along the difference of the directions, and no finite bound on a plane."""
    links = _links(np.random.default_rng(5), scenes=1, receivers=2)
    first, second = (offset / np.linalg.norm(offset) for offset in links.offset_m[0])
    expected = SLOWNESS**2 * np.outer(first - second, first - second) / links.arrival_variance_s2.sum()
    information = arrival_information(links, SLOWNESS)
    np.testing.assert_allclose(information[0], expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
    plane = surface_tangent(np.zeros((1, 2)), np.zeros((1, 2)))
    assert np.all(np.isinf(position_covariance(information, plane)))


def test_a_receiver_without_a_measurement_adds_nothing() -> None:
    links = _links(np.random.default_rng(6), scenes=1, receivers=5)
    deaf = np.arange(5) == 4
    silent = MeasuredLinks(
        links.offset_m,
        np.where(deaf, np.inf, links.arrival_variance_s2),
        np.where(deaf, np.inf, links.level_variance_db2),
    )
    without = MeasuredLinks(links.offset_m[:, :4], links.arrival_variance_s2[:, :4], links.level_variance_db2[:, :4])
    for information in (
        lambda each: arrival_information(each, SLOWNESS),
        lambda each: level_information(each, np.full(1, 3.0)),
    ):
        np.testing.assert_allclose(information(silent), information(without), rtol=1e-9, atol=1e-18)


@given(seed=st.integers(0, 1000))
@settings(max_examples=25)
def test_one_more_receiver_never_makes_the_bound_worse(seed: int) -> None:
    links = _links(np.random.default_rng(seed), scenes=1, receivers=6)
    fewer = MeasuredLinks(links.offset_m[:, :5], links.arrival_variance_s2[:, :5], links.level_variance_db2[:, :5])
    gain = arrival_information(links, SLOWNESS) - arrival_information(fewer, SLOWNESS)
    assert np.linalg.eigvalsh(gain[0]).min() > -1e-9 * np.trace(gain[0])


def test_the_tangent_follows_the_earth_down() -> None:
    """300 km east of the frame's origin the ground falls by 300 km / radius."""
    curvature = 1 / 6.37e6
    tangent = surface_tangent(np.array([[300e3, 0.0]]), np.full((1, 2), curvature))
    np.testing.assert_allclose(tangent[0, :2], np.eye(2))
    assert tangent[0, 2, 0] == pytest.approx(-300e3 * curvature, rel=2e-3)
    assert tangent[0, 2, 1] == pytest.approx(0, abs=1e-9)


def _square(clock_sigma_s: float, has_arrival: bool = True) -> EvidenceBatch:
    corners = 10e3 * np.array([[[1, 1, 0], [1, -1, 0], [-1, 1, 0], [-1, -1, 0]]])
    ones = np.ones((1, 4))
    return EvidenceBatch(
        position_enu_m=corners,
        present=ones > 0,
        arrival_s=0 * ones,
        arrival_sigma_s=0 * ones,
        clock_sigma_s=clock_sigma_s * ones,
        has_arrival=(ones > 0) & has_arrival,
        level_db=0 * ones,
        level_sigma_db=2 * ones,
        has_level=ones > 1,
        snr=100 * ones,
        bandwidth_hz=np.full(1, 25e3),
        curvature_per_m=np.zeros((1, 2)),
        transmitter_height_m=np.zeros(1),
        half_width_m=np.full(1, 20e3),
    )


def test_in_the_middle_of_a_square_the_bound_is_the_clock() -> None:
    """Four directions at right angles: the covariance is (c sigma)^2 / 2 each way, times the refractive index."""
    model = PropagationModel("plain", refractive_index=1.0)
    covariance = bound_at(np.zeros((1, 2)), _square(100e-9), model)[0]
    np.testing.assert_allclose(covariance, np.eye(2) * (100e-9 * SPEED_OF_LIGHT_M_S) ** 2 / 2, rtol=1e-6, atol=1e-6)


def test_evidence_without_arrival_times_and_levels_has_no_bound() -> None:
    assert np.all(np.isinf(bound_at(np.zeros((1, 2)), _square(100e-9, has_arrival=False), PropagationModel("plain"))))
