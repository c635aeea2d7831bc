"""The place read from a mixture is the top of the blurred density."""

from __future__ import annotations

import numpy as np
import pytest

from heimdall.inference.answer import best_place, joined_place, smoothing_core
from heimdall.inference.mixture import Mixture


def _mixture(weight: list[float], mean: list[list[float]], sigma: list[float]) -> Mixture:
    factor = np.stack([np.array(sigma), np.zeros(len(sigma)), np.array(sigma)], axis=-1)
    return Mixture(
        np.log(np.array([weight])),
        np.array([mean]),
        factor[None],
        np.array([-9.0]),
        np.zeros((1, 2)),
        np.array([100.0]),
    )


def test_one_component_answers_with_its_mean() -> None:
    np.testing.assert_allclose(best_place(_mixture([1.0], [[3.0, -2.0]], [0.7]), 1.0), [[3.0, -2.0]], atol=1e-6)


def test_the_answer_is_a_stationary_point_of_the_blurred_density() -> None:
    mixture = _mixture([0.5, 0.3, 0.2], [[0.0, 0.0], [1.0, 0.5], [0.8, -0.9]], [1.0, 0.8, 1.2])
    place, step = best_place(mixture, 0.7), 1e-4
    around = place[:, None] + step * np.array([[[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]]])
    value = mixture.smoothed(np.array([0.7])).log_density(around)[0]
    assert (value[1] - value[2]) / (2 * step) == pytest.approx(0, abs=0.02)
    assert (value[3] - value[4]) / (2 * step) == pytest.approx(0, abs=0.02)


def test_blur_lets_a_broad_peak_win_over_a_sharp_splinter_of_little_weight() -> None:
    mixture = _mixture([0.9, 0.1], [[0.0, 0.0], [9.0, 9.0]], [2.0, 0.2])
    np.testing.assert_allclose(best_place(mixture, 0.01), [[9.0, 9.0]], atol=0.01)
    np.testing.assert_allclose(best_place(mixture, 2.0), [[0.0, 0.0]], atol=0.01)


def test_the_blur_is_the_same_length_whatever_the_number_of_cells() -> None:
    assert smoothing_core(48) / 48 == pytest.approx(smoothing_core(24) / 24)


def test_two_estimates_of_one_peak_are_averaged_and_two_peaks_are_not() -> None:
    peaks = np.array([[1.0, -2.0], [1.0, -20.0]])
    np.testing.assert_allclose(joined_place(peaks, 0.25, cells=24), [[0.25, -0.5], [1.0, -20.0]])
