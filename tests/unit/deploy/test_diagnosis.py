"""What the host can serve decides which torch the images get."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from heimdall.deploy import diagnosis
from heimdall.doctor import torch_release_for
from heimdall.doctor.facts.wheels import CURRENT_TORCH, DRIVER_FOR_CUDA, TORCH_CUDA_12

REPOSITORY = Path(__file__).parents[3]
DRIVER = "580.65.06"
PASCAL, TURING, AMPERE = (6, 1), (7, 5), (8, 6)


@pytest.mark.parametrize("cards", [[PASCAL, AMPERE], [AMPERE, PASCAL], [AMPERE, None, PASCAL]])
def test_the_oldest_of_several_cards_decides_the_torch_release(monkeypatch, tmp_path: Path, cards):
    gpus = [SimpleNamespace(capability=capability) for capability in cards]
    facts = SimpleNamespace(nvml=SimpleNamespace(gpus=gpus), driver_version=DRIVER, has_card=True)
    monkeypatch.setattr(diagnosis, "Facts", lambda host: facts)
    monkeypatch.setattr(diagnosis, "examine", lambda project: SimpleNamespace(verdict="gpu", reason=None, findings=[]))
    (tmp_path / "Dockerfile").write_text("ARG TORCH_VERSION=0.0.0\n")
    assert diagnosis.look_at_host(tmp_path).torch_version == torch_release_for(DRIVER, PASCAL)
    assert torch_release_for(DRIVER, PASCAL) != torch_release_for(DRIVER, AMPERE)


@pytest.mark.parametrize(
    ("driver", "release"),
    [
        ("525.60.13", ""),
        ("570.195.03", ""),
        ("579.99", ""),
        ("580.65.06", CURRENT_TORCH),
        ("470.256.02", None),
        (None, None),
    ],
)
def test_the_image_as_it_is_by_default_runs_on_every_driver_from_525_on(monkeypatch, driver, release):
    """Empty: the Dockerfile's own release. None: left as it is."""
    facts = SimpleNamespace(nvml=SimpleNamespace(gpus=[]), driver_version=driver, has_card=True)
    monkeypatch.setattr(diagnosis, "Facts", lambda host: facts)
    monkeypatch.setattr(diagnosis, "examine", lambda project: SimpleNamespace(verdict="gpu", reason=None, findings=[]))
    assert diagnosis.look_at_host(REPOSITORY).torch_version == release


def test_dockerfile_and_compose_file_name_the_same_release_of_torch():
    texts = [(REPOSITORY / name).read_text() for name in ("Dockerfile", "docker-compose.yml")]
    named = re.findall(r"^ARG TORCH_VERSION=(\S+)|HEIMDALL_TORCH_VERSION:-([\d.]+)", "\n".join(texts), re.MULTILINE)
    assert {one or other for one, other in named} == {TORCH_CUDA_12}
    assert DRIVER_FOR_CUDA[12] == 525
