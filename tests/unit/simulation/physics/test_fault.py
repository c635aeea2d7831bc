"""Faulty receivers."""

import torch

from heimdall.simulation.physics.fault import DEAF, MISPLACED, SLIPPED, FaultLaw, Faults, draw_faults
from heimdall.simulation.physics.scene_layout import Area, Layout, place
from heimdall.simulation.random_streams import Chance, stream


def _draw(law: FaultLaw) -> tuple[Layout, Faults]:
    chance = Chance(stream(0, 0), "cpu")
    layout = place(Area(missing_probability=0.3), 600, 6, chance)
    return layout, draw_faults(law, layout, 0.1, chance)


def test_without_probability_every_receiver_is_where_and_when_it_claims() -> None:
    layout, faults = _draw(FaultLaw())
    assert (faults.kind == 0).all()
    assert torch.equal(faults.claimed_enu_m, layout.receiver_enu_m)
    assert (faults.slip_s == 0).all()
    assert (faults.loss_db == 0).all()


def test_one_receiver_that_is_present_is_struck() -> None:
    layout, faults = _draw(FaultLaw(probability=1.0))
    assert ((faults.kind > 0).sum(1) == 1).all()
    assert not (faults.kind > 0)[~layout.present].any()


def test_each_fault_changes_what_it_is_named_after_and_nothing_else() -> None:
    layout, faults = _draw(FaultLaw(probability=1.0))
    moved_m = (faults.claimed_enu_m - layout.receiver_enu_m)[..., :2].norm(dim=-1)
    assert torch.equal(moved_m > 0, faults.kind == MISPLACED)
    assert torch.equal(faults.loss_db > 0, faults.kind == DEAF)
    assert torch.equal(faults.slip_s != 0, faults.kind == SLIPPED)


def test_faults_are_as_large_as_the_law_says() -> None:
    layout, faults = _draw(FaultLaw(probability=1.0, misplaced_by=(0.1, 0.2), slipped_by=(0.05, 0.06)))
    moved = (faults.claimed_enu_m - layout.receiver_enu_m)[..., :2].norm(dim=-1) / layout.half_width_m[:, None]
    moved = moved[faults.kind == MISPLACED]
    assert ((moved > 0.099) & (moved < 0.201)).all()
    slip_s = faults.slip_s[faults.kind == SLIPPED]
    assert ((slip_s.abs() >= 0.005) & (slip_s.abs() <= 0.006)).all()
    assert (slip_s > 0).any()
    assert (slip_s < 0).any()
