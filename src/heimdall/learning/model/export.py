"""From weights to a bundle: one ONNX file with free batch size and number of receivers, held against torch before it is kept."""

from __future__ import annotations

import hashlib
import warnings

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from heimdall.errors import HeimdallError, InputError
from heimdall.estimation.frame import WindowFrame
from heimdall.files.atomic import scratch
from heimdall.inference.bundle import Bundle
from heimdall.inference.onnx_network import INPUTS, OUTPUTS, OnnxNetwork
from heimdall.inference.window import Window
from heimdall.learning.model.network import EvidenceNetwork
from heimdall.learning.model.shape import NetworkShape

PARITY = 1e-3
"""Largest difference between onnxruntime and torch in any output; float32 in another order stays a hundred times below."""


def to_onnx(network: EvidenceNetwork) -> bytes:
    """The network as one ONNX file whose initialisers carry the names of the weights."""
    network.eval()
    shape = network.shape
    # An example batch of 1 would be taken for a constant.
    example = _example(shape, 2, 5, seed=0)
    batch, receivers = torch.export.Dim("batch", min=1), torch.export.Dim("receivers", min=1)
    with warnings.catch_warnings(), scratch() as folder:
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            example,
            dynamo=True,
            optimize=False,
            verbose=False,
            external_data=False,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: batch}, {0: batch, 1: receivers}, {0: batch, 1: receivers}),
        )
        assert program is not None
        path = folder / "model.onnx"
        program.save(path)
        return _without_traces(onnx.load(path)).SerializeToString()


def _without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without the stack traces of the tracer: a bundle is passed on, and the paths of this machine concern nobody."""
    graph = model.graph
    for part in (
        model,
        graph,
        *model.functions,
        *graph.node,
        *graph.value_info,
        *graph.input,
        *graph.output,
        *graph.initializer,
    ):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for function in model.functions:
        for part in (*function.node, *function.value_info):
            part.ClearField("metadata_props")
            part.ClearField("doc_string")
    return model


def check_parity(network: EvidenceNetwork, content: bytes) -> float:
    """The largest difference of any output on random input, for one scene and for several; refused beyond `PARITY`."""
    session = OnnxNetwork(content, network.shape.cells)
    worst = max(_difference(network, session, scenes, receivers) for scenes, receivers in ((1, 3), (4, 16)))
    if not worst <= PARITY:
        raise HeimdallError(
            f"the exported network differs from the trained one by {worst:.2g}, more than {PARITY:g}: not kept"
        )
    return worst


@torch.no_grad()
def _difference(network: EvidenceNetwork, session: OnnxNetwork, scenes: int, receivers: int) -> float:
    maps, tokens, present = _example(network.shape, scenes, receivers, seed=scenes)
    expected = network(maps, tokens, present)
    one = np.ones(scenes)
    window = Window(maps.numpy(), tokens.numpy(), present.numpy(), WindowFrame(np.zeros((scenes, 2)), one, one))
    return max(float(np.abs(got - want.numpy()).max()) for got, want in zip(session.run(window), expected, strict=True))


def _example(shape: NetworkShape, scenes: int, receivers: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(scenes, shape.map_channels, shape.cells, shape.cells, generator=generator)
    tokens = torch.randn(scenes, receivers, shape.token_features, generator=generator)
    return maps, tokens, torch.ones(scenes, receivers)


def weights_of(bundle: Bundle) -> dict[str, Tensor]:
    """A bundle's weights by the names that the network gives them."""
    model = onnx.load_from_string(bundle.network)
    return {each.name: torch.from_numpy(numpy_helper.to_array(each).copy()) for each in model.graph.initializer}


def load_weights(network: EvidenceNetwork, weights: dict[str, Tensor], source: str) -> None:
    """Start from other weights of the same shape."""
    try:
        network.load_state_dict({name: weights[name] for name in network.state_dict()})
    except (KeyError, RuntimeError) as error:
        raise InputError(
            f"{source}: its network has another shape than the recipe's; take the recipe it was trained by"
        ) from error


def weights_sha256(network: EvidenceNetwork) -> str:
    """One hash over all weights, in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
