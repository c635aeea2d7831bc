"""What is mistaken in one way for all receivers, as a convention is: nobody alone is wrong, and all contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from heimdall.constants import FOOT_M
from heimdall.evidence.collect import Collected
from heimdall.evidence.redescribe import redescribed
from heimdall.observation import Receiver

_LEAST_HEIGHT_M = 100.0
"""Below it, feet taken for metres matter less than what clocks and echoes do."""


def common_mistakes(collected: Collected) -> Iterator[tuple[str, Collected]]:
    """What would have to be true of all, and the measurements as they would be then."""
    sound = {i: each.receiver for i, each in enumerate(collected.observation.receptions) if each.flaw is None}
    if all(abs(each.longitude_deg) <= 90 for each in sound.values()):
        swapped = {index: _swapped(each) for index, each in sound.items()}
        yield "with latitude and longitude of all receivers swapped", redescribed(collected, swapped)
    if max(abs(each.height_m) for each in sound.values()) > _LEAST_HEIGHT_M:
        in_feet = {index: replace(each, height_m=each.height_m * FOOT_M) for index, each in sound.items()}
        yield "with the heights of all receivers taken as feet", redescribed(collected, in_feet)
    plain = redescribed(collected, {})
    evidence = replace(plain.evidence, arrival_s=-plain.evidence.arrival_s)
    yield "with the sign of all arrival times changed", replace(plain, evidence=evidence)


def _swapped(receiver: Receiver) -> Receiver:
    return replace(receiver, latitude_deg=receiver.longitude_deg, longitude_deg=receiver.latitude_deg)
