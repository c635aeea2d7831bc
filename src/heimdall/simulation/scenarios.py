"""Named laws that scenes are drawn from. What each is for: docs/reference/simulation.md."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from heimdall.scenarios import SCENARIO_SUMMARIES, check_scenario
from heimdall.simulation.physics.clock import CLOCK_CLASSES, ClockLaw
from heimdall.simulation.physics.fault import FaultLaw
from heimdall.simulation.physics.propagation import Echoes, Hill, Medium
from heimdall.simulation.physics.receiver import Equipment
from heimdall.simulation.physics.reference import ReferenceLaw
from heimdall.simulation.physics.scene_layout import Area
from heimdall.simulation.physics.sky_paths import Ionosphere
from heimdall.simulation.physics.waveform import Channel, Modulation
from heimdall.simulation.random_streams import Range


@dataclass(frozen=True)
class SecondTransmitter:
    """Another signal in the same channel, from another place."""

    level_db: Range = (-15.0, -3.0)
    """Against the first, each at its middle receiver."""


@dataclass(frozen=True)
class Scenario:
    """Ranges and probabilities of everything that is drawn."""

    name: str
    summary: str
    channels: tuple[Channel, ...] = (
        Channel(12.5e3, 2048),
        Channel(12.5e3, 4096),
        Channel(25e3, 4096),
        Channel(25e3, 8192),
        Channel(50e3, 8192),
    )
    """One is drawn a batch, each as likely."""
    frequency_hz: Range = (100e6, 500e6)
    area: Area = field(default_factory=Area)
    modulation: Modulation = field(default_factory=Modulation)
    medium: Medium = field(default_factory=Medium)
    clocks: ClockLaw = field(default_factory=ClockLaw)
    equipment: Equipment = field(default_factory=Equipment)
    faults: FaultLaw = field(default_factory=FaultLaw)
    second: SecondTransmitter | None = None
    reference: ReferenceLaw | None = None
    """A station of known place beside the channel, for clocks."""


def scenario(name: str) -> Scenario:
    """The scenario of that name."""
    check_scenario(name)
    return SCENARIOS[name]


def _clocks(*names: str) -> ClockLaw:
    return ClockLaw(classes=tuple(float(name in names) for name in CLOCK_CLASSES))


def _varied(base: Scenario, name: str, **changes: Any) -> Scenario:
    return replace(base, name=name, summary=SCENARIO_SUMMARIES[name], **changes)


_MATCHED = Scenario("matched", SCENARIO_SUMMARIES["matched"])
_WIDEBAND = _varied(
    _MATCHED,
    "wideband-1mhz",
    channels=(Channel(1e6, 8192),),
    clocks=_clocks("30 ns"),
)
_CLEAR_SIGHT = _varied(
    _WIDEBAND,
    "clear-sight-1mhz",
    medium=Medium(blocked_probability=0.0, echoes=None),
)
_SPARSE = _varied(_MATCHED, "sparse", area=Area(receivers=(3, 3)))
_DENSE = _varied(_MATCHED, "dense", area=Area(receivers=(12, 16)))
_URBAN_SMALL = _varied(
    _MATCHED,
    "urban-small",
    channels=(Channel(25e3, 4096), Channel(200e3, 8192, 1.6), Channel(1e6, 8192), Channel(2e6, 8192, 1.28)),
    frequency_hz=(400e6, 3.6e9),
    area=Area(half_width_m=(1e3, 5e3), receiver_height_m=(5.0, 40.0), transmitter_height_m=(1.5, 20.0)),
    medium=Medium(
        exponent=(2.5, 4.5),
        shadowing_db=(5.0, 9.0),
        shadowing_correlation_m=300.0,
        min_distance_m=20.0,
        blocked_probability=0.6,
        mean_excess_delay_s=0.3e-6,
        blocking_loss_db=(0.0, 20.0),
        echoes=Echoes(most=5, mean_delay_s=0.5e-6, loss_db=(2.0, 15.0)),
    ),
    clocks=_clocks("30 ns", "300 ns", "3 us"),
    equipment=Equipment(start_spread_s=0.2e-3),
)
_CONTINENTAL = _varied(
    _MATCHED,
    "continental",
    channels=(Channel(1e3, 4096, 2.4), Channel(5e3, 4096, 2.4), Channel(10e3, 4096, 1.2), Channel(5e3, 8192, 4.0)),
    frequency_hz=(50e3, 300e3),
    area=Area(receivers=(3, 8), half_width_m=(250e3, 500e3), reach=1.2),
    modulation=Modulation(fm_probability=0.0),
    medium=Medium(
        exponent=(2.0, 2.5),
        shadowing_db=(1.0, 4.0),
        absorption_db_per_m=20e-6,
        min_distance_m=10e3,
        blocked_probability=0.2,
        mean_excess_delay_s=6e-6,
        blocking_loss_db=(0.0, 6.0),
        along_ground=True,
        ground_slowness_s_m=(0.0, 6e-12),
        ground_scatter_s_m=2e-12,
        sky_wave=(12.0, 32.0),
    ),
    clocks=_clocks("300 ns", "3 us", "mixed"),
    equipment=Equipment(carrier_offset_hz=1.0, delay_sigma_s=1.5e-6, start_spread_s=50e-3),
)
_SKY_WAVE = _varied(
    _MATCHED,
    "sky-wave",
    channels=(Channel(5e3, 4096, 2.4), Channel(10e3, 4096, 1.2), Channel(10e3, 8192, 1.2)),
    frequency_hz=(3e6, 24e6),
    area=Area(receivers=(4, 9), half_width_m=(300e3, 1200e3), reach=1.3),
    medium=Medium(blocked_probability=0.0, along_ground=True, min_distance_m=10e3, ionosphere=Ionosphere()),
    clocks=_clocks("300 ns", "3 us"),
    equipment=Equipment(carrier_offset_hz=2.0, start_spread_s=50e-3),
)
_CLUSTERED_BLOCKING = _varied(
    _MATCHED,
    "clustered-blocking",
    medium=Medium(blocked_probability=0.1, hill=Hill()),
)
_WRONG_CLOCKS = _varied(
    _MATCHED,
    "wrong-clocks",
    clocks=replace(_clocks("30 ns", "300 ns", "3 us"), wrong_probability=0.3),
)
_FAULTY_RECEIVER = _varied(
    _MATCHED,
    "faulty-receiver",
    area=Area(receivers=(5, 8)),
    faults=FaultLaw(probability=0.8),
)
_UNKNOWN_NOISE = _varied(
    _MATCHED,
    "unknown-noise",
    channels=(Channel(12.5e3, 2048, 1.28), Channel(12.5e3, 4096, 4.0), Channel(25e3, 4096, 1.6), Channel(50e3, 8192)),
    equipment=Equipment(noise_figure_sigma_db=5.0, interference_db=(-10.0, 10.0)),
)
_SECOND_TRANSMITTER = _varied(
    _MATCHED,
    "second-transmitter",
    second=SecondTransmitter(),
)
_WIDE_ECHOES = _varied(
    _MATCHED,
    "wide-echoes",
    channels=(Channel(50e3, 8192), Channel(200e3, 8192), Channel(400e3, 8192, 1.6)),
    medium=Medium(echoes=Echoes(most=6, mean_delay_s=15e-6, loss_db=(1.0, 12.0))),
    clocks=_clocks("30 ns", "300 ns", "3 us"),
)
_ANTENNA_PATTERN = _varied(
    _MATCHED,
    "antenna-pattern",
    medium=Medium(transmitter_pattern_db=(10.0, 25.0), receiver_pattern_db=(0.0, 10.0)),
)
_LEVEL_ERRORS = _varied(
    _MATCHED,
    "level-errors",
    equipment=Equipment(gain_error_db=10.0),
)
_ROUGH_RECEIVERS = _varied(
    _MATCHED,
    "rough-receivers",
    channels=(Channel(12.5e3, 4096, 1.92), Channel(25e3, 4096, 4.0), Channel(50e3, 8192, 1.28)),
    area=Area(receivers=(5, 9), missing_probability=0.2),
    medium=Medium(shadowing_correlation_m=20e3),
    clocks=_clocks("300 ns", "3 us", "1 ms", "mixed"),
    equipment=Equipment(
        carrier_offset_ppm=0.1,
        sample_rate_ppm=0.5,
        noise_figure_sigma_db=2.0,
        weak_probability=0.2,
        quantisation_bits=8,
        headroom_db=(6.0, 30.0),
        start_spread_s=2e-3,
    ),
)
_AIRBORNE = _varied(
    _MATCHED,
    "airborne",
    channels=(Channel(50e3, 8192), Channel(200e3, 8192, 1.6)),
    area=Area(receivers=(4, 7), half_width_m=(10e3, 25e3), transmitter_height_m=(0.0, 25e3)),
    medium=Medium(exponent=(2.0, 2.2), blocked_probability=0.05, mean_excess_delay_s=1e-6, echoes=None),
    clocks=_clocks("30 ns", "300 ns"),
)
_NO_CLOCKS = _varied(
    _MATCHED,
    "no-clocks",
    channels=(Channel(12.5e3, 4096), Channel(25e3, 8192)),
    clocks=_clocks("none"),
)
_UNKNOWN_SITE = _varied(
    _NO_CLOCKS,
    "unknown-site",
    channels=(Channel(12.5e3, 2048), Channel(25e3, 4096)),
    frequency_hz=(100e6, 1e9),
    area=Area(receivers=(4, 12), half_width_m=(1e3, 30e3), reach=3.0),
    medium=Medium(
        exponent=(1.8, 4.5),
        shadowing_db=(4.0, 12.0),
        shadowing_correlation=(0.05, 0.6),
        summit_probability=0.25,
        median_snr_db=(0.0, 30.0),
        snr_limits_db=(-30.0, 35.0),
        min_distance_m=20.0,
    ),
    equipment=Equipment(uncalibrated_probability=0.3),
)

SCENARIOS = {
    each.name: each
    for each in (
        _MATCHED,
        _CLEAR_SIGHT,
        _WIDEBAND,
        _SPARSE,
        _DENSE,
        _URBAN_SMALL,
        _CONTINENTAL,
        _SKY_WAVE,
        _CLUSTERED_BLOCKING,
        _WRONG_CLOCKS,
        _FAULTY_RECEIVER,
        _UNKNOWN_NOISE,
        _SECOND_TRANSMITTER,
        _WIDE_ECHOES,
        _ANTENNA_PATTERN,
        _LEVEL_ERRORS,
        _ROUGH_RECEIVERS,
        _NO_CLOCKS,
        _UNKNOWN_SITE,
        _AIRBORNE,
    )
}
"""All that have a summary, in that order."""
