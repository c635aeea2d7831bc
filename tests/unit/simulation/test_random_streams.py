"""Randomness that is passed in."""

import torch

from heimdall.simulation.random_streams import Chance, stream


def test_a_stream_depends_on_seed_index_and_purpose_alone() -> None:
    first = torch.rand(4, generator=stream(1, 2))
    assert torch.equal(first, torch.rand(4, generator=stream(1, 2)))
    for other in (stream(1, 3), stream(2, 2), stream(1, 2, purpose="training")):
        assert not torch.equal(first, torch.rand(4, generator=other))


def test_seed_and_index_do_not_run_into_each_other() -> None:
    assert stream(1, 12).initial_seed() != stream(11, 2).initial_seed()


def test_the_global_generator_is_neither_read_nor_moved() -> None:
    state = torch.random.get_rng_state()
    chance = Chance(stream(0, 0), "cpu")
    for drawn in (chance.normal(3), chance.complex_normal(3), chance.exponential(1.0, 3), chance.phasor(3)):
        assert torch.isfinite(drawn.abs()).all()
    assert torch.equal(state, torch.random.get_rng_state())


def test_complex_normal_has_mean_power_one() -> None:
    power = Chance(stream(0, 0), "cpu").complex_normal(200_000).abs().square().mean()
    assert abs(power - 1) < 0.01


def test_categories_come_in_proportion_and_never_with_probability_zero() -> None:
    drawn = Chance(stream(0, 0), "cpu").categories((0.0, 3.0, 0.0, 1.0, 0.0), 20_000)
    share = drawn.bincount(minlength=5) / 20_000
    assert share[0] == share[2] == share[4] == 0
    assert abs(share[1] - 0.75) < 0.02


def test_exponential_has_the_given_mean_and_is_finite() -> None:
    drawn = Chance(stream(0, 1), "cpu").exponential(3e-6, 100_000)
    assert torch.isfinite(drawn).all()
    assert abs(drawn.mean() / 3e-6 - 1) < 0.02
