"""A small scene of long wave that needs no torch, played faster than real time."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from heimdall.capture.interface import Target, Tuning
from heimdall.capture.network.access import Access
from heimdall.capture.recording.parts import Part, Recorded
from heimdall.capture.recording.record import record
from heimdall.constants import REFRACTIVE_INDEX_AIR, SPEED_OF_LIGHT_M_S
from heimdall.geometry import geodesic_distance_m
from heimdall.observation import Place
from heimdall.rehearsal.pace import Pace
from heimdall.rehearsal.servers import Played, network
from heimdall.rehearsal.stage import Site, Stage, with_troubles
from heimdall.rehearsal.troubles import Trouble

TRANSMITTER = Place(50.0, 9.0, 200.0)
_PLACES = (
    (48.012347, 7.031283),
    (51.512349, 6.523451),
    (52.027181, 12.041239),
    (47.817263, 11.512847),
    (53.218273, 9.523847),
    (49.527183, 13.538271),
)
SPEED = 12.0
ACCESS = Access((ipaddress.ip_network("127.0.0.0/8"),), contact="ops@example.org", connect_s=4.0, silence_s=4.0)


def make_stage(receivers: int, troubles: Mapping[str, Trouble] | None = None, **changes: Any) -> Stage:
    stage = Stage(77_500.0, 5_000.0, TRANSMITTER, tuple(_site(number) for number in range(receivers)), seed=3)
    return replace(with_troubles(stage, troubles or {}), **changes)


def _site(number: int) -> Site:
    latitude_deg, longitude_deg = _PLACES[number % len(_PLACES)]
    place = Place(latitude_deg + 0.01 * (number // len(_PLACES)), longitude_deg, 100.0)
    way_m = geodesic_distance_m(50.0, 9.0, place.latitude_deg, place.longitude_deg)
    return Site(
        name=f"R{number + 1:02d}",
        place=place,
        delay_s=way_m * REFRACTIVE_INDEX_AIR / SPEED_OF_LIGHT_M_S,
        path_delay_s=np.zeros(1),
        path_gain=np.ones(1, dtype=np.complex128),
        level_db=20.0,
        gain_db=0.0,
        clock_offset_s=(-1) ** number * 50e-9,
        rate_error=0.5 - 0.2 * number,
    )


@dataclass
class Rehearsal:
    """Plays a stage while something is done with its receivers."""

    stage: Stage
    kiwis: int
    speed: float = SPEED
    access: Access = ACCESS

    @property
    def tuning(self) -> Tuning:
        return Tuning(self.stage.frequency_hz, self.stage.bandwidth_hz)

    def run(self, work: Callable[[list[Target], tuple[Played, ...]], Coroutine[Any, Any, Any]]) -> Any:
        async def played() -> Any:
            async with network(self.stage, self.kiwis, Pace(self.speed)) as receivers:
                return await work([target_of(each) for each in receivers], receivers)

        return asyncio.run(played())

    def record(self, folder: Path, seconds: float, **changes: Any) -> Recorded:
        async def work(targets: list[Target], _: object) -> Recorded:
            given = [replace(target, **changes) for target in targets]
            return await record(given, self.tuning, seconds, folder, self.access)

        recorded = self.run(work)
        assert isinstance(recorded, Recorded)
        return recorded

    def only_part(self, folder: Path, seconds: float, **changes: Any) -> Part:
        (part,) = self.record(folder, seconds, **changes).parts
        return part


def target_of(played: Played) -> Target:
    return Target(played.site.name, played.address, place=played.place)


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something that happens elsewhere; the test fails where it does not."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
