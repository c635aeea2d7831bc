"""What a batch of observations says, receiver by receiver: the form in which evidence reaches every estimator."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from heimdall.geometry import Array


@dataclass(frozen=True, eq=False)
class EvidenceBatch:
    """B scenes of up to N receivers, as numpy arrays or torch tensors.

    Receivers beyond a scene's own are padding: `present` is False there and every other field is finite. All
    places are in the scene's own local frame. A figure is only meaningful where its mask says so.
    """

    position_enu_m: Array
    """(B, N, 3) receivers, in m east, north, up."""
    present: Array
    """(B, N) bool."""
    arrival_s: Array
    """(B, N) arrival times; any origin, the same for all receivers of a scene."""
    arrival_sigma_s: Array
    """(B, N) standard deviation of the arrival time from noise alone."""
    clock_sigma_s: Array
    """(B, N) standard deviation of the receiver's clock, as claimed."""
    has_arrival: Array
    """(B, N) bool: the arrival time is usable: measured, and by a clock that can carry it."""
    level_db: Array
    """(B, N) received power in dB, any origin that is common to the scene."""
    level_sigma_db: Array
    """(B, N) standard deviation of the level beyond shadowing: calibration and noise."""
    has_level: Array
    """(B, N) bool."""
    snr: Array
    """(B, N) linear signal-to-noise ratio in the channel, 0 where unknown."""
    curvature_per_m: Array
    """(B, 2) curvature of the earth towards east and north; 0 for a plane."""
    transmitter_height_m: Array
    """(B,) height above the ellipsoid at which the transmitter is looked for."""
    half_width_m: Array
    """(B,) half the width of the square, centred on the frame's origin, that is searched."""

    def __len__(self) -> int:
        return int(self.present.shape[0])

    def select(self, index: Any) -> EvidenceBatch:
        """The scenes that `index` (a slice, or an integer or boolean array) picks."""
        return replace(self, **{field.name: getattr(self, field.name)[index] for field in fields(self)})
