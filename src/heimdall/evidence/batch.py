"""What a batch of observations says, receiver by receiver: the form in which evidence reaches every estimator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from heimdall.arrays import Array, ArrayNamespace, array_namespace, device_of
from heimdall.evidence.radio_map import Mapped, joined

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

WORST_CLOCK_S = 1.0
"""What the uncertainty of a clock is bounded by, also where there is no clock: every figure of a batch is finite."""
_SCENE_FIELDS = ("bandwidth_hz", "curvature_per_m", "transmitter_height_m", "half_width_m")


@dataclass(frozen=True, eq=False)
class EvidenceBatch:
    """B scenes of up to N receivers, as numpy arrays or torch tensors.

    Receivers beyond a scene's own are padding: `present` is False there and every other field is finite. All
    places are in the scene's own local frame. A figure is only meaningful where its mask says so.
    """

    position_enu_m: Float[Array, "B N 3"]
    """Receivers, in m east, north, up."""
    present: Bool[Array, "B N"]
    arrival_s: Float[Array, "B N"]
    """Arrival times; any origin, the same for all receivers of a scene."""
    arrival_sigma_s: Float[Array, "B N"]
    """Standard deviation of the arrival time from noise and the receiver's place."""
    clock_sigma_s: Float[Array, "B N"]
    """Standard deviation of the receiver's clock, as claimed; at most `WORST_CLOCK_S`."""
    has_arrival: Bool[Array, "B N"]
    """The arrival time is usable: measured, and by a clock that can carry it."""
    level_db: Float[Array, "B N"]
    """Received power in dB, any origin that is common to the scene."""
    level_sigma_db: Float[Array, "B N"]
    """Standard deviation of the level beyond shadowing: calibration, noise and the receiver's place."""
    has_level: Bool[Array, "B N"]
    snr: Float[Array, "B N"]
    """Linear signal-to-noise ratio in the channel, 0 where unknown."""
    bandwidth_hz: Float[Array, " B"]
    """Width of the channel."""
    curvature_per_m: Float[Array, "B coefficients"]
    """Curvature of the earth, see `heimdall.geometry.earth_curvature_per_m`; two for a sphere, 0 for a plane."""
    transmitter_height_m: Float[Array, " B"]
    """Height above the ellipsoid at which the transmitter is looked for."""
    half_width_m: Float[Array, " B"]
    """Half the width of the square, centred on the frame's origin, that is searched."""

    silent: Bool[Array, "B N"] | None = None
    """Listened and heard nothing, so that the level lies below `level_db`; None where nobody knows of any."""
    mapped: Mapped | None = None
    """What a radio map knows about the receivers."""

    def __len__(self) -> int:
        return int(self.present.shape[0])

    def changed(self, each: Callable[[Array], Array]) -> EvidenceBatch:
        """With `each` applied to every array."""
        arrays = {name: each(getattr(self, name)) for name in _ARRAYS}
        silent = None if self.silent is None else each(self.silent)
        return EvidenceBatch(**arrays, silent=silent, mapped=None if self.mapped is None else self.mapped.changed(each))

    def select(self, index: Any) -> EvidenceBatch:
        """The scenes that `index` (a slice, or an integer or boolean array) picks."""
        arrays = {name: getattr(self, name)[index] for name in _ARRAYS}
        silent = None if self.silent is None else self.silent[index]
        return EvidenceBatch(**arrays, silent=silent, mapped=None if self.mapped is None else self.mapped[index])


_ARRAYS = tuple(field.name for field in fields(EvidenceBatch) if field.name not in ("silent", "mapped"))


def concatenate(batches: Sequence[EvidenceBatch]) -> EvidenceBatch:
    """One batch of many, each scene padded to the most receivers of any; all with one radio map, or all without."""
    xp = array_namespace(batches[0].present)
    width = max(batch.present.shape[1] for batch in batches)
    arrays = {
        name: xp.concat([_padded(xp, name, getattr(b, name), width) for b in batches], axis=0) for name in _ARRAYS
    }
    mapped = [batch.mapped for batch in batches if batch.mapped is not None]
    silent = [xp.zeros_like(b.present) if b.silent is None else b.silent for b in batches]
    if mapped and len(mapped) != len(batches):
        raise ValueError("scenes with and without a radio map cannot be in one batch")
    heard_all = all(batch.silent is None for batch in batches)
    return EvidenceBatch(
        **arrays,
        silent=None if heard_all else xp.concat([_padded(xp, "silent", each, width) for each in silent], axis=0),
        mapped=joined(mapped, width) if mapped else None,
    )


def _padded(xp: ArrayNamespace, name: str, values: Array, width: int) -> Array:
    missing = 0 if name in _SCENE_FIELDS else width - values.shape[1]
    if missing == 0:
        return values
    shape = (values.shape[0], missing, *values.shape[2:])
    return xp.concat([values, xp.zeros(shape, dtype=values.dtype, device=device_of(values))], axis=1)
