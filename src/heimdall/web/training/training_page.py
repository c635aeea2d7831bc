"""Trainings: start one with its plan in sight, follow it, stop it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from fastapi import Request
from nicegui import ui

from heimdall.service.auth import Role
from heimdall.service.database.store import Job
from heimdall.service.queue import jobs
from heimdall.service.queue.jobs import State
from heimdall.web import words
from heimdall.web.layout import empty, frame, panel
from heimdall.web.page_session import Visit, arrive
from heimdall.web.sign_in import Entry, to_sign_in
from heimdall.web.training.job_panel import JobPanel
from heimdall.web.training.start_panel import StartPanel

LOOK_EVERY_S = 1.0
_SHOWN = 30
TONES = {State.SUCCEEDED: "good", State.FAILED: "bad", State.RUNNING: "busy"}


def register(entry: Entry) -> None:
    @ui.page("/training")
    async def show(request: Request) -> object:
        visit = arrive(entry, request)
        if visit is None:
            return to_sign_in(request)
        page = TrainingPage(visit, request.query_params.get("job"))
        with frame(visit, "Training"):
            page.build()
        ui.timer(LOOK_EVERY_S, page.look)
        return None


@dataclass(frozen=True)
class _Row:
    """What the list shows of a job; drawn again only where it changed."""

    id: str
    name: str
    kind: str
    state: str
    percent: int | None
    left: str


class TrainingPage:
    def __init__(self, visit: Visit, job_id: str | None) -> None:
        self._visit = visit
        self._job_id = job_id
        self._rows: list[_Row] | None = None

    def build(self) -> None:
        with ui.element("div").classes("stack"):
            if self._visit.may(Role.OPERATOR):
                StartPanel(self._visit, self.choose).build()
            with panel("Jobs"):
                self._list = ui.element("div").classes("list")
        with ui.element("div").classes("stack"):
            self._panel = JobPanel(self._visit, self._forget)
            self._panel.build()

    async def look(self) -> None:
        """What is new since the last look."""
        found = await self._visit.do(Role.VIEWER, self._find)
        if found is None:
            return
        rows = [job_row(job) for job in found]
        if self._job_id is None and found:
            self._job_id = found[0].id
        if rows != self._rows:
            self._rows = rows
            self._draw_list()
        await self._panel.look(self._job_id)

    async def choose(self, job_id: str) -> None:
        self._job_id, self._rows = job_id, None
        ui.navigate.history.replace(f"/training?job={job_id}")
        await self.look()

    async def _forget(self) -> None:
        self._job_id, self._rows = None, None
        ui.navigate.history.replace("/training")
        await self.look()

    def _find(self) -> list[Job]:
        with self._visit.parts.store.reading() as session:
            return list(jobs.find(session, limit=_SHOWN))

    def _draw_list(self) -> None:
        self._list.clear()
        with self._list:
            if not self._rows:
                empty("No job yet", "Start one above: quick takes some minutes on two CPU cores.")
            for row in self._rows or []:
                self._draw_row(row)

    def _draw_row(self, row: _Row) -> None:
        current = row.id == self._job_id
        with ui.element("div").classes("row current" if current else "row"):
            pick = ui.element("button").classes("pick")
            with pick.props(f"type=button aria-pressed={'true' if current else 'false'}"):
                ui.html(job_row_html(row), sanitize=False)
            pick.on("click", lambda: self.choose(row.id))


def job_row(job: Job) -> _Row:
    percent = None if job.fraction is None else round(100 * job.fraction)
    left = "" if job.eta_s is None else f"{words.duration_text(job.eta_s)} left"
    return _Row(job.id, job.name, job.kind, job.state, percent, left)


def job_row_html(row: _Row) -> str:
    about = " · ".join(
        part for part in (row.kind, f"{row.percent} %" if row.percent is not None else "", row.left) if part
    )
    tone = TONES.get(State(row.state), "")
    return (
        f'<span class="strong">{escape(row.name)}</span> <span class="chip {tone}">{escape(row.state)}</span>'
        f'<br><span class="muted">{escape(about)}</span>'
    )
