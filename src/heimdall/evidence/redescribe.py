"""The same measurements with receivers described otherwise, or left out: nothing is taken from samples again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from heimdall.errors import InputError
from heimdall.evidence.collect import MEASURED, Collected, too_few
from heimdall.evidence.receiver_geometry import (
    frame_of,
    geometry_fields,
    half_width_around,
    positions_in,
)
from heimdall.geometry import LocalFrame
from heimdall.observation import Receiver, Reception

LEFT_OUT = "left out"


def redescribed(collected: Collected, receivers: Mapping[int, Receiver | None]) -> Collected:
    """The same measurements where some receptions' receivers are described otherwise, or left out (None).

    The times and levels that were found stay as they are; frame (unless it is recentred), places and area are made anew, without
    a radio map. Raises InputError where fewer than two receivers are left.
    """
    receptions = tuple(
        _described(reception, receivers[index]) if index in receivers else reception
        for index, reception in enumerate(collected.observation.receptions)
    )
    observation = replace(collected.observation, receptions=receptions)
    usable = [index for index, each in enumerate(receptions) if each.flaw is None]
    if len(usable) < 2:
        raise InputError(too_few(observation))
    before = [index for index, each in enumerate(collected.observation.receptions) if each.flaw is None]
    columns = [before.index(index) for index in usable]
    kept = [receptions[index] for index in usable]
    frame = frame_of(kept)
    position = positions_in(frame, kept)
    half_width_m = half_width_around(float(np.max(np.abs(position[:, :2]))), observation.transmitter_height_m)
    geometry = geometry_fields(observation, kept, position, frame, half_width_m)
    measured = {name: getattr(collected.evidence, name)[:, columns] for name in MEASURED}
    silent = None if collected.evidence.silent is None else collected.evidence.silent[:, columns]
    evidence = replace(collected.evidence, mapped=None, silent=silent, **{**geometry, **measured})
    reasons = [each.flaw or reason for each, reason in zip(receptions, collected.reasons, strict=True)]
    described = Collected(observation, evidence, frame, tuple(reasons), collected.joined)
    return recentred(described, collected.frame) if collected.recentred else described


def recentred(collected: Collected, frame: LocalFrame) -> Collected:
    """The same in another frame, far from the receivers."""
    position, curvature = positions_in(frame, collected.observation.usable), np.array([frame.curvature_per_m])
    evidence = replace(collected.evidence, position_enu_m=position[None], curvature_per_m=curvature)
    return replace(collected, evidence=evidence, frame=frame, recentred=True)


def _described(reception: Reception, receiver: Receiver | None) -> Reception:
    return replace(reception, flaw=LEFT_OUT) if receiver is None else replace(reception, receiver=receiver)
