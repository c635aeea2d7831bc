"""The first look at many scenes lets none pass that a closer look would have found something in."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from heimdall.estimation.integrity import first_look
from heimdall.estimation.integrity.consistency import find_misfit
from heimdall.estimation.integrity.first_look import in_plain_agreement
from heimdall.estimation.model import TERRESTRIAL, PropagationModel
from heimdall.evidence.batch import EvidenceBatch, concatenate
from heimdall.evidence.collect import collect
from heimdall.observation import Observation

MakeObservation = Callable[..., Observation]
PLACES = [(50.2, 10.1), (49.8, 10.3), (50.1, 9.6), (49.9, 9.7), (50.3, 10.6), (49.7, 10.0)]
LATE_S = (0.0, 3e-6, 40e-6, -40e-6)


def _late(evidence: EvidenceBatch, late_s: float) -> EvidenceBatch:
    arrival_s = evidence.arrival_s.copy()
    arrival_s[0, 2] += late_s
    return replace(evidence, arrival_s=arrival_s)


@pytest.mark.parametrize("most_figures", [1, 1 << 21], ids=["one by one", "together"])
def test_scenes_together_are_told_apart_as_each_alone_is(
    make_observation: MakeObservation, monkeypatch: pytest.MonkeyPatch, most_figures: int
) -> None:
    """Scenes of six receivers and one of four, which is padded."""
    monkeypatch.setattr("heimdall.estimation.integrity.first_look._MOST_FIGURES", most_figures)
    whole, few = (collect(make_observation(places)) for places in (PLACES, PLACES[:4]))
    scenes = [*(_late(whole.evidence, late_s) for late_s in LATE_S), few.evidence]
    places = [each.frame.to_enu(np.array(50.02), np.array(10.05), np.array(0.0))[:2] for each in (whole, few)]
    place_B2 = np.stack([places[0]] * len(LATE_S) + [places[1]])
    agree = in_plain_agreement(concatenate(scenes), place_B2, TERRESTRIAL, np.full(len(scenes), 2))
    assert agree.tolist() == [True, agree[1], False, False, True]
    for scene, place, agrees in zip(scenes, place_B2, agree, strict=True):
        assert not agrees or find_misfit(scene, place, TERRESTRIAL) is None


def test_many_receivers_are_left_out_a_few_at_a_time(
    make_observation: MakeObservation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is left out in turn, with a covariance of all the others: those of a thousand at once filled every memory."""
    collected = collect(make_observation([(49.5 + 0.03 * index, 9.5 + 0.02 * (index % 7)) for index in range(30)]))
    place_B2 = collected.frame.to_enu(np.array(50.02), np.array(10.05), np.array(0.0))[None, :2]
    whole = first_look.misfit_and_odds(collected.evidence, place_B2, TERRESTRIAL)
    counts: list[int] = []
    likelihood = first_look.level_log_likelihood

    def counted(place: object, distance: object, batch: EvidenceBatch, model: PropagationModel) -> object:
        counts.append(len(batch))
        return likelihood(place, distance, batch, model)

    monkeypatch.setattr(first_look, "level_log_likelihood", counted)
    monkeypatch.setattr(first_look, "_MOST_FIGURES", 3 * 30**2)
    parts = first_look.misfit_and_odds(collected.evidence, place_B2, TERRESTRIAL)
    assert max(counts) == 3
    assert sum(counts) == 32
    for together, apart in zip(whole, parts, strict=True):
        np.testing.assert_allclose(apart, together, rtol=1e-9, atol=1e-9)
