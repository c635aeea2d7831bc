"""What is said about a fix beside the map."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import escape

from nicegui import ui

from heimdall.service.concurrent_locating import Answer
from heimdall.web.fix_view import Figure, ReceiverRow
from heimdall.web.frame import panel
from heimdall.web.visit import sentence


@dataclass(frozen=True)
class Details:
    figures: list[Figure]
    rows: list[ReceiverRow]
    index: int
    count: int
    """Observations in the session."""


def show(answer: Answer, details: Details) -> None:
    fix, observation = answer.fixes[0], answer.observations[0]
    with panel(fix.id):
        if fix.advice:
            ui.label(sentence(fix.advice)).classes("advice")
        ui.html(_figures(details.figures), sanitize=False)
        if observation.notes:
            ui.html(
                "".join(f"<p class='muted'>{escape(sentence(note))}</p>" for note in observation.notes), sanitize=False
            )
    with panel("Receivers", hint="share of the information, and how late (+) or early (−) each signal came"):
        ui.html(_table(details.rows), sanitize=False)


def stepper(details: Details, go: Callable[[int], Awaitable[None]]) -> None:
    """Through the observations of a session that has several."""
    if details.count < 2:
        return
    last = details.count - 1
    ui.button(icon="chevron_left", on_click=lambda: go(max(0, details.index - 1))).props(
        'flat round dense aria-label="Previous"'
    )
    number = ui.number(value=details.index + 1, min=1, max=details.count, format="%d").props(
        'dense outlined aria-label="Observation"'
    )
    number.on("keydown.enter", lambda: go(min(last, max(0, int(number.value or 1) - 1))))
    ui.label(f"of {details.count:,}").classes("muted")
    ui.button(icon="chevron_right", on_click=lambda: go(min(last, details.index + 1))).props(
        'flat round dense aria-label="Next"'
    )


def _figures(figures: list[Figure]) -> str:
    items = "".join(
        f'<li class="{each.tone}"><b>{escape(each.value)}</b><span>{escape(each.name)}</span></li>' for each in figures
    )
    return f'<ul class="figures">{items}</ul>'


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
