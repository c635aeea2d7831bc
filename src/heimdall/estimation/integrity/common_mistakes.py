"""What is mistaken in one way for all receivers, as a convention is: nobody alone is wrong, and all contradict each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from heimdall.constants import FOOT_M
from heimdall.estimation.integrity.misplacement import from_minutes, from_radians
from heimdall.evidence.collect import Collected
from heimdall.evidence.redescribe import redescribed
from heimdall.observation import Receiver

_LEAST_HEIGHT_M = 100.0
"""Below it, feet taken for metres matter less than what clocks and echoes do."""


def common_mistakes(collected: Collected) -> Iterator[tuple[str, Collected]]:
    """What would have to be true of all, and the measurements as they would be then."""
    sound = {i: each.receiver for i, each in enumerate(collected.observation.receptions) if each.flaw is None}
    for words, meant in _OTHERWISE.items():
        described = {index: other for index, each in sound.items() if (other := meant(each)) is not None}
        if len(described) == len(sound):
            yield words, redescribed(collected, described)
    if max(abs(each.height_m) for each in sound.values()) > _LEAST_HEIGHT_M:
        in_feet = {index: replace(each, height_m=each.height_m * FOOT_M) for index, each in sound.items()}
        yield "with the heights of all receivers taken as feet", redescribed(collected, in_feet)
    plain = redescribed(collected, {})
    evidence = replace(plain.evidence, arrival_s=-plain.evidence.arrival_s)
    yield "with the sign of all arrival times changed", replace(plain, evidence=evidence)


def _swapped(receiver: Receiver) -> Receiver | None:
    if abs(receiver.longitude_deg) > 90:
        return None
    return replace(receiver, latitude_deg=receiver.longitude_deg, longitude_deg=receiver.latitude_deg)


_OTHERWISE: dict[str, Callable[[Receiver], Receiver | None]] = {
    "with latitude and longitude of all receivers swapped": _swapped,
    "with the positions of all receivers taken as radians": from_radians,
    "with the positions of all receivers taken as degrees and minutes (47.30 as 47\N{DEGREE SIGN} 30')": from_minutes,
}
"""What the places of all may be by mistake; none where that of a receiver cannot be."""
