"""Receivers that are not where, or not when, or not what their owner says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from heimdall.simulation.physics.scene_layout import Layout, raise_to
from heimdall.simulation.random_streams import Chance, Range

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

SOUND, MISPLACED, DEAF, SLIPPED = 0, 1, 2, 3
"""Kinds of fault; a slipped receiver lost samples before its first stamp."""
_DEAF_LOSS_DB = 60.0


@dataclass(frozen=True)
class FaultLaw:
    """The law that faults are drawn from."""

    probability: float = 0.0
    """One receiver of the scene is faulty."""
    kinds: tuple[float, float, float] = (0.5, 0.2, 0.3)
    """Misplaced, deaf, slipped: in proportion."""
    misplaced_by: Range = (0.05, 0.5)
    """How far a receiver is misplaced, in half widths of the network."""
    slipped_by: Range = (0.02, 0.3)
    """How far a recording is shifted to either side, in lengths of the recording."""


@dataclass(frozen=True, eq=False)
class Faults:
    """(B, N) unless said otherwise."""

    kind: Tensor
    """One of the kinds of fault."""
    claimed_enu_m: Float[Tensor, "B N 3"]
    """Where the owner says the receiver is."""
    slip_s: Tensor
    """Added to the delay."""
    loss_db: Tensor


def draw_faults(law: FaultLaw, layout: Layout, duration_s: float, chance: Chance) -> Faults:
    """At most one receiver of a scene is struck, with the probability of the law. `duration_s`: of the recording."""
    scenes, receivers = layout.present.shape
    struck = chance.happens(law.probability, scenes)[:, None] & _one_of(layout.present, chance)
    kind = struck * (1 + chance.categories(law.kinds, scenes, receivers))
    side = 1 - 2 * chance.happens(0.5, scenes, receivers).double()
    slip_s = side * duration_s * chance.uniform(law.slipped_by, scenes, receivers)
    return Faults(
        kind=kind,
        claimed_enu_m=_misplace(law, layout, kind == MISPLACED, chance),
        slip_s=slip_s * (kind == SLIPPED),
        loss_db=_DEAF_LOSS_DB * (kind == DEAF),
    )


def _one_of(present: Tensor, chance: Chance) -> Bool[Tensor, "B N"]:
    """True for one receiver a scene, one that is present."""
    lot = chance.uniform((0.0, 1.0), *present.shape).masked_fill(~present, -1.0)
    return torch.nn.functional.one_hot(lot.argmax(-1), present.shape[1]).bool()


def _misplace(law: FaultLaw, layout: Layout, misplaced: Tensor, chance: Chance) -> Tensor:
    length_m = chance.uniform(law.misplaced_by, *misplaced.shape) * layout.half_width_m[:, None]
    bearing = chance.uniform((-torch.pi, torch.pi), *misplaced.shape)
    step_m = torch.stack([length_m * bearing.cos(), length_m * bearing.sin()], dim=-1)
    moved = raise_to(torch.zeros_like(length_m), layout.receiver_enu_m[..., :2] + step_m, layout.curvature_per_m)
    return torch.where(misplaced[..., None], moved, layout.receiver_enu_m)
