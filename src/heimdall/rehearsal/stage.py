"""What is played: receivers with their ways from the transmitter, as drawn by a scenario, and when the transmitter sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import REFRACTIVE_INDEX_AIR, SPEED_OF_LIGHT_M_S
from heimdall.errors import InputError
from heimdall.geometry import LocalFrame, geodesic_distance_m
from heimdall.observation import Place
from heimdall.rehearsal.troubles import Trouble
from heimdall.transmitter import Kind, KnownTransmitter

_GPS_SIGMA_S = 60e-9
"""Standard deviation of a GPS receiver's constant error."""
_MAST_M = 200.0
_REFERENCE_WIDTH_HZ = 90e3
"""Half of an FM station's: dongles take it at their lowest rate, so that one computer can play many of them."""
_KIWI_RATE_ERROR = 20e-6
_DONGLE_RATE_ERROR = 2e-6


@dataclass(frozen=True, eq=False)
class Site:
    """One receiver and what reaches it."""

    name: str
    place: Place
    delay_s: float
    """Delay of the first path from where the transmitter is at first, with the receiver's own delay."""
    path_delay_s: NDArray[np.float64]
    """After the first path."""
    path_gain: NDArray[np.complex128]
    level_db: float
    """Level of the first path over the noise in the channel."""
    gain_db: float
    clock_offset_s: float
    rate_error: float
    trouble: Trouble | None = None


@dataclass(frozen=True, eq=False)
class Stage:
    """A scene that goes on as long as somebody listens."""

    frequency_hz: float
    bandwidth_hz: float
    transmitter: Place
    sites: tuple[Site, ...]
    seed: int = 0
    keying_s: tuple[float, float] | None = None
    """The transmitter sends for so long, then is silent for so long; None: always on."""
    velocity_m_s: tuple[float, float] = (0.0, 0.0)
    """Velocity of the transmitter, east and north."""
    began_s: float = 0.0
    """UTC at which the transmitter was at `transmitter`, in s since 1970."""
    reference: KnownTransmitter | None = None
    """A station that dongles can take their clocks from."""

    def place_at(self, utc_s: float) -> Place:
        """Where the transmitter is."""
        if self.velocity_m_s == (0.0, 0.0):
            return self.transmitter
        frame = LocalFrame(self.transmitter.latitude_deg, self.transmitter.longitude_deg)
        east, north = (speed * (utc_s - self.began_s) for speed in self.velocity_m_s)
        latitude_deg, longitude_deg, _ = frame.to_geodetic(np.array([east, north, 0.0]))
        return Place(float(latitude_deg), float(longitude_deg), self.transmitter.height_m)

    def delay_s(self, site: Site, utc_s: float) -> float:
        """Delay of the first path to a receiver: as drawn, plus what the transmitter's motion has added."""
        if self.velocity_m_s == (0.0, 0.0):
            return site.delay_s
        now_m, then_m = (_distance_m(place, site.place) for place in (self.place_at(utc_s), self.transmitter))
        return site.delay_s + (now_m - then_m) * REFRACTIVE_INDEX_AIR / SPEED_OF_LIGHT_M_S

    def sends(self, utc_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether the transmitter is on."""
        if self.keying_s is None:
            return np.ones(utc_s.shape, dtype=bool)
        on_s, off_s = self.keying_s
        return np.asarray((utc_s - self.began_s) % (on_s + off_s) < on_s)


def reference_delay_s(reference: KnownTransmitter, site: Site) -> float:
    """Delay of the straight path from a reference to a receiver."""
    frame = LocalFrame(site.place.latitude_deg, site.place.longitude_deg)
    ends = [(each.latitude_deg, each.longitude_deg, each.height_m or 0.0) for each in (reference.place, site.place)]
    there, here = (frame.to_enu(*(np.array(value) for value in end)) for end in ends)
    return float(np.linalg.norm(there - here)) * REFRACTIVE_INDEX_AIR / SPEED_OF_LIGHT_M_S


def with_reference(stage: Stage, frequency_hz: float) -> Stage:
    """The stage with a station among the receivers, on a mast of 200 m."""
    latitude_deg, longitude_deg = (
        float(np.mean([getattr(site.place, name) for site in stage.sites]))
        for name in ("latitude_deg", "longitude_deg")
    )
    height_m = max(site.place.height_m or 0.0 for site in stage.sites) + _MAST_M
    reference = KnownTransmitter(
        name="Rehearsal",
        latitude_deg=round(latitude_deg, 6),
        longitude_deg=round(longitude_deg, 6),
        height_m=round(height_m, 1),
        frequency_hz=frequency_hz,
        kind=Kind.FM,
        bandwidth_hz=_REFERENCE_WIDTH_HZ,
        source="heimdall simulate --serve",
    )
    return replace(stage, reference=reference)


def _distance_m(place: Place, other: Place) -> float:
    return float(geodesic_distance_m(place.latitude_deg, place.longitude_deg, other.latitude_deg, other.longitude_deg))


def draw_stage(scenario_name: str, seed: int, receivers: int, bandwidth_hz: float | None = None) -> Stage:
    """The first scene of a seed with so many receivers, all of them present. Needs torch, as all simulation does."""
    from heimdall import simulation
    from heimdall.simulation.drawing import draw_cast
    from heimdall.simulation.physics.waveform import Channel
    from heimdall.simulation.random_streams import Chance

    if receivers < 1:
        raise InputError("a rehearsal needs a receiver")
    law = simulation.scenario(scenario_name)
    channels = law.channels if bandwidth_hz is None else (Channel(bandwidth_hz, 4096, 2.4),)
    area = replace(law.area, receivers=(receivers, receivers), missing_probability=0.0)
    cast = draw_cast(
        replace(law, area=area, channels=channels), 1, Chance(simulation.stream(seed, 0, "rehearsal"), "cpu")
    )
    layout = cast.layout
    frame = LocalFrame(float(layout.latitude_deg[0]), float(layout.longitude_deg[0]))
    chance = np.random.default_rng((seed, 1))
    return Stage(
        frequency_hz=round(float(cast.frequency_hz[0]), -2),
        bandwidth_hz=cast.channel.bandwidth_hz,
        transmitter=_geodetic(frame, layout.transmitter_enu_m[0].numpy()),
        sites=tuple(_site(cast, frame, number, chance) for number in range(receivers)),
        seed=seed,
    )


def _site(cast: Any, frame: LocalFrame, number: int, chance: np.random.Generator) -> Site:
    drawn = cast.receivers
    return Site(
        name=f"R{number + 1:02d}",
        place=_geodetic(frame, cast.layout.receiver_enu_m[0, number].numpy()),
        delay_s=float(cast.links.delay_s[0, number] + drawn.delay_s[0, number]),
        path_delay_s=cast.links.path_delay_s[0, number].double().numpy(),
        path_gain=cast.links.path_gain[0, number].numpy().astype(np.complex128),
        level_db=float(cast.links.level_db[0, number] - drawn.loss_db[0, number]),
        gain_db=20 * float(drawn.gain[0, number].log10()),
        clock_offset_s=_GPS_SIGMA_S * float(chance.standard_normal()),
        rate_error=float(chance.standard_normal()),
    )


def _geodetic(frame: LocalFrame, enu_m: NDArray[np.float32]) -> Place:
    latitude_deg, longitude_deg, height_m = frame.to_geodetic(enu_m.astype(np.float64))
    return Place(round(float(latitude_deg), 6), round(float(longitude_deg), 6), round(float(height_m), 1))


def with_troubles(stage: Stage, troubles: Mapping[str, Trouble]) -> Stage:
    """Raises InputError for a receiver that is not in the scene."""
    unknown = set(troubles) - {site.name for site in stage.sites}
    if unknown:
        names = ", ".join(site.name for site in stage.sites)
        raise InputError(f"no receiver is called {', '.join(sorted(unknown))}: there are {names}")
    return replace(stage, sites=tuple(replace(site, trouble=troubles.get(site.name)) for site in stage.sites))


def oscillator_error(site: Site) -> float:
    """By what part the free-running oscillator of a KiwiSDR is off, and with it the sampling rate; its GPS measures it."""
    return _KIWI_RATE_ERROR * site.rate_error


def dongle_error(site: Site) -> float:
    return _DONGLE_RATE_ERROR * site.rate_error
