"""Two receivers each of which is said to stand where the other does: no fault of one of them alone explains that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from heimdall.estimation.integrity.fault_odds import log_evidence
from heimdall.estimation.model import PropagationModel
from heimdall.evidence.batch import EvidenceBatch
from heimdall.observation import Receiver

FEWEST_TIMES = 5
"""With four, an exchange of some two explains one time in six that is simply late as well as that."""
_MOST_EXCHANGED = 8
"""Receivers of which each pair is tried, the most suspicious of those with arrival times: a wrong pair is hardly ever beyond."""


@dataclass(frozen=True)
class Exchange:
    first: int
    second: int
    log_odds: float
    """Of the measurements with the two exchanged against as they are, less the log of how many pairs there are."""


def best_exchange(evidence: EvidenceBatch, model: PropagationModel, suspects: Sequence[int]) -> Exchange:
    """The pair of receivers with arrival times, of one scene (a batch of one), whose exchange raises the evidence most.

    `suspects` come before the others where not all pairs can be tried, the most suspicious first.
    """
    timed = [int(index) for index in np.flatnonzero(evidence.has_arrival[0])]
    order = [*(each for each in suspects if each in timed), *(each for each in timed if each not in suspects)]
    pairs = list(combinations(order[:_MOST_EXCHANGED], 2))
    many = replace(evidence, mapped=None).select(np.zeros(len(pairs) + 1, dtype=int))
    place_of = np.tile(np.arange(evidence.present.shape[1]), (len(many), 1))
    for row, (first, second) in enumerate(pairs, start=1):
        place_of[row, [first, second]] = second, first
    _, value = log_evidence(replace(many, position_enu_m=evidence.position_enu_m[0][place_of]), model)
    best = int(np.argmax(value[1:]))
    return Exchange(*pairs[best], float(value[best + 1] - value[0]) - math.log(math.comb(len(timed), 2)))


def at_place_of(receiver: Receiver, other: Receiver) -> Receiver:
    """With its own name and clock where the other stands."""
    return replace(
        receiver,
        latitude_deg=other.latitude_deg,
        longitude_deg=other.longitude_deg,
        height_m=other.height_m,
        position_sigma_m=other.position_sigma_m,
    )
