"""Segments of one scene merged: medians of what was measured, and nothing of what fills the gaps."""

import numpy as np
import pytest
from numpy.typing import NDArray

from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.iq.merging import merge_segments

Values = NDArray[np.float64]


def _segments(arrival_s: Values, sigma_s: Values, has_arrival: NDArray[np.bool_]) -> EvidenceBatch:
    shape = arrival_s.shape
    scenes = np.zeros(shape[0])
    return EvidenceBatch(
        position_enu_m=np.zeros((*shape, 3)),
        present=np.ones(shape, bool),
        arrival_s=arrival_s,
        arrival_sigma_s=sigma_s,
        clock_sigma_s=np.full(shape, 1e-7),
        has_arrival=has_arrival,
        level_db=np.where(has_arrival, -60.0, -150.0),
        level_sigma_db=np.where(has_arrival, 2.0, 388.0),
        has_level=has_arrival,
        snr=np.ones(shape),
        bandwidth_hz=scenes,
        curvature_per_m=np.zeros((shape[0], 2)),
        transmitter_height_m=scenes,
        half_width_m=scenes,
    )


def test_filler_of_a_silent_segment_is_no_part_of_the_uncertainty() -> None:
    """The first of ten segments silent at one receiver: the noise of nine, and the level's sigma of those that heard."""
    heard = np.ones((10, 3), bool)
    heard[0, 1] = False
    sigma = np.where(heard, 1e-7, 0.1)
    merged = merge_segments(_segments(np.zeros((10, 3)), sigma, heard), [1.0] * 10)
    np.testing.assert_allclose(merged.arrival_sigma_s[0], 1e-7 / np.sqrt([10, 9, 10]))
    np.testing.assert_allclose(merged.level_sigma_db, 2.0)
    np.testing.assert_allclose(merged.level_db, -60.0)
    assert merged.has_arrival.all()


def test_equal_segments_are_merged_by_the_plain_median_and_its_scatter() -> None:
    rng = np.random.default_rng(2)
    arrival = rng.normal(0, 1e-6, (12, 3)) + np.array([0.0, 3e-4, -2e-4])
    merged = merge_segments(_segments(arrival, np.full((12, 3), 1e-7), np.ones((12, 3), bool)), [1.0] * 12)
    relative = arrival - arrival[:, :1]
    middle = np.median(relative, axis=0)
    scatter = 1.4826 * np.median(np.abs(relative - middle), axis=0)
    np.testing.assert_allclose(merged.arrival_s[0], middle)
    np.testing.assert_allclose(merged.arrival_sigma_s[0], np.sqrt((1e-14 + scatter**2) / 12))


def test_a_segment_weighs_as_long_as_it_lasts() -> None:
    """A long segment overrules two short ones."""
    arrival = np.array([[0.0, 1e-3], [0.0, 2e-3], [0.0, 3e-3]])
    merged = merge_segments(_segments(arrival, np.full((3, 2), 1e-7), np.ones((3, 2), bool)), [0.2, 0.3, 2.0])
    assert merged.arrival_s[0, 1] == pytest.approx(3e-3)


def test_an_arrival_time_of_few_segments_is_chance() -> None:
    heard = np.ones((12, 3), bool)
    heard[3:, 1] = False
    merged = merge_segments(_segments(np.zeros((12, 3)), np.full((12, 3), 1e-7), heard), [1.0] * 12)
    assert merged.has_arrival[0].tolist() == [True, False, True]
    assert merged.has_level[0].tolist() == [True, False, True]
