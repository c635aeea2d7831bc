"""What each receiver gave to a fix, and what could at best have been made of all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heimdall.estimation.cramer_rao import bound_at, ground_information_at
from heimdall.estimation.heights.height import is_unknown
from heimdall.estimation.model import PropagationModel, model_of
from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.collect import Collected
from heimdall.locating.located import Located


@dataclass(frozen=True)
class Contributions:
    """Shares of the information about the position, and the bound at the estimated place."""

    shares: tuple[float, ...]
    """One a reception, in their order; they sum to 1, and are 0 for those that were not used."""
    bound_m: float | None
    """Root mean square error that no unbiased estimator can be below; None where the bound does not exist."""


def contributions(located: Located) -> Contributions | None:
    """None for a fix without a position."""
    place, collected = _place(located), located.collected
    if place is None or collected is None:
        return None
    model = model_of(collected)
    shares = _shares(place, collected.evidence, model, is_unknown(collected, model))
    return Contributions(_by_reception(collected, shares), bound_m(located))


def bound_m(located: Located) -> float | None:
    """Root mean square error that no unbiased estimator can be below at that place; None where the bound does not exist."""
    place, collected = _place(located), located.collected
    if place is None or collected is None:
        return None
    model = model_of(collected)
    unknown = is_unknown(collected, model)
    variance_m2 = float(np.trace(bound_at(place, collected.evidence, model, height_unknown=unknown)[0]))
    return float(np.sqrt(variance_m2)) if np.isfinite(variance_m2) else None


def _place(located: Located) -> NDArray[np.float64] | None:
    """(1, 2) in the frame of the evidence."""
    fix, collected = located.fix, located.collected
    if collected is None or fix.latitude_deg is None or fix.longitude_deg is None:
        return None
    height_m = float(collected.evidence.transmitter_height_m[0])
    return collected.frame.horizontal_m(fix.latitude_deg, fix.longitude_deg, height_m)[None]


def _shares(
    place: NDArray[np.float64], evidence: EvidenceBatch, model: PropagationModel, height_unknown: bool
) -> NDArray[np.float64]:
    """(N,) what of the information goes when one receiver is left out, weighed by what all know together."""

    def on_surface(each: EvidenceBatch) -> NDArray[np.float64]:
        return np.asarray(ground_information_at(place, each, model, height_unknown=height_unknown)[0])

    whole = on_surface(evidence)
    known = np.linalg.pinv(whole, hermitian=True)
    lost = [
        np.trace(known @ (whole - on_surface(_without(evidence, index)))) for index in range(evidence.present.shape[1])
    ]
    shares = np.maximum(lost, 0.0)
    return shares / max(float(shares.sum()), 1e-300)


def _without(evidence: EvidenceBatch, index: int) -> EvidenceBatch:
    others = np.arange(evidence.present.shape[1]) != index
    return replace(evidence, has_arrival=evidence.has_arrival & others, has_level=evidence.has_level & others)


def _by_reception(collected: Collected, shares: NDArray[np.float64]) -> tuple[float, ...]:
    usable = iter(shares.tolist())
    return tuple(0.0 if reception.flaw is not None else next(usable) for reception in collected.observation.receptions)
