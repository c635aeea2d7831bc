"""What the network reads does not depend on where, which way round, or in which order things are told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heimdall.estimation.frame import spanning
from heimdall.estimation.model import TERRESTRIAL
from heimdall.evidence.batch import EvidenceBatch, concatenate
from heimdall.inference.window import LOG_MASS, LOG_MASS_SCALE, MAPS, TOKENS, Window, read_window

CELLS = 12


def _read(evidence: EvidenceBatch, center_m: np.ndarray) -> Window:
    count = len(evidence)
    frame = spanning(center_m, np.full(count, 400.0), np.full(count, 9e3), CELLS)
    return read_window(evidence, TERRESTRIAL, frame, CELLS)


def test_shapes_are_those_of_the_lists_of_channels(draw_evidence) -> None:
    evidence, truth = draw_evidence(3, 5, 0)
    window = _read(evidence, truth)
    assert window.maps.shape == (3, len(MAPS), CELLS, CELLS)
    assert window.tokens.shape == (3, 5, len(TOKENS))
    assert np.isfinite(window.maps).all()
    assert np.isfinite(window.tokens).all()


def test_turning_the_scene_by_a_right_angle_turns_the_maps(draw_evidence) -> None:
    evidence, truth = draw_evidence(2, 6, 1)
    east, north, up = np.moveaxis(evidence.position_enu_m, -1, 0)
    turned = replace(evidence, position_enu_m=np.stack([-north, east, up], axis=-1))
    before, after = _read(evidence, truth), _read(turned, np.stack([-truth[:, 1], truth[:, 0]], axis=-1))
    # East becomes north: what was in column i is now in row i.
    np.testing.assert_allclose(after.maps, np.flip(before.maps.swapaxes(-1, -2), axis=-1), atol=1e-4)
    np.testing.assert_allclose(
        after.tokens[..., TOKENS.index("north")], before.tokens[..., TOKENS.index("east")], atol=1e-6
    )


def test_receivers_that_are_padding_change_nothing(draw_evidence) -> None:
    alone, truth = draw_evidence(1, 4, 2)
    other, _ = draw_evidence(1, 7, 3)
    padded = concatenate([alone, other]).select(slice(0, 1))
    assert padded.present.shape[1] == 7
    before, after = _read(alone, truth), _read(padded, truth)
    np.testing.assert_allclose(after.maps, before.maps, atol=1e-5)
    np.testing.assert_allclose(after.tokens[:, :4], before.tokens, atol=1e-5)
    assert not after.tokens[:, 4:].any()
    assert not after.present[:, 4:].any()


def test_the_order_of_receivers_only_orders_the_tokens(draw_evidence) -> None:
    evidence, truth = draw_evidence(1, 6, 4)
    order = np.array([3, 0, 5, 1, 4, 2])
    shuffled = evidence.changed(lambda value: value[:, order] if value.shape[:2] == evidence.present.shape else value)
    before, after = _read(evidence, truth), _read(shuffled, truth)
    np.testing.assert_allclose(after.maps, before.maps, atol=1e-4)
    np.testing.assert_allclose(after.tokens, before.tokens[:, order], atol=1e-4)


def test_numpy_and_torch_read_the_same(draw_evidence, as_torch) -> None:
    import torch

    evidence, truth = draw_evidence(2, 5, 5)
    arrays = _read(evidence, truth)
    frame = spanning(torch.from_numpy(truth), torch.full((2,), 400.0).double(), torch.full((2,), 9e3).double(), CELLS)
    tensors = read_window(as_torch(evidence), TERRESTRIAL, frame, CELLS)
    np.testing.assert_allclose(arrays.maps, tensors.maps.numpy(), atol=1e-4)
    np.testing.assert_allclose(arrays.tokens, tensors.tokens.numpy(), atol=1e-4)


def test_the_first_map_is_each_cells_share_of_the_posterior(draw_evidence) -> None:
    evidence, truth = draw_evidence(2, 6, 6)
    share = np.exp(LOG_MASS_SCALE * _read(evidence, truth).maps[:, LOG_MASS].astype(float))
    assert share.sum(axis=(1, 2)) == pytest.approx([1.0, 1.0], rel=1e-5)
