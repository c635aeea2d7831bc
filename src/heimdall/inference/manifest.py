"""The manifest of a model bundle, checked with bounds: a bundle may come from anywhere."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PlainValidator, field_validator, model_validator

from heimdall.evidence.radio_map_header import RadioMapHeader
from heimdall.inference.calibration import Calibration
from heimdall.inference.window import MAPS, TOKENS

FORMAT = "heimdall-bundle"
FORMAT_VERSION = 3
"""Counts up when a network that was trained before would misread what it is shown now: 3 since levels count by their stated
uncertainty and the search, the prior and the power law reach beyond twice the receivers' extent."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Grid(BaseModel):
    """The window that the network reads: so many cells on each side."""

    cells: Annotated[int, Field(strict=True, ge=1, le=512)]


class Channels(BaseModel):
    """What the network reads, in order."""

    maps: tuple[str, ...] = tuple(MAPS)
    tokens: tuple[str, ...] = tuple(TOKENS)


class Manifest(BaseModel):
    """Everything but the contents of the other members."""

    model_config = ConfigDict(frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=1000)]
    sha256: dict[str, Sha256]
    """Digest of each other member."""
    grid: Grid
    channels: Channels
    calibration: Annotated[Calibration, PlainValidator(Calibration.from_json)]
    scores: dict[str, FiniteFloat]
    training: dict[str, Any]
    radio_map: RadioMapHeader | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_this_format(cls, document: Any) -> Any:
        """Another format may have other fields: it is named before any of them is missed."""
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError("it does not describe a model bundle")
        version = document.get("format_version")
        if version != FORMAT_VERSION:
            raise ValueError(
                f"bundle format {version!r:.40}, this program reads {FORMAT_VERSION}: train the model again"
            )
        return document

    @field_validator("channels")
    @classmethod
    def _of_this_version(cls, channels: Channels) -> Channels:
        if channels != Channels():
            raise ValueError("the network reads other channels than this version of heimdall makes; train it again")
        return channels
