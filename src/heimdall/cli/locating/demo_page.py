"""The demo's report: every command with its figures and pictures on one page that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class DemoStep:
    """One command of the demo, what it answered, and the pictures it left."""

    title: str
    command: str
    seconds: float
    answer: dict[str, Any]
    pictures: tuple[str, ...]


def demo_page(steps: Sequence[DemoStep], folder: Path) -> str:
    """The report as HTML; pictures are read below the folder."""
    from heimdall.formats.writers.page import document  # matplotlib takes a second to load

    total_min = sum(step.seconds for step in steps) / 60
    head = (
        "<h1>Heimdall: from recordings to a position</h1>"
        f"<p>Everything below was made by <code>make demo</code> in {total_min:.1f} minutes on this machine.</p>"
    )
    return document("Heimdall demo", head + "\n".join(_section(step, folder) for step in steps))


def _section(step: DemoStep, folder: Path) -> str:
    parts = [f"<section><h2>{escape(step.title)}</h2>"]
    if step.command:
        parts.append(f"<p><code>$ {escape(step.command)}</code> <span class='muted'>{step.seconds:.0f} s</span></p>")
    parts.append(_figures(step.answer))
    parts += [_picture(folder / name, step.title) for name in step.pictures if (folder / name).exists()]
    return "\n".join([*parts, "</section>"])


def _figures(answer: dict[str, Any]) -> str:
    if "skipped" in answer:
        return f"<p class='muted'>{escape(str(answer['skipped']))}</p>"
    if "groups" in answer:
        return _comparison(answer)
    if "fixes" in answer:
        return _fixes(answer["fixes"])
    return ""


def _comparison(answer: dict[str, Any]) -> str:
    from heimdall.formats.wording import error_text

    everything = answer["groups"][0]
    rows = [_row("th", ["method", "median", "68 %", "90 %", "held by 50 / 68 / 95 % regions", "ms a fix"])]
    for name, score in everything["methods"].items():
        held = " / ".join(_percent(score["coverage"].get(level)) for level in ("50", "68", "95"))
        errors = [error_text(score[key]) for key in ("median_m", "q68_m", "q90_m")]
        rows.append(_row("td", [name, *errors, held, f"{score['ms_per_fix']:.0f}"]))
    return f"<p>{answer['count']} cases.</p><div class='table'><table>{''.join(rows)}</table></div>"


def _fixes(fixes: Sequence[dict[str, Any]]) -> str:
    from heimdall.formats.wording import error_text

    rows = [_row("th", ["session", "method", "latitude", "longitude", "error", "truth in 95 % region", "ms"])]
    for fix in fixes:
        truth = fix["truth"] or {}
        error = error_text(truth["error_m"]) if truth else ""
        inside = ("yes" if truth["inside_95"] else "no") if truth else ""
        place = [f"{fix[key]:.5f}" if fix[key] is not None else "" for key in ("latitude_deg", "longitude_deg")]
        rows.append(_row("td", [fix["id"], fix["method"], *place, error, inside, f"{fix['elapsed_ms']:.0f}"]))
    return f"<div class='table'><table>{''.join(rows)}</table></div>"


def _row(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def _picture(path: Path, title: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f"<img style='max-width:100%' alt='{escape(title)}: {escape(path.stem)}' src='data:image/png;base64,{data}'>"
