"""Clocks, by what they claim and by what they do."""

import pytest
import torch

from heimdall.simulation.physics.clock import CLOCK_CLASSES, CLOCK_SIGMA_S, MIXED, NONE, ClockLaw, draw_clocks
from heimdall.simulation.random_streams import Chance, stream


def _draw(*names: str, **law: float):
    classes = tuple(float(name in names) for name in CLOCK_CLASSES)
    return draw_clocks(ClockLaw(classes=classes, **law), 2000, 6, Chance(stream(0, 0), "cpu"))


@pytest.mark.parametrize("number", range(4))
def test_offsets_scatter_as_the_class_claims(number: int) -> None:
    clocks = _draw(CLOCK_CLASSES[number])
    assert (clocks.clock_class == number).all()
    assert torch.allclose(clocks.claimed_sigma_s, torch.tensor(CLOCK_SIGMA_S[number]))
    assert clocks.offset_s.std() == pytest.approx(CLOCK_SIGMA_S[number], rel=0.03)


def test_offsets_are_not_cut_off() -> None:
    assert _draw("1 ms").offset_s.abs().max() > 3e-3


def test_a_mixed_scene_holds_every_class() -> None:
    clocks = _draw("mixed")
    assert (clocks.clock_class == MIXED).all()
    for sigma_s in CLOCK_SIGMA_S:
        share = torch.isclose(clocks.claimed_sigma_s, torch.tensor(sigma_s)).float().mean()
        assert 0.22 < share < 0.28


def test_no_clock_claims_nothing_and_is_off_by_milliseconds() -> None:
    clocks = _draw("none")
    assert (clocks.clock_class == NONE).all()
    assert torch.isinf(clocks.claimed_sigma_s).all()
    assert clocks.offset_s.std() > 5e-3
    assert torch.isfinite(clocks.offset_s).all()


def test_wrong_clocks_claim_their_class_and_are_worse() -> None:
    clocks = _draw("30 ns", wrong_probability=0.3)
    assert torch.allclose(clocks.claimed_sigma_s, torch.tensor(30e-9))
    beyond = (clocks.offset_s.abs() > 4 * 30e-9).float().mean()
    assert 0.2 < beyond < 0.3
