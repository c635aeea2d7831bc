"""The posterior as pictures and maps show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from heimdall.formats.maps.map_scene import EvidenceMap
from heimdall.formats.reports import Made, is_drawn
from heimdall.locating.located import Located
from heimdall.observation import Observation


def made_of(located: Sequence[Located], observations: Sequence[Observation], suffix: str) -> Iterator[Made]:
    """Fixes as they are written to a file of that suffix, with the maps of those that are drawn."""
    for number, (each, observation) in enumerate(zip(located, observations, strict=True)):
        yield each.fix, observation, evidence_maps(each) if is_drawn(number, suffix) else ()


def evidence_maps(located: Located) -> list[EvidenceMap]:
    """One map, or none where there was too little to locate with."""
    posterior = located.posterior
    if posterior is None:
        return []
    axes_m = (posterior.east_m, posterior.north_m)
    return [EvidenceMap(posterior.frame, *axes_m, posterior.log_density, posterior.height_m)]
