"""One place out of a density."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heimdall.arrays import Array, ArrayNamespace, array_namespace
from heimdall.inference.mixture import Mixture

if TYPE_CHECKING:
    from jaxtyping import Float

_CANDIDATES = 48
_ROUNDS = 6
SMOOTHING = 1.0
"""Standard deviation of the blur before the peak is taken, in middle cells of a window of `_REFERENCE_CELLS`: about half
the radius that holds half the likelihood's posterior. The peak of the bare density follows every ripple."""
_REFERENCE_CELLS = 24
_NEAR_CELLS = 3.0
"""Nearer to the likelihood's mode than this, two estimates of one peak are averaged; further away there are two peaks."""


def smoothing_core(cells: int, blur: Array | float = SMOOTHING) -> Array | float:
    """The blur in middle cells of a window of `cells` a side, whose cells are that much smaller."""
    return blur * cells / _REFERENCE_CELLS


def best_place(mixture: Mixture, smoothing: Array | float) -> Float[Array, "B 2"]:
    """The highest point of the mixture blurred by `smoothing`, (B,) or one for all, in units of `core_m` from the
    window's middle.

    The strongest components and the window's middle compete; the winner climbs to its peak by mean shift.
    """
    xp = array_namespace(mixture.log_weight)
    strong = mixture.strongest(min(_CANDIDATES, mixture.log_weight.shape[1]))
    blurred = strong.smoothed(smoothing + 0 * strong.log_background)
    candidates = xp.concat([strong.mean, xp.zeros_like(strong.mean[:, :1])], axis=1)
    best = xp.argmax(blurred.log_density(candidates), axis=-1)[:, None]
    place = xp.stack([xp.take_along_axis(candidates[..., k], best, axis=-1) for k in range(2)], axis=-1)
    for _ in range(_ROUNDS):
        place = _shifted(xp, blurred, place)
    return place[:, 0]


def joined_place(peak: Array, share: Array | float, cells: int) -> Float[Array, "B 2"]:
    """Between the likelihood's mode, the window's middle, and the peak of the network's density.

    `share` of the way, (B, 1) or one for all, where both mean the same peak, all of it where they do not.
    """
    xp = array_namespace(peak)
    near = xp.max(xp.abs(peak), axis=-1) < _NEAR_CELLS * cells / _REFERENCE_CELLS
    return xp.where(near[:, None], share * peak, peak)


def _shifted(xp: ArrayNamespace, mixture: Mixture, place: Array) -> Array:
    """One round of mean shift for normal mixtures: the mean of the components' means, each weighted by share and precision."""
    share = mixture.log_components(place)[:, 0]
    share = xp.exp(share - xp.max(share, axis=-1)[:, None])
    ee, ne, nn = (mixture.cholesky[..., k] for k in range(3))
    variance_e, covariance, variance_n = ee**2, ee * ne, ne**2 + nn**2
    weight = share / (variance_e * variance_n - covariance**2)
    precision_e, precision_n, cross = weight * variance_n, weight * variance_e, -weight * covariance
    mean_e, mean_n = mixture.mean[..., 0], mixture.mean[..., 1]
    right_e = xp.sum(precision_e * mean_e + cross * mean_n, axis=-1)
    right_n = xp.sum(cross * mean_e + precision_n * mean_n, axis=-1)
    sum_e, sum_n, sum_cross = (xp.sum(each, axis=-1) for each in (precision_e, precision_n, cross))
    determinant = sum_e * sum_n - sum_cross**2
    east = (sum_n * right_e - sum_cross * right_n) / determinant
    north = (sum_e * right_n - sum_cross * right_e) / determinant
    return xp.stack([east, north], axis=-1)[:, None, :]
