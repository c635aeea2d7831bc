"""What can be done with a job: pause, resume, cancel, delete."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from heimdall.service.auth import Role
from heimdall.service.database.tables import Job
from heimdall.service.queue import jobs
from heimdall.service.queue.jobs import FINAL, State
from heimdall.service.queue.notifications import queue_of
from heimdall.web import dialogs
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
        self._drawn: tuple[str, str] | None = None

    def build(self) -> None:
        self._buttons = ui.element("div").classes("buttons")

    def draw(self, job: Job, model: str | None = None) -> None:
        """Draws the buttons that fit the job's state, and one that leads to its model."""
        if self._drawn == (job.id, job.state):
            return
        self._drawn = (job.id, job.state)
        self._buttons.clear()
        # The list may lead to another job while a question stands: each button keeps its own.
        job_id, state = job.id, State(job.state)
        with self._buttons:
            if self._visit.may(Role.OPERATOR):
                if state in (State.QUEUED, State.RUNNING):
                    _button("Pause", "pause", lambda: self._change(jobs.pause, job_id))
                if state in (State.PAUSED, State.FAILED):
                    _button("Resume", "play_arrow", lambda: self._change(jobs.resume, job_id))
                if state not in FINAL and state is not State.CANCELLING:
                    question = cancelling_text(job)
                    _button("Cancel", "close", lambda: self._ask_to_cancel(job_id, question))
            if self._visit.may(Role.ADMIN) and state in (*FINAL, State.PAUSED):
                deleting = f"Delete {job.name}, its log and its checkpoints?"
                ui.button("Delete", icon="delete", on_click=lambda: self._ask_to_delete(job_id, deleting)).props(
                    "flat dense no-caps"
                )
            if model is not None:
                ui.button("Model", icon="hub", on_click=lambda: ui.navigate.to(f"/models?model={model}")).props(
                    "outline dense no-caps"
                )

    def _ask_to_cancel(self, job_id: str, question: str) -> None:
        dialogs.confirm(question, "Cancel it", lambda: self._change(jobs.cancel, job_id), otherwise="Let it go on")

    def _ask_to_delete(self, job_id: str, question: str) -> None:
        dialogs.confirm(question, "Delete it", lambda: self._delete(job_id))

    async def _change(self, change: Change, job_id: str) -> None:
        def apply() -> bool:
            parts = self._visit.parts
            with parts.store.writing() as session:
                job = change(session, job_id, self._visit.who.name)
            parts.notifier.notify(job.id, queue_of(job))
            return True

        await self._visit.do(Role.OPERATOR, apply)
        await self._changed(job_id)

    async def _delete(self, job_id: str) -> None:
        def apply() -> bool:
            parts = self._visit.parts
            with parts.store.writing() as session:
                jobs.delete(session, job_id)
            parts.folders.delete(job_id)
            return True

        if await self._visit.do(Role.ADMIN, apply):
            await self._deleted()


def cancelling_text(job: Job) -> str:
    """What is asked before a job is cancelled."""
    if job.needs_capture:
        return f"Cancel {job.name}? What it has recorded stays."
    paused = "" if job.state == State.PAUSED else " To go on later, pause it instead."
    return f"Cancel {job.name}? A cancelled job cannot be resumed.{paused}"


def _button(name: str, icon: str, act: Callable[[], object]) -> None:
    ui.button(name, icon=icon, on_click=act).props("outline dense no-caps")
