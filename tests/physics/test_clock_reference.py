"""Dongles with a reference in their band locate about as well as the same receivers with GPS."""

from __future__ import annotations

import pytest

from heimdall.benchmark.clock_benchmark import hear, score
from heimdall.simulation.dongles import dongles


@pytest.mark.slow
def test_clocks_by_a_reference_locate_as_well_as_gps() -> None:
    """8 bits, 2 ppm, 1 MHz: the median error is at most 1.5 of that by GPS on the same scenes, and the regions hold.

    As many scenes as the benchmark takes: on a few of them chance alone makes the ratio anything from a half to two.
    """
    law = dongles("wideband-1mhz", 0.12)
    found = score(hear(law, 0, index) for index in range(60))
    assert found.synchronised > 0.9
    assert found.ratio[0] <= 1.5
    assert found.coverage_95 >= 0.88


@pytest.mark.slow
def test_clocks_carried_over_from_another_recording_claim_no_more_than_they_are_good_for() -> None:
    """The reference was recorded a second before: what the drift leaves is in the regions."""
    law = dongles("wideband-1mhz", 0.12)
    found = score(hear(law, 70, index, apart_s=1.0) for index in range(6))
    assert found.synchronised > 0.6
    assert 1e-7 < found.clock_sigma_s < 5e-6
    assert found.coverage_95 >= 5 / 6
