"""Jobs to pick one from, with their state and progress."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from html import escape

from nicegui import ui

from heimdall.service.database.tables import Job
from heimdall.service.queue.jobs import State
from heimdall.web import words
from heimdall.web.rows import Rows

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
        self._nothing = nothing
        self._rows = Rows(lambda: _JobRow(choose), key=lambda state: state[0].id)

    def build(self) -> None:
        self._rows.build("list")

    def show(self, jobs: Sequence[Job], current: str | None) -> None:
        self._rows.show([(_row(job), job.id == current) for job in jobs], self._nothing)


class _JobRow:
    def __init__(self, choose: Callable[[str], Awaitable[None]]) -> None:
        with ui.element("div").classes("row") as self.element:
            with ui.element("button").classes("pick").props("type=button") as self._pick:
                self._content = ui.html("", sanitize=False)
            self._pick.on("click", lambda: choose(self._row.id))

    def show(self, state: tuple[_Row, bool]) -> None:
        self._row, current = state
        self.element.classes(**{"add" if current else "remove": "current"})
        self._pick.props["aria-pressed"] = "true" if current else "false"
        self._content.set_content(_row_html(self._row))


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
