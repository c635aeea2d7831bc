"""Waves by the ionosphere: hops between the earth and a layer, each link by the modes that reach it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from heimdall import ionosphere
from heimdall.constants import REFRACTIVE_INDEX_AIR, SPEED_OF_LIGHT_M_S
from heimdall.geometry import hop_path
from heimdall.simulation.physics.scene_layout import Layout
from heimdall.simulation.random_streams import Chance, Range

if TYPE_CHECKING:
    from jaxtyping import Float

MODES = (("E", 1), ("E", 2), ("F", 1), ("F", 2), ("F", 3))
"""Layer and number of hops of the sky waves of a link; the ground wave comes before them."""
_UNHEARD_DB = -200.0


@dataclass(frozen=True)
class Ionosphere:
    """The law that layers and losses of the high-frequency bands are drawn from."""

    e_height_m: Range = (100e3, 120e3)
    """Virtual heights, the same for a scene but for tilt and scatter."""
    f_height_m: Range = (220e3, 380e3)
    f_tilt: float = 0.02
    """Standard deviation of the F layer's slope: 20 km higher a thousand kilometres on."""
    scatter_m: tuple[float, float] = (4e3, 10e3)
    """Scatter of each link's virtual height about that, for E and F."""
    day_probability: float = ionosphere.DAY_PROBABILITY
    e_critical_hz: Range = ionosphere.E_CRITICAL_HZ
    carrier_ratio: Range = ionosphere.CARRIER_RATIO
    f_critical_hz: Range = ionosphere.F_CRITICAL_HZ
    absorption_db: Range = (3.0, 12.0)
    """Daytime absorption of one hop straight up at `ABSORPTION_FREQUENCY_HZ`."""
    reflection_db: float = ionosphere.GROUND_REFLECTION_DB
    fading_db: float = 5.0
    """Standard deviation of each mode's level."""


def sky_paths(
    law: Ionosphere, layout: Layout, distance_m: Tensor, frequency_hz: Tensor, chance: Chance
) -> tuple[Tensor, Tensor]:
    """Delay in s and level in dB of the ground wave and of each of `MODES`, both (B, N, 1 + modes).

    Levels have any origin common to the scene; a mode that no ray can take is 200 dB down.
    """
    scenes = len(distance_m)
    height_m = {"E": chance.uniform(law.e_height_m, scenes, 1), "F": chance.uniform(law.f_height_m, scenes, 1)}
    height_m["F"] = height_m["F"] + _tilt_m(law, layout, chance)
    day = chance.happens(law.day_probability, scenes, 1)
    carrier_hz = frequency_hz[:, None]
    critical_hz = {
        "E": torch.where(day, chance.uniform(law.e_critical_hz, scenes, 1), 0.6e6),
        "F": (carrier_hz / chance.uniform(law.carrier_ratio, scenes, 1)).clamp(*law.f_critical_hz),
    }
    absorption_db = (
        day * chance.uniform(law.absorption_db, scenes, 1) * (ionosphere.ABSORPTION_FREQUENCY_HZ / carrier_hz) ** 2
    )
    delays = [distance_m * (REFRACTIVE_INDEX_AIR / SPEED_OF_LIGHT_M_S)]
    levels = [ionosphere.ground_wave_level_db(distance_m, carrier_hz)]
    for layer, hops in MODES:
        scatter_m = law.scatter_m["EF".index(layer)] / hops**0.5 * chance.normal(*distance_m.shape)
        path_m, slant, rise = hop_path(distance_m, (height_m[layer] + scatter_m).double(), hops)
        loss_db = absorption_db * hops * slant.clamp(max=4.0) + law.reflection_db * (hops - 1)
        loss_db = loss_db + _beyond_db(carrier_hz / (critical_hz[layer] * slant))
        if layer == "F":
            _, slant_e, _ = hop_path(distance_m, height_m["E"].double(), hops)
            loss_db = loss_db + _beyond_db(critical_hz["E"] * slant_e / carrier_hz).clamp(max=30.0)
        level_db = -20 * (path_m / 1e6).log10() - loss_db + 20 * (rise.clamp(1e-3, 0.2) / 0.2).log10()
        delays.append(path_m / SPEED_OF_LIGHT_M_S)
        levels.append(torch.where(rise > 0.01, level_db, _UNHEARD_DB))
    fading_db = law.fading_db * chance.normal(*distance_m.shape, 1 + len(MODES))
    return torch.stack(delays, dim=-1), torch.stack(levels, dim=-1).float() + fading_db


def _tilt_m(law: Ionosphere, layout: Layout, chance: Chance) -> Float[Tensor, "B N"]:
    """How much higher the F layer is at each link's midpoint than above the frame's origin."""
    slope = law.f_tilt * chance.normal(len(layout.present), 1, 2)
    middle_m = 0.5 * (layout.receiver_enu_m + layout.transmitter_enu_m[:, None])[..., :2]
    return (middle_m * slope).sum(-1).clamp(-60e3, 60e3)


def _beyond_db(ratio: Tensor) -> Tensor:
    """What a wave loses at a frequency of so many times the highest that is reflected."""
    return 150 * ratio.clamp(min=1.0).log10()
