"""What is said about a fix beside the map."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import escape

from nicegui import ui

from heimdall.formats.wording import coordinates_text, near_text
from heimdall.service.concurrent_locating import LocatedSession
from heimdall.web import clipboard, places, words
from heimdall.web.layout import panel
from heimdall.web.map.choice import Choice
from heimdall.web.map.fix_view import Figure, FixRow, ReceiverRow
from heimdall.web.page_session import sentence

_SHARE_HELP = (
    '<details><summary>What is the share?</summary><p class="muted">How much worse the position would be known without that '
    "receiver, as a part of all. Three receivers that only have times share evenly: none can be spared.</p></details>"
)
_COLUMNS = {"name": "fix", "status": "status", "place": "position", "region": "95 % region", "error": "from the truth"}


@dataclass(frozen=True)
class Details:
    figures: list[Figure]
    rows: list[ReceiverRow]
    index: int
    count: int
    """Observations in the session."""


def show(answer: LocatedSession, details: Details) -> None:
    fix, observation = answer.fixes[0], answer.observations[0]
    with panel(fix.id):
        if fix.advice:
            ui.label(sentence(fix.advice)).classes("advice")
        if fix.near is not None:
            ui.label(sentence(near_text(fix.near)))
        ui.html(_figures(details.figures), sanitize=False)
        if fix.latitude_deg is not None and fix.longitude_deg is not None:
            show_places(fix.latitude_deg, fix.longitude_deg)
        if observation.notes:
            ui.html(
                "".join(f"<p class='muted'>{escape(sentence(note))}</p>" for note in observation.notes), sanitize=False
            )
    with panel("Receivers", hint="share of the information, and how late (+) or early (−) each signal came"):
        ui.html(_table(details.rows) + _SHARE_HELP, sanitize=False)


def show_places(latitude_deg: float, longitude_deg: float) -> None:
    """The position in every notation, copied by a click."""
    with ui.element("div").classes("places").props('role=group aria-label="Position, to be copied"'):
        for name, text in places.notations(latitude_deg, longitude_deg).items():
            button = ui.element("button").props(f'type=button title="Copy" aria-label="Copy {name}: {text}"')
            with button.on("click", lambda text=text: clipboard.copy(text)):
                ui.html(f"<span>{escape(name)}</span><b>{escape(text)}</b>", sanitize=False)


def stepper(
    choice: Choice, count: int, go: Callable[[int], Awaitable[None]], show_every: Callable[[], Awaitable[None]]
) -> None:
    """Through the observations of a session that has several, or to all of them."""
    last, index = count - 1, choice.index
    every = ui.button("All fixes", on_click=show_every).props("outline dense no-caps")
    every.set_enabled(not choice.every)
    ui.button(icon="chevron_left", on_click=lambda: go(max(0, index - 1))).props(
        'flat round dense aria-label="Previous"'
    )
    number = ui.number(value=index + 1, min=1, max=count, format="%d").props('dense outlined aria-label="Observation"')
    number.on("keydown.enter", lambda: go(min(last, max(0, int(number.value or 1) - 1))))
    ui.label(f"of {count:,}").classes("muted")
    ui.button(icon="chevron_right", on_click=lambda: go(min(last, index + 1))).props(
        'flat round dense aria-label="Next"'
    )


def show_every(name: str, rows: list[FixRow], count: int, go: Callable[[int], Awaitable[None]]) -> None:
    """A table of all fixes; a click shows one in detail."""
    hint = words.count(count, "observation")
    if len(rows) < count:
        hint = f"{len(rows)} of {count:,}, evenly chosen; the command heimdall locate makes all of them"
    with panel(name, hint=hint):
        columns = [
            {"name": key, "label": label, "field": key, "align": "left", "sortable": True}
            for key, label in _COLUMNS.items()
            if any(getattr(row, key, None) or key == "place" for row in rows)
        ]
        data = [vars(row) | {"place": _place(row)} for row in rows]
        table = ui.table(rows=data, columns=columns, row_key="index", pagination=15).props("flat dense")
        table.classes("fixes").on("rowClick", lambda event: go(int(event.args[1]["index"])))


def _place(row: FixRow) -> str:
    known = row.latitude_deg is not None and row.longitude_deg is not None
    return coordinates_text(row.latitude_deg or 0.0, row.longitude_deg or 0.0) if known else "no position"


def _figures(figures: list[Figure]) -> str:
    items = "".join(f'<li class="{each.tone}"><b>{escape(each.value)}</b>{_named(each)}</li>' for each in figures)
    return f'<ul class="figures">{items}</ul>'


def _named(figure: Figure) -> str:
    name = f"<span>{escape(figure.name)}</span>"
    return name if not figure.help else f"<details><summary>{name}</summary><p>{escape(figure.help)}</p></details>"


def _table(rows: list[ReceiverRow]) -> str:
    head = "<tr><th>receiver</th><th>clock</th><th>share</th><th colspan=2>residual</th></tr>"
    return f'<div class="table"><table><thead>{head}</thead><tbody>{"".join(map(_row, rows))}</tbody></table></div>'


def _row(row: ReceiverRow) -> str:
    share = "" if row.share is None or not row.used else f"{100 * row.share:.0f} %"
    bar = "" if row.residual is None else _bar(row.residual)
    kind = "" if row.used else ' class="unused"'
    cells = [escape(row.name), escape(row.clock), share, escape(row.remark), bar]
    return f"<tr{kind}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _bar(residual: float) -> str:
    left = 50 + min(residual, 0.0) * 50
    return f'<div class="bar-chart"><i style="left:{left:.1f}%;width:{abs(residual) * 50:.1f}%"></i></div>'
