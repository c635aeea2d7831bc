"""Dongles with a reference in their band locate about as well as the same receivers with GPS."""

from __future__ import annotations

from datetime import timedelta

import pytest

from heimdall.benchmark.clock_benchmark import Heard, score
from heimdall.simulation.dongles import apart, dongles, pair, station
from heimdall.simulation.observe import EPOCH, to_observation


@pytest.mark.slow
def test_clocks_by_a_reference_locate_as_well_as_gps() -> None:
    """8 bits, 2 ppm, 1 MHz: the ratio of the median errors is not plainly above 1.5, and the regions hold.

    Seven scenes leave the ratio an interval of a factor of two each way; `heimdall benchmark clocks` takes more of them.
    """
    law = dongles("wideband-1mhz", 0.12)
    pairs = (pair(law, 0, index) for index in range(7))
    found = score(Heard(to_observation(a, 0), to_observation(b, 0), station(a, 0)) for a, b in pairs)
    assert found.synchronised > 0.9
    _, least, _ = found.ratio
    assert least <= 1.5
    assert found.coverage_95 >= 5 / 7


@pytest.mark.slow
def test_clocks_carried_over_from_another_recording_claim_no_more_than_they_are_good_for() -> None:
    """The reference was recorded a second before: what the drift leaves is in the regions."""
    law, gap_s = dongles("wideband-1mhz", 0.12), 1.0
    heard = []
    for index in range(6):
        later, by_gps, before = apart(law, 70, index, gap_s)
        source = to_observation(before, 0, time_utc=EPOCH - timedelta(seconds=gap_s))
        heard.append(Heard(to_observation(later, 0), to_observation(by_gps, 0), station(before, 0), source))
    found = score(heard)
    assert found.synchronised > 0.6
    assert 1e-7 < found.clock_sigma_s < 5e-6
    assert found.coverage_95 >= 5 / 6
