"""What happens on the way: path loss, shadowing, blocked links, echoes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from heimdall.constants import REFRACTIVE_INDEX_AIR, SPEED_OF_LIGHT_M_S
from heimdall.geometry import columns, ground_distance_m, hop_path
from heimdall.simulation.physics.scene_layout import Layout
from heimdall.simulation.physics.sky_paths import Ionosphere, sky_paths
from heimdall.simulation.random_streams import Chance, Range

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


@dataclass(frozen=True)
class Echoes:
    """Further paths of every link."""

    most: int = 3
    """A link has 0 to this many."""
    mean_delay_s: float = 2e-6
    loss_db: Range = (6.0, 18.0)


@dataclass(frozen=True)
class Hill:
    """One obstacle near the transmitter: every link across it is blocked, with delays and losses that belong together."""

    distance: Range = (0.15, 0.5)
    """Distance of the hill from the transmitter, in half widths of the network."""
    radius: Range = (0.7, 0.95)
    """Radius of the hill in units of its distance from the transmitter, which decides how wide an angle it hides."""
    excess_delay_s: Range = (2e-6, 10e-6)
    loss_db: Range = (5.0, 20.0)
    spread: float = 0.3
    """Relative scatter of delay and loss among the links behind it."""


@dataclass(frozen=True)
class Medium:
    """The law that links are drawn from."""

    exponent: Range = (2.0, 4.0)
    shadowing_db: Range = (4.0, 8.0)
    shadowing_correlation_m: float = 0.0
    """Distance between receivers over which shadowing decorrelates to 1/e (Gudmundson 1991); 0: independent."""
    shadowing_correlation: Range | None = None
    """The same drawn for each scene, in half widths of the receivers' square, in place of the distance."""
    summit_probability: float = 0.0
    """The transmitter stands on a summit in sight of all: exponent 2, shadowing of `summit_shadowing_db`, no link blocked."""
    summit_shadowing_db: Range = (2.0, 5.0)
    absorption_db_per_m: float = 0.0
    median_snr_db: Range = (0.0, 25.0)
    """SNR in the channel at the receiver with the median loss, before shadowing and blocking."""
    snr_limits_db: Range = (-25.0, 45.0)
    min_distance_m: float = 300.0
    """Power follows the distance down to this."""
    blocked_probability: float = 0.3
    mean_excess_delay_s: float = 3e-6
    blocking_loss_db: Range = (0.0, 10.0)
    hill: Hill | None = None
    echoes: Echoes | None = field(default_factory=Echoes)
    transmitter_pattern_db: Range = (0.0, 0.0)
    """How much weaker than its best direction the transmitter's antenna is towards its back."""
    receiver_pattern_db: Range = (0.0, 0.0)
    refractive_index: float = REFRACTIVE_INDEX_AIR
    along_ground: bool = False
    """The wave follows the curved ground (below 3 MHz) instead of the straight line."""
    ground_slowness_s_m: Range = (0.0, 0.0)
    """What poor ground adds to the delay of a wave that follows it, the same for a scene."""
    ground_scatter_s_m: float = 0.0
    """Standard deviation of the same from link to link."""
    sky_wave: Range | None = None
    """The only echo is one hop by the ionosphere; reflection loss in dB, the same for a scene."""
    ionosphere: Ionosphere | None = None
    """Waves come by its layers, too (3 to 30 MHz): `blocked`, path loss and echoes do not apply."""


@dataclass(frozen=True, eq=False)
class Links:
    """Links from the transmitter to each of the receivers; (B, N) unless stated otherwise."""

    delay_s: Tensor
    """Of the first path, double precision: distance over the speed of light in air, plus excess. The first path is the one
    that arrives first, and with an ionosphere the strongest."""
    excess_delay_s: Tensor
    blocked: Tensor
    level_db: Tensor
    """Power of the first path at the antenna, against the nominal noise in the channel."""
    path_delay_s: Tensor
    """(B, N, paths) delays after the first path; the first is 0, and with an ionosphere others may be less."""
    path_gain: Tensor
    """(B, N, paths) complex amplitudes against the first path, whose magnitude is 1."""
    exponent: Float[Tensor, " B"]
    """Exponent of the path loss."""
    shadowing_sigma_db: Float[Tensor, " B"]


def propagate(medium: Medium, layout: Layout, frequency_hz: Tensor, chance: Chance) -> Links:
    """Links of B scenes at the given carriers (B,)."""
    distance_m = _distance_m(medium, layout)
    blocked, excess_delay_s, loss_db = _blocking(medium, layout, chance)
    exponent = chance.uniform(medium.exponent, len(distance_m))
    shadowing_sigma_db = chance.uniform(medium.shadowing_db, len(distance_m))
    if medium.summit_probability > 0:
        summit = chance.happens(medium.summit_probability, len(distance_m))
        exponent = torch.where(summit, torch.full_like(exponent, 2.0), exponent)
        clear_db = chance.uniform(medium.summit_shadowing_db, len(distance_m))
        shadowing_sigma_db = torch.where(summit, clear_db, shadowing_sigma_db)
        blocked, excess_delay_s, loss_db = (each * ~summit[:, None] for each in (blocked, excess_delay_s, loss_db))
    gain_db = _path_gain_db(medium, layout, distance_m, exponent, chance)
    gain_db = gain_db + shadowing_sigma_db[:, None] * _shadowing(medium, layout, chance) - loss_db
    delay_s = distance_m * (medium.refractive_index / SPEED_OF_LIGHT_M_S) + _ground_delay_s(medium, distance_m, chance)
    if medium.ionosphere is not None:
        delay_s, gain_db, path_delay_s, path_gain = _by_layers(medium, layout, distance_m, frequency_hz, chance)
    else:
        path_delay_s, path_gain = _paths(medium, distance_m, chance)
    return Links(
        delay_s=delay_s + excess_delay_s,
        excess_delay_s=excess_delay_s,
        blocked=blocked,
        level_db=gain_db.clamp(*medium.snr_limits_db),
        path_delay_s=path_delay_s,
        path_gain=path_gain,
        exponent=exponent,
        shadowing_sigma_db=shadowing_sigma_db,
    )


def _distance_m(medium: Medium, layout: Layout) -> Tensor:
    receiver_m, transmitter_m = layout.receiver_enu_m.double(), layout.transmitter_enu_m[:, None].double()
    if not medium.along_ground:
        return torch.linalg.vector_norm(receiver_m - transmitter_m, dim=-1)
    return ground_distance_m(transmitter_m.unbind(-1), receiver_m.unbind(-1), columns(layout.curvature_per_m.double()))


def _ground_delay_s(medium: Medium, distance_m: Tensor, chance: Chance) -> Tensor | float:
    """The secondary phase of a ground wave: later over poor ground, in proportion to the way."""
    if medium.ground_slowness_s_m[1] == 0:
        return 0.0
    slowness = chance.uniform(medium.ground_slowness_s_m, len(distance_m), 1)
    return distance_m * (slowness + medium.ground_scatter_s_m * chance.normal(*distance_m.shape))


def _by_layers(
    medium: Medium, layout: Layout, distance_m: Tensor, frequency_hz: Tensor, chance: Chance
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Delay and level (B, N) of each link's strongest mode, and delays and gains of all (B, N, paths) against it."""
    assert medium.ionosphere is not None
    delay_s, level_db = sky_paths(medium.ionosphere, layout, distance_m, frequency_hz, chance)
    order = level_db.argsort(dim=-1, descending=True)
    delay_s, level_db = delay_s.gather(-1, order), level_db.gather(-1, order)
    strongest_db = level_db[..., 0]
    middle_db = strongest_db.masked_fill(~layout.present, torch.nan).nanmedian(dim=1, keepdim=True).values
    gain_db = strongest_db - middle_db + chance.uniform(medium.median_snr_db, len(level_db), 1)
    gain = 10 ** ((level_db - level_db[..., :1]) / 20) * chance.phasor(*level_db.shape)
    return delay_s[..., 0], gain_db, delay_s - delay_s[..., :1], gain


def _blocking(medium: Medium, layout: Layout, chance: Chance) -> tuple[Tensor, Tensor, Tensor]:
    """Which links have no line of sight, by how much they come late in s, and what they lose in dB."""
    shape = layout.present.shape
    alone = chance.happens(medium.blocked_probability, *shape)
    delay_s = alone * chance.exponential(medium.mean_excess_delay_s, *shape)
    loss_db = alone * chance.uniform(medium.blocking_loss_db, *shape)
    if medium.hill is None:
        return alone, delay_s, loss_db
    behind = _behind(medium.hill, layout, chance)
    scatter = (1 + medium.hill.spread * chance.normal(*shape)).clamp(min=0.1)
    hill_delay_s = behind * scatter * chance.uniform(medium.hill.excess_delay_s, shape[0], 1)
    hill_loss_db = behind * scatter * chance.uniform(medium.hill.loss_db, shape[0], 1)
    return alone | behind, delay_s + hill_delay_s, loss_db + hill_loss_db


def _behind(hill: Hill, layout: Layout, chance: Chance) -> Bool[Tensor, "B N"]:
    """The disc of the hill stands on the way from the transmitter."""
    scenes = len(layout.present)
    distance_m = chance.uniform(hill.distance, scenes, 1) * layout.half_width_m[:, None]
    radius_m = chance.uniform(hill.radius, scenes, 1) * distance_m
    bearing = chance.uniform((-torch.pi, torch.pi), scenes, 1)
    sight = layout.receiver_enu_m[..., :2] - layout.transmitter_enu_m[:, None, :2]
    along = (sight[..., 0] * bearing.cos() + sight[..., 1] * bearing.sin()) / sight.norm(dim=-1).clamp(min=1.0)
    half_angle = torch.asin(radius_m / distance_m)
    return (along.clamp(-1, 1).acos() < half_angle) & (sight.norm(dim=-1) > distance_m)


def _path_gain_db(medium: Medium, layout: Layout, distance_m: Tensor, exponent: Tensor, chance: Chance) -> Tensor:
    """SNR without shadowing: the drawn one at the receiver of median loss, at others by distance and antennas."""
    far_m = distance_m.clamp(min=medium.min_distance_m)
    loss_db = (10 * exponent[:, None] * far_m.log10() + medium.absorption_db_per_m * far_m).float()
    loss_db = loss_db + _pattern_loss_db(medium, layout, chance)
    middle_db = loss_db.masked_fill(~layout.present, torch.nan).nanmedian(dim=1, keepdim=True).values
    return chance.uniform(medium.median_snr_db, len(loss_db), 1) - (loss_db - middle_db)


def _pattern_loss_db(medium: Medium, layout: Layout, chance: Chance) -> Tensor | float:
    """Cardioids in decibels, turned anywhere: nothing in front, the drawn loss at the back."""
    if medium.transmitter_pattern_db[1] == 0 and medium.receiver_pattern_db[1] == 0:
        return 0.0
    scenes, receivers = layout.present.shape
    sight = layout.receiver_enu_m[..., :2] - layout.transmitter_enu_m[:, None, :2]
    bearing = torch.atan2(sight[..., 1], sight[..., 0])
    sent = bearing - chance.uniform((-torch.pi, torch.pi), scenes, 1)
    heard = bearing - chance.uniform((-torch.pi, torch.pi), scenes, receivers)
    sent_db = chance.uniform(medium.transmitter_pattern_db, scenes, 1) * (1 - sent.cos()) / 2
    return sent_db + chance.uniform(medium.receiver_pattern_db, scenes, receivers) * (1 - heard.cos()) / 2


def _shadowing(medium: Medium, layout: Layout, chance: Chance) -> Float[Tensor, "B N"]:
    """Shadowing of unit variance, correlated between receivers that are near each other."""
    independent = chance.normal(*layout.present.shape)
    length_m: Tensor | float = medium.shadowing_correlation_m
    if medium.shadowing_correlation is not None:
        length_m = (chance.uniform(medium.shadowing_correlation, len(independent)) * layout.half_width_m)[:, None, None]
    elif length_m == 0:
        return independent
    place = layout.receiver_enu_m[..., :2].double()
    apart_m = torch.linalg.vector_norm(place[:, :, None] - place[:, None], dim=-1)
    covariance = torch.exp(-apart_m / length_m)
    tiny = 1e-6 * torch.eye(covariance.shape[-1], dtype=covariance.dtype, device=covariance.device)
    factor = torch.linalg.cholesky(covariance + tiny).float()
    return (factor @ independent[..., None])[..., 0]


def _paths(medium: Medium, distance_m: Tensor, chance: Chance) -> tuple[Tensor, Tensor]:
    """Delays after the first path and complex gains against it, (B, N, 1 + echoes); each path has its own phase."""
    shape = tuple(distance_m.shape)
    first_delay = torch.zeros(*shape, 1, dtype=torch.float64, device=chance.device)
    first_gain = chance.phasor(*shape, 1)
    if medium.sky_wave is not None:
        echo_delay, echo_gain = _sky_wave(medium, medium.sky_wave, distance_m, chance)
    elif medium.echoes is not None:
        echo_delay, echo_gain = _echoes(medium.echoes, shape, chance)
    else:
        return first_delay, first_gain
    # Echoes keep their random phase to the first path: both are turned by it, which changes no law.
    return torch.cat([first_delay, echo_delay], -1), torch.cat([first_gain, echo_gain], -1)


def _echoes(echoes: Echoes, shape: tuple[int, ...], chance: Chance) -> tuple[Tensor, Tensor]:
    count = chance.integers(0, echoes.most, *shape, 1)
    alive = torch.arange(echoes.most, device=chance.device) < count
    amplitude = 10 ** (-chance.uniform(echoes.loss_db, *shape, echoes.most) / 20)
    gain = alive * amplitude * chance.phasor(*shape, echoes.most)
    return chance.exponential(echoes.mean_delay_s, *shape, echoes.most).double(), gain


def _sky_wave(medium: Medium, reflection_db: Range, distance_m: Tensor, chance: Chance) -> tuple[Tensor, Tensor]:
    """One hop by a layer at 70 km (day) to 90 km (night), delay after the ground wave and gain against it (B, N, 1).

    It is not absorbed by the ground, spreads over its longer way, and leaves and enters vertical antennas by the cosine of
    its elevation: weak near by, and as strong as the ground wave where that has faded.
    """
    shape = tuple(distance_m.shape)
    layer_m = chance.uniform((70e3, 90e3), shape[0], 1).double()
    hop_m = hop_path(distance_m, layer_m, 1)[0]
    loss_db = chance.uniform(reflection_db, shape[0], 1) + 3.0 * chance.normal(*shape)
    loss_db = loss_db + 60 * (hop_m / distance_m.clamp(min=1e3)).log10() - medium.absorption_db_per_m * distance_m
    gain = 10 ** (-loss_db.float().clamp(min=0.0) / 20) * chance.phasor(*shape)
    return ((hop_m - distance_m) / SPEED_OF_LIGHT_M_S)[..., None], gain[..., None]
