"""What fixes the network's weights. Without torch: a plan reads it before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass

from heimdall.inference.window import LOG_MASS, LOG_MASS_SCALE, MAPS, TOKENS
from heimdall.recipes import NetworkPlan


@dataclass(frozen=True)
class NetworkShape:
    """What fixes the network's weights; kept in the model bundle."""

    backbone: str
    cells: int
    map_channels: int
    token_features: int
    start_channel: int
    """The map channel with the log mass of the likelihood's posterior, which training starts from."""
    start_scale: float
    """Factor that turns the channel into the log mass."""
    stem_stride: int = 2
    decoder_width: int = 64
    token_width: int = 64
    drop_path: float = 0.0


def shape_of(plan: NetworkPlan) -> NetworkShape:
    """The network of that plan, for the maps and tokens that windows have."""
    return NetworkShape(
        backbone=plan.backbone,
        cells=plan.cells,
        map_channels=len(MAPS),
        token_features=len(TOKENS),
        start_channel=LOG_MASS,
        start_scale=LOG_MASS_SCALE,
        stem_stride=plan.stem_stride,
        decoder_width=plan.decoder_width,
        token_width=plan.token_width,
        drop_path=plan.drop_path,
    )
