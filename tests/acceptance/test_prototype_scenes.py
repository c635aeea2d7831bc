"""The scenes that the design quotes its figures on: the likelihood with search and prior is held to them, with the baseline."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.cramer_rao import (
    MeasuredLinks,
    arrival_information,
    arrival_variance_s2,
    position_covariance,
    surface_tangent,
)
from heimdall.estimation.model import TERRESTRIAL
from heimdall.estimation.search import find_mode, log_posterior
from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.iq.from_recordings import Recordings, evidence_from_recordings
from heimdall.locating.by_least_squares import solve

pytestmark = pytest.mark.slow
BATCH = 25
SEARCHED = 1.45
"""Half the side of the area searched, in half sides of the receivers' square: as the prototype searches."""
VACUUM = replace(TERRESTRIAL, refractive_index=1.0)
"""The prototype's plane has no air."""
FILLED = 0.725
"""Mean share of the channel that the prototype's noise fills."""
TARGETS_M = np.array([950, 2000, 13_200])
CHANCE = 1.03
"""The targets are one estimator's figures on one seed. On these 1,000 sessions, changes that no other sessions tell apart
(where the search ends, how a spectrum is weighted, rounding) move the 68 % and 90 % quantiles by 2 to 3 %."""
Scenes = Iterator[tuple[EvidenceBatch, np.ndarray, dict[str, Any], float]]


@pytest.fixture(scope="module")
def simulator() -> ModuleType:
    path = Path(__file__).resolve().parents[3] / "shared" / "prototype" / "sim.py"
    if not path.is_file():
        pytest.skip(f"no prototype to compare with: {path} is not there")
    specification = importlib.util.spec_from_file_location("prototype_sim", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _scenes(simulator: ModuleType, count: int, seed: int, wide: bool = False) -> Scenes:
    """Evidence, true places in m and labels; in the order in which the prototype's table draws its sessions."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count // BATCH):
        bandwidth_mhz, samples, laws = 1.0, 8192, {"clkmode": 0, "los_only": True, "mp": False}
        if not wide:
            choice = int(torch.randint(0, len(simulator.COMBO), (1,), generator=generator))
            (bandwidth_mhz, samples), laws = simulator.COMBO[choice], {}
        receivers = int(torch.randint(4, 9, (1,), generator=generator))
        iq, labels = simulator.simulate(BATCH, receivers, bandwidth_mhz, 2 * bandwidth_mhz, samples, generator, **laws)
        gain = 10 ** (labels["gain"] / 20)
        evidence = evidence_from_recordings(_recordings(iq * gain[..., None], labels, 1e6 * bandwidth_mhz))
        yield evidence, 1e3 * labels["tx"].numpy(), labels, 1e6 * bandwidth_mhz


def _recordings(iq: torch.Tensor, labels: dict[str, Any], bandwidth_hz: float) -> Recordings:
    zero = torch.zeros(iq.shape[:2])
    return Recordings(
        samples_BNT=iq.to(torch.complex64),
        sample_rate_hz=2 * bandwidth_hz,
        bandwidth_hz=bandwidth_hz,
        start_s=zero,
        position_enu_m=torch.cat([1e3 * labels["rx"], zero[..., None]], dim=-1),
        present=zero == 0,
        clock_sigma_s=1e-6 * labels["sclk"],
        level_sigma_db=zero + 2,
        curvature_per_m=torch.zeros(len(iq), 2),
        transmitter_height_m=torch.zeros(len(iq)),
        half_width_m=SEARCHED * 1e3 * labels["R"],
    )


def _errors_m(places: list[np.ndarray], truths: list[np.ndarray]) -> np.ndarray:
    return np.asarray(np.linalg.norm(np.concatenate(places) - np.concatenate(truths), axis=-1))


def _as_numpy(evidence: EvidenceBatch, index: int) -> EvidenceBatch:
    one = evidence.select(slice(index, index + 1)).changed(lambda value: value.numpy())
    return one.changed(lambda value: value if value.dtype == bool else value.astype(float))


def test_the_likelihood_is_as_good_as_the_design_asks(
    simulator: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """1,000 sessions of seed 777, to within chance; robust least squares is worse at every quantile."""
    found, baseline, truths = [], [], []
    for evidence, truth_m, _, _ in _scenes(simulator, 1000, 777):
        found.append(find_mode(evidence, log_posterior(evidence, VACUUM))[0].numpy())
        baseline.append(np.array([solve(_as_numpy(evidence, i), VACUUM).place_m for i in range(BATCH)]))
        truths.append(truth_m)
    likelihood = np.quantile(_errors_m(found, truths), (0.5, 0.68, 0.9))
    huber = np.quantile(_errors_m(baseline, truths), (0.5, 0.68, 0.9))
    with capsys.disabled():
        print(f"\nlikelihood {likelihood.round()} m, least squares {huber.round()} m")
    assert likelihood[0] <= TARGETS_M[0]
    assert np.all(likelihood <= CHANCE * TARGETS_M)
    assert np.all(huber > likelihood)


def test_clear_sight_at_1_mhz_reaches_the_bound(simulator: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """Clocks of 30 ns, no echo: the median over that of an estimator that reaches the bound of the arrival times."""
    found, truths, ideal = [], [], []
    rng = np.random.default_rng(0)
    for evidence, truth_m, labels, bandwidth_hz in _scenes(simulator, 500, 4711, wide=True):
        found.append(find_mode(evidence, log_posterior(evidence, VACUUM))[0].numpy())
        truths.append(truth_m)
        root = np.linalg.cholesky(_bound_m2(evidence, truth_m, labels, bandwidth_hz))
        ideal.append(np.linalg.norm(root @ rng.standard_normal((BATCH, 2, 64)), axis=1))
    error_m, ideal_m = _errors_m(found, truths), np.concatenate(ideal)
    ratio = np.median(error_m) / np.median(ideal_m)
    scenes = rng.integers(0, len(error_m), (1000, len(error_m)))
    low, high = np.quantile(
        [np.median(error_m[chosen]) / np.median(ideal_m[chosen]) for chosen in scenes], (0.025, 0.975)
    )
    with capsys.disabled():
        print(f"\nline of sight at 1 MHz: {ratio:.2f} [{low:.2f}, {high:.2f}] of the bound")
    assert ratio <= 1.05


def _bound_m2(evidence: EvidenceBatch, truth_m: np.ndarray, labels: dict[str, Any], bandwidth_hz: float) -> np.ndarray:
    """Of the true signal-to-noise ratios; a flat spectrum over the part of the channel that is filled."""
    snr = 10 ** (labels["snrdb"].double().numpy() / 10)
    frequency_hz = np.fft.fftfreq(8192, 1 / (2 * bandwidth_hz))
    shape = np.where(np.abs(frequency_hz) < 0.5 * FILLED * bandwidth_hz, 1 / FILLED, 0.0)
    noise_s2 = np.array([arrival_variance_s2(each, shape, frequency_hz) for each in snr])
    away = np.concatenate([truth_m, np.zeros((BATCH, 1))], axis=-1)[:, None] - evidence.position_enu_m.double().numpy()
    clock_s2 = (1e-6 * labels["sclk"].double().numpy()) ** 2
    links = MeasuredLinks(away, noise_s2 + clock_s2, np.full_like(clock_s2, np.inf))
    flat = surface_tangent(truth_m, np.zeros((BATCH, 2)))
    return position_covariance(arrival_information(links, 1 / SPEED_OF_LIGHT_M_S), flat)
