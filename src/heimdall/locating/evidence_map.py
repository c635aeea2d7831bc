"""The posterior as pictures and maps show it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heimdall.estimation.region import GridPosterior
from heimdall.formats.maps.map_scene import EvidenceMap
from heimdall.locating.by_likelihood import Located

_LEAST_DENSITY = 1e-300


def evidence_maps(located: Located) -> list[EvidenceMap]:
    """One map, or none where there was too little to locate with."""
    posterior = located.posterior
    if posterior is None:
        return []
    log_density = log_density_of(posterior)
    return [EvidenceMap(posterior.frame, posterior.east_m, posterior.north_m, log_density, posterior.height_m)]


def log_density_of(posterior: GridPosterior) -> NDArray[np.float64]:
    """Of the cells, shape (rows, columns); finite everywhere."""
    return np.log(np.maximum(posterior.density_per_m2, _LEAST_DENSITY))
