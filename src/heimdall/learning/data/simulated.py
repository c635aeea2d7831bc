"""From simulated scenes to what a training keeps of them: statistics instead of IQ, and where the likelihood's mode is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from heimdall.arrays import array_namespace
from heimdall.estimation.frame import WindowFrame
from heimdall.estimation.model import PropagationModel, model_for
from heimdall.estimation.posterior_window import frame_around
from heimdall.estimation.search import ModelledScenes
from heimdall.evidence.batch import EvidenceBatch, concatenate
from heimdall.evidence.collect import max_offset_hz
from heimdall.evidence.iq.from_recordings import Recordings, evidence_from_recordings, max_detour_s
from heimdall.evidence.receiver_geometry import half_width_around
from heimdall.geometry import columns, surface_up_m
from heimdall.learning.data.on_processor import as_arrays, as_tensors, pays
from heimdall.simulation import SCENES_PER_DRAW, SceneBatch, draw, scenario, stream


@dataclass(frozen=True, eq=False)
class LabelledEvidence:
    """B scenes with one propagation model: their evidence, the truth, and the window that the likelihood asks for."""

    evidence: EvidenceBatch
    model: PropagationModel
    truth_m: Tensor
    """(B, 2) east and north of the transmitter."""
    frame: WindowFrame
    """Centred on the likelihood's mode."""

    def __len__(self) -> int:
        return len(self.evidence)

    @property
    def missed_cells(self) -> Tensor:
        """(B,) how far the truth lies from the likelihood's mode, in middle cells of the window."""
        return self.frame.offset_core(self.truth_m[:, None])[:, 0].norm(dim=1)

    def select(self, index: Any) -> LabelledEvidence:
        """The scenes of an index, as of an array."""
        return replace(
            self,
            evidence=self.evidence.select(index),
            truth_m=self.truth_m[index],
            frame=self.frame.select(index),
        )

    def to(self, device: torch.device | str) -> LabelledEvidence:
        moved: LabelledEvidence = _on(self, device)
        return moved


def _on(value: Any, device: torch.device | str) -> Any:
    """A tensor, or a dataclass with its tensors, on the device; anything else as it is."""
    if isinstance(value, Tensor):
        return value.to(device)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    return replace(value, **{field.name: _on(getattr(value, field.name), device) for field in fields(value)})


@dataclass(frozen=True)
class SceneSource:
    """Scenes without end, drawn one batch after the other: what is in a draw depends on its number alone."""

    scenarios: Mapping[str, float]
    """Their names, and what share of the draws each has."""
    seed: int
    purpose: str
    """Each has a stream of its own, and none is that of `heimdall simulate` and `heimdall evaluate`."""
    cells: int
    """Along each axis of the windows."""


def simulate(
    source: SceneSource,
    draws: Sequence[int],
    device: torch.device | str = "cpu",
    threads: int = 1,
    report: Callable[[float], None] = lambda share: None,
) -> list[LabelledEvidence]:
    """The labelled scenes of each draw, in the order of `draws`, a part for each propagation model that they have.

    `report` hears what share is done after each draw.
    """
    found: list[LabelledEvidence] = []
    with _workers(threads) as workers:
        drawn = workers.map(lambda index: _drawn(source, index, device), draws)
        for done, parts in enumerate(drawn, 1):
            found += parts
            report(done / len(draws))
    return found


def by_model(parts: Sequence[LabelledEvidence]) -> list[LabelledEvidence]:
    """Scenes that share a propagation model, joined in the order given."""
    groups: dict[PropagationModel, list[LabelledEvidence]] = {}
    for part in parts:
        groups.setdefault(part.model, []).append(part)
    return [joined(members) for members in groups.values()]


@contextmanager
def _workers(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that drop what is still waiting when the work is interrupted, so that a stop takes effect at once."""
    workers = ThreadPoolExecutor(max(threads, 1))
    try:
        yield workers
    finally:
        workers.shutdown(wait=True, cancel_futures=True)


def draws_for(scenes: int) -> int:
    return -(-scenes // SCENES_PER_DRAW)


def evidence_of(scenes: SceneBatch) -> EvidenceBatch:
    """The evidence that `heimdall locate` would have of these scenes, in single precision; `centred` first."""
    count, there = scenes.present.sum(1), scenes.present[..., None]
    height_m = scenes.receiver_enu_m[..., 2] - _ground_up_m(scenes, scenes.receiver_enu_m[..., :2])
    ground_m = scenes.receiver_enu_m[..., :2]
    extent_m = ((ground_m - _middle_m(scenes)) * there).abs().amax((1, 2))
    half_width_m = [half_width_around(float(each), None) for each in extent_m]
    recordings = Recordings(
        samples_BNT=scenes.samples,
        sample_rate_hz=scenes.sample_rate_hz,
        bandwidth_hz=scenes.bandwidth_hz,
        start_s=scenes.start_s,
        position_enu_m=scenes.receiver_enu_m,
        present=scenes.present,
        clock_sigma_s=scenes.clock_sigma_s,
        level_sigma_db=scenes.level_sigma_db,
        curvature_per_m=scenes.curvature_per_m,
        transmitter_height_m=(height_m * scenes.present).sum(1) / count,
        half_width_m=torch.tensor(half_width_m, dtype=extent_m.dtype, device=extent_m.device),
        max_offset_hz=max_offset_hz(float(scenes.frequency_hz.max())),
        max_detour_s=max_detour_s(float(scenes.frequency_hz.max())),
    )
    evidence = evidence_from_recordings(as_arrays(recordings) if pays(extent_m.device) else recordings)
    return _single(as_tensors(_with_own_origin(evidence)))


def _drawn(source: SceneSource, index: int, device: torch.device | str) -> list[LabelledEvidence]:
    chance = stream(source.seed, index, purpose=source.purpose, device=device)
    names, shares = list(source.scenarios), torch.tensor(list(source.scenarios.values()), dtype=torch.float64)
    choosing = stream(source.seed, index, purpose=f"scenario for {source.purpose}")
    choice = torch.multinomial(shares, 1, generator=choosing)
    scenes = centred(draw(scenario(names[int(choice)]), SCENES_PER_DRAW, chance, device))
    evidence = evidence_of(scenes)
    truth_m = scenes.transmitter_enu_m[:, :2].float()
    models = [
        model_for(float(frequency_hz), None, float(half_width_m))
        for frequency_hz, half_width_m in zip(scenes.frequency_hz, evidence.half_width_m, strict=True)
    ]
    parts = []
    for model in dict.fromkeys(models):
        mine = torch.tensor([each == model for each in models], device=truth_m.device)
        parts.append(labelled(evidence.select(mine), truth_m[mine], model, source.cells))
    return parts


def centred(scenes: SceneBatch) -> SceneBatch:
    """The same scenes in frames around the middle of their receivers, as `heimdall locate` has them."""
    middle_m = _middle_m(scenes)
    return replace(
        scenes,
        receiver_enu_m=_moved(scenes, scenes.receiver_enu_m, middle_m),
        receiver_true_enu_m=_moved(scenes, scenes.receiver_true_enu_m, middle_m),
        transmitter_enu_m=_moved(scenes, scenes.transmitter_enu_m[:, None], middle_m)[:, 0],
    )


def _middle_m(scenes: SceneBatch) -> Tensor:
    """(B, 1, 2) mean of the receivers that are present."""
    there = scenes.present[..., None]
    return (scenes.receiver_enu_m[..., :2] * there).sum(1, keepdim=True) / there.sum(1, keepdim=True)


def _moved(scenes: SceneBatch, place_BN3: Tensor, origin_B12: Tensor) -> Tensor:
    """Places at the same heights above the ground, seen from a tangent plane that touches it at another origin."""
    ground_m = place_BN3[..., :2]
    height_m = place_BN3[..., 2] - _ground_up_m(scenes, ground_m)
    up_m = _ground_up_m(scenes, ground_m - origin_B12) + height_m
    return torch.cat([ground_m - origin_B12, up_m[..., None]], dim=-1)


def _ground_up_m(scenes: SceneBatch, ground_BN2: Tensor) -> Tensor:
    east, north = ground_BN2[..., 0], ground_BN2[..., 1]
    return surface_up_m(east, north, columns(scenes.curvature_per_m), torch.zeros_like(east))


def _with_own_origin(evidence: EvidenceBatch) -> EvidenceBatch:
    """Arrival times from the scene's mean, where single precision resolves picoseconds."""
    xp = array_namespace(evidence.arrival_s)
    weight_BN = xp.astype(evidence.has_arrival, xp.float64)
    count_B = xp.clip(xp.sum(weight_BN, axis=1), 1.0, None)
    mean_s = xp.sum(evidence.arrival_s * weight_BN, axis=1) / count_B
    arrival_s = evidence.arrival_s - mean_s[:, None]
    return replace(evidence, arrival_s=xp.where(evidence.has_arrival, arrival_s, xp.zeros_like(arrival_s)))


def _single(evidence: EvidenceBatch) -> EvidenceBatch:
    return evidence.changed(lambda values: values.float() if values.is_floating_point() else values)


def labelled(evidence: EvidenceBatch, truth_m: Tensor, model: PropagationModel, cells: int) -> LabelledEvidence:
    """Find the likelihood's mode of each scene and the window around it."""
    batch = as_arrays(evidence) if pays(truth_m.device, model) else evidence
    scenes = ModelledScenes.of(batch, model)
    mode_m, _ = scenes.mode()
    frame = frame_around(mode_m, batch, model, cells, density=scenes.density)
    return LabelledEvidence(evidence, model, truth_m, as_tensors(frame))


def joined(parts: Sequence[LabelledEvidence]) -> LabelledEvidence:
    """One after the other; all under one propagation model."""
    frames = [part.frame for part in parts]
    return LabelledEvidence(
        evidence=concatenate([part.evidence for part in parts]),
        model=parts[0].model,
        truth_m=torch.cat([part.truth_m for part in parts]),
        frame=WindowFrame(**{f.name: torch.cat([getattr(x, f.name) for x in frames]) for f in fields(WindowFrame)}),
    )
