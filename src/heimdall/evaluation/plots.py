"""Pictures of a comparison: how errors are distributed, whether regions hold what they promise, error against the bound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from heimdall.evaluation.comparison import Comparison

_LEAST_M = 1.0
_COLOURS = ("#1b6ca8", "#d1495b", "#66a182", "#edae49", "#7a5195")


def draw_plots(comparison: Comparison, folder: Path) -> list[Path]:
    """Write the pictures as PNG into the folder, which is made if need be; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    drawings = {"errors": _draw_errors, "coverage": _draw_coverage}
    if any(np.all(np.isfinite(label.bound_m2)) for label in comparison.labels):
        drawings["bound"] = _draw_bound
    paths = []
    for name, draw in drawings.items():
        figure = Figure(figsize=(6.4, 4.6), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        draw(axes, comparison)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=130)
    return paths


def _draw_errors(axes: Axes, comparison: Comparison) -> None:
    for colour, (name, answers) in zip(_COLOURS, comparison.answers.items(), strict=False):
        error_m = np.sort([max(answer.error_m, _LEAST_M) for answer in answers])
        axes.step(error_m, (np.arange(len(error_m)) + 1) / len(error_m), where="post", color=colour, label=name)
    axes.set(xscale="log", ylim=(0, 1), xlabel="error in m", ylabel="share of the cases", title="Errors")


def _draw_coverage(axes: Axes, comparison: Comparison) -> None:
    """Share of truths in the smallest region of each probability; on the diagonal regions hold what they promise."""
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    for colour, (name, answers) in zip(_COLOURS, comparison.answers.items(), strict=False):
        needed = np.sort([answer.needed_probability for answer in answers])
        axes.step(needed, (np.arange(len(needed)) + 1) / len(needed), where="post", color=colour, label=name)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability of the region", ylabel="share that holds the truth")
    axes.set_title("Coverage")


def _draw_bound(axes: Axes, comparison: Comparison) -> None:
    """Each case's error against the root of the bound's trace: no cloud of an unbiased estimator lies below the line."""
    bound_m = np.array([float(np.sqrt(np.trace(label.bound_m2))) for label in comparison.labels])
    known = np.isfinite(bound_m)
    for colour, (name, answers) in zip(_COLOURS, comparison.answers.items(), strict=False):
        error_m = np.array([max(answer.error_m, _LEAST_M) for answer in answers])
        axes.plot(bound_m[known], error_m[known], ".", markersize=4, alpha=0.6, color=colour, label=name)
    low, high = bound_m[known].min(), bound_m[known].max()
    axes.plot([low, high], [low, high], color="0.4", linewidth=1, label="bound")
    axes.set(xscale="log", yscale="log", xlabel="bound on the RMS error in m", ylabel="error in m", title="Bound")
