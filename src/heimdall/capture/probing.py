"""The state of many receivers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from heimdall.capture.drivers import identify
from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.interface import ReceiverStatus, Target
from heimdall.capture.network.access import Access
from heimdall.formats.writers.sigmf_write import point_json

_AT_ONCE = 64


@dataclass(frozen=True)
class Probed:
    """A receiver and its state, or why it has none."""

    target: Target
    """The target, with the kind of its receiver if that was found out."""
    status: ReceiverStatus | None
    reason: str | None = None
    fault: Fault | None = None

    @property
    def problem(self) -> str | None:
        """Why it cannot be recorded now; None: it can."""
        return self.reason or (self.status.fault if self.status else None)

    def to_json(self) -> dict[str, Any]:
        status = self.status
        known = {} if status is None else _figures(status)
        return {
            "name": self.target.name,
            "address": str(self.target.address),
            "usable": self.problem is None,
            "reason": self.problem,
            **known,
        }


def _figures(status: ReceiverStatus) -> dict[str, Any]:
    place = status.place
    return {
        "gives": status.gives.value,
        "title": status.title,
        "geolocation": place and point_json(place.latitude_deg, place.longitude_deg, place.height_m),
        "position_sigma_m": status.position_sigma_m,
        "users": status.users,
        "slots": status.slots,
        "gps_satellites": status.gps_satellites,
        "gps_fixes_per_minute": status.gps_fixes_per_minute,
        "snr_db": status.snr_db,
        "antenna": status.antenna,
        "band_hz": status.band_hz and list(status.band_hz),
        "tdoa_name": status.tdoa_name,
        "software": status.software,
        "notes": list(status.notes),
    }


def probe_all(targets: Sequence[Target], access: Access) -> list[Probed]:
    """Answers in the order of the targets."""
    return asyncio.run(probe_many(targets, access))


async def probe_many(targets: Sequence[Target], access: Access) -> list[Probed]:
    """`probe_all` for callers with an event loop. No fault of a receiver is an exception here."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(target: Target) -> Probed:
        async with gate:
            return await _probe(target, access)

    return list(await asyncio.gather(*(one(target) for target in targets)))


async def _probe(target: Target, access: Access) -> Probed:
    try:
        return Probed(*await identify(target, access))
    except CaptureError as error:
        return Probed(target, None, str(error), error.fault)
