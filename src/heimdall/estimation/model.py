"""What the likelihood assumes about propagation, stated once: every figure here is an assumption that a user may question."""

from __future__ import annotations

import math
from dataclasses import dataclass

REFRACTIVE_INDEX_AIR = 1.0003
"""Near the ground (ITU-R P.453)."""


@dataclass(frozen=True)
class PropagationModel:
    """How arrival times and powers stray from distance alone.

    An arrival is late by an exponential excess delay with probability `blocked_probability`, and otherwise off by the
    clock, by noise and by what echoes do to it (`heimdall.estimation.likelihood.echo_sigma_s`). Power falls with a
    log-distance law whose exponent is normal and whose shadowing is one of `shadowing_db`, partly common to neighbours.
    """

    name: str
    blocked_probability: float = 0.3
    excess_delay_s: float = 3.0e-6
    multipath_sigma_s: float = 0.7e-6
    """Of a signal too narrow to tell an echo from the first path; it also stands for what no model explains."""
    multipath_cycles: float = 0.12
    """The same of a signal wide enough to tell most echoes apart, in inverse bandwidths: those within its resolution are left.
    Infinite: `multipath_sigma_s` holds for any bandwidth."""
    stray_probability: float = 0.0
    """Receivers whose clocks stray to either side, by a Cauchy law of half width `stray_width_s`."""
    stray_width_s: float = 0.3e-6
    outlier_density_per_s: float = 1.0
    """Floor of an arrival's density: how likely a time that is simply wrong is to fall anywhere."""
    refractive_index: float = REFRACTIVE_INDEX_AIR
    along_ground: bool = False
    """Waves follow the ground (below 30 MHz): distances are arcs, not chords."""
    range_m: float = 250_000.0
    """How far beyond the receivers a transmitter is still searched: the radio horizon between hills of 500 m and mountains
    of 1500 m on the 4/3 earth; a transmitter known to be higher is searched as far as its own."""
    exponent_mean: float = 3.0
    exponent_sigma: float = 0.8
    """Path-loss exponents from free space, 2, to dense towns, 4.5 (Rappaport, Wireless Communications, table 4.2)."""
    shadowing_db: tuple[tuple[float, float], ...] = ((0.4, 4.5), (0.4, 7.5), (0.2, 11.0))
    """Probabilities and standard deviations of the shadowing: from open land to towns, the widest with devices that are off."""
    shadowing_common: float = 0.5
    """Share of the shadowing's variance that belongs to places; the rest is each receiver's own: clutter, antenna, device."""
    shadowing_length: float = 0.3
    """Distance over which the former falls to 1/e, in half widths: what throws a shadow over a network is taken to be of the
    network's own scale, which is all that is known of a site never seen."""
    deaf_probability: float = 0.1
    """A receiver that reports no signal would have heard none anyway: switched off, unplugged, jammed."""
    blocked_loss_sigma_db: float = 1.55
    """Additional scatter of the level for the share of blocked links, as one normal term."""
    min_distance_m: float = 300.0
    """Nearer than this the power law is not followed down to its singularity."""
    systematic_m: tuple[tuple[float, float], ...] = ()
    """What moves a position whatever was measured, as shares and standard deviations of normals: an aircraft flies on
    between its message and the position that is compared. Empty: nothing beyond the links' own terms."""
    combined_receivers: int = 8
    """A transmitter among the receivers is a mixture of at most this many of them: a dense network does not mean that it
    stands in the very middle."""
    inside_probability: float = 0.7
    """The transmitter is among the receivers; otherwise around them, ever more rarely the further away."""

    @property
    def shadowing_variance_db2(self) -> float:
        """The mean over what the shadowing may be."""
        return sum(share * sigma_db**2 for share, sigma_db in self.shadowing_db)


TERRESTRIAL = PropagationModel("terrestrial")
LOCAL = PropagationModel(
    "local",
    excess_delay_s=0.3e-6,
    multipath_sigma_s=0.1e-6,
    multipath_cycles=math.inf,
    min_distance_m=20.0,
    blocked_loss_sigma_db=3.0,
    combined_receivers=2,
    inside_probability=0.5,
)
AIRBORNE = PropagationModel(
    "airborne",
    blocked_probability=0.1,
    excess_delay_s=1.0e-6,
    multipath_sigma_s=0.08e-6,
    multipath_cycles=math.inf,
    exponent_mean=2.0,
    exponent_sigma=0.2,
    inside_probability=0.02,
    systematic_m=((0.82, 15.0), (0.18, 175.0)),
)
GROUND_WAVE = PropagationModel(
    "ground wave",
    blocked_probability=0.2,
    excess_delay_s=10e-6,
    multipath_sigma_s=4e-6,
    multipath_cycles=math.inf,
    along_ground=True,
    range_m=3_000_000.0,
)

_AIRBORNE_HEIGHT_M = 1500.0
_LOCAL_HALF_WIDTH_M = 8_000.0
_GROUND_WAVE_MAX_HZ = 30e6


def model_for(frequency_hz: float, transmitter_height_m: float | None, half_width_m: float) -> PropagationModel:
    """The model that fits the band, a known height, and the size of the area."""
    if frequency_hz < _GROUND_WAVE_MAX_HZ:
        return GROUND_WAVE
    if transmitter_height_m is not None and transmitter_height_m > _AIRBORNE_HEIGHT_M:
        return AIRBORNE
    return LOCAL if half_width_m < _LOCAL_HALF_WIDTH_M else TERRESTRIAL
