"""What can be done with a job: pause, resume, cancel, delete."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from heimdall.service.auth import Role
from heimdall.service.database.tables import Job
from heimdall.service.queue import jobs
from heimdall.service.queue.jobs import FINAL, State
from heimdall.service.queue.notifications import queue_of
from heimdall.web.page_session import Visit

Change = Callable[..., Job]


class JobButtons:
    """`changed` is told the job's id when something was done with it, `deleted` that it is gone."""

    def __init__(
        self, visit: Visit, changed: Callable[[str], Awaitable[None]], deleted: Callable[[], Awaitable[None]]
    ) -> None:
        self._visit = visit
        self._changed = changed
        self._deleted = deleted
        self._job_id = ""
        self._drawn: tuple[str, str] | None = None

    def build(self) -> None:
        self._buttons = ui.element("div").classes("buttons")

    def draw(self, job: Job, model: str | None = None) -> None:
        """Those of a job's state; with one that leads to its model."""
        if self._drawn == (job.id, job.state):
            return
        self._drawn, self._job_id = (job.id, job.state), job.id
        self._buttons.clear()
        state = State(job.state)
        with self._buttons:
            if self._visit.may(Role.OPERATOR):
                self._button("Pause", "pause", jobs.pause, state in (State.QUEUED, State.RUNNING))
                self._button("Resume", "play_arrow", jobs.resume, state in (State.PAUSED, State.FAILED))
                active = state not in FINAL and state is not State.CANCELLING
                self._button("Cancel", "close", jobs.cancel, active)
            if self._visit.may(Role.ADMIN) and state in (*FINAL, State.PAUSED):
                ui.button("Delete", icon="delete", on_click=self._delete).props("flat dense no-caps")
            if model is not None:
                ui.button("Model", icon="hub", on_click=lambda: ui.navigate.to(f"/models?model={model}")).props(
                    "outline dense no-caps"
                )

    def _button(self, name: str, icon: str, change: Change, shown: bool) -> None:
        if shown:
            ui.button(name, icon=icon, on_click=lambda: self._change(change)).props("outline dense no-caps")

    async def _change(self, change: Change) -> None:
        job_id = self._job_id

        def apply() -> bool:
            parts = self._visit.parts
            with parts.store.writing() as session:
                job = change(session, job_id, self._visit.who.name)
            parts.notifier.notify(job.id, queue_of(job))
            return True

        await self._visit.do(Role.OPERATOR, apply)
        await self._changed(job_id)

    async def _delete(self) -> None:
        job_id = self._job_id

        def apply() -> bool:
            parts = self._visit.parts
            with parts.store.writing() as session:
                jobs.delete(session, job_id)
            parts.folders.delete(job_id)
            return True

        if await self._visit.do(Role.ADMIN, apply):
            await self._deleted()
