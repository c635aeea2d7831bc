"""A scene as an observation."""

import math

import numpy as np
import pytest

from heimdall.geometry import LocalFrame
from heimdall.observation import ClockClass
from heimdall.simulation import draw, scenario, stream, to_observation


@pytest.mark.parametrize("name", ["matched", "rough-receivers", "continental"])
def test_distances_between_geodetic_places_are_those_of_the_scene(name: str) -> None:
    batch = draw(scenario(name), 2, stream(0, 0))
    observation = to_observation(batch, 1)
    frame = LocalFrame(3.0, 4.0)  # any frame will do: distances do not depend on it
    truth = observation.truth
    assert truth is not None
    assert truth.height_m is not None
    places = [(r.receiver.latitude_deg, r.receiver.longitude_deg, r.receiver.height_m) for r in observation.receptions]
    places.append((truth.latitude_deg, truth.longitude_deg, truth.height_m))
    enu_m = frame.to_enu(*(np.array(axis) for axis in zip(*places, strict=True)))
    found_m = np.linalg.norm(enu_m[:-1] - enu_m[-1], axis=-1)
    present = batch.present[1]
    expected = (batch.receiver_enu_m[1, present] - batch.transmitter_enu_m[1]).norm(dim=-1)
    assert np.allclose(found_m, expected.numpy(), atol=0.2)


def test_samples_stamps_and_claims_reach_the_receptions() -> None:
    batch = draw(scenario("rough-receivers"), 2, stream(0, 0))
    observation = to_observation(batch, 0, name="scene")
    assert observation.id == "scene"
    assert observation.bandwidth_hz == batch.bandwidth_hz
    numbers = batch.present[0].nonzero()[:, 0].tolist()
    assert len(observation.receptions) == len(numbers)
    for number, reception in zip(numbers, observation.receptions, strict=True):
        assert reception.samples is not None
        assert reception.samples.dtype == np.complex64
        assert np.array_equal(reception.samples, batch.samples[0, number].numpy())
        assert reception.sample_rate_hz == batch.sample_rate_hz
        assert reception.start_s == float(batch.start_s[0, number])
        assert reception.receiver.clock_sigma_s == pytest.approx(float(batch.clock_sigma_s[0, number]))
        assert reception.receiver.level_sigma_db == float(batch.level_sigma_db[0, number])


def test_a_receiver_without_a_clock_says_so() -> None:
    observation = to_observation(draw(scenario("no-clocks"), 1, stream(0, 0)), 0)
    assert {reception.receiver.clock_class for reception in observation.receptions} == {ClockClass.NONE}


def test_the_height_of_the_transmitter_is_told_only_on_request() -> None:
    batch = draw(scenario("sparse"), 1, stream(0, 0))
    assert to_observation(batch, 0).transmitter_height_m is None
    told = to_observation(batch, 0, known_height=True)
    assert told.transmitter_height_m == float(batch.transmitter_height_m[0])
    assert told.truth is not None
    assert told.truth.height_m is not None
    assert math.isclose(told.truth.height_m, told.transmitter_height_m, abs_tol=0.1)


def test_receivers_have_different_names() -> None:
    observation = to_observation(draw(scenario("dense"), 1, stream(0, 0)), 0)
    names = [reception.receiver.name for reception in observation.receptions]
    assert len(set(names)) == len(names) >= 12
