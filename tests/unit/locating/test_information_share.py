"""What a fix owes to each of its receivers."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from heimdall.locating.information_share import contributions
from heimdall.locating.pipeline import locate
from heimdall.observation import Observation

MakeObservation = Callable[..., Observation]


def with_receptions(observation: Observation, change: Callable[[int], dict]) -> Observation:
    receptions = tuple(replace(reception, **change(index)) for index, reception in enumerate(observation.receptions))
    return replace(observation, receptions=receptions)


def test_shares_sum_to_one_and_a_flawed_receiver_has_none(make_observation: MakeObservation) -> None:
    """They stand in the order of the receptions, whoever is left out."""
    observation = with_receptions(make_observation(), lambda index: {"flaw": "broken"} if index == 1 else {})
    found = contributions(locate([observation])[0])
    assert sum(found.shares) == pytest.approx(1)
    assert found.shares[1] == 0
    assert min(share for index, share in enumerate(found.shares) if index != 1) > 0


def test_a_receiver_with_a_worse_clock_gives_less(make_observation: MakeObservation) -> None:
    """The same receiver, by its clock alone."""
    fair = make_observation()
    receiver = fair.receptions[2].receiver
    worse = with_receptions(
        fair, lambda index: {"receiver": replace(receiver, clock_sigma_s=2e-6)} if index == 2 else {}
    )
    shares = [contributions(locate([each])[0]).shares[2] for each in (fair, worse)]
    assert shares[1] < 0.5 * shares[0]


def test_a_fix_without_a_position_owes_nothing(make_observation: MakeObservation) -> None:
    """All receivers but one are flawed."""
    observation = with_receptions(make_observation(), lambda index: {"flaw": "broken"} if index else {})
    assert contributions(locate([observation])[0]) is None
