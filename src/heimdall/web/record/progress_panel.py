"""One job that records, live: what each receiver does, and the newest fix."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nicegui import ui

from heimdall.runs.reader import Warned
from heimdall.service.database.tables import Job, StoredFix, StoredSession
from heimdall.service.queue import jobs
from heimdall.service.queue.matching import living, why_waiting
from heimdall.service.receivers.capture_view import CaptureView, view_capture
from heimdall.service.storage import fixes, job_recordings
from heimdall.web.layout import empty, panel
from heimdall.web.map import fix_panel
from heimdall.web.page_session import Visit, sentence
from heimdall.web.record.recorded_view import figures_html, fix_title, parts_html
from heimdall.web.training.job_buttons import JobButtons
from heimdall.web.training.job_panel import title_html, warnings_html


@dataclass(frozen=True)
class Seen:
    """A job as it is now; `fix` is its newest."""

    job: Job
    capture: CaptureView | None
    fix: StoredFix | None
    session: StoredSession | None
    warnings: list[Warned]
    waiting: str | None


class ProgressPanel:
    def __init__(
        self, visit: Visit, changed: Callable[[str], Awaitable[None]], deleted: Callable[[], Awaitable[None]]
    ) -> None:
        self._visit = visit
        self._buttons = JobButtons(visit, changed, deleted)
        self._fix_drawn: str | None = None

    def build(self) -> None:
        with panel("") as self._nothing:
            empty(
                "Nothing recorded yet",
                "Enter the frequency, choose receivers, and record: progress and the fix appear here.",
            )
        with panel("") as self._head:
            self._title = ui.html("", sanitize=False)
            self._warnings = ui.html("", sanitize=False).props("aria-live=polite")
            self._bar = ui.linear_progress(0, show_value=False, size="10px").props('rounded aria-label="Progress"')
            self._figures = ui.html("", sanitize=False)
            self._buttons.build()
            self._parts = ui.html("", sanitize=False)
        self._fix = ui.element("div")
        self.draw(None)

    def find(self, job_id: str) -> Seen | None:
        """It reads the database and the run folder: call it in a thread."""
        parts = self._visit.parts
        with parts.store.reading() as session:
            try:
                job = jobs.get(session, job_id)
            except jobs.UnknownJobError:
                return None
            newest = next(iter(fixes.find(session, fixes.Wanted(job_id=job_id, limit=1))), None)
            recorded = next(iter(job_recordings.of_job(session, job_id)), None)
            waiting = why_waiting(job, living(session, parts.settings.lease_s))
        return Seen(job, view_capture(job), newest, recorded, parts.folders.of(job_id).warnings(), waiting)

    def draw(self, seen: Seen | None) -> None:
        self._nothing.set_visibility(seen is None)
        for each in (self._head, self._fix):
            each.set_visibility(seen is not None)
        if seen is None:
            return
        job = seen.job
        self._title.set_content(title_html(job))
        self._warnings.set_content(warnings_html(job, seen.warnings, seen.waiting))
        self._bar.set_value(job.fraction or 0.0)
        self._figures.set_content(figures_html(job, seen.capture))
        self._parts.set_content(parts_html(seen.capture.receivers if seen.capture else []))
        self._buttons.draw(job)
        self._draw_fix(seen)

    def _draw_fix(self, seen: Seen) -> None:
        fix, session = seen.fix, seen.session
        problem = session.fix_problem if session is not None else None
        key = f"{seen.job.id} {fix.id if fix else ''} {problem or ''}"
        if key == self._fix_drawn:
            return
        self._fix_drawn = key
        self._fix.clear()
        with self._fix:
            if problem and (fix is None or session is None or fix.session_id != session.id):
                with panel("Not located"):
                    ui.label(sentence(problem)).classes("warn-text")
            if fix is not None:
                self._draw_newest(fix)

    def _draw_newest(self, fix: StoredFix) -> None:
        with panel(fix_title(fix), hint=fix.status):
            if fix.document.get("advice"):
                ui.label(sentence(str(fix.document["advice"]))).classes("advice")
            if fix.latitude_deg is not None and fix.longitude_deg is not None:
                fix_panel.show_places(fix.latitude_deg, fix.longitude_deg)
            else:
                ui.label("No position.").classes("muted")
            address = f"/?session={fix.session_id}"
            open_it = ui.button("Open on the page Map", icon="map", on_click=lambda: ui.navigate.to(address))
            open_it.props("outline dense no-caps")
