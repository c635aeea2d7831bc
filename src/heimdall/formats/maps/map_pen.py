"""Colours, letters and how finely: what every part of a map is drawn with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib import patheffects
from matplotlib.axes import Axes


@dataclass(frozen=True)
class Palette:
    """Colours by their part in the map."""

    paper: str
    panel: str
    ink: str
    muted: str
    grid: str
    evidence: str
    region: str
    truth: str


LIGHT = Palette("#ffffff", "#f5f7fa", "#1c2733", "#66727f", "#d5dce4", "#2f6fb3", "#d9480f", "#087f5b")


@dataclass(frozen=True)
class Pen:
    """How everything on one map is drawn."""

    palette: Palette
    label_size: float = 8.0
    vector: bool = False
    """For SVG: the viewer smooths pictures itself, and the outline of every letter would be most of the file."""

    def write(
        self,
        axes: Axes,
        text: str,
        place: tuple[float, float],
        shift: tuple[float, float] = (0, 0),
        *,
        color: str,
        size: float = 1.0,
        align: tuple[str, str] = ("left", "center"),
    ) -> None:
        """Text that stands out from what lies below, `shift` points from its place; `size` in units of the labels'."""
        behind: dict[str, Any]
        if self.vector:
            behind = {
                "bbox": {"boxstyle": "round,pad=0.1", "facecolor": self.palette.panel, "alpha": 0.6, "linewidth": 0}
            }
        else:
            behind = {"path_effects": [patheffects.withStroke(linewidth=2.2, foreground=self.palette.panel)]}
        axes.annotate(
            text,
            place,
            xytext=shift,
            textcoords="offset points",
            ha=align[0],
            va=align[1],
            color=color,
            fontsize=self.label_size * size,
            zorder=6.5,
            annotation_clip=True,
            parse_math=False,
            **behind,
        )
