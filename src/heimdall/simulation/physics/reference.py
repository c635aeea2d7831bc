"""A station of known place in the receivers' band, which gives cheap receivers their clocks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from torch import Tensor

from heimdall.simulation.physics.propagation import Echoes, Links, Medium, propagate
from heimdall.simulation.physics.scene_layout import Area, Layout, place, raise_to
from heimdall.simulation.random_streams import Chance, Range

if TYPE_CHECKING:
    from jaxtyping import Float


def _from_a_mast() -> Medium:
    """Propagation in sight of all receivers, with the weak echoes of reflections far below the mast."""
    return Medium(
        exponent=(2.0, 2.6),
        shadowing_db=(2.0, 4.0),
        median_snr_db=(15.0, 30.0),
        snr_limits_db=(-10.0, 45.0),
        blocked_probability=0.0,
        echoes=Echoes(most=3, mean_delay_s=0.5e-6, loss_db=(15.0, 30.0)),
    )


@dataclass(frozen=True)
class ReferenceLaw:
    """The law that references are drawn from: an FM station on a mast."""

    offset_hz: float = 0.8e6
    """Offset from the centre of the channel, to which the receivers are tuned."""
    bandwidth_hz: float = 180e3
    medium: Medium = field(default_factory=_from_a_mast)
    height_m: Range = (200.0, 500.0)


@dataclass(frozen=True, eq=False)
class Reference:
    """The station of B scenes: where it stands, and its links to the scene's receivers."""

    law: ReferenceLaw
    place_enu_m: Float[Tensor, "B 3"]
    links: Links


def draw_reference(law: ReferenceLaw, area: Area, layout: Layout, frequency_hz: Tensor, chance: Chance) -> Reference:
    """A station among the receivers or around them, where the transmitters of the area may be."""
    scenes, receivers = layout.present.shape
    elsewhere = place(replace(area, transmitter_height_m=law.height_m), scenes, receivers, chance)
    # The spot is drawn about another network of the same law; what it is moved to is this one's curved ground.
    stand = replace(
        layout,
        transmitter_enu_m=_raised(elsewhere, layout),
        transmitter_height_m=elsewhere.transmitter_height_m,
    )
    return Reference(law, stand.transmitter_enu_m, propagate(law.medium, stand, frequency_hz, chance))


def _raised(elsewhere: Layout, layout: Layout) -> Tensor:
    scale = (layout.half_width_m / elsewhere.half_width_m)[:, None, None]
    spot = elsewhere.transmitter_enu_m[:, None, :2] * scale
    return raise_to(elsewhere.transmitter_height_m[:, None], spot, layout.curvature_per_m)[:, 0]
