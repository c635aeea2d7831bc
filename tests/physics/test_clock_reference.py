"""Dongles with a reference in their band locate about as well as the same receivers with GPS."""

from __future__ import annotations

import pytest

from heimdall.benchmark.clock_benchmark import Heard, score
from heimdall.simulation.dongles import dongles, pair, station
from heimdall.simulation.observe import to_observation


@pytest.mark.slow
def test_clocks_by_a_reference_locate_as_well_as_gps() -> None:
    """8 bits, 2 ppm, 1 MHz: the median error is at most 1.5 of that by GPS on the same scenes, and the regions hold."""
    law = dongles("wideband-1mhz", 0.12)
    pairs = (pair(law, 0, index) for index in range(7))
    found = score(Heard(to_observation(a, 0), to_observation(b, 0), station(a, 0)) for a, b in pairs)
    assert found.synchronised > 0.9
    assert found.ratio[0] <= 1.5
    assert found.coverage_95 >= 5 / 7
