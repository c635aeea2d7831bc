"""Where receivers stand and where the transmitter is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from heimdall.geometry import columns, earth_curvature_per_m, surface_up_m
from heimdall.simulation.random_streams import Chance, Range

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

_OUTSIDE_TRIES = 40


@dataclass(frozen=True)
class Area:
    """The law that places are drawn from."""

    receivers: tuple[int, int] = (4, 8)
    """Fewest and most; drawn once a batch."""
    half_width_m: Range = (50e3, 100e3)
    """Half the side of the square, centred on the origin, in which receivers stand."""
    missing_probability: float = 0.0
    """A receiver beyond the third is absent."""
    inside_probability: float = 0.7
    """The transmitter is inside the convex hull of the receivers; else outside it."""
    reach: float = 1.4
    """Half the side of the transmitters' square, in half widths of the receivers'."""
    receiver_height_m: Range = (5.0, 100.0)
    transmitter_height_m: Range = (0.0, 30.0)
    latitude_deg: Range = (-60.0, 70.0)


@dataclass(frozen=True, eq=False)
class Layout:
    """B drawn scenes of N receivers, in each scene's local frame of east, north, up."""

    half_width_m: Float[Tensor, " B"]
    latitude_deg: Float[Tensor, " B"]
    """Latitude of the frame's origin, in double precision."""
    longitude_deg: Float[Tensor, " B"]
    """Longitude of the frame's origin, in double precision."""
    curvature_per_m: Float[Tensor, "B 3"]
    """See `heimdall.geometry.earth_curvature_per_m`."""
    receiver_enu_m: Float[Tensor, "B N 3"]
    present: Bool[Tensor, "B N"]
    transmitter_enu_m: Float[Tensor, "B 3"]
    transmitter_height_m: Float[Tensor, " B"]
    """Height above the ellipsoid."""
    inside: Bool[Tensor, " B"]
    """The transmitter is in the hull of the receivers that are present."""


def place(area: Area, scenes: int, receivers: int, chance: Chance) -> Layout:
    """Receivers and a transmitter in each of so many scenes, in metres of each scene's own tangent frame."""
    half_width_m = chance.uniform(area.half_width_m, scenes)
    latitude_deg = chance.uniform(area.latitude_deg, scenes).double()
    curvature = torch.stack(earth_curvature_per_m(latitude_deg.deg2rad().sin()), dim=-1).float()
    ground = chance.uniform((-1.0, 1.0), scenes, receivers, 2) * half_width_m[:, None, None]
    present = ~chance.happens(area.missing_probability, scenes, receivers)
    present[:, :3] = True
    spot, inside = _transmitter_ground(area, ground, present, half_width_m, chance)
    transmitter_height_m = chance.uniform(area.transmitter_height_m, scenes, 1)
    return Layout(
        half_width_m=half_width_m,
        latitude_deg=latitude_deg,
        longitude_deg=chance.uniform((-180.0, 180.0), scenes).double(),
        curvature_per_m=curvature,
        receiver_enu_m=raise_to(chance.uniform(area.receiver_height_m, scenes, receivers), ground, curvature),
        present=present,
        transmitter_enu_m=raise_to(transmitter_height_m, spot, curvature)[:, 0],
        transmitter_height_m=transmitter_height_m[:, 0],
        inside=inside,
    )


def raise_to(height_m: Tensor, ground_m: Tensor, curvature_per_m: Tensor) -> Tensor:
    """Places (B, N, 2) east and north, at heights (B, N) above the ellipsoid, as (B, N, 3) east, north, up."""
    east, north = ground_m.unbind(-1)
    up = surface_up_m(east, north, columns(curvature_per_m), height_m)
    return torch.stack([east, north, up], dim=-1)


def _transmitter_ground(
    area: Area, ground: Tensor, present: Tensor, half_width_m: Tensor, chance: Chance
) -> tuple[Tensor, Tensor]:
    """(B, 1, 2) and whether it is inside the hull. Where no place outside is found, it stays inside."""
    scenes, receivers = present.shape
    weight = chance.exponential(1.0, scenes, receivers) * present + 1e-9 * present
    within = (weight[..., None] * ground).sum(1, keepdim=True) / weight.sum(1)[:, None, None]
    reach_m = (area.reach * half_width_m)[:, None, None]
    tries = chance.uniform((-1.0, 1.0), scenes, _OUTSIDE_TRIES, 2) * reach_m
    outside = ~inside_hull(tries, ground, present)
    first = outside.float().argmax(1)
    without = torch.gather(tries, 1, first[:, None, None].expand(-1, 1, 2))
    inside = chance.happens(area.inside_probability, scenes) | ~outside.any(1)
    return torch.where(inside[:, None, None], within, without), inside


def inside_hull(place_m: Tensor, receiver_m: Tensor, present: Tensor) -> Tensor:
    """Whether places (B, P, 2) lie in the convex hull of the receivers (B, N, 2) that are present: (B, P) bool.

    Seen from outside, all receivers fit into half a turn: the largest gap between their bearings exceeds pi. The
    first receiver must be present.
    """
    sight = receiver_m[:, None] - place_m[:, :, None]
    bearing = torch.atan2(sight[..., 1], sight[..., 0])
    bearing = torch.where(present[:, None], bearing, bearing[..., :1]).sort(-1).values
    around = torch.cat([bearing, bearing[..., :1] + 2 * torch.pi], dim=-1)
    return around.diff(dim=-1).amax(-1) <= torch.pi
