"""A ConvNeXt over the evidence window, told about the receivers, that answers with a density over places.

Shapes: B scenes, C map channels, H x W cells of the window, N receivers, T features of a receiver, E width of the
embedding of all receivers, D feature channels, P parameters of a cell's component (heimdall.inference.mixture).
"""

from __future__ import annotations

from typing import Any, TypeVar

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from heimdall.errors import HeimdallError, InputError
from heimdall.inference.mixture import PARAMETERS
from heimdall.learning.model.shape import NetworkShape

_Layer = TypeVar("_Layer", nn.Linear, nn.Conv2d)

_START_SPREAD = 0.6
"""Standard deviation of a component before training, in cells: neighbours just overlap."""
_START_BACKGROUND = -5.0
_FURTHEST_OFFSET = 2.0
"""How far a component may stray from its cell, in cells."""


class EvidenceNetwork(nn.Module):
    """Maps, receiver tokens and their mask in; mixture parameters and the log weight of the background out."""

    def __init__(self, shape: NetworkShape, pretrained: bool = False) -> None:
        super().__init__()
        self.shape = shape
        self.backbone: Any = _fitted_backbone(shape, pretrained)
        widths = [info["num_chs"] for info in self.backbone.feature_info]
        self.receivers = ReceiverEncoder(shape.token_features, shape.token_width)
        self.films = nn.ModuleList(Film(shape.token_width, width) for width in [widths[0], *widths[:-1]])
        self.decoder = Decoder(widths, shape)
        self.temper = _zeroed(nn.Linear(shape.token_width, 1))
        self.background = _zeroed(nn.Linear(shape.token_width, 1))

    def forward(self, maps_BCHW: Tensor, tokens_BNT: Tensor, present_BN: Tensor) -> tuple[Tensor, Tensor]:
        """Returns mixture_BPHW and log_background_B, in float32, weights normalised together."""
        summary_BE = self.receivers(tokens_BNT, present_BN)
        raw_BPHW = self.decoder(self._features(maps_BCHW, summary_BE), maps_BCHW).float()
        temper_B11 = self.shape.start_scale * torch.exp(self.temper(summary_BE).float())[:, :, None]
        start_BHW = maps_BCHW[:, self.shape.start_channel].float() * temper_B11
        background_B = self.background(summary_BE)[:, 0].float() + _START_BACKGROUND
        return _components(raw_BPHW, start_BHW, background_B)

    def recompute_activations(self) -> None:
        """Keep the stages' inputs only and compute the rest again on the way back."""
        self.backbone.set_grad_checkpointing(True)

    def _features(self, maps_BCHW: Tensor, summary_BE: Tensor) -> list[Tensor]:
        features = []
        x_BDHW = self.backbone.stem(maps_BCHW)
        for film, stage in zip(self.films, self.backbone.stages, strict=True):
            x_BDHW = stage(film(x_BDHW, summary_BE))
            features.append(x_BDHW)
        return features


class ReceiverEncoder(nn.Module):
    """An embedding of the set of receivers that does not depend on their order or on padding."""

    def __init__(self, token_features: int, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(token_features, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.second = nn.Sequential(nn.Linear(3 * width, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.last = nn.Sequential(nn.LayerNorm(2 * width), nn.Linear(2 * width, width), nn.GELU())

    def forward(self, tokens_BNT: Tensor, present_BN: Tensor) -> Tensor:
        """Two rounds of features a receiver, so that each one is seen in the light of all others; (B, E)."""
        mask_BN1 = present_BN.to(tokens_BNT.dtype)[:, :, None]
        each_BNE = self.first(tokens_BNT)
        all_BNE = _pool(each_BNE, mask_BN1)[:, None, :].expand(-1, each_BNE.shape[1], -1)
        each_BNE = self.second(torch.cat([each_BNE, all_BNE], dim=-1))
        return self.last(_pool(each_BNE, mask_BN1))


class Film(nn.Module):
    """Feature-wise linear modulation (Perez et al. 2018) of a map by the receivers' embedding; starts as identity."""

    def __init__(self, summary_width: int, channels: int) -> None:
        super().__init__()
        self.linear = _zeroed(nn.Linear(summary_width, 2 * channels))

    def forward(self, x_BDHW: Tensor, summary_BE: Tensor) -> Tensor:
        scale_BD, shift_BD = self.linear(summary_BE).chunk(2, dim=-1)
        return x_BDHW * (1 + scale_BD[:, :, None, None]) + shift_BD[:, :, None, None]


class Decoder(nn.Module):
    """Feature pyramid: from the coarsest stage up to the window's cells, adding the finer stages on the way."""

    def __init__(self, stage_widths: list[int], shape: NetworkShape) -> None:
        super().__init__()
        width = shape.decoder_width
        self.laterals = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in stage_widths)
        self.mix = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width), nn.Conv2d(width, width, 1), nn.GELU()
        )
        self.skip = nn.Sequential(nn.Conv2d(shape.map_channels, width, 3, padding=1), nn.GELU())
        self.join = nn.Sequential(
            nn.Conv2d(2 * width, width, 1), nn.GELU(), nn.Conv2d(width, width, 3, padding=1), nn.GELU()
        )
        self.head = _zeroed(nn.Conv2d(width, PARAMETERS, 1))

    def forward(self, features: list[Tensor], maps_BCHW: Tensor) -> Tensor:
        x_BDHW = self.laterals[-1](features[-1])
        for lateral, feature in zip(list(self.laterals)[-2::-1], features[-2::-1], strict=True):
            x_BDHW = _resized(x_BDHW, feature) + lateral(feature)
        x_BDHW = _resized(self.mix(x_BDHW), maps_BCHW)
        return self.head(self.join(torch.cat([x_BDHW, self.skip(maps_BCHW)], dim=1)))


def _fitted_backbone(shape: NetworkShape, pretrained: bool) -> Any:
    """The timm ConvNeXt of that name with a stem for the window's channels and size, without its classifier.

    Pretrained stems read 3 channels in patches of 4 x 4; what they learnt of colours says nothing about evidence, so
    the stem always starts afresh.
    """
    backbone = _downloaded(shape) if pretrained else _created(shape, pretrained=False)
    old = backbone.stem[0]
    backbone.stem[0] = nn.Conv2d(shape.map_channels, old.out_channels, shape.stem_stride, shape.stem_stride)
    nn.init.trunc_normal_(backbone.stem[0].weight, std=0.02)
    nn.init.zeros_(backbone.stem[0].bias)
    backbone.norm_pre, backbone.head = nn.Identity(), nn.Identity()
    return backbone


def _created(shape: NetworkShape, *, pretrained: bool) -> Any:
    """Raises InputError for a name that this release of timm does not know."""
    if not timm.is_model(shape.backbone):
        raise InputError(f"timm {timm.__version__} has no backbone {shape.backbone}")
    return timm.create_model(shape.backbone, pretrained=pretrained, num_classes=0, drop_path_rate=shape.drop_path)


def _downloaded(shape: NetworkShape) -> Any:
    """Raises HeimdallError where the hub that keeps the weights does not give them."""
    try:
        return _created(shape, pretrained=True)
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:100]
        raise HeimdallError(
            f"the pretrained weights of {shape.backbone} cannot be had ({reason}): "
            "reach the hub once, or set network.pretrained=false"
        ) from error


def _components(raw_BPHW: Tensor, start_BHW: Tensor, background_B: Tensor) -> tuple[Tensor, Tensor]:
    """Raw head outputs as normalised log weights, bounded offsets and a positive Cholesky factor, in cell sizes."""
    log_weight_BHW = start_BHW + raw_BPHW[:, 0]
    everything = torch.cat([log_weight_BHW.flatten(1), background_B[:, None]], dim=1)
    norm_B = torch.logsumexp(everything, dim=1)
    offset_B2HW = _FURTHEST_OFFSET * torch.tanh(raw_BPHW[:, 1:3] / _FURTHEST_OFFSET)
    spread_B2HW = _START_SPREAD * torch.exp(3 * torch.tanh(raw_BPHW[:, 3:6:2] / 3))
    cross_BHW = raw_BPHW[:, 4] * spread_B2HW[:, 1]
    log_weight_BHW = log_weight_BHW - norm_B[:, None, None]
    mixture = [log_weight_BHW, *offset_B2HW.unbind(1), spread_B2HW[:, 0], cross_BHW, spread_B2HW[:, 1]]
    return torch.stack(mixture, dim=1), background_B - norm_B


def _pool(each_BNE: Tensor, mask_BN1: Tensor) -> Tensor:
    """Mean and maximum over the receivers that are there, side by side."""
    count_B1 = mask_BN1.sum(dim=1).clamp(min=1)
    mean_BE = (each_BNE * mask_BN1).sum(dim=1) / count_B1
    highest_BE = (each_BNE * mask_BN1 + (mask_BN1 - 1) * 1e4).amax(dim=1)
    return torch.cat([mean_BE, highest_BE], dim=-1)


def _resized(x_BDHW: Tensor, like_BDHW: Tensor) -> Tensor:
    return functional.interpolate(x_BDHW, size=like_BDHW.shape[-2:], mode="nearest")


def _zeroed(layer: _Layer) -> _Layer:
    """A layer that answers zero until it has learnt something."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
