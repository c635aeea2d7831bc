"""What is exported is what was trained, held against it, for any number of scenes and receivers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from heimdall.errors import HeimdallError, InputError
from heimdall.inference.bundle import read_bundle
from heimdall.inference.calibration import Calibration
from heimdall.inference.onnx_network import OnnxNetwork
from heimdall.learning.model import export
from heimdall.learning.model.export import check_parity, load_weights, to_onnx, weights_of, weights_sha256
from heimdall.learning.model.network import EvidenceNetwork
from heimdall.learning.model.shape import shape_of
from heimdall.learning.run.bundling import export_untrained
from heimdall.learning.run.module import EvidenceModule
from heimdall.recipes import Recipe


@pytest.fixture(scope="module")
def taught() -> EvidenceNetwork:
    from heimdall.recipes import recipe

    torch.manual_seed(0)
    shape = shape_of(
        recipe("quick", {"network.cells": "16", "network.decoder_width": "8", "network.token_width": "8"}).network
    )
    network = EvidenceNetwork(shape).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return network


@pytest.fixture(scope="module")
def content(taught: EvidenceNetwork) -> bytes:
    return to_onnx(taught)


def test_onnxruntime_and_torch_agree(taught: EvidenceNetwork, content: bytes) -> None:
    assert check_parity(taught, content) < 1e-4


def test_what_is_passed_on_names_no_path_of_this_machine(content: bytes) -> None:
    assert str(Path(export.__file__).parents[2]).encode() not in content
    assert str(Path(torch.__file__).parent).encode() not in content


def test_a_network_that_was_exported_wrong_is_refused(taught: EvidenceNetwork, content: bytes, monkeypatch) -> None:
    right = OnnxNetwork.run
    monkeypatch.setattr(export.OnnxNetwork, "run", lambda self, window: tuple(x + 0.01 for x in right(self, window)))
    with pytest.raises(HeimdallError, match=r"differs from the trained one by 0\.01"):
        check_parity(taught, content)


def test_a_window_of_another_size_does_not_pass_for_the_manifests(content: bytes) -> None:
    with pytest.raises(InputError, match="do not fit its manifest"):
        OnnxNetwork(content, cells=24)


def test_bytes_that_are_no_network_are_one_clear_line() -> None:
    with pytest.raises(InputError, match="cannot be loaded"):
        OnnxNetwork(b"not onnx", cells=16)


def test_a_bundle_gives_back_the_weights_it_was_made_of(tiny: Recipe, tmp_path: Path) -> None:
    path = export_untrained(tiny, tmp_path / "untrained.heimdall")
    bundle = read_bundle(path)
    network = EvidenceModule(tiny).network
    assert bundle.training["weights_sha256"] == weights_sha256(network)
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    load_weights(network, weights_of(bundle), path.name)
    assert bundle.training["weights_sha256"] == weights_sha256(network)
    assert bundle.calibration == Calibration()
    assert bundle.cells == tiny.network.cells


def test_weights_of_another_shape_are_refused_by_name(taught: EvidenceNetwork, content: bytes, tiny: Recipe) -> None:
    weights = {name: tensor for name, tensor in taught.state_dict().items() if "decoder" not in name}
    with pytest.raises(InputError, match=r"old\.heimdall: its network has another shape"):
        load_weights(EvidenceModule(tiny).network, weights, "old.heimdall")


def test_one_changed_weight_changes_the_hash(taught: EvidenceNetwork) -> None:
    before = weights_sha256(taught)
    with torch.no_grad():
        first = next(taught.parameters()).view(-1)[:1]
        first.copy_(torch.nextafter(first, torch.tensor([9.0])))
    assert weights_sha256(taught) != before
