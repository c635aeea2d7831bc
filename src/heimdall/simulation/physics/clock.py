"""The clocks by which receivers stamp their samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from heimdall.simulation.random_streams import Chance

if TYPE_CHECKING:
    from jaxtyping import Float, Int

CLOCK_SIGMA_S = (30e-9, 300e-9, 3e-6, 1e-3)
"""Standard deviations of the classes of clocks."""
CLOCK_CLASSES = ("30 ns", "300 ns", "3 us", "1 ms", "mixed", "none")
"""Clock class of a scene: all receivers alike, each of any of the four, or none at all."""
MIXED, NONE = 4, 5
_NONE_SIGMA_S = 20e-3
"""What receivers without a clock to rely on are really off by; nobody is told."""


@dataclass(frozen=True)
class ClockLaw:
    """The law that clocks are drawn from."""

    classes: tuple[float, ...] = (0.2, 0.2, 0.2, 0.1, 0.3, 0.0)
    """Probability of each of `CLOCK_CLASSES`."""
    wrong_probability: float = 0.0
    """A receiver claims its class and is worse."""
    wrong_factor: tuple[float, ...] = (10.0, 100.0, 1000.0)
    """By how much a wrong clock is worse, each factor equally likely; never worse than the worst class."""


@dataclass(frozen=True, eq=False)
class Clocks:
    """What the clocks of N receivers claim and what they do, for B scenes."""

    clock_class: Int[Tensor, " B"]
    """Index into `CLOCK_CLASSES`."""
    claimed_sigma_s: Float[Tensor, "B N"]
    """Infinite for no clock."""
    offset_s: Float[Tensor, "B N"]
    """What the receiver's stamps are ahead of the common time by; double precision."""


def draw_clocks(law: ClockLaw, scenes: int, receivers: int, chance: Chance) -> Clocks:
    """Clocks of so many receivers in each of so many scenes."""
    clock_class = chance.categories(law.classes, scenes)
    own = chance.integers(0, len(CLOCK_SIGMA_S) - 1, scenes, receivers)
    kind = torch.where((clock_class == MIXED)[:, None], own, clock_class[:, None])
    true_sigma_s = torch.tensor((*CLOCK_SIGMA_S, torch.nan, _NONE_SIGMA_S), device=chance.device)[kind]
    claimed_sigma_s = true_sigma_s.masked_fill(kind == NONE, torch.inf)
    if law.wrong_probability > 0:
        factor = torch.tensor(law.wrong_factor, device=chance.device)
        worse = true_sigma_s * factor[chance.integers(0, len(law.wrong_factor) - 1, scenes, receivers)]
        wrong = chance.happens(law.wrong_probability, scenes, receivers) & (kind != NONE)
        true_sigma_s = torch.where(wrong, worse.clamp(max=CLOCK_SIGMA_S[-1]), true_sigma_s)
    return Clocks(clock_class, claimed_sigma_s, (true_sigma_s * chance.normal(scenes, receivers)).double())
