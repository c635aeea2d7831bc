"""Recordings with known transmitters as training scenes.

A fifth of the places is held out: the network never trains there, and what its regions mean is fitted there. Where
receivers of a small site gave levels, each scene is read with a radio map that was fitted without the scene's own block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from heimdall.errors import InputError
from heimdall.estimation.model import LOCAL, PropagationModel, model_of
from heimdall.evidence.batch import EvidenceBatch, concatenate
from heimdall.evidence.collect import Collected, collect
from heimdall.evidence.mapping import mapped
from heimdall.evidence.radio_map import RadioMap
from heimdall.formats.readers.read import read_observations
from heimdall.geometry import LocalFrame
from heimdall.learning.data.pools import ScenePool
from heimdall.learning.data.radio_map_fit import fit_radio_map, shadowing_of, survey
from heimdall.learning.data.simulated import LabelledEvidence, joined, labelled
from heimdall.observation import NOT_READ, Observation

BLOCK_M = 300.0
"""Places nearer than this are held out together: walks pass a corner twice."""
_FOLDS = 5
_HELD_OUT = 0
_LEAST_TO_HOLD_OUT = 100
"""With fewer recordings, or fewer blocks than folds, all are trained on."""
_LEAST_TO_MAP = 200
_CHUNK = 64


@dataclass(frozen=True, eq=False)
class Recorded:
    """The scenes to train on, and those of the places that are held out; None where there are too few."""

    training: ScenePool
    held_out: ScenePool | None
    radio_map: RadioMap | None
    """Of all places, to travel with the model; None where no scene was read with one."""


def read_known(paths: Sequence[Path], on_unread: Callable[[str], None]) -> list[Collected]:
    """The evidence of every usable observation below the paths that says where its transmitter was.

    `on_unread` gets a sentence for each part of them that could not be read.
    """

    def read() -> Iterator[Observation]:
        for observation in (each for path in paths for each in read_observations(path)):
            for note in observation.notes:
                if note.startswith(NOT_READ):
                    on_unread(note)
            yield observation

    return collected_of(read())


def collected_of(observations: Iterable[Observation]) -> list[Collected]:
    """Without those of unknown place or with too few receivers. Raises InputError where none is left."""
    known = []
    for observation in observations:
        try:
            known += [collect(observation)] if observation.truth is not None else []
        except InputError:
            continue
    if not known:
        raise InputError(
            "no recording with a known transmitter and enough receivers to train on; name some with --data"
        )
    return known


def recorded_scenes(known: Sequence[Collected], cells: int, device: torch.device | str = "cpu") -> Recorded:
    fold = folds_by_place(known)
    if len(known) < _LEAST_TO_HOLD_OUT or len(np.unique(fold)) < _FOLDS:
        fold = np.full(len(known), _HELD_OUT + 1)
    seen, radio_map = _with_maps_of_other_folds(known, fold)

    def pool(numbers: Sequence[int]) -> ScenePool:
        parts = [
            part
            for number in numbers
            for part in _parts([seen[index] for index in np.flatnonzero(fold == number)], cells, device)
        ]
        return ScenePool(parts, cells)

    trained = [int(number) for number in np.unique(fold) if number != _HELD_OUT]
    return Recorded(pool(trained), pool([_HELD_OUT]) if _HELD_OUT in fold else None, radio_map)


def folds_by_place(known: Sequence[Collected]) -> NDArray[np.int64]:
    """(J,) which of five folds each observation is in: whole blocks of `BLOCK_M`, the largest first to the emptiest fold."""
    block = _blocks([(t.latitude_deg, t.longitude_deg) for each in known if (t := each.observation.truth) is not None])
    sizes = np.bincount(block)
    fold_of = np.zeros(len(sizes), dtype=np.int64)
    filled = np.zeros(_FOLDS)
    for number in np.argsort(-sizes, kind="stable"):
        fold_of[number] = int(np.argmin(filled))
        filled[fold_of[number]] += sizes[number]
    return fold_of[block]


def _blocks(places_deg: Sequence[tuple[float, float]]) -> NDArray[np.int64]:
    """(J,) the number of the block each place lies in."""
    latitude, longitude = np.array(places_deg).T
    enu_m = LocalFrame.around(latitude, longitude).to_enu(latitude, longitude, np.zeros(len(latitude)))
    cells = np.floor(enu_m[:, :2] / BLOCK_M)
    return np.asarray(np.unique(cells, axis=0, return_inverse=True)[1]).reshape(-1)


def _is_mappable(collected: Collected) -> bool:
    return model_of(collected) is LOCAL and int(collected.evidence.has_level.sum()) >= 2


def _with_maps_of_other_folds(
    known: Sequence[Collected], fold: NDArray[np.int64]
) -> tuple[list[Collected], RadioMap | None]:
    """Each observation as a radio map sees it that knows none of its fold, and the map that knows all; or no maps."""
    mappable = np.array([_is_mappable(each) for each in known])
    if mappable.sum() < _LEAST_TO_MAP or len(np.unique(fold[mappable])) < _FOLDS:
        return list(known), None
    everything = survey([each for each, yes in zip(known, mappable, strict=True) if yes])
    shadowing = shadowing_of(everything)
    maps = [fit_radio_map(everything.select(fold[mappable] != number), shadowing) for number in range(_FOLDS)]
    seen = [
        mapped(each, maps[number]) if yes else each for each, number, yes in zip(known, fold, mappable, strict=True)
    ]
    return seen, fit_radio_map(everything, shadowing)


def _parts(known: Sequence[Collected], cells: int, device: torch.device | str) -> list[LabelledEvidence]:
    """Scenes that share a propagation model, and all have a radio map or none, together."""
    groups: dict[tuple[PropagationModel, bool], list[Collected]] = {}
    for each in known:
        groups.setdefault((model_of(each), each.evidence.mapped is None), []).append(each)
    return [_labelled(members, model, cells, device) for (model, _), members in groups.items()]


def _labelled(
    members: Sequence[Collected], model: PropagationModel, cells: int, device: torch.device | str
) -> LabelledEvidence:
    evidence = _tensors(concatenate([each.evidence for each in members]), device)
    truth_m = torch.stack([_truth_m(each, device) for each in members])
    chunks = [slice(start, start + _CHUNK) for start in range(0, len(members), _CHUNK)]
    parts = [labelled(evidence.select(chunk), truth_m[chunk], model, cells) for chunk in chunks]
    return joined(parts)


def _tensors(evidence: EvidenceBatch, device: torch.device | str) -> EvidenceBatch:
    def tensor(values: NDArray[np.generic]) -> torch.Tensor:
        single = values.astype(np.float32) if values.dtype == np.float64 else values
        return torch.from_numpy(np.array(single)).to(device)

    return evidence.changed(tensor)


def _truth_m(collected: Collected, device: torch.device | str) -> torch.Tensor:
    truth = collected.observation.truth
    assert truth is not None
    height_m = truth.height_m
    if (
        height_m is None
    ):  # the height at which the evidence looks for it: seen from far away, an aircraft's is no small matter
        height_m = float(collected.evidence.transmitter_height_m[0])
    place = collected.frame.to_enu(np.array(truth.latitude_deg), np.array(truth.longitude_deg), np.array(height_m))
    return torch.tensor(place[:2], dtype=torch.float32, device=device)
