"""Record: choose receivers by address, record them together, and see where the transmitter was."""

from __future__ import annotations

from fastapi import Request
from nicegui import ui

from heimdall.service.auth import Role
from heimdall.service.database.store import Job
from heimdall.service.queue import jobs
from heimdall.web.layout import frame, panel
from heimdall.web.page_session import Visit, arrive
from heimdall.web.record.capture_panel import CapturePanel
from heimdall.web.record.history import History
from heimdall.web.record.receiver_list import ReceiverList
from heimdall.web.record.record_form import RecordForm
from heimdall.web.sign_in import Entry, to_sign_in

LOOK_EVERY_S = 1.0
_SHOWN = 20


def register(entry: Entry) -> None:
    @ui.page("/record")
    async def show(request: Request) -> object:
        visit = arrive(entry, request)
        if visit is None:
            return to_sign_in(request)
        page = RecordPage(visit, request.query_params.get("job"))
        with frame(visit, "Record"):
            page.build()
        ui.timer(LOOK_EVERY_S, page.look)
        return None


class RecordPage:
    def __init__(self, visit: Visit, job_id: str | None) -> None:
        self._visit = visit
        self._job_id = job_id
        self._receivers = ReceiverList(visit, self._redraw)
        self._history = History(visit, lambda: self._receivers.known, lambda: self._receivers.chosen)
        self._panel = CapturePanel(visit)

    def build(self) -> None:
        with ui.element("div").classes("stack"):
            if self._visit.may(Role.OPERATOR):
                with panel("Record"):
                    RecordForm(self._visit, lambda: self._receivers.chosen, self._follow).build()
            with panel("Receivers", hint="by address"):
                self._receivers.build()
        with ui.element("div").classes("stack"):
            self._history.build()
            with panel("Recordings"):
                self._choice = ui.select({}, label="Job", on_change=lambda event: self._choose(event.value))
                self._choice.props("dense outlined options-dense").classes("wide")
                self._panel.build()

    async def look(self) -> None:
        """What is new since the last look."""
        found = await self._visit.do(Role.VIEWER, self._find)
        if found is None:
            return
        if self._job_id is None and found:
            self._job_id = found[0].id
        names = {job.id: f"{job.name} ({job.state})" for job in found}
        self._choice.set_visibility(len(names) > 1)
        if names != self._choice.options:
            self._choice.set_options(names, value=self._job_id if self._job_id in names else None)
        await self._receivers.look()
        await self._panel.look(self._job_id)
        await self._history.look()

    def _find(self) -> list[Job]:
        with self._visit.parts.store.reading() as session:
            found = [job for kind in ("record", "watch") for job in jobs.find(session, kind=kind, limit=_SHOWN)]
        return sorted(found, key=lambda job: job.created_unix_s, reverse=True)[:_SHOWN]

    async def _follow(self, job_id: str) -> None:
        self._job_id = job_id
        await self.look()

    def _choose(self, job_id: str | None) -> None:
        self._job_id = job_id or self._job_id

    async def _redraw(self) -> None:
        self._history.draw()
