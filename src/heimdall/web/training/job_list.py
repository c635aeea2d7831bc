"""Jobs to pick one from, with their state and progress."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from html import escape

from nicegui import ui

from heimdall.service.database.tables import Job
from heimdall.service.queue.jobs import State
from heimdall.web import words
from heimdall.web.layout import empty

TONES = {State.SUCCEEDED: "good", State.FAILED: "bad", State.RUNNING: "busy"}


@dataclass(frozen=True)
class _Row:
    """What the list shows of a job; drawn again only where it changed."""

    id: str
    name: str
    kind: str
    state: str
    percent: int | None
    left: str


class JobList:
    """`choose` is told the job that was picked; `nothing` is said, and what to do, where there is none."""

    def __init__(self, choose: Callable[[str], Awaitable[None]], nothing: tuple[str, str]) -> None:
        self._choose = choose
        self._nothing = nothing
        self._drawn: tuple[list[_Row], str | None] | None = None

    def build(self) -> None:
        self._list = ui.element("div").classes("list")

    def show(self, jobs: Sequence[Job], current: str | None) -> None:
        rows = [_row(job) for job in jobs]
        if self._drawn == (rows, current):
            return
        self._drawn = rows, current
        self._list.clear()
        with self._list:
            if not rows:
                empty(*self._nothing)
            for row in rows:
                self._draw(row, row.id == current)

    def _draw(self, row: _Row, current: bool) -> None:
        with ui.element("div").classes("row current" if current else "row"):
            pick = ui.element("button").classes("pick")
            with pick.props(f"type=button aria-pressed={'true' if current else 'false'}"):
                ui.html(_row_html(row), sanitize=False)
            pick.on("click", lambda: self._choose(row.id))


def _row(job: Job) -> _Row:
    percent = None if job.fraction is None else round(100 * job.fraction)
    left = "" if job.eta_s is None else f"{words.duration_text(job.eta_s)} left"
    return _Row(job.id, job.name, job.kind, job.state, percent, left)


def _row_html(row: _Row) -> str:
    about = " · ".join(
        part for part in (row.kind, f"{row.percent} %" if row.percent is not None else "", row.left) if part
    )
    tone = TONES.get(State(row.state), "")
    return (
        f'<span class="strong">{escape(row.name)}</span> <span class="chip {tone}">{escape(row.state)}</span>'
        f'<br><span class="muted">{escape(about)}</span>'
    )
