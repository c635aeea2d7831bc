"""The window that the network reads: a square of cells that are fine at the middle and grow outwards.

A posterior can be 30 m wide at its peak and have a second peak 20 km away. Cells of equal size lose one or the other,
so along each axis the cells follow a sinh: equal near the middle, a constant ratio of neighbours far from it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from heimdall.arrays import Array, ArrayNamespace, array_namespace

if TYPE_CHECKING:
    from jaxtyping import Float

_NEWTON_STEPS = 12


@dataclass(frozen=True, eq=False)
class WindowFrame:
    """B windows of H x H cells, as numpy arrays or torch tensors."""

    center_m: Float[Array, "B 2"]
    """Middle of the window, m east and north."""
    core_m: Float[Array, " B"]
    """Size of the middle cell."""
    stretch: Float[Array, " B"]
    """How strongly the cells grow outwards; 0 for cells of one size."""

    def select(self, index: Any) -> WindowFrame:
        return replace(self, **{field.name: getattr(self, field.name)[index] for field in fields(self)})

    def axis(self, cells: int) -> tuple[Array, Array]:
        """Cell middles from the window's middle and cell sizes along one axis, both (B, H), in units of `core_m`."""
        xp = array_namespace(self.core_m)
        index = xp.arange(cells, dtype=self.core_m.dtype, device=_device(self.core_m)) - (cells - 1) / 2
        rate = self.stretch[:, None] * (2 / cells)
        return xp.sinh(rate * index) / rate, xp.cosh(rate * index)

    def place_m(self, offset_core: Array) -> Float[Array, "B K 2"]:
        """Places in m of offsets from the middle in units of `core_m`."""
        return self.center_m[:, None, :] + offset_core * self.core_m[:, None, None]

    def offset_core(self, place_m: Array) -> Array:
        """The inverse of `place_m`."""
        return (place_m - self.center_m[:, None, :]) / self.core_m[:, None, None]

    def cell_middles_m(self, cells: int) -> Array:
        """(B, H * H, 2) middles of the cells in m; rows run north, columns east."""
        xp = array_namespace(self.core_m)
        middle, _ = self.axis(cells)
        shape = (middle.shape[0], cells, cells)
        east = xp.broadcast_to(middle[:, None, :], shape)
        north = xp.broadcast_to(middle[:, :, None], shape)
        return self.place_m(xp.reshape(xp.stack([east, north], axis=-1), (shape[0], cells * cells, 2)))


def spanning(center_m: Array, core_m: Array, half_width_m: Array, cells: int) -> WindowFrame:
    """The window with a middle cell of `core_m` that reaches `half_width_m` from its middle on each side, both (B,).

    Where the cells of one size reach as far already, they stay of one size and the window is wider than asked for.
    """
    xp = array_namespace(core_m)
    ratio = half_width_m / (core_m * (cells / 2))
    return WindowFrame(center_m, core_m, _solve_stretch(xp, xp.clip(ratio, 1.0 + 1e-4, 1e9)))


def _solve_stretch(xp: ArrayNamespace, ratio: Array) -> Array:
    """The a > 0 with sinh(a) / a = ratio, by Newton on the logarithm, which is convex and nearly linear far out."""
    log_ratio = xp.log(ratio)
    a = xp.sqrt(6 * log_ratio) + log_ratio
    for _ in range(_NEWTON_STEPS):
        value = a + xp.log(-xp.expm1(-2 * a)) - xp.log(2 * a) - log_ratio
        slope = 1 / xp.tanh(a) - 1 / a
        a = xp.clip(a - value / slope, 1e-3, 60.0)
    return a


def _device(array: Array) -> Any:
    return getattr(array, "device", None)
