"""What the likelihood assumes about propagation, stated once: every figure here is an assumption that a user may question."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from heimdall import ionosphere
from heimdall.arrays import Array
from heimdall.constants import AIRBORNE_HEIGHT_M, REFRACTIVE_INDEX_AIR, SPEED_OF_LIGHT_M_S
from heimdall.evidence.collect import Collected

SECONDARY_INDEX = 0.0009
"""What the ground adds for a long wave: 3 us in 1000 km, between sea water (next to nothing) and poor land (6 us)."""


@dataclass(frozen=True)
class HopEcho:
    """The first sky wave inside the peak of a long wave: one hop, its amplitude against the ground wave's.

    The ground wave spreads over its way and is absorbed; the sky wave is reflected, spreads over its longer way, and leaves
    and enters vertical antennas by the cosine of its elevation.
    """

    height_m: float = 80e3
    """Of the D layer by day and the E layer by night: 70 to 90 km."""
    reflection: float = 0.10
    """Root mean square of what is reflected: 10 to 30 dB lost, less by night."""
    absorption_db_per_m: float = 20e-6
    """Of the ground wave over land (ITU-R P.368)."""
    cycles: float = 0.06
    """What a signal wide enough to tell the two apart is left with, in inverse bandwidths (`multipath_cycles`)."""
    most: float = 0.8
    """Where the sky wave is as strong as the ground wave, nobody knows which of them is timed."""


@dataclass(frozen=True)
class SkyWave:
    """Waves by the ionosphere: how high its layers are, and what decides between modes (`sky_wave.MODES`)."""

    frequency_hz: float
    """Middle of the band."""
    e_height_m: float = 110e3
    f_heights_m: tuple[float, ...] = (210e3, 255e3, 300e3, 345e3, 390e3)
    """Virtual heights, each as likely, common to all links of an observation."""
    scatter_m: float = 10e3
    """Of each hop's virtual height about those: tilt, day and night within the area."""
    f_step_m: float = 45e3
    """Between the heights of F: what the true height is off its step is the same for all hops of a link."""
    interference_s: float = 10e-6
    """What modes that arrive nearly together do to the time of their common peak."""
    e_critical_hz: tuple[float, float] = ionosphere.E_CRITICAL_HZ
    """By day; an observation is by day or by night, as nobody says which."""
    f_critical_hz: tuple[float, float] = ionosphere.F_CRITICAL_HZ
    carrier_ratio: tuple[float, float] = ionosphere.CARRIER_RATIO
    day_probability: float = ionosphere.DAY_PROBABILITY
    absorption_db: float = 4.0
    """Of one hop straight up at `ABSORPTION_FREQUENCY_HZ`, between day and night; at most 6 dB at any frequency."""
    reflection_db: float = ionosphere.GROUND_REFLECTION_DB
    odds_db: float = 14.0
    """How much stronger a mode is expected to be than another that is ten times less likely to be the strongest."""
    least_odds: float = 1e-2
    """Of any mode that a ray can take, against the most likely one."""
    ground_probability: float = 0.0
    """No sky wave at all, as by day below 3 MHz."""


@dataclass(frozen=True)
class PropagationModel:
    """How arrival times and powers stray from distance alone.

    An arrival is late by an exponential excess delay with probability `blocked_probability`, and otherwise off by the
    clock, by noise and by what echoes do to it (`heimdall.estimation.likelihood.arrival_times.echo_sigma_s`); now and then it is
    simply wrong, and the regions allow for that. Power falls with a
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
    """Floor of an arrival's density, so that nothing vanishes."""
    fault_probability: float = 0.02
    """Of a receiver whose time is simply wrong: its clock, its place, or what it took for the signal. Three receivers cannot
    check each other: were this much more, their 95 % regions would have to hold what any two of them say."""
    refractive_index: float = REFRACTIVE_INDEX_AIR
    along_ground: bool = False
    """Waves follow the ground (below 30 MHz): distances are arcs, not chords."""
    on_other_continents: bool = False
    """Transmitters are heard there as a matter of course: the whole earth is looked at."""
    range_m: float = 250_000.0
    """How far beyond the receivers a transmitter is still searched: the radio horizon between hills of 500 m and mountains
    of 1500 m on the 4/3 earth; a transmitter known to be higher is searched as far as its own."""
    least_scale_m: float = 0.0
    """The density of transmitters around the receivers falls to half no nearer than this."""
    ground_sigma_s_m: float = 0.0
    """What the ground adds to the delay of a wave that follows it: standard deviation, in proportion to the way. The mean of
    this secondary phase is in `refractive_index`."""
    hop_echo: HopEcho | None = None
    sky_wave: SkyWave | None = None
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
    def common_range_m(self) -> float:
        """Half of what is heard on the band comes from within this, however small the network is."""
        return 0.6 * self.range_m

    def fault_density_per_s(self, half_width_m: Array) -> Array:
        """Density of an arrival time that is simply wrong."""
        return self.outlier_density_per_s + self.fault_probability / fault_span_s(half_width_m)

    @property
    def without_faults(self) -> PropagationModel:
        """The model if no receiver is at fault, against which one that may be is compared."""
        return replace(self, fault_probability=0.0)

    @property
    def shadowing_variance_db2(self) -> float:
        """The mean over what the shadowing may be."""
        return sum(share * sigma_db**2 for share, sigma_db in self.shadowing_db)


def fault_span_s(half_width_m: Array) -> Array:
    """A time that is simply wrong is anywhere in what light takes there and back across the area."""
    return 4 * half_width_m / SPEED_OF_LIGHT_M_S


TERRESTRIAL = PropagationModel("terrestrial")
_LOCAL_DELAY_S = 0.3e-6
"""What obstacles and echoes within a town delay by: root mean square delay spreads of 0.1 to 1 us within some kilometres
(Greenstein et al. 1997, IEEE Transactions on Vehicular Technology 46)."""
LOCAL = PropagationModel(
    "local",
    excess_delay_s=_LOCAL_DELAY_S,
    multipath_sigma_s=_LOCAL_DELAY_S,
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
    stray_probability=0.12,
    stray_width_s=8e-6,
    multipath_sigma_s=2e-6,
    multipath_cycles=math.inf,
    refractive_index=REFRACTIVE_INDEX_AIR + SECONDARY_INDEX,
    along_ground=True,
    range_m=3_000_000.0,
    ground_sigma_s_m=2.6e-12,
    hop_echo=HopEcho(),
)
_MEDIUM_WAVE_SKY = SkyWave(1e6, e_height_m=100e3, ground_probability=0.6)
"""By night the F layer is as high as for short waves, and the second hop by it is heard as well."""
MEDIUM_WAVE = PropagationModel(
    "medium wave",
    blocked_probability=0.2,
    excess_delay_s=10e-6,
    multipath_sigma_s=4e-6,
    multipath_cycles=math.inf,
    along_ground=True,
    range_m=3_000_000.0,
    sky_wave=_MEDIUM_WAVE_SKY,
)
SHORT_WAVE = PropagationModel(
    "short wave",
    blocked_probability=0.0,
    outlier_density_per_s=10.0,
    multipath_sigma_s=4e-6,
    multipath_cycles=math.inf,
    along_ground=True,
    on_other_continents=True,
    range_m=4_000_000.0,
    exponent_mean=2.0,
    exponent_sigma=1.5,
    shadowing_db=((0.5, 10.0), (0.5, 15.0)),
    sky_wave=SkyWave(7e6),
)
"""Powers hardly tell distances here: what is near is heard weaker than what is a hop away."""

_LOCAL_HALF_WIDTH_M = 8_000.0
_INSIDE_AFAR = 1e-6
"""Of a transmitter that was found far from the receivers."""
LONG_WAVE_MAX_HZ = 300e3
MEDIUM_WAVE_MAX_HZ = 3e6
_SHORT_WAVE_BANDS_HZ = ((5.5e6, 4e6), (10e6, 7.5e6), (17e6, 13e6), (30e6, 22e6))
"""End and middle of each band: few, so that observations of a band are located together."""


def model_for(frequency_hz: float, transmitter_height_m: float | None, half_width_m: float) -> PropagationModel:
    """The model that fits the band, a known height, and the size of the area."""
    if frequency_hz < LONG_WAVE_MAX_HZ:
        return GROUND_WAVE
    if frequency_hz < MEDIUM_WAVE_MAX_HZ:
        return MEDIUM_WAVE
    for end_hz, middle_hz in _SHORT_WAVE_BANDS_HZ:
        if frequency_hz < end_hz:
            return replace(SHORT_WAVE, sky_wave=SkyWave(middle_hz))
    if transmitter_height_m is not None and transmitter_height_m > AIRBORNE_HEIGHT_M:
        return AIRBORNE
    return LOCAL if half_width_m < _LOCAL_HALF_WIDTH_M else TERRESTRIAL


def model_of(collected: Collected) -> PropagationModel:
    """The propagation model for an observation's band, height and area."""
    observation = collected.observation
    model = model_for(
        observation.frequency_hz, observation.transmitter_height_m, float(collected.evidence.half_width_m[0])
    )
    if not collected.recentred:
        return model
    return replace(model, inside_probability=_INSIDE_AFAR, least_scale_m=model.common_range_m)
