"""What the network reads: maps of the evidence around the likelihood's mode, and a token a receiver.

Everything is dimensionless: lengths are seen in units of the window's middle cell, times as lengths, so that one
network serves a harbour and a continent.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from heimdall.arrays import Array, ArrayNamespace, array_namespace
from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.frame import WindowFrame
from heimdall.estimation.likelihood.arrival_times import arrival_residual_s, link_distance_m, link_sigma_s
from heimdall.estimation.model import PropagationModel
from heimdall.estimation.prior import log_prior
from heimdall.estimation.search import BLUR_OF_CELL, arrivals_of, levels_of
from heimdall.evidence.batch import EvidenceBatch

if TYPE_CHECKING:
    from jaxtyping import Float

MAPS = ("log_mass", "density", "arrival", "doubtful_arrival", "level", "prior", "receivers", "cell_size")
"""Channels of `Window.maps`, in order."""
TOKENS = (
    "east", "north", "distance", "late", "late_sigma", "clock_sigma", "noise_sigma", "has_arrival",
    "level", "level_sigma", "has_level", "snr", "core", "area",
)  # fmt: skip
"""Features of `Window.tokens`, in order."""
LOG_MASS = MAPS.index("log_mass")
LOG_MASS_SCALE = 5.0
"""The channel `log_mass` holds the log of a cell's share of the posterior divided by this."""

_LOWEST_LOG_MASS = -30.0
_TYPICAL_SHADOWING_DB = 6.0
_DOUBT_FACTOR = 10.0
"""The doubtful map takes every arrival time to be this many times less certain."""


@dataclass(frozen=True, eq=False)
class Window:
    """The network's input for B scenes, and the frame in which its output is meant."""

    maps: Float[Array, "B C H H"]
    """Single precision; channels as in `MAPS`; rows run north, columns east."""
    tokens: Float[Array, "B N T"]
    """Single precision; features as in `TOKENS`."""
    present: Float[Array, "B N"]
    """1 for a receiver, 0 for padding."""
    frame: WindowFrame

    def select(self, index: Any) -> Window:
        changes = {f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "frame"}
        return replace(self, **changes, frame=self.frame.select(index))


def read_window(batch: EvidenceBatch, model: PropagationModel, frame: WindowFrame, cells: int) -> Window:
    """Evaluate the evidence on the window's cells, each blurred to its size."""
    xp = array_namespace(batch.arrival_s)
    maps = xp.stack(_maps(xp, batch, model, frame, cells), axis=1)
    maps = xp.reshape(maps, (maps.shape[0], len(MAPS), cells, cells))
    tokens = xp.stack(_tokens(xp, batch, model, frame), axis=-1)
    present = xp.astype(batch.present, xp.float32)
    tokens = xp.astype(tokens, xp.float32) * present[..., None]
    return Window(xp.astype(maps, xp.float32), tokens, present, frame)


def _maps(
    xp: ArrayNamespace, batch: EvidenceBatch, model: PropagationModel, frame: WindowFrame, cells: int
) -> list[Array]:
    """The channels of `MAPS`, each (B, H * H)."""
    place_m = frame.cell_middles_m(cells)
    log_area = _log_cell_area(xp, frame, cells)
    blur_m = BLUR_OF_CELL * xp.exp(0.5 * log_area) * frame.core_m[:, None]
    distance_m = link_distance_m(place_m, batch, model)
    arrival = arrivals_of(batch, model)(distance_m, blur_m)
    doubtful = arrivals_of(_doubtful(batch), _doubtful_model(model))(distance_m, blur_m)
    level = levels_of(batch, model)(place_m, distance_m)
    prior = log_prior(place_m, batch, model)
    log_density = arrival + level + prior
    return [
        _log_share(xp, log_density + log_area) / LOG_MASS_SCALE,
        xp.exp(_below_top(xp, log_density)),
        *(-xp.log1p(-_below_top(xp, part)) for part in (arrival, doubtful, level, prior)),
        _nearness(xp, distance_m, batch, blur_m),
        0.25 * log_area,
    ]


def _log_cell_area(xp: ArrayNamespace, frame: WindowFrame, cells: int) -> Array:
    """(B, H * H), in units of the middle cell's area."""
    _, size = frame.axis(cells)
    log_size = xp.log(size)
    return xp.reshape(log_size[:, None, :] + log_size[:, :, None], (size.shape[0], cells * cells))


def _doubtful(batch: EvidenceBatch) -> EvidenceBatch:
    return replace(
        batch,
        clock_sigma_s=_DOUBT_FACTOR * batch.clock_sigma_s,
        arrival_sigma_s=_DOUBT_FACTOR * batch.arrival_sigma_s,
    )


def _doubtful_model(model: PropagationModel) -> PropagationModel:
    return replace(
        model,
        multipath_sigma_s=_DOUBT_FACTOR * model.multipath_sigma_s,
        multipath_cycles=_DOUBT_FACTOR * model.multipath_cycles,
    )


def _below_top(xp: ArrayNamespace, value: Array) -> Array:
    return value - xp.max(value, axis=-1)[:, None]


def _log_share(xp: ArrayNamespace, value: Array) -> Array:
    """Normalised to a sum of one and cut off where it no longer matters."""
    below = _below_top(xp, value)
    share = below - xp.log(xp.sum(xp.exp(below), axis=-1))[:, None]
    return xp.clip(share, _LOWEST_LOG_MASS, None)


def _nearness(xp: ArrayNamespace, distance_m: Array, batch: EvidenceBatch, cell_m: Array) -> Array:
    """How near the nearest receiver is, in cells: 1 at the receiver, falling as the inverse of the distance."""
    there = batch.present[:, None, :]
    nearest_m = xp.min(xp.where(there, distance_m, 1e12 * xp.ones_like(distance_m)), axis=-1)
    return cell_m / (cell_m + nearest_m)


def _tokens(xp: ArrayNamespace, batch: EvidenceBatch, model: PropagationModel, frame: WindowFrame) -> list[Array]:
    """The features of `TOKENS`, each (B, N)."""
    middle = frame.center_m[:, None, :]
    offset_m = batch.position_enu_m[..., :2] - middle
    distance_m = link_distance_m(middle, batch, model)[:, 0]
    ground_m = xp.sqrt(xp.sum(offset_m**2, axis=-1) + 1e-6)
    core_m = frame.core_m[:, None]
    timed, leveled = (xp.astype(mask, distance_m.dtype) for mask in (batch.has_arrival, batch.has_level))
    late_s = arrival_residual_s(middle, batch, model)[:, 0]
    sigma_s = link_sigma_s(batch, model)
    snr_db = 10 * xp.log10(xp.clip(batch.snr, 1e-3, 1e6))
    return [
        offset_m[..., 0] / ground_m,
        offset_m[..., 1] / ground_m,
        _log_ratio(xp, ground_m, core_m),
        xp.asinh(late_s / sigma_s) * timed,
        *(_log_ratio(xp, s * SPEED_OF_LIGHT_M_S, core_m) * timed for s in (sigma_s, batch.clock_sigma_s, batch.arrival_sigma_s)),
        timed,
        0.1 * _level_residual_db(xp, middle, distance_m, batch, model, leveled) * leveled,
        0.1 * xp.clip(batch.level_sigma_db, 0, 30) * leveled,
        leveled,
        snr_db / 30 * xp.astype(batch.snr > 0, distance_m.dtype),
        xp.log10(core_m) / 4 + xp.zeros_like(distance_m),
        _log_ratio(xp, batch.half_width_m[:, None], core_m) + xp.zeros_like(distance_m),
    ]  # fmt: skip


def _log_ratio(xp: ArrayNamespace, length_m: Array, core_m: Array) -> Array:
    return 0.5 * xp.log10(xp.clip(length_m, 1e-3, None) / core_m)


def _level_residual_db(
    xp: ArrayNamespace,
    middle_m: Array,
    distance_m: Array,
    batch: EvidenceBatch,
    model: PropagationModel,
    leveled: Array,
) -> Array:
    """How much stronger each receiver heard than the radio map or the power law says at the middle, against their mean, in
    which a level counts as much as it is certain."""
    if batch.mapped is not None:
        excess_db = batch.mapped.excess_db(middle_m, distance_m[:, None], batch.level_db)[0][:, 0] * leveled
    else:
        law_db = -10 * model.exponent_mean * xp.log10(xp.clip(distance_m, model.min_distance_m, None))
        excess_db = (batch.level_db - law_db) * leveled
    weight = leveled / (batch.level_sigma_db**2 + _TYPICAL_SHADOWING_DB**2)
    mean_db = xp.sum(weight * excess_db, axis=-1) / xp.clip(xp.sum(weight, axis=-1), 1e-12, None)
    return excess_db - mean_db[:, None]
