"""What the page says of a model."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from heimdall.service.api.routes.models import ModelView
from heimdall.web import words
from heimdall.web.chart import Curve

METHODS = {"likelihood": "likelihood", "network": "network", "hybrid": "hybrid"}
_KINDS = {"likelihood": "a", "network": "b", "hybrid": "c"}
_NOMINAL = (0.5, 0.68, 0.95)
NOT_YET = "Not evaluated on the frozen set yet: Evaluate does that, and asking to promote it does it first."
_FIRST = {
    "arguments, recipe": "recipe",
    "training, recipe, name": "recipe",
    "training, recipe, steps": "steps",
    "accelerator, requested": "accelerator asked for",
    "training, accelerator, requested": "accelerator asked for",
    "accelerator, used": "accelerator used",
    "training, accelerator, used": "accelerator used",
    "accelerator, reason": "why",
    "training, accelerator, reason": "why",
    "accelerator, device": "device",
    "training, accelerator, device": "device",
    "training, seconds": "seconds",
    "training, parity": "difference of ONNX and torch",
    "training, started from": "started from",
    "job": "job",
    "imported by": "imported by",
}
_FROZEN_FIRST = ("median_m", "q68_m", "q90_m", "bound_ratio", "coverage_68", "coverage_95", "ms_per_fix")


def head_html(model: ModelView) -> str:
    chip = '<span class="chip good">champion</span>' if model.champion else ""
    figures = {"made": f"{model.created_utc:%Y-%m-%d %H:%M} UTC", "size": words.bytes_text(model.size_bytes)}
    scores = {} if model.frozen is None else model.frozen.scores
    for name in ("hybrid/median_m", "likelihood/median_m", "hybrid/coverage_95"):
        if name in scores:
            figures[words.score_name(name)] = words.number_text(scores[name])
    items = "".join(f"<li><b>{escape(value)}</b><span>{escape(name)}</span></li>" for name, value in figures.items())
    return f'{chip}<ul class="figures">{items}</ul>'


def coverage_curves(model: ModelView) -> list[Curve]:
    """How often the regions of a probability held the truth, against that probability."""
    scores = {} if model.frozen is None else model.frozen.scores
    curves = [Curve("", [(0.0, 0.0), (1.0, 1.0)], "rule")]
    for method, name in METHODS.items():
        points = [(p, scores[key]) for p in _NOMINAL if (key := f"{method}/coverage_{100 * p:.0f}") in scores]
        curves.append(Curve(name, points, _KINDS[method], dots=True))
    return curves


def bound_html(model: ModelView) -> str:
    scores = {} if model.frozen is None else model.frozen.scores
    ratios = {name: scores[key] for method, name in METHODS.items() if (key := f"{method}/bound_ratio") in scores}
    if not ratios:
        return f'<p class="muted">{NOT_YET}</p>'
    largest = max(*ratios.values(), 1.0)
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td>{ratio:.2f} ×</td><td class="grow"><div class="meter">'
        f'<i style="width:{100 * ratio / largest:.1f}%"></i><s style="left:{100 / largest:.1f}%"></s></div></td></tr>'
        for name, ratio in ratios.items()
    )
    return f'<div class="table"><table><tbody>{rows}</tbody></table></div><p class="muted">The line is the bound.</p>'


def comparison_html(model: ModelView, rival: ModelView) -> str:
    """The frozen evaluation side by side; the scores of their own held-out scenes where there is none."""
    mine, others = (each.frozen.scores if each.frozen is not None else each.scores for each in (model, rival))
    names = sorted({*mine, *others}, key=_rank)
    first = [name for name in names if _rank(name)[0] < len(_FROZEN_FIRST) and name.split("/")[0] in METHODS] or names
    rest = [name for name in names if name not in first]
    head = f"<tr><th></th><th>{escape(model.name)}</th><th>{escape(rival.name)}</th><th>difference</th></tr>"

    def table(listed: list[str]) -> str:
        rows = "".join(_comparison_row(name, mine.get(name), others.get(name)) for name in listed)
        return f'<div class="table"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'

    same = model.frozen is not None and rival.frozen is not None
    hint = (
        ""
        if same
        else '<p class="warn-text">Not both were evaluated on the frozen set: these are not the same scenes.</p>'
    )
    more = f"<details><summary>All figures</summary>{table(rest)}</details>" if rest else ""
    return f"{hint}{table(first)}{more}"


def record_html(model: ModelView) -> str:
    """What people ask first, and the rest where they may ask for it."""
    scores = {words.score_name(name): words.number_text(value) for name, value in model.scores.items()}
    rest = {"id": model.id, "SHA-256": model.sha256, "job": model.job or "", **_flat(model.record)}
    first = {name: rest.pop(key) for key, name in _FIRST.items() if key in rest}
    return f"{_listed(first | scores)}<details><summary>Everything recorded</summary>{_listed(rest)}</details>"


def _listed(facts: dict[str, str]) -> str:
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items() if value)
    return f'<dl class="facts">{items}</dl>'


def _flat(record: dict[str, Any], before: str = "") -> dict[str, str]:
    """Nested facts as lines; what is not there is left out."""
    facts: dict[str, str] = {}
    for name, value in record.items():
        label = f"{before}{name}".replace("_", " ")
        if isinstance(value, dict):
            facts |= _flat(value, f"{label}, ")
        elif value not in (None, "", []):
            facts[label] = value if isinstance(value, str) else json.dumps(value)
    return facts


def _rank(name: str) -> tuple[int, str]:
    last = name.rpartition("/")[2]
    return (_FROZEN_FIRST.index(last) if last in _FROZEN_FIRST else len(_FROZEN_FIRST), name)


def _comparison_row(name: str, mine: Any, other: Any) -> str:
    numbers = isinstance(mine, int | float) and isinstance(other, int | float)
    difference = f"{mine - other:+.3g}" if numbers and mine != other else ""
    cells = (words.score_name(name), words.number_text(mine), words.number_text(other), difference)
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
