"""The network's answer: a dense mixture of normal distributions, one a cell, and a broad one for everything else."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from heimdall.arrays import Array, ArrayNamespace, array_namespace
from heimdall.estimation.frame import WindowFrame

if TYPE_CHECKING:
    from jaxtyping import Float

PARAMETERS = 6
"""Per cell: log weight, offset east and north, and the Cholesky factor (ee, ne, nn), the last five in cell sizes."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """B densities of K components over the plane, in units of the frame's `core_m` from the frame's middle."""

    log_weight: Float[Array, "B K"]
    """Normalised together with `log_background`."""
    mean: Float[Array, "B K 2"]
    """East, north."""
    cholesky: Float[Array, "B K 3"]
    """Lower factor of the covariance: ee, ne, nn; ee and nn are positive."""
    log_background: Float[Array, " B"]
    """Log weight of the broad component."""
    background_mean: Float[Array, "B 2"]
    """Its middle: the middle of the searched square."""
    background_sigma: Float[Array, " B"]
    """Its standard deviation: half the width of the searched square."""

    def select(self, index: Any) -> Mixture:
        return replace(self, **{field.name: getattr(self, field.name)[index] for field in fields(self)})

    def strongest(self, count: int) -> Mixture:
        """The `count` components of greatest weight; what the others held is left out, not redistributed."""
        xp = array_namespace(self.log_weight)
        order = xp.argsort(-self.log_weight, axis=-1)[:, :count]
        return replace(
            self,
            log_weight=xp.take_along_axis(self.log_weight, order, axis=-1),
            mean=xp.stack([xp.take_along_axis(self.mean[..., k], order, axis=-1) for k in range(2)], axis=-1),
            cholesky=xp.stack([xp.take_along_axis(self.cholesky[..., k], order, axis=-1) for k in range(3)], axis=-1),
        )

    def smoothed(self, sigma: Array) -> Mixture:
        """Convolved with a round normal distribution of standard deviation `sigma` (B,)."""
        xp = array_namespace(self.log_weight)
        ee, ne, nn = (self.cholesky[..., k] for k in range(3))
        variance = sigma[:, None] ** 2
        smooth_ee = xp.sqrt(ee**2 + variance)
        smooth_ne = ee * ne / smooth_ee
        smooth_nn = xp.sqrt(ne**2 + nn**2 + variance - smooth_ne**2)
        return replace(
            self,
            cholesky=xp.stack([smooth_ee, smooth_ne, smooth_nn], axis=-1),
            background_sigma=xp.sqrt(self.background_sigma**2 + sigma**2),
        )

    def log_density(self, offset: Array) -> Array:
        """Log density per square of `core_m` at (B, M, 2) offsets from the frame's middle, shape (B, M)."""
        xp = array_namespace(self.log_weight)
        away = offset - self.background_mean[:, None, :]
        sigma = self.background_sigma[:, None]
        broad = -0.5 * xp.sum(away**2, axis=-1) / sigma**2 - math.log(2 * math.pi) - 2 * xp.log(sigma)
        return xp.logaddexp(self.log_density_of_cells(offset), broad + self.log_background[:, None])

    def log_density_of_cells(self, offset: Array) -> Array:
        """`log_density` without the broad component."""
        xp = array_namespace(self.log_weight)
        return _log_sum_exp(xp, self.log_components(offset))

    def log_components(self, offset: Array) -> Array:
        """Log of each component's share of the density, shape (B, M, K), without the broad one."""
        xp = array_namespace(self.log_weight)
        ee, ne, nn = (self.cholesky[:, None, :, k] for k in range(3))
        away = offset[:, :, None, :] - self.mean[:, None, :, :]
        along = away[..., 0] / ee
        across = (away[..., 1] - ne * along) / nn
        height = self.log_weight[:, None, :] - math.log(2 * math.pi) - xp.log(ee * nn)
        return height - 0.5 * (along**2 + across**2)


def from_network(mixture_BPHW: Array, log_background_B: Array, frame: WindowFrame, half_width_m: Array) -> Mixture:
    """The network's output in the plane of its window. The searched square is centred on the local frame's origin."""
    xp = array_namespace(mixture_BPHW)
    batch, _, cells, _ = mixture_BPHW.shape
    middle, size = frame.axis(cells)
    flat = [xp.reshape(mixture_BPHW[:, k], (batch, cells * cells)) for k in range(PARAMETERS)]
    log_weight, offset_east, offset_north, ee, ne, nn = flat
    east, size_east = (_along_columns(xp, values, cells) for values in (middle, size))
    north, size_north = (_along_rows(xp, values, cells) for values in (middle, size))
    return Mixture(
        log_weight=log_weight,
        mean=xp.stack([east + offset_east * size_east, north + offset_north * size_north], axis=-1),
        cholesky=xp.stack([ee * size_east, ne * size_north, nn * size_north], axis=-1),
        log_background=log_background_B,
        background_mean=-frame.center_m / frame.core_m[:, None],
        background_sigma=half_width_m / frame.core_m,
    )


def _along_columns(xp: ArrayNamespace, values: Array, cells: int) -> Array:
    return xp.reshape(xp.broadcast_to(values[:, None, :], (values.shape[0], cells, cells)), (-1, cells * cells))


def _along_rows(xp: ArrayNamespace, values: Array, cells: int) -> Array:
    return xp.reshape(xp.broadcast_to(values[:, :, None], (values.shape[0], cells, cells)), (-1, cells * cells))


def _log_sum_exp(xp: ArrayNamespace, values: Array) -> Array:
    top = xp.max(values, axis=-1)
    return top + xp.log(xp.sum(xp.exp(values - top[..., None]), axis=-1))
