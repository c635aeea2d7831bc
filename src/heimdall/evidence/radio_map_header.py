"""What a radio map states beside its rasters, with bounds: its file may come from anywhere."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

Positive = Annotated[FiniteFloat, Field(gt=0)]
Side = Annotated[int, Field(strict=True, ge=2, le=2**13)]
"""Cells along one side of the raster: between fewer than two nothing can be interpolated."""


class FrameHeader(BaseModel):
    latitude_deg: Annotated[float, Field(ge=-90, le=90)]
    longitude_deg: Annotated[float, Field(ge=-180, le=180)]


class RadioMapHeader(BaseModel):
    """The fields of `RadioMap`; `raster` is (Y, X)."""

    model_config = ConfigDict(frozen=True)

    frame: FrameHeader
    west_m: FiniteFloat
    south_m: FiniteFloat
    step_m: Positive
    receivers: Annotated[tuple[str, ...], Field(min_length=1)]
    place_m: tuple[tuple[FiniteFloat, FiniteFloat] | None, ...]
    offset_db: tuple[FiniteFloat, ...]
    exponent: FiniteFloat
    power_sigma_db: Positive
    raster: tuple[Side, Side]

    @model_validator(mode="after")
    def _of_one_map(self) -> Self:
        if not len(self.receivers) == len(self.place_m) == len(self.offset_db) - 1:
            raise ValueError("the tables have to have a row for each receiver, and offset_db one more")
        return self
