"""The report: one HTML file that needs nothing else, for light and dark screens, large and small."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from functools import cache
from html import escape
from importlib.resources import files

from heimdall.fix import Fix, ReceiverReport, joined_advice
from heimdall.formats.maps.map_pen import LIGHT, Palette
from heimdall.formats.maps.map_scene import EvidenceMap, map_scene
from heimdall.formats.maps.picture import map_svg
from heimdall.formats.reports import MOST_DRAWN, Made, reported
from heimdall.formats.wording import (
    coordinates_text,
    frequency_text,
    headline,
    height_text,
    length_text,
    near_text,
    receiver_remark,
    span_m,
)
from heimdall.observation import Observation, Receiver

_DETAILS = (2, 3)
_LESS = (1, 2)
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def html(made: Iterable[Made]) -> str:
    """A page with a map, the figures and the receivers of each fix, and a table of all where there are several."""
    drawn: list[Made] = []
    rows: list[str] = []
    for each in made:
        if len(drawn) < MOST_DRAWN:
            drawn.append(each)
        rows.append(_overview_row(each[0], len(rows)))
    several = len(rows) > 1
    title = headline(drawn[0][0]) if len(rows) == 1 else f"{len(rows)} fixes"
    body = [f"<h1>{escape(title)}</h1>"]
    if several:
        body.append(_overview(rows))
    body += [_section(*each, number=index, heading=several) for index, each in enumerate(drawn)]
    if len(rows) > len(drawn):
        body.append(f'<p class="muted">The first {len(drawn)} of {len(rows)} fixes are drawn.</p>')
    return document(title, "\n".join(body))


def document(title: str, body: str) -> str:
    """A page of the given body that needs no other file, for light and dark screens, large and small."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(title)}</title>
<style>
{_style()}</style>
</head>
<body>
{body}
<footer>Heimdall. Positions are WGS84. A residual is how much later (+) or earlier (−) a signal came than its path
explains.</footer>
</body>
</html>
"""


@cache
def _style() -> str:
    return files("heimdall.formats.writers").joinpath("page.css").read_text(encoding="utf-8")


def _overview(rows: Sequence[str]) -> str:
    body = "\n".join(rows)
    head = _cells(
        "th", ["fix", "status", "position", "95 % region across", "error", "truth inside 95 %"], details=_LESS
    )
    return f'<div class="table"><table><thead>{head}</thead>\n<tbody>{body}</tbody></table></div>'


def _overview_row(fix: Fix, index: int) -> str:
    name = escape(fix.id)
    linked = f'<a href="#fix-{index}">{name}</a>' if index < MOST_DRAWN else name
    truth = fix.truth
    cells = [
        linked,
        escape(fix.status.value),
        _place(fix),
        _region(fix),
        length_text(truth.error_m) if truth else "",
        ("yes" if truth.inside_95 else "no") if truth else "",
    ]
    return _cells("td", cells, details=_LESS)


def _section(fix: Fix, observation: Observation, evidence: Sequence[EvidenceMap], number: int, heading: bool) -> str:
    scene = map_scene(fix, observation, evidence)
    maps = "".join(
        f'<div class="{name}">{_themed(map_svg(scene, LIGHT, narrow=name == "narrow", salt=f"{name}{number}"))}</div>'
        for name in ("wide", "narrow")
    )
    title = f"<h2>{escape(headline(fix))}</h2>" if heading else ""
    notes = "".join(f"<li>{escape(note)}</li>" for note in observation.notes)
    return f"""<section id="fix-{number}">
{title}<p>{escape(_advice(fix))}</p>
{_figures(fix, observation)}
<div class="map{"" if scene.close_up else " single"}" role="img" aria-label="{escape(_described(fix), quote=True)}">{maps}</div>
{_receivers(fix, observation)}
{f'<ul class="muted">{notes}</ul>' if notes else ""}
</section>"""


def _advice(fix: Fix) -> str:
    return joined_advice(fix.advice, "" if fix.near is None else near_text(fix.near))


def _themed(svg: str) -> str:
    """The light palette's colours become the page's own, which follow the reader's preference."""
    for part in fields(Palette):
        svg = svg.replace(getattr(LIGHT, part.name), f"var(--{part.name})")
    return svg


def _described(fix: Fix) -> str:
    return f"Map of {headline(fix)}; estimate {_place(fix)}, 95 % region {_region(fix)} across"


def _figures(fix: Fix, observation: Observation) -> str:
    used = sum(report.used for report in fix.receivers)
    figures = {"estimate": _place(fix), "95 % region across": _region(fix)}
    if fix.height_m is not None:
        figures["height"] = height_text(fix)
    if fix.protection_level_m is not None:
        figures["protection level (radius)"] = length_text(fix.protection_level_m)
    if fix.truth is not None:
        inside = "inside" if fix.truth.inside_95 else "outside"
        figures["from the truth"] = f"{length_text(fix.truth.error_m)}, {inside}"
    figures["receivers used"] = f"{used} of {len(fix.receivers)}"
    figures["frequency"] = frequency_text(observation.frequency_hz)
    if observation.time_utc is not None:
        figures["time"] = f"{observation.time_utc:%Y-%m-%d %H:%M:%S} UTC"
    figures["method"] = f"{fix.method}, {fix.elapsed_ms:.0f} ms"
    items = "".join(f"<li><b>{escape(value)}</b>{escape(name)}</li>" for name, value in figures.items())
    return f'<ul class="figures">{items}</ul>'


def _receivers(fix: Fix, observation: Observation) -> str:
    scale_m = max((abs(report.residual_m or 0.0) for report in fix.receivers), default=0.0) or 1.0
    rows = [
        _receiver_row(number, report, reception.receiver, scale_m)
        for number, (reception, report) in enumerate(reported(fix, observation), start=1)
    ]
    head = _cells("th", ["", "receiver", "place", "clock", "residual", ""], details=_DETAILS)
    return f'<div class="table"><table><thead>{head}</thead>\n<tbody>{"".join(rows)}</tbody></table></div>'


def _receiver_row(number: int, report: ReceiverReport, receiver: Receiver, scale_m: float) -> str:
    bar = ""
    if report.used and report.residual_m is not None:
        share = 50 * report.residual_m / scale_m
        bar = f'<div class="bar"><i style="left:{50 + min(share, 0):.1f}%;width:{abs(share):.1f}%"></i></div>'
    place = coordinates_text(receiver.latitude_deg, receiver.longitude_deg)
    cells = [str(number), escape(report.name), place, receiver.clock_class.value, escape(receiver_remark(report)), bar]
    return _cells("td", cells, "" if report.used else ' class="unused"', _DETAILS)


def _cells(tag: str, cells: Sequence[str], attributes: str = "", details: Collection[int] = ()) -> str:
    """A row of a table; the cells whose index is in `details` are left out on a small screen."""
    kinds = (f'{tag} class="detail"' if index in details else tag for index in range(len(cells)))
    row = "".join(f"<{kind}>{cell}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))
    return f"<tr{attributes}>{row}</tr>"


def _place(fix: Fix) -> str:
    if fix.latitude_deg is None or fix.longitude_deg is None:
        return "none"
    return coordinates_text(fix.latitude_deg, fix.longitude_deg)


def _region(fix: Fix) -> str:
    return "none" if fix.region_95 is None else length_text(span_m(fix.region_95))
