"""From a posterior to a fix: place, covariance, regions, advice, and what each receiver gave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.advice import judge, sky_wave_advice
from heimdall.estimation.frame import WindowFrame
from heimdall.estimation.heights.height import Height
from heimdall.estimation.likelihood.arrival_times import explained
from heimdall.estimation.model import PropagationModel
from heimdall.estimation.region import GridPosterior, to_geodetic
from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.collect import Collected
from heimdall.fix import Fix, ReceiverReport, check_against, joined_advice


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a method finds for one observation."""

    method: str
    place_m: NDArray[np.float64]
    """(2,) east and north."""
    posterior: GridPosterior
    height: Height | None = None
    """As the arrival times tell it; a height that was given stays as it is, and any other is unknown."""
    mass: Callable[[float], float] = float
    """Mass of the posterior that the region of a probability has, where calibration says other than that probability."""


def grid_posterior(collected: Collected, frame: WindowFrame, mass_YX: NDArray[np.float64]) -> GridPosterior:
    """The posterior with the places of its cells, of a frame of one window."""
    middle, _ = frame.axis(mass_YX.shape[-1])
    offset_m = np.asarray(middle[0], dtype=float) * float(frame.core_m[0])
    east_m, north_m = (float(frame.center_m[0, axis]) + offset_m for axis in range(2))
    height_m = float(collected.evidence.transmitter_height_m[0])
    return GridPosterior(collected.frame, height_m, east_m, north_m, np.asarray(mass_YX, dtype=float))


def make_fix(collected: Collected, model: PropagationModel, estimate: Estimate) -> Fix:
    """The fix of one observation, before its receivers are checked against each other."""
    posterior, place_m, height = estimate.posterior, estimate.place_m, estimate.height
    mass_68, mass_95 = estimate.mass(0.68), estimate.mass(0.95)
    latitude, longitude, _ = (float(v) for v in to_geodetic(collected.frame, place_m, posterior.height_m))
    region_68, region_95 = posterior.regions({0.68: mass_68, 0.95: mass_95})
    height_m, height_sigma_m = _told_height(collected, height)
    status, advice = judge(collected, posterior, model, mass_95)
    account = explained(place_m[None, None], collected.evidence, model)
    of_height = "" if height is None else height.advice
    return Fix(
        id=collected.observation.id,
        status=status,
        advice=joined_advice(advice, of_height, sky_wave_advice(collected.evidence, account)),
        method=estimate.method,
        receivers=_receiver_reports(collected, account.late_s[0, 0], model),
        latitude_deg=latitude,
        longitude_deg=longitude,
        height_m=height_m,
        height_sigma_m=height_sigma_m,
        covariance_enu_m2=_covariance(posterior, height, place_m, mass_95),
        region_68=region_68,
        region_95=region_95,
        truth=check_against(collected.observation.truth, latitude, longitude, region_68, region_95),
    )


def _told_height(collected: Collected, height: Height | None) -> tuple[float | None, float | None]:
    """The height above the ellipsoid and its standard deviation, as found or as given."""
    if height is not None:
        return height.height_m, height.sigma_m
    given_m = collected.observation.transmitter_height_m
    return (None, None) if given_m is None else (given_m, 0.0)


def _covariance(
    posterior: GridPosterior, height: Height | None, place_m: NDArray[np.float64], mass: float
) -> NDArray[np.float64]:
    """(3, 3) of east, north and up, about the place: what the 95 % region, which has that mass, says of them."""
    covariance = np.zeros((3, 3))
    spread_m2 = posterior.spread_m2(mass, place_m)
    covariance[:2, :2] = spread_m2
    if height is not None:
        whole_m2 = posterior.spread_m2(1.0, posterior.moments()[0])
        covariance[2, :2] = covariance[:2, 2] = _correlated(np.array(height.covariance_m2), whole_m2, spread_m2)
        covariance[2, 2] = height.sigma_m**2
    return covariance


def _correlated(
    with_height_m2: NDArray[np.float64], whole_m2: NDArray[np.float64], spread_m2: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(2,) the covariance of place and height that leaves their correlation, when the place's is another than the whole one."""
    return np.asarray(np.linalg.cholesky(spread_m2) @ np.linalg.solve(np.linalg.cholesky(whole_m2), with_height_m2))


def _receiver_reports(
    collected: Collected, late_s: NDArray[np.float64], model: PropagationModel
) -> tuple[ReceiverReport, ...]:
    evidence = collected.evidence
    usable = iter(range(evidence.present.shape[1]))
    reports = []
    for index, (reception, reason) in enumerate(zip(collected.observation.receptions, collected.reasons, strict=True)):
        place = None if reception.flaw is not None else next(usable)
        timed = place is not None and bool(evidence.has_arrival[0, place])
        heard = timed or index in collected.joined
        used = place is not None and (heard or bool(evidence.has_level[0, place]) or _silent(evidence, place))
        residual_m = float(late_s[place]) * SPEED_OF_LIGHT_M_S / model.refractive_index if timed else None
        reports.append(ReceiverReport(reception.receiver.name, used, reason, residual_m))
    return tuple(reports)


def _silent(evidence: EvidenceBatch, place: int) -> bool:
    """It heard nothing, which says where the transmitter is not."""
    return evidence.silent is not None and bool(evidence.silent[0, place])
