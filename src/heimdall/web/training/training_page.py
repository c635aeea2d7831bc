"""Trainings: start one with its plan in sight, follow it, stop it."""

from __future__ import annotations

from fastapi import Request
from nicegui import ui

from heimdall.service.auth import Role
from heimdall.service.database.tables import Job
from heimdall.service.queue import jobs
from heimdall.web.layout import frame, panel
from heimdall.web.page_session import Visit, arrive
from heimdall.web.sign_in import Entry, to_sign_in
from heimdall.web.training.job_list import JobList
from heimdall.web.training.job_panel import JobPanel
from heimdall.web.training.start_panel import StartPanel

LOOK_EVERY_S = 1.0
_SHOWN = 30


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


class TrainingPage:
    def __init__(self, visit: Visit, job_id: str | None) -> None:
        self._visit = visit
        self._job_id = job_id
        self._list = JobList(self.choose, ("No job yet", "Start one above: quick takes some minutes on two CPU cores."))

    def build(self) -> None:
        with ui.element("div").classes("stack"):
            if self._visit.may(Role.OPERATOR):
                StartPanel(self._visit, self.choose).build()
            with panel("Jobs"):
                self._list.build()
        with ui.element("div").classes("stack"):
            self._panel = JobPanel(self._visit, self._forget)
            self._panel.build()

    async def look(self) -> None:
        """What is new since the last look."""
        found = await self._visit.do(Role.VIEWER, self._find)
        if found is None:
            return
        if self._job_id is None and found:
            self._job_id = found[0].id
        self._list.show(found, self._job_id)
        await self._panel.look(self._job_id)

    async def choose(self, job_id: str) -> None:
        self._job_id = job_id
        ui.navigate.history.replace(f"/training?job={job_id}")
        await self.look()

    async def _forget(self) -> None:
        self._job_id = None
        ui.navigate.history.replace("/training")
        await self.look()

    def _find(self) -> list[Job]:
        """Jobs that do not record; those that do are on a page of their own."""
        with self._visit.parts.store.reading() as session:
            return list(jobs.find(session, records=False, limit=_SHOWN))
