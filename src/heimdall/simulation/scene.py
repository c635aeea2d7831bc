"""A batch of simulated scenes: what the receivers recorded and claim, and the truth behind it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Bool, Complex, Float, Int


@dataclass(frozen=True, eq=False)
class SceneBatch:
    """B scenes of up to N receivers with T samples each, all tensors on one device, in each scene's local frame.

    Times are double precision, samples complex64, everything else single precision. Where `present` is False the
    samples are zero and the other fields finite.
    """

    receiver_enu_m: Float[Tensor, "B N 3"]
    """Where the receivers claim to be."""
    present: Bool[Tensor, "B N"]
    transmitter_enu_m: Float[Tensor, "B 3"]
    """The truth."""
    samples: Complex[Tensor, "B N T"]
    """Samples in single precision, at `sample_rate_hz`, centred on the channel."""
    sample_rate_hz: float
    bandwidth_hz: float
    start_s: Float[Tensor, "B N"]
    """Stamp of the first sample by the receiver's own clock, on an axis common to the scene."""
    clock_sigma_s: Float[Tensor, "B N"]
    """Uncertainty of the clock as the receiver states it; infinite without a clock to rely on."""
    level_sigma_db: Float[Tensor, "B N"]
    """Uncertainty of the level as the receiver states it."""
    half_width_m: Float[Tensor, " B"]
    """Half the side of the square, centred on the frame's origin, that every transmitter is drawn from."""
    frequency_hz: Float[Tensor, " B"]
    """Carrier frequency."""
    curvature_per_m: Float[Tensor, "B 3"]
    """Curvature of the earth, see `heimdall.geometry.earth_curvature_per_m`."""
    latitude_deg: Float[Tensor, " B"]
    """Latitude of the frame's origin."""
    longitude_deg: Float[Tensor, " B"]
    """Longitude of the frame's origin."""

    # From here on: labels, which no estimator may read.
    receiver_true_enu_m: Float[Tensor, "B N 3"]
    """Differs from the claim where a receiver is misplaced."""
    transmitter_height_m: Float[Tensor, " B"]
    """Height above the ellipsoid."""
    clock_offset_s: Float[Tensor, "B N"]
    """What the stamps are ahead of the common time by."""
    excess_delay_s: Float[Tensor, "B N"]
    """Delay of the first path beyond that of the straight path."""
    delay_s: Float[Tensor, "B N"]
    """Time from emission to the stamp at which the first path arrives: distance / c + excess + clock + slip."""
    blocked: Bool[Tensor, "B N"]
    """No line of sight."""
    snr_db: Float[Tensor, "B N"]
    """Signal of all paths over noise, in the channel, over the recording."""
    gain: Float[Tensor, "B N"]
    """Linear amplitude gain of the receiver: its decibels are the error of its level."""
    fault: Int[Tensor, "B N"]
    """One of the kinds in `heimdall.simulation.physics.fault`; 0 is sound."""
    clock_class: Int[Tensor, " B"]
    """Index into `heimdall.simulation.physics.clock.CLOCK_CLASSES`."""
    inside: Bool[Tensor, " B"]
    """The transmitter is within the hull of the receivers."""
    path_loss_exponent: Float[Tensor, " B"]
    shadowing_sigma_db: Float[Tensor, " B"]
    waveform: Int[Tensor, " B"]
    """One of the kinds in `heimdall.simulation.physics.waveform`."""

    # Known to everybody again: a station for clocks, where the scenario has one.
    reference_enu_m: Tensor | None = None
    """(B, 3)"""
    reference_hz: Tensor | None = None
    """(B,)"""
    reference_width_hz: float = 0.0

    def __len__(self) -> int:
        return int(self.present.shape[0])

    @property
    def faulty(self) -> Bool[Tensor, "B N"]:
        return self.fault > 0

    def select(self, index: Any) -> SceneBatch:
        """The scenes that `index` (a slice, or an integer or boolean tensor) picks."""
        return self._each(lambda tensor: tensor[index])

    def to(self, device: torch.device | str) -> SceneBatch:
        return self._each(lambda tensor: tensor.to(device))

    def _each(self, change: Any) -> SceneBatch:
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return replace(self, **{name: change(value) for name, value in values if isinstance(value, Tensor)})
