"""Receivers at one site: their arrival times tell the same difference, and count as one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.likelihood.arrival_times import link_sigma_s
from heimdall.estimation.model import model_of
from heimdall.evidence.collect import Collected

_SITE_SHARE, _LARGEST_SITE_M = 0.01, 300.0
"""Receivers closer to each other than this part of the area's half width, and than this, are at one site. Chosen: 100 m apart in
an area of 40 km they have one mirror image, a kilometre apart hardly. Poor clocks make no site larger: their mean counts."""
_UNKNOWNS = 3
"""East, north and the emission time."""
_AGREES_SIGMAS = 4.0
"""Times at a site that differ by more standard deviations are left to the consistency check."""


def joined_at_sites(collected: Collected) -> Collected:
    """The evidence with one arrival time for each of few sites, that of its most precise receiver.

    However many receivers there are at three sites, they are three arrival times: they have the same mirror image, tell no height
    and cannot check each other. Where there are more sites than unknowns, nothing is gained. The powers stay as they are.
    """
    evidence, sites = collected.evidence, list(_sites(collected))
    unknowns = _UNKNOWNS + (collected.observation.transmitter_height_m is None)
    joined = {other: first for first, others in sites for other in others}
    if not joined or len(sites) > unknowns:
        return collected
    has_arrival = evidence.has_arrival.copy()
    has_arrival[0, list(joined)] = False
    return _told(replace(collected, evidence=replace(evidence, has_arrival=has_arrival)), joined)


def _sites(collected: Collected) -> Iterator[tuple[int, list[int]]]:
    """The most precise receiver of each site, and the others there whose times agree with it, as columns of the evidence."""
    evidence = collected.evidence
    sigma_s_N = link_sigma_s(evidence, model_of(collected))[0]
    left = [int(index) for index in np.argsort(sigma_s_N, kind="stable") if evidence.has_arrival[0, index]]
    site_m = min(_SITE_SHARE * float(evidence.half_width_m[0]), _LARGEST_SITE_M)
    while left:
        first = left.pop(0)
        sigma_s = np.hypot(sigma_s_N[first], sigma_s_N)
        apart_m = np.linalg.norm(evidence.position_enu_m[0] - evidence.position_enu_m[0, first], axis=1)
        late_s = np.abs(evidence.arrival_s[0] - evidence.arrival_s[0, first])
        agrees = late_s < apart_m / SPEED_OF_LIGHT_M_S + _AGREES_SIGMAS * sigma_s
        others = [index for index in left if apart_m[index] < site_m and agrees[index]]
        left = [index for index in left if index not in others]
        yield first, others


def _told(collected: Collected, joined: dict[int, int]) -> Collected:
    """The reason why the times of some columns do not count by themselves."""
    usable = [index for index, each in enumerate(collected.observation.receptions) if each.flaw is None]
    names = [each.name for each in collected.observation.usable_receivers]
    reasons = list(collected.reasons)
    for column, first in joined.items():
        reasons[usable[column]] = f"its arrival time counts as one with that of {names[first]}, at the same site"
    return replace(collected, reasons=tuple(reasons), joined=frozenset(usable[column] for column in joined))
