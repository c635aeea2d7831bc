"""What is said of a distance that nothing bounds is as sure as the posterior is."""

from __future__ import annotations

import numpy as np
import pytest

from heimdall.estimation.model import model_of
from heimdall.estimation.openness import OpenDirection, open_direction
from heimdall.geometry import geodesic_distance_m
from heimdall.locating.pipeline import locate
from heimdall.observation import Observation
from heimdall.simulation import draw, scenario, stream, to_observation


@pytest.mark.parametrize(("probability", "words"), [(0.97, "is to the east (94 degrees)"), (0.6, "may be far beyond")])
def test_only_what_is_nearly_certain_is_said_as_a_fact(probability: float, words: str) -> None:
    said = OpenDirection(94.0, 4321.0, probability).words
    assert said.startswith(words)
    assert "at least 4.3 km away" in said


def test_the_transmitter_is_that_far_away_as_often_as_it_is_said_to_be() -> None:
    """By power alone, at sites never seen: most transmitters that may be far away are among the receivers."""
    batch = draw(scenario("unknown-site"), 96, stream(9, 0))
    observations = [to_observation(batch, index) for index in range(len(batch))]
    said, true = [], []
    for observation, located in zip(observations, locate(observations), strict=True):
        if located.posterior is None or located.collected is None:
            continue
        found = open_direction(located.collected, located.posterior, model_of(located.collected))
        if found is not None:
            said.append(found.probability)
            true.append(_from_middle_m(observation) >= found.least_m)
    assert len(said) > 25
    assert np.mean(true) == pytest.approx(np.mean(said), abs=3 * 0.5 / len(said) ** 0.5)


def _from_middle_m(observation: Observation) -> float:
    places = [(each.receiver.latitude_deg, each.receiver.longitude_deg) for each in observation.receptions]
    truth = observation.truth
    assert truth is not None
    return geodesic_distance_m(*np.mean(places, axis=0), truth.latitude_deg, truth.longitude_deg)
