"""Recordings with known transmitters become training scenes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from heimdall.errors import InputError
from heimdall.geometry import LocalFrame
from heimdall.learning.data.recorded import collected_of, recorded_scenes
from heimdall.observation import Observation
from heimdall.simulation import draw, scenario, stream, to_observation


@pytest.fixture(scope="module")
def observations() -> list[Observation]:
    batch = draw(scenario("matched"), 3, stream(2, 0))
    return [to_observation(batch, index) for index in range(len(batch))]


def test_the_truth_lies_as_far_from_each_receiver_as_it_did(observations: list[Observation]) -> None:
    pool = recorded_scenes(collected_of(observations), 16).training
    (part,) = pool.parts
    for index, observation in enumerate(observations):
        truth = observation.truth
        assert truth is not None
        frame = LocalFrame(truth.latitude_deg, truth.longitude_deg)
        for number, reception in enumerate(observation.receptions):
            receiver = reception.receiver
            true_m = frame.to_enu(receiver.latitude_deg, receiver.longitude_deg, receiver.height_m)
            seen_m = part.evidence.position_enu_m[index, number, :2] - part.truth_m[index]
            assert float(seen_m.norm()) == pytest.approx(float((true_m[:2] ** 2).sum() ** 0.5), rel=1e-3)


def test_the_windows_of_recordings_are_finite(observations: list[Observation]) -> None:
    batch = recorded_scenes(collected_of(observations), 16).training.windows(torch.arange(3))
    assert batch.window.maps.isfinite().all()
    assert batch.window.tokens.isfinite().all()


def test_recordings_without_enough_receivers_are_left_out_and_none_left_is_said(
    observations: list[Observation],
) -> None:
    lonely = replace(observations[0], receptions=observations[0].receptions[:1])
    assert len(collected_of([lonely, observations[1]])) == 1
    with pytest.raises(InputError, match="--data"):
        collected_of([lonely])


def test_an_aircraft_without_a_height_lies_where_the_evidence_looks_for_it(observations: list[Observation]) -> None:
    """At 11 km, a few hundred kilometres from the middle of the receivers, the height moves its place on the plane by metres."""
    high = []
    for height_m in (11_000.0, None):
        observation = observations[0]
        assert observation.truth is not None
        far = replace(observation.truth, latitude_deg=observation.truth.latitude_deg + 2.5, height_m=height_m)
        high.append(replace(observation, truth=far, transmitter_height_m=11_000.0))
    (part,) = recorded_scenes(collected_of(high), 16).training.parts
    assert float((part.truth_m[0] - part.truth_m[1]).norm()) < 0.5
