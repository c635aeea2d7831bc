"""Named laws that scenes are drawn from. What each is for: docs/simulation.md."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from heimdall.errors import InputError
from heimdall.simulation.chance import Range
from heimdall.simulation.clock import CLOCK_CLASSES, ClockLaw
from heimdall.simulation.fault import FaultLaw
from heimdall.simulation.layout import Area
from heimdall.simulation.propagation import Medium
from heimdall.simulation.receiver import Equipment
from heimdall.simulation.waveform import Channel, Modulation


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


def scenario(name: str) -> Scenario:
    """The scenario of that name."""
    if name not in SCENARIOS:
        raise InputError(f"no scenario is called {name!r}; choose one of: {', '.join(SCENARIOS)}")
    return SCENARIOS[name]


def _clocks(*names: str) -> ClockLaw:
    return ClockLaw(classes=tuple(float(name in names) for name in CLOCK_CLASSES))


_MATCHED = Scenario("matched", "the law that the likelihood assumes")
_WIDEBAND = replace(
    _MATCHED,
    name="wideband-1mhz",
    summary="signals of 1 MHz and 30 ns clocks, with echoes and 30 % of the links blocked",
    channels=(Channel(1e6, 8192),),
    clocks=_clocks("30 ns"),
)
_CLEAR_SIGHT = replace(
    _WIDEBAND,
    name="clear-sight-1mhz",
    summary="signals of 1 MHz and 30 ns clocks, every link in clear sight, no echo",
    medium=Medium(blocked_probability=0.0, echoes=None),
)
_ALL = (_MATCHED, _CLEAR_SIGHT, _WIDEBAND)
SCENARIOS = {each.name: each for each in _ALL}
