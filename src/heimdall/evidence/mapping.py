"""From collected evidence to what a radio map knows about its receivers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from heimdall.evidence.collect import Collected
from heimdall.evidence.radio_map import Mapped, RadioMap
from heimdall.geometry import LocalFrame


def mapped(collected: Collected, radio_map: RadioMap) -> Collected:
    """The evidence with the map; unchanged where no receiver that gave a level is the map's."""
    origin_m = origin_in(radio_map.frame, collected)
    evidence = collected.evidence
    rows = radio_map.rows_of(names_of(collected), evidence.position_enu_m[0, :, :2] + origin_m)
    if not np.any(evidence.has_level[0] & (rows < len(radio_map.receivers))):
        return collected
    return replace(collected, evidence=replace(evidence, mapped=Mapped(radio_map, rows[None], origin_m[None])))


def names_of(collected: Collected) -> list[str]:
    """The receivers of the evidence, in its order."""
    return [each.name for each in collected.observation.usable_receivers]


def origin_in(frame: LocalFrame, collected: Collected) -> NDArray[np.float64]:
    """(2,) east and north in `frame` of the origin of the observation's own."""
    own = collected.frame
    return frame.to_enu(np.array(own.latitude_deg), np.array(own.longitude_deg), np.array(0.0))[:2]
