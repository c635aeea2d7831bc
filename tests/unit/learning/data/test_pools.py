"""A batch is its step's number: whoever asks for it, and whenever."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from heimdall.learning.data.pools import (
    SceneStream,
    TrainingBatch,
    random_turns,
    steps_per_pool,
    turned,
    validation_pool,
)
from heimdall.recipes import Recipe
from heimdall.simulation import stream

pytestmark = pytest.mark.usefixtures("synthetic_scenes")


def _same(one: TrainingBatch, other: TrainingBatch) -> None:
    torch.testing.assert_close(one.window.maps, other.window.maps, atol=1e-5, rtol=0)
    torch.testing.assert_close(one.truth_m, other.truth_m)


def test_a_stream_begun_later_goes_on_with_the_same_batches(tiny: Recipe) -> None:
    batches = list(SceneStream(tiny))
    assert len(batches) == tiny.steps
    # The second pool begins at step 4; a resumed run must find its way into it and beyond.
    assert steps_per_pool(tiny) == 4
    for first in (2, 5):
        for later, whole in zip(SceneStream(tiny, first_step=first), batches[first:], strict=True):
            _same(later, whole)


def test_two_workers_share_out_the_batch_that_one_would_see(tiny: Recipe) -> None:
    whole = SceneStream(tiny).batch(1)
    for rank in range(2):
        _same(SceneStream(tiny, rank=rank, world=2).batch(1), whole.select(slice(rank, None, 2)))


def test_a_pass_shows_every_scene_of_the_pool_once(tiny: Recipe) -> None:
    stream_ = SceneStream(tiny)
    shown = torch.cat([stream_.batch(step).window.frame.core_m for step in range(4)])
    torch.testing.assert_close(shown.sort().values, stream_.pool(0).parts[0].frame.core_m.sort().values)


def test_the_next_pool_has_other_scenes(tiny: Recipe) -> None:
    stream_ = SceneStream(tiny)
    first = stream_.pool(0).parts[0].truth_m
    assert not torch.isin(stream_.pool(1).parts[0].truth_m, first).any()


def test_validation_scenes_are_none_that_training_sees(tiny: Recipe) -> None:
    seen = torch.cat([SceneStream(tiny).pool(number).parts[0].truth_m for number in range(4)])
    assert not torch.isin(validation_pool(tiny).parts[0].truth_m, seen).any()


def test_turning_a_scene_keeps_every_distance(tiny: Recipe) -> None:
    scenes = SceneStream(tiny).pool(0).parts[0]
    after = turned(scenes, random_turns(len(scenes), stream(1, 0)))
    for of in (lambda each: each.evidence.position_enu_m[..., :2], lambda each: each.frame.center_m[:, None]):
        before_m, after_m = ((of(each) - each.truth_m[:, None]).norm(dim=-1) for each in (scenes, after))
        torch.testing.assert_close(after_m, before_m, rtol=1e-4, atol=0.1)


def test_turns_are_rotations_half_of_them_mirrored() -> None:
    turns = random_turns(400, torch.Generator().manual_seed(0))
    torch.testing.assert_close(turns @ turns.mT, torch.eye(2).expand(400, 2, 2), atol=1e-6, rtol=0)
    mirrored = (torch.linalg.det(turns) < 0).float().mean()
    assert 0.4 < mirrored < 0.6


def test_recorded_scenes_take_their_share_of_each_batch_as_they_are(tiny: Recipe) -> None:
    recorded = validation_pool(tiny)
    sharing = replace(tiny, scenes=replace(tiny.scenes, recorded_share=0.25))
    batch = SceneStream(sharing, recorded=recorded).batch(0)
    assert len(batch) == tiny.batch_size
    from_recordings = torch.isin(batch.truth_m[:, 0], recorded.parts[0].truth_m[:, 0])
    assert from_recordings.tolist() == [False, False, False, True]
