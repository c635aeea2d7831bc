"""What the host can serve decides which torch the images get."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from heimdall.deploy import diagnosis
from heimdall.doctor import torch_release_for

DRIVER = "580.65.06"
PASCAL, TURING, AMPERE = (6, 1), (7, 5), (8, 6)


@pytest.mark.parametrize("cards", [[PASCAL, AMPERE], [AMPERE, PASCAL], [AMPERE, None, PASCAL]])
def test_the_oldest_of_several_cards_decides_the_torch_release(monkeypatch, tmp_path: Path, cards):
    gpus = [SimpleNamespace(capability=capability) for capability in cards]
    facts = SimpleNamespace(nvml=SimpleNamespace(gpus=gpus), driver_version=DRIVER)
    monkeypatch.setattr(diagnosis, "Facts", lambda host: facts)
    monkeypatch.setattr(diagnosis, "examine", lambda project: SimpleNamespace(verdict="gpu", reason=None, findings=[]))
    (tmp_path / "constraints-torch.txt").write_text("torch==0.0.0\n")
    assert diagnosis.look_at_host(tmp_path).torch_version == torch_release_for(DRIVER, PASCAL)
    assert torch_release_for(DRIVER, PASCAL) != torch_release_for(DRIVER, AMPERE)
