"""The network is blind to order and padding, starts from the likelihood, and takes any window."""

from __future__ import annotations

import pytest
import torch

from heimdall.errors import HeimdallError
from heimdall.inference.window import LOG_MASS, LOG_MASS_SCALE, MAPS, TOKENS
from heimdall.learning.model.network import EvidenceNetwork
from heimdall.learning.model.shape import NetworkShape


def _shape(**changes: object) -> NetworkShape:
    fixed = {"map_channels": len(MAPS), "token_features": len(TOKENS)}
    sizes = {"backbone": "convnext_atto", "cells": 16, "decoder_width": 8, "token_width": 8}
    return NetworkShape(**{**fixed, **sizes, "start_channel": LOG_MASS, "start_scale": LOG_MASS_SCALE, **changes})


def _input(shape: NetworkShape, scenes: int = 2, receivers: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(scenes, shape.map_channels, shape.cells, shape.cells, generator=generator)
    return (
        maps,
        torch.randn(scenes, receivers, shape.token_features, generator=generator),
        torch.ones(scenes, receivers),
    )


def _taught(shape: NetworkShape) -> EvidenceNetwork:
    """With weights as they could be after training: none of them zero."""
    torch.manual_seed(0)
    network = EvidenceNetwork(shape).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network


@torch.no_grad()
def test_the_order_of_the_receivers_does_not_matter() -> None:
    network, (maps, tokens, present) = _taught(_shape()), _input(_shape())
    order = torch.tensor([4, 2, 0, 1, 3])
    for got, want in zip(network(maps, tokens[:, order], present), network(maps, tokens, present), strict=True):
        torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_padding_beyond_the_receivers_does_not_matter() -> None:
    network, (maps, tokens, present) = _taught(_shape()), _input(_shape())
    padded = torch.cat([tokens, torch.full((2, 3, tokens.shape[2]), 9.0)], dim=1)
    mask = torch.cat([present, torch.zeros(2, 3)], dim=1)
    for got, want in zip(network(maps, padded, mask), network(maps, tokens, present), strict=True):
        torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_weights_and_background_add_up_to_one_and_spreads_are_positive() -> None:
    mixture, background = _taught(_shape())(*_input(_shape()))
    total = torch.logsumexp(torch.cat([mixture[:, 0].flatten(1), background[:, None]], dim=1), dim=1)
    torch.testing.assert_close(total, torch.zeros(2), atol=1e-5, rtol=0)
    assert (mixture[:, [3, 5]] > 0).all()


@torch.no_grad()
def test_an_untrained_network_answers_with_the_likelihoods_own_masses() -> None:
    shape = _shape()
    maps, tokens, present = _input(shape)
    mass = torch.log_softmax(maps[:, LOG_MASS].flatten(1), dim=1).reshape(2, 16, 16)
    maps[:, LOG_MASS] = mass / LOG_MASS_SCALE
    mixture, background = EvidenceNetwork(shape)(maps, tokens, present)
    torch.testing.assert_close(
        mixture[:, 0] - torch.log1p(-background.exp())[:, None, None], mass, atol=1e-4, rtol=1e-4
    )
    assert not mixture[:, 1:3].any()


@torch.no_grad()
@pytest.mark.parametrize(("cells", "stem_stride"), [(24, 2), (36, 2), (64, 4), (24, 1), (128, 4)])
def test_every_size_of_window_and_stem_gives_a_component_a_cell(cells: int, stem_stride: int) -> None:
    shape = _shape(cells=cells, stem_stride=stem_stride)
    mixture, _ = EvidenceNetwork(shape)(*_input(shape, scenes=1))
    assert mixture.shape == (1, 6, cells, cells)


def test_weights_that_the_hub_does_not_give_are_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to the hub")

    monkeypatch.setattr("heimdall.learning.model.network.timm.create_model", unreachable)
    with pytest.raises(HeimdallError, match=r"convnext_atto cannot be had \(no route to the hub\)"):
        EvidenceNetwork(_shape(), pretrained=True)
