"""Scene time: it runs with this computer's clock, or so many times faster."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

_NS = 1_000_000_000


@dataclass(frozen=True)
class Pace:
    """Scene time is UTC at the beginning."""

    speed: float = 1.0
    _began_ns: int = field(default_factory=time.time_ns)
    _origin_s: float = field(default_factory=time.monotonic)

    def now_ns(self) -> int:
        """UTC of the scene in ns since 1970."""
        return self._began_ns + int((time.monotonic() - self._origin_s) * self.speed * _NS)

    async def until(self, utc_ns: int) -> None:
        """Wait until the scene has come so far; lets others run in any case."""
        await asyncio.sleep(max(0.0, (utc_ns - self.now_ns()) / _NS / self.speed))
