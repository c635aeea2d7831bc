"""What receivers add by themselves is found where the transmitter is known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from heimdall.errors import InputError
from heimdall.estimation.receivers.receiver_bias import site_biases
from heimdall.observation import Observation, Place

MakeObservation = Callable[..., Observation]
PLACES = [Place(50.02 + 0.03 * row, 9.95 + 0.06 * column, 0.0) for row in range(3) for column in range(3)]


def biased(observation: Observation, delay_s: dict[str, float], level_db: dict[str, float]) -> Observation:
    receptions = tuple(
        replace(
            reception,
            toa_s=reception.toa_s + delay_s.get(reception.receiver.name, 0.0),
            rssi_dbm=None
            if reception.rssi_dbm is None
            else reception.rssi_dbm + level_db.get(reception.receiver.name, 0.0),
        )
        for reception in observation.receptions
    )
    return replace(observation, receptions=receptions)


def test_a_delay_comes_back_less_the_mean_of_all(make_observation: MakeObservation) -> None:
    """One receiver late by 2 us among five: 1.6 us above the mean, the others 0.4 us below."""
    found = site_biases([biased(make_observation(truth=place), {"R2": 2e-6}, {}) for place in PLACES])
    delays = {bias.name: bias.value for bias in found.delays_s}
    assert delays["R2"] == pytest.approx(1.6e-6, abs=1e-8)
    assert delays["R0"] == pytest.approx(-0.4e-6, abs=1e-8)
    assert sum(delays.values()) == pytest.approx(0, abs=1e-12)
    assert found.observations == len(PLACES)


def test_one_blocked_link_does_not_make_a_bias(make_observation: MakeObservation) -> None:
    """Nine transmissions, one of which reached one receiver 20 us late."""
    observations = [make_observation(truth=place) for place in PLACES]
    observations[4] = biased(observations[4], {"R1": 20e-6}, {})
    late = {bias.name: bias for bias in site_biases(observations).delays_s}["R1"]
    assert abs(late.value) < 60e-9
    assert max(residual for residual in late.residuals if residual is not None) > 10e-6


def test_a_level_comes_back_whatever_the_exponent(make_observation: MakeObservation) -> None:
    """Powers by an exponent of 3.6 where the model expects 3.0, one receiver 8 dB too strong."""
    rng = np.random.default_rng(1)
    observations = []
    for place in PLACES * 4:
        observation = make_observation(truth=place)
        receptions = tuple(
            replace(each, rssi_dbm=_power(each, place, 3.6) + rng.normal(0, 2)) for each in observation.receptions
        )
        observations.append(biased(replace(observation, receptions=receptions), {}, {"R3": 8.0}))
    levels = {bias.name: bias for bias in site_biases(observations).levels_db}
    assert levels["R3"].value == pytest.approx(0.8 * 8.0, abs=1.5)
    assert levels["R3"].sigma < 2.0


def _power(reception, place: Place, exponent: float) -> float:
    from heimdall.geometry import geodesic_distance_m

    receiver = reception.receiver
    distance_m = geodesic_distance_m(
        receiver.latitude_deg, receiver.longitude_deg, place.latitude_deg, place.longitude_deg
    )
    return -10 * exponent * np.log10(distance_m)


def test_uncertainty_falls_with_the_number_of_observations(make_observation: MakeObservation) -> None:
    """Four times as many, half as uncertain."""
    few, many = (site_biases([make_observation(truth=place) for place in PLACES * times]) for times in (1, 4))
    assert many.delays_s[0].sigma == pytest.approx(0.5 * few.delays_s[0].sigma, rel=0.05)


def test_without_a_known_transmitter_it_says_what_is_missing(make_observation: MakeObservation) -> None:
    """The error tells what to do."""
    with pytest.raises(InputError, match="say where the transmitter was"):
        site_biases([replace(make_observation(), truth=None)])


def test_residuals_go_with_the_observations_that_were_used(make_observation: MakeObservation) -> None:
    """One in the middle with too few receivers gives no residual, and those behind it keep theirs."""
    observations = [replace(make_observation(truth=place), id=f"m{index}") for index, place in enumerate(PLACES)]
    observations[2] = replace(observations[2], receptions=observations[2].receptions[:1])
    observations[4] = biased(observations[4], {"R1": 20e-6}, {})
    found = site_biases(observations)
    late = {bias.name: bias for bias in found.delays_s}["R1"]
    assert found.ids == tuple(f"m{index}" for index in range(9) if index != 2)
    by_id = dict(zip(found.ids, late.residuals, strict=True))
    assert max(by_id, key=lambda name: by_id[name] or 0.0) == "m4"
