"""Evidence made up for the estimators' tests, and files that an earlier commit wrote."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.evidence.batch import EvidenceBatch
from heimdall.observation import Observation, Place, Receiver, Reception

MakeEvidence = Callable[..., EvidenceBatch]
ToTorch = Callable[[EvidenceBatch], EvidenceBatch]
MakeObservation = Callable[..., Observation]


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """The files that an earlier commit wrote, see tests/data/README.md."""
    with tarfile.open(Path(__file__).parents[1] / "data" / "a2b51c2.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


@pytest.fixture(scope="session")
def make_evidence() -> MakeEvidence:
    """Scenes of receivers in a plane of 100 km with arrival times and powers of a transmitter at a drawn place."""

    def make(seed: int = 0, scenes: int = 3, receivers: int = 6, clock_sigma_s: float = 100e-9) -> EvidenceBatch:
        rng = np.random.default_rng(seed)
        position = np.concatenate(
            [rng.uniform(-50e3, 50e3, (scenes, receivers, 2)), rng.uniform(0, 300, (scenes, receivers, 1))], axis=-1
        )
        place = np.concatenate([rng.uniform(-40e3, 40e3, (scenes, 1, 2)), np.zeros((scenes, 1, 1))], axis=-1)
        distance = np.linalg.norm(position - place, axis=-1)
        present = np.arange(receivers) < rng.integers(4, receivers + 1, (scenes, 1))
        arrival = distance * 1.0003 / SPEED_OF_LIGHT_M_S + rng.normal(0, clock_sigma_s, distance.shape)
        return EvidenceBatch(
            position_enu_m=position,
            present=present,
            arrival_s=arrival,
            arrival_sigma_s=rng.uniform(20e-9, 200e-9, distance.shape),
            clock_sigma_s=np.full(distance.shape, clock_sigma_s),
            has_arrival=present & (rng.uniform(size=distance.shape) < 0.9),
            level_db=-30 * np.log10(distance) + rng.normal(0, 6, distance.shape),
            level_sigma_db=np.full(distance.shape, 2.0),
            has_level=present & (rng.uniform(size=distance.shape) < 0.9),
            snr=np.full(distance.shape, 50.0),
            bandwidth_hz=np.full(scenes, 25e3),
            curvature_per_m=np.full((scenes, 2), 1 / 6.37e6),
            transmitter_height_m=np.zeros(scenes),
            half_width_m=np.full(scenes, 100e3),
        )

    return make


@pytest.fixture(scope="session")
def to_torch() -> ToTorch:
    """The same scenes as torch tensors."""

    def convert(batch: EvidenceBatch) -> EvidenceBatch:
        import torch  # most unit tests need none, and it takes seconds

        return batch.changed(torch.as_tensor)

    return convert


@pytest.fixture(scope="session")
def make_observation() -> MakeObservation:
    """A table of arrival times and powers: five receivers round a transmitter, good clocks, nothing wrong with any."""

    def make(
        places: list[tuple[float, float]] | None = None,
        truth: Place | None = None,
        clock_sigma_s: float | None = 50e-9,
        frequency_hz: float = 150e6,
    ) -> Observation:
        places = places or [(50.2, 10.1), (49.8, 10.3), (50.1, 9.6), (49.9, 9.7), (50.3, 10.6)]
        truth = truth or Place(50.02, 10.05, 0.0)
        receptions = []
        for index, (latitude, longitude) in enumerate(places):
            receiver = Receiver(f"R{index}", latitude, longitude, 0.0, clock_sigma_s)
            distance_m = _chord_m(receiver, truth)
            delay_s = distance_m * 1.0003 / SPEED_OF_LIGHT_M_S
            level_dbm = -30 * float(np.log10(distance_m))
            receptions.append(Reception(receiver, toa_s=5.0 + delay_s, rssi_dbm=level_dbm))
        return Observation("made up", frequency_hz, 25e3, tuple(receptions), truth=truth, transmitter_height_m=0.0)

    return make


def _chord_m(receiver: Receiver, truth: Place) -> float:
    import pymap3d

    at = np.array(pymap3d.geodetic2ecef(receiver.latitude_deg, receiver.longitude_deg, receiver.height_m))
    to = np.array(pymap3d.geodetic2ecef(truth.latitude_deg, truth.longitude_deg, truth.height_m))
    return float(np.linalg.norm(at - to))
