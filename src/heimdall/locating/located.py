"""What locating an observation gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from heimdall.estimation.region import GridPosterior
from heimdall.evidence.collect import Collected
from heimdall.fix import Fix


@dataclass(frozen=True, eq=False)
class Located:
    """A fix with the posterior that it was read from, for pictures; None where there was too little to locate with."""

    fix: Fix
    posterior: GridPosterior | None
    mass: Callable[[float], float] = float
    """Mass of the posterior that the region of a probability has, where calibration says other than that probability."""
    collected: Collected | None = None
    """The evidence it was located from, the transmitter at the height that was found."""

    def taking(self, more_ms: float) -> Located:
        """The same fix, found after `more_ms` more."""
        return replace(self, fix=replace(self.fix, elapsed_ms=self.fix.elapsed_ms + more_ms))
