"""From a mixture to probabilities on the cells of its window, the form in which regions are drawn and calibrated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heimdall.arrays import Array, ArrayNamespace, array_namespace
from heimdall.estimation.frame import WindowFrame
from heimdall.inference.mixture import Mixture

if TYPE_CHECKING:
    from jaxtyping import Float

_LEAST_CELLS = 48
_COMPONENTS = 96
"""The strongest hold all but a ten-thousandth of the weight."""


@dataclass(frozen=True, eq=False)
class WindowPosterior:
    """B posteriors on the cells of their windows."""

    frame: WindowFrame
    mass: Array
    """(B, cells, cells), north in the slow axis; sums to 1 a scene."""

    def rank(self, place_m: Array) -> Float[Array, " B"]:
        """How much probability lies where the density is higher than at `place_m` (B, 2); 1 outside the window.

        The place is inside the smallest region of mass m just when this is at most m. Between the middles of cells the
        logarithm of the density is taken to be linear, as it is where regions are drawn.
        """
        xp = array_namespace(self.mass)
        cells = self.mass.shape[-1]
        middle, size = self.frame.axis(cells)
        log_density = xp.log(xp.clip(self.mass, 1e-30, None)) - xp.log(size[:, :, None]) - xp.log(size[:, None, :])
        offset = self.frame.offset_core(place_m[:, None, :])[:, 0]
        here = _between(xp, log_density, _position(xp, middle, offset[:, 1]), _position(xp, middle, offset[:, 0]))
        higher = xp.where(log_density > here[:, None, None], self.mass, xp.zeros_like(self.mass))
        edge = middle[:, -1] + 0.5 * size[:, -1]
        inside = xp.max(xp.abs(offset), axis=-1) <= edge
        # In single precision the cells together may hold a rounding more than 1.
        return xp.where(inside, xp.clip(xp.sum(higher, axis=(1, 2)), 0.0, 1.0), xp.ones_like(edge))


def posterior_of(mixture: Mixture, frame: WindowFrame, cells: int) -> WindowPosterior:
    """The mixture on the network's window of `cells` a side, each cell divided until there are enough to draw regions.

    The broad component is left out: it says that the answer may be anywhere, which no region can show.
    """
    xp = array_namespace(mixture.log_weight)
    parts = -(-_LEAST_CELLS // cells)
    fine = replace(frame, core_m=frame.core_m / parts)
    middle, size = fine.axis(cells * parts)
    middle, size = middle / parts, size / parts
    strong = mixture.strongest(min(_COMPONENTS, mixture.log_weight.shape[1]))
    shape = (middle.shape[0], cells * parts, cells * parts)
    east, north = xp.broadcast_to(middle[:, None, :], shape), xp.broadcast_to(middle[:, :, None], shape)
    offset = xp.reshape(xp.stack([east, north], axis=-1), (shape[0], -1, 2))
    log_density = xp.reshape(strong.log_density_of_cells(offset), shape)
    log_mass = log_density + xp.log(size[:, :, None]) + xp.log(size[:, None, :])
    mass = xp.exp(log_mass - xp.max(xp.max(log_mass, axis=-1), axis=-1)[:, None, None])
    return WindowPosterior(fine, mass / xp.sum(mass, axis=(1, 2))[:, None, None])


def _position(xp: ArrayNamespace, middle: Array, value: Array) -> tuple[Array, Array]:
    """Where (B,) values lie among the (B, H) rising middles: the index below and the share towards the next."""
    below = xp.sum(xp.astype(middle <= value[:, None], xp.int64), axis=-1) - 1
    low = xp.clip(below, 0, middle.shape[1] - 2)
    left = xp.take_along_axis(middle, low[:, None], axis=-1)[:, 0]
    right = xp.take_along_axis(middle, low[:, None] + 1, axis=-1)[:, 0]
    return low, xp.clip((value - left) / (right - left), 0.0, 1.0)


def _between(
    xp: ArrayNamespace, grid: Array, row: tuple[Array, Array], column: tuple[Array, Array]
) -> Float[Array, " B"]:
    """Bilinear interpolation of a (B, H, H) grid."""
    cells = grid.shape[-1]
    flat = xp.reshape(grid, (grid.shape[0], -1))
    (south, up), (west, right) = row, column

    def corner(dy: int, dx: int) -> Array:
        index = (south + dy) * cells + west + dx
        return xp.take_along_axis(flat, index[:, None], axis=-1)[:, 0]

    low = corner(0, 0) * (1 - right) + corner(0, 1) * right
    high = corner(1, 0) * (1 - right) + corner(1, 1) * right
    return low * (1 - up) + high * up
