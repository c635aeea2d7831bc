"""How far the posterior spreads around its mode, and the window that shows all of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from heimdall.arrays import Array, ArrayNamespace, array_namespace, device_of, picked
from heimdall.estimation.frame import WindowFrame, spanning
from heimdall.estimation.model import PropagationModel
from heimdall.estimation.prior import log_prior
from heimdall.estimation.reach import search_radius_m
from heimdall.estimation.search import BLUR_OF_CELL, LogDensity, log_posterior
from heimdall.evidence.batch import EvidenceBatch

if TYPE_CHECKING:
    from jaxtyping import Float

_CELLS_A_SPREAD = 4.0
_REACH_SIGMAS = 3.0
_RADII, _ANGLES = 48, 16
_LEAST_RADIUS_M = 0.5
_CORE_PROBABILITY = 0.5
_CORE_RADII = 6.25
"""Half a window of equal cells, in radii that hold `_CORE_PROBABILITY`: some seven standard deviations."""
_REACH_PROBABILITY = 0.99
_REACH_TEMPER = 0.25
"""The window reaches as far as the posterior would if the log-likelihood were this much flatter, so that it still holds the
truth when the likelihood is surer than it should be."""


def frame_around(
    mode_m: Array,
    batch: EvidenceBatch,
    model: PropagationModel,
    cells: int,
    spread_m: Array | None = None,
    density: LogDensity | None = None,
) -> WindowFrame:
    """The window centred on the likelihood's mode (B, 2) and scaled by how far its posterior spreads from there.

    `spread_m` (B,) is the standard deviation of an error still to come on top of the posterior: the window leaves room.
    `density` is the posterior where it is another than that of the model at the transmitter's height.
    """
    xp = array_namespace(mode_m)
    radius_m, log_mass, tempered_log_mass = _radial_mass(
        xp, mode_m, batch, model, density or log_posterior(batch, model)
    )
    core_radius_m = _radius_holding(xp, radius_m, log_mass, _CORE_PROBABILITY)
    reach_m = _radius_holding(xp, radius_m, tempered_log_mass, _REACH_PROBABILITY)
    core_m = core_radius_m * (_CORE_RADII / (cells / 2))
    if spread_m is not None:
        core_m, reach_m = xp.maximum(core_m, spread_m / _CELLS_A_SPREAD), reach_m + _REACH_SIGMAS * spread_m
    return spanning(mode_m, core_m, xp.maximum(reach_m, core_radius_m * _CORE_RADII), cells)


def posterior_mass(
    batch: EvidenceBatch, density: LogDensity, frame: WindowFrame, cells: int, radius_m: Array | None = None
) -> Array:
    """(B, cells, cells) the posterior's probability in each cell of the window, north in the first axis; sums to 1.

    Nothing lies further from the frame's origin than `radius_m` (B,), where one is given.
    """
    xp = array_namespace(batch.arrival_s)
    place_m, log_area, blur_m = window_cells(batch, frame, cells)
    log_mass = density(place_m, blur_m) + log_area
    mass = xp.exp(log_mass - xp.max(log_mass, axis=-1)[:, None])
    if radius_m is not None:
        mass = mass * (xp.sum(place_m**2, axis=-1) <= radius_m[:, None] ** 2)
    mass = mass / xp.sum(mass, axis=-1)[:, None]
    return xp.reshape(mass, (mass.shape[0], cells, cells))


def window_cells(batch: EvidenceBatch, frame: WindowFrame, cells: int) -> tuple[Array, Array, Array]:
    """The middles (B, G, 2) of the window's cells in m, the log of their areas (B, G) in core cells, and how far the density
    is to be blurred there to stand for the cell (B, G) in m; north in the slow axis."""
    xp = array_namespace(batch.arrival_s)
    _, size = frame.axis(cells)
    log_area = xp.log(size[:, :, None]) + xp.log(size[:, None, :])
    log_area = xp.reshape(log_area, (log_area.shape[0], -1))
    place_m = frame.cell_middles_m(cells)
    blur_m = BLUR_OF_CELL * xp.exp(0.5 * log_area) * frame.core_m[:, None]
    return place_m, log_area, blur_m * _parallax(xp, batch, place_m)


def _parallax(xp: ArrayNamespace, batch: EvidenceBatch, place_BG2: Array) -> Array:
    """(B, G) what a step at a place does to the differences of arrival times, over what it does to each of them.

    From outside, the receivers lie in nearly one direction: a step across it delays them apart by this part of the step, a
    step along it by the square. Cells blurred by their width would hide the distance, which lies in such small differences.
    """
    distance_BG = xp.sqrt(xp.sum(place_BG2**2, axis=-1))
    return batch.half_width_m[:, None] / xp.maximum(distance_BG, batch.half_width_m[:, None])


def _radial_mass(
    xp: ArrayNamespace, mode_m: Array, batch: EvidenceBatch, model: PropagationModel, density: LogDensity
) -> tuple[Array, Array, Array]:
    """Radii (B, R) and the log of the posterior's mass in the ring at each, up to a constant; the same with the
    likelihood tempered."""
    where = {"dtype": mode_m.dtype, "device": device_of(mode_m)}
    furthest_m = search_radius_m(batch, model) + xp.sqrt(xp.sum(mode_m**2, axis=-1))
    step = (xp.arange(_RADII, **where) + 0.5) / _RADII
    radius_BR = _LEAST_RADIUS_M * (furthest_m[:, None] / _LEAST_RADIUS_M) ** step
    # From outside the posterior is a thin ridge away from the receivers: one of the angles runs along it.
    along_B = xp.atan2(mode_m[:, 1], mode_m[:, 0])
    angle_BA = along_B[:, None] + xp.arange(_ANGLES, **where) * (2 * math.pi / _ANGLES)
    unit_BA2 = xp.stack([xp.cos(angle_BA), xp.sin(angle_BA)], axis=-1)
    place = mode_m[:, None, None, :] + radius_BR[:, :, None, None] * unit_BA2[:, None]
    blur_BR = radius_BR * (math.pi / _ANGLES * BLUR_OF_CELL * 2)
    blur = xp.reshape(xp.broadcast_to(blur_BR[:, :, None], place.shape[:3]), (place.shape[0], -1))
    place = xp.reshape(place, (place.shape[0], -1, 2))
    value = density(place, blur * _parallax(xp, batch, place) ** 2)
    tempered = _REACH_TEMPER * value + (1 - _REACH_TEMPER) * log_prior(place, batch, model)
    rings = (_ring_log_mass(xp, each, radius_BR) for each in (value, tempered))
    return radius_BR, *rings


def _ring_log_mass(xp: ArrayNamespace, value_BG: Array, radius_BR: Array) -> Float[Array, "B R"]:
    """Log of what rings hold of a density whose logarithm is known at `_ANGLES` places of each."""
    value_BRA = xp.reshape(value_BG, (*radius_BR.shape, _ANGLES))
    top = xp.max(value_BG, axis=-1)[:, None, None]
    return xp.log(xp.sum(xp.exp(value_BRA - top), axis=-1) + 1e-30) + 2 * xp.log(radius_BR)


def _radius_holding(xp: ArrayNamespace, radius_m: Array, log_mass: Array, probability: float) -> Array:
    """The radius within which that share of the mass lies, interpolated in its logarithm."""
    mass = xp.exp(log_mass - xp.max(log_mass, axis=-1)[:, None])
    held = xp.cumulative_sum(mass, axis=-1) / xp.sum(mass, axis=-1)[:, None]
    below = xp.astype(held < probability, radius_m.dtype)
    last = xp.astype(xp.clip(xp.sum(below, axis=-1), 1, radius_m.shape[1] - 1), xp.int64)[:, None]
    high, low = picked(held, last), picked(held, last - 1)
    share = xp.clip((probability - low) / xp.clip(high - low, 1e-9, None), 0.0, 1.0)
    log_radius = xp.log(radius_m)
    inner, outer = picked(log_radius, last - 1), picked(log_radius, last)
    return xp.exp(inner + share * (outer - inner))[:, 0]
