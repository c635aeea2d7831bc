"""The geometry of one scene to first order: what a step of the transmitter does to the length of each link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heimdall.estimation.integrity.fault_odds import Values
from heimdall.estimation.likelihood.arrival_times import link_distance_m
from heimdall.estimation.model import PropagationModel
from heimdall.evidence.batch import EvidenceBatch

if TYPE_CHECKING:
    from jaxtyping import Float

_STEP_M = 5.0
_STEPS_M = np.array([[_STEP_M, 0.0], [-_STEP_M, 0.0], [0.0, _STEP_M], [0.0, -_STEP_M]])


def link_rates(place_G2: Values, evidence: EvidenceBatch, model: PropagationModel) -> Float[Values, "G N 2"]:
    """By how much each link grows with a step to the east and to the north from G places, in m per m."""
    stepped = (place_G2[:, None] + _STEPS_M).reshape(1, -1, 2)
    east, west, north, south = np.moveaxis(
        link_distance_m(stepped, evidence, model)[0].reshape(len(place_G2), len(_STEPS_M), -1), 1, 0
    )
    return np.stack([east - west, north - south], axis=-1) / (2 * _STEP_M)


def height_rates(place_m: Values, evidence: EvidenceBatch, model: PropagationModel) -> Float[Values, " N"]:
    """By how much each link grows with a step upwards from a place (2,), in m per m."""
    up, down = (link_distance_m(place_m[None, None], evidence, model, above_m) for above_m in (_STEP_M, -_STEP_M))
    return (up - down)[0, 0] / (2 * _STEP_M)
