"""Receivers whose clocks are off by one offset in all observations, as those of another time source or kind of hardware are."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heimdall.correction import Correction, corrected
from heimdall.errors import InputError
from heimdall.estimation.integrity.clock_groups import ClockGroups, best_groups
from heimdall.estimation.model import model_of
from heimdall.evidence.collect import Collected, collect
from heimdall.observation import Observation

_LOOKED_AT = 12
"""Observations, evenly chosen: enough to see a division again that is no chance."""
_FEWEST = 3
_LEAST_SHARE = 0.5
"""Of the observations looked at, those that show the same division."""
_SURE = 4.0
"""Standard errors of the offset."""


@dataclass(frozen=True)
class OffsetGroup:
    """The smaller of two groups of receivers, and how late its clocks are against the other's."""

    names: tuple[str, ...]
    offset_s: float

    def taken_off(self, observations: Sequence[Observation]) -> list[Observation]:
        """The observations as they would be without the offset."""
        corrections = dict.fromkeys(self.names, Correction(delay_s=self.offset_s))
        return [corrected(each, corrections) for each in observations]


def offset_group(observations: Sequence[Observation]) -> OffsetGroup | None:
    """The division that fits best in most of the observations, with its median offset; None where they do not agree on one.

    By chance the same one of a hundred divisions hardly ever fits best twice, however little it explains each time.
    """
    at = np.unique(np.linspace(0, len(observations) - 1, _LOOKED_AT).round().astype(int))
    found: dict[tuple[str, ...], list[ClockGroups]] = defaultdict(list)
    for index in at:
        collected = _collected(observations[index])
        groups = None if collected is None else _groups_of(collected)
        if collected is not None and groups is not None:
            receivers = collected.observation.usable_receivers
            found[tuple(receivers[column].name for column in groups.apart)].append(groups)
    names = max(found, key=lambda each: len(found[each]), default=())
    alike = found[names]
    if len(alike) < max(_FEWEST, _LEAST_SHARE * len(at)):
        return None
    offset_s = float(np.median([each.offset_s for each in alike]))
    sigma_s = float(np.median([each.sigma_s for each in alike])) / math.sqrt(len(alike))
    return OffsetGroup(names, offset_s) if abs(offset_s) > _SURE * sigma_s else None


def _groups_of(collected: Collected) -> ClockGroups | None:
    return best_groups(collected.evidence, np.zeros(2), model_of(collected).without_faults)


def _collected(observation: Observation) -> Collected | None:
    try:
        return collect(observation)
    except InputError:
        return None
