"""Batches of evidence: padding and picking."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from heimdall.evidence.batch import concatenate
from heimdall.evidence.iq.from_recordings import Recordings, evidence_from_recordings

MakeSignal = Callable[..., NDArray[np.complex64]]
MakeRecordings = Callable[..., Recordings]


def test_scenes_of_different_sizes_are_padded_with_absent_receivers(
    make_signal: MakeSignal, make_recordings: MakeRecordings
) -> None:
    small, large = (
        evidence_from_recordings(make_recordings(make_signal(np.zeros(count), samples=512))) for count in (2, 4)
    )
    both = concatenate([small, large])
    assert len(both) == 2
    assert both.present.tolist() == [[True, True, False, False], [True] * 4]
    assert both.position_enu_m.shape == (2, 4, 3)
    np.testing.assert_array_equal(both.arrival_s[0, :2], small.arrival_s[0])
    assert not both.has_level[0, 2:].any()
    for name in ("arrival_s", "clock_sigma_s", "level_db", "snr"):
        assert np.all(np.isfinite(getattr(both, name)))


@pytest.mark.parametrize("index", [slice(1, 3), np.array([2, 0]), np.array([True, False, True])])
def test_select_picks_scenes_of_every_field(
    make_signal: MakeSignal, make_recordings: MakeRecordings, index: object
) -> None:
    scenes = np.stack([make_signal(np.zeros(3), samples=512, seed=seed) for seed in range(3)])
    batch = evidence_from_recordings(make_recordings(scenes))
    picked = batch.select(index)
    assert len(picked) == 2
    np.testing.assert_array_equal(picked.level_db, batch.level_db[index])
    np.testing.assert_array_equal(picked.half_width_m, batch.half_width_m[index])


def test_tensors_are_padded_as_arrays_are(
    make_signal: MakeSignal, make_recordings: MakeRecordings, to_torch: Callable[..., object]
) -> None:
    batches = [evidence_from_recordings(make_recordings(make_signal(np.zeros(count), samples=512))) for count in (2, 4)]
    one, other = concatenate(batches), concatenate([to_torch(batch) for batch in batches])
    assert isinstance(other.snr, torch.Tensor)
    np.testing.assert_array_equal(other.snr.numpy(), one.snr)
