"""Training sees scenes as `heimdall locate` would, and none that `heimdall evaluate` shows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from heimdall.estimation.model import model_for
from heimdall.evidence.collect import collect
from heimdall.learning.data import pools, simulated
from heimdall.learning.data.pools import windows_of
from heimdall.learning.data.simulated import SceneSource, by_model, centred, evidence_of, simulate
from heimdall.simulation import draw, scenario, scenes, stream, to_observation


def _source(scenarios: dict[str, float]) -> SceneSource:
    return SceneSource(scenarios, seed=1, purpose="training", cells=16)


def test_evidence_of_a_batch_is_that_of_its_scenes_read_one_by_one() -> None:
    batch = draw(scenario("matched"), 4, stream(11, 0))
    together = evidence_of(batch)
    for index in range(len(batch)):
        alone = collect(to_observation(batch, index)).evidence
        both = together.has_arrival[index].numpy() & alone.has_arrival[0]
        assert (together.has_arrival[index].numpy() == alone.has_arrival[0]).mean() > 0.8
        one, other = together.arrival_s[index].numpy()[both], alone.arrival_s[0][both]
        # The records are aligned to whole samples first, so that a delay may move by a part of its own uncertainty.
        allowed = np.maximum(together.arrival_sigma_s[index].numpy()[both].max(), 0.1e-6)
        assert np.abs((one - one.mean()) - (other - other.mean())).max() < 2 * allowed
        assert float(together.half_width_m[index]) == pytest.approx(float(alone.half_width_m[0]), rel=1e-2)


def test_scenes_are_trained_under_the_model_and_around_the_middle_that_locate_takes() -> None:
    """A draw of `urban-small` has squares on both sides of what the local model is for."""
    parts = simulate(_source({"urban-small": 1.0}), range(3))
    assert len({part.model for part in parts}) == 2
    for part in parts:
        for half_width_m in part.evidence.half_width_m:
            assert part.model == model_for(1e9, None, float(half_width_m))
        there = part.evidence.present[..., None]
        middle_m = (part.evidence.position_enu_m[..., :2] * there).sum(1) / there.sum(1)
        assert middle_m.abs().max() < 0.1


def test_a_processor_finds_with_arrays_what_tensors_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows that a training on a card and one on a processor see differ by less than what noise does to them."""
    (part,) = simulate(_source({"matched": 1.0}), [0])
    window = windows_of(part, 16).window
    for module in (simulated, pools):
        monkeypatch.setattr(module, "pays", lambda device, model=None: False)
    (reference,) = simulate(_source({"matched": 1.0}), [0])
    apart = (part.frame.center_m - reference.frame.center_m).norm(dim=1) / reference.frame.core_m
    assert float(apart.quantile(0.9)) < 0.1
    torch.testing.assert_close(part.frame.core_m[apart < 0.1], reference.frame.core_m[apart < 0.1], rtol=0.02, atol=0)
    torch.testing.assert_close(windows_of(part, 16).window.maps, window.maps, rtol=0, atol=2e-2)


def test_a_scene_seen_from_another_origin_keeps_its_distances() -> None:
    batch = draw(scenario("matched"), 8, stream(11, 0))
    apart = [(each.receiver_enu_m - each.transmitter_enu_m[:, None]).norm(dim=-1) for each in (batch, centred(batch))]
    torch.testing.assert_close(apart[1], apart[0], rtol=2e-4, atol=5.0)


def test_a_simulated_pool_does_not_depend_on_the_number_of_threads() -> None:
    law = {"matched": 1.0, "sparse": 1.0}
    pools = [simulate(_source(law), range(2), threads=threads) for threads in (1, 2)]
    for one, two in zip(*pools, strict=True):
        torch.testing.assert_close(one.truth_m, two.truth_m)
        torch.testing.assert_close(one.frame.core_m, two.frame.core_m)


def test_a_draw_holds_the_same_scenes_whichever_draws_are_made_with_it() -> None:
    (alone,) = simulate(_source({"matched": 1.0}), [3])
    among = simulate(_source({"matched": 1.0}), range(2, 5))[1]
    torch.testing.assert_close(alone.truth_m, among.truth_m)


def test_training_scenes_are_none_that_evaluate_shows_for_any_small_seed() -> None:
    trained = simulate(_source({"matched": 1.0}), [0])[0].truth_m
    for seed in range(8):
        (shown,) = scenes(scenario("matched"), seed, 16)
        assert not torch.isin(trained[:, 0], shown.transmitter_enu_m[:, 0]).any()


def test_the_truth_lies_in_the_window_of_nearly_every_scene() -> None:
    (part,) = by_model(simulate(_source({"matched": 1.0}), range(4)))
    middle, size = part.frame.axis(16)
    edge = middle[:, -1] + size[:, -1] / 2
    offset = part.frame.offset_core(part.truth_m[:, None])[:, 0].abs().amax(1)
    assert float((offset <= edge).float().mean()) > 0.95
