"""From observations to fixes by a trained network, alone or joined with the likelihood."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from heimdall.arrays import Array
from heimdall.estimation.frame import WindowFrame
from heimdall.estimation.heights.height import Height
from heimdall.estimation.integrity.fault_odds import FaultOdds
from heimdall.estimation.model import PropagationModel
from heimdall.estimation.posterior_window import frame_around
from heimdall.estimation.search import ModelledScenes
from heimdall.evidence.batch import concatenate
from heimdall.evidence.collect import Collected
from heimdall.evidence.mapping import mapped
from heimdall.inference.answer import best_place, joined_place, smoothing_core
from heimdall.inference.bundle import Bundle, read_bundle
from heimdall.inference.calibration import HYBRID, LIKELIHOOD, NETWORK, Blend, Regions, kind_of, pooled
from heimdall.inference.mixture import Mixture, from_network
from heimdall.inference.onnx_network import OnnxNetwork
from heimdall.inference.posterior import posterior_of
from heimdall.inference.window import LOG_MASS, LOG_MASS_SCALE, Window, read_window
from heimdall.locating.by_likelihood import height_profiles, locate_by_likelihood
from heimdall.locating.located import Located
from heimdall.locating.pipeline import locate_each
from heimdall.locating.posterior_fix import Estimate, grid_posterior, make_fix
from heimdall.observation import Observation

if TYPE_CHECKING:
    from jaxtyping import Float

MethodOf = Callable[[Collected, PropagationModel], str]
"""Which method is to locate an observation."""


@dataclass(frozen=True, eq=False)
class NetworkAnswer:
    """What one method says about B scenes by what the network gave: a place in m, and a density on a window of cells."""

    method: str
    place_m: Float[Array, "B 2"]
    mixture: Mixture
    frame: WindowFrame
    cells: int

    def select(self, index: slice) -> NetworkAnswer:
        return replace(
            self,
            place_m=self.place_m[index],
            mixture=self.mixture.select(index),
            frame=self.frame.select(index),
        )


@dataclass(frozen=True, eq=False)
class Learned:
    """A bundle with its network loaded and warm. Safe to share between threads."""

    bundle: Bundle
    network: OnnxNetwork

    @classmethod
    def load(cls, path: Path, threads: int | None = None) -> Learned:
        """Read and check a bundle and load its network; `threads` bounds the cores one run takes."""
        bundle = read_bundle(path)
        return cls(bundle, OnnxNetwork(bundle.network, bundle.cells, threads))

    def locate_each(self, observations: Sequence[Observation], choose: bool = False) -> Iterator[Located]:
        """Locate every observation, in the order given, chunk by chunk as they are ready.

        With `choose` by the method, the likelihood among them, that the bundle's held-out scenes found best for that kind
        of session; otherwise by the better of network and hybrid.
        """

        def best(collected: Collected, model: PropagationModel) -> str:
            # The likelihood's own regions are not calibrated; with a radio map they need it most.
            with_likelihood = choose and not _is_mapped(collected)
            return self.bundle.calibration.best_method(_kind(collected, model), with_likelihood=with_likelihood)

        return self._locate(observations, best)

    def locate_by(
        self, observations: Sequence[Observation], method: str, odds: FaultOdds | None = None
    ) -> Iterator[Located]:
        """Locate every observation by one method, "network" or "hybrid", whatever its held-out scenes say."""
        return self._locate(observations, lambda collected, model: method, odds)

    def _locate(
        self, observations: Sequence[Observation], method_of: MethodOf, odds: FaultOdds | None = None
    ) -> Iterator[Located]:
        return locate_each(
            observations, lambda members, model: self._locate_group(members, model, method_of), odds=odds
        )

    def _locate_group(
        self, members: Sequence[Collected], model: PropagationModel, method_of: MethodOf
    ) -> list[Located]:
        """Observations of one propagation model: with and without a radio map apart, by network and by likelihood apart."""
        known = [self._with_map(collected) for collected in members]
        # No network has seen receivers from behind the horizon.
        methods = [LIKELIHOOD if each.recentred else method_of(each, model) for each in known]
        groups: dict[tuple[bool, bool], list[int]] = {}
        for index, (each, method) in enumerate(zip(known, methods, strict=True)):
            groups.setdefault((method == LIKELIHOOD, _is_mapped(each)), []).append(index)
        results: dict[int, Located] = {}
        for (by_likelihood, _), mine in groups.items():
            chosen = [known[index] for index in mine]
            if by_likelihood:
                located = locate_by_likelihood(chosen, model)
            else:
                located = self._by_network(chosen, model, [methods[index] for index in mine])
            results |= dict(zip(mine, located, strict=True))
        return [results[index] for index in range(len(members))]

    def _with_map(self, collected: Collected) -> Collected:
        return collected if self.bundle.radio_map is None else mapped(collected, self.bundle.radio_map)

    def _by_network(
        self, members: Sequence[Collected], model: PropagationModel, methods: Sequence[str]
    ) -> list[Located]:
        begun = time.perf_counter()
        batch = concatenate([collected.evidence for collected in members])
        scenes = ModelledScenes.of(batch, model)
        mode_m, _ = scenes.mode()
        unknown = height_profiles(members, scenes, mode_m)
        frame = frame_around(mode_m, batch, model, self.bundle.cells, density=scenes.density)
        window = read_window(batch, model, frame, self.bundle.cells)
        calibration = self.bundle.calibration
        kinds = [_kind(collected, model) for collected in members]
        blends = [calibration.blend_of(kind) for kind in kinds]
        answers = answers_of(self.network.run(window), window, batch.half_width_m, blends)
        shared_ms = (time.perf_counter() - begun) * 1e3 / len(members)
        located = []
        for index, (collected, method) in enumerate(zip(members, methods, strict=True)):
            answer = answers[method].select(slice(index, index + 1))
            regions = calibration.regions_of(method, kinds[index])
            height = unknown[index].height if index in unknown else None
            located.append(_conclude(collected, model, answer, regions, height).taking(shared_ms))
        # The network knows transmitters on ground as high as the receivers only.
        for index, profile in unknown.items():
            if profile.matters and not profile.is_level:
                located[index] = locate_by_likelihood([members[index]], model)[0]
        return located


def _kind(collected: Collected, model: PropagationModel) -> str:
    return kind_of(model, int(np.sum(collected.evidence.has_arrival)), mapped=_is_mapped(collected))


def _is_mapped(collected: Collected) -> bool:
    return collected.evidence.mapped is not None


def answers_of(
    output: tuple[Array, Array], window: Window, half_width_m: Array, blends: Sequence[Blend]
) -> dict[str, NetworkAnswer]:
    """The network's output, alone and joined with the likelihood by each scene's blend."""
    frame, cells = window.frame, window.maps.shape[-1]
    likelihood_share_B, blur_B, point_share_B = np.array([astuple(blend) for blend in blends], dtype=np.float32).T
    alone = from_network(*output, frame, half_width_m)
    log_mass = LOG_MASS_SCALE * window.maps[:, LOG_MASS]
    joined = pooled(alone, log_mass.reshape(log_mass.shape[0], -1), likelihood_share_B[:, None])
    peak = best_place(joined, smoothing_core(cells, blur_B))
    places = {
        NETWORK: best_place(alone, smoothing_core(cells)),
        HYBRID: joined_place(peak, point_share_B[:, None], cells),
    }
    mixtures = {NETWORK: alone, HYBRID: joined}
    return {
        method: NetworkAnswer(method, frame.place_m(place[:, None, :])[:, 0], mixtures[method], frame, cells)
        for method, place in places.items()
    }


def _conclude(
    collected: Collected, model: PropagationModel, answer: NetworkAnswer, regions: Regions, height: Height | None
) -> Located:
    """The fix of one scene by the network's answer."""
    begun = time.perf_counter()
    density = posterior_of(answer.mixture, answer.frame, answer.cells)
    posterior = grid_posterior(collected, density.frame, density.mass[0]).blurred(model.systematic_m)
    place_m = np.asarray(answer.place_m[0], dtype=float)
    fix = make_fix(collected, model, Estimate(answer.method, place_m, posterior, height, regions.mass))
    return Located(fix, posterior, regions.mass).taking((time.perf_counter() - begun) * 1e3)
