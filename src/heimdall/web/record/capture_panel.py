"""One recording job, live: what each receiver gives or why it gives nothing, and the sessions it made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from nicegui import ui

from heimdall.service.auth import Role
from heimdall.service.database.store import Job, StoredSession
from heimdall.service.queue import jobs
from heimdall.service.queue.jobs import FINAL, State
from heimdall.service.queue.matching import living, why_waiting
from heimdall.service.receivers.capture_view import CaptureView, PartView, view_capture, view_recorded
from heimdall.service.storage import recordings
from heimdall.web import words
from heimdall.web.layout import empty
from heimdall.web.page_session import Visit, sentence
from heimdall.web.training.job_panel import title_html

_TONES = {"done": "good", "failed": "bad", "recording": "busy"}
_MOST_SESSIONS = 20
_STAGES = {
    "asking": "Asking the receivers",
    "waiting": "Waiting for the next recording",
    "listening": "Listening for the signal",
    "recording": "Recording",
    "done": "Done",
}


@dataclass(frozen=True)
class Look:
    job: Job
    capture: CaptureView | None
    sessions: Sequence[StoredSession]
    waiting: str | None


class CapturePanel:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._drawn: str | None = None
        self._buttons_for: tuple[str, str] | None = None

    def build(self) -> None:
        self._nothing = ui.element("div")
        with self._nothing:
            empty("Nothing recorded yet", "Choose receivers and a frequency, and press Record.")
        with ui.element("div") as self._there:
            self._head = ui.html("", sanitize=False).props("aria-live=polite")
            self._bar = ui.linear_progress(0, show_value=False, size="10px").props('rounded aria-label="Progress"')
            self._buttons = ui.element("div").classes("buttons")
            self._parts = ui.html("", sanitize=False)
            self._sessions = ui.html("", sanitize=False)
        self._there.set_visibility(False)

    async def look(self, job_id: str | None) -> None:
        seen = None if job_id is None else await self._visit.do(Role.VIEWER, self._find, job_id)
        self._nothing.set_visibility(seen is None)
        self._there.set_visibility(seen is not None)
        if seen is not None:
            self._draw(seen)

    def _find(self, job_id: str) -> Look | None:
        parts = self._visit.parts
        with parts.store.reading() as session:
            try:
                job = jobs.get(session, job_id)
            except jobs.UnknownJobError:
                return None
            made = recordings.of_job(session, job_id)[:_MOST_SESSIONS]
            return Look(job, view_capture(job), made, why_waiting(job, living(session, parts.settings.lease_s)))

    def _draw(self, seen: Look) -> None:
        job = seen.job
        self._head.set_content(title_html(job) + about_html(seen))
        self._bar.set_value(job.fraction or 0.0)
        self._parts.set_content(parts_html(_receivers_of(seen)))
        self._sessions.set_content(sessions_html(seen.sessions))
        if self._buttons_for != (job.id, job.state):
            self._buttons_for = (job.id, job.state)
            self._draw_buttons(job)

    def _draw_buttons(self, job: Job) -> None:
        state = State(job.state)
        self._buttons.clear()
        with self._buttons:
            if not self._visit.may(Role.OPERATOR):
                return
            self._button("Pause", jobs.pause, job, state in (State.QUEUED, State.RUNNING))
            self._button("Resume", jobs.resume, job, state in (State.PAUSED, State.FAILED))
            self._button("Cancel", jobs.cancel, job, state not in FINAL and state is not State.CANCELLING)

    def _button(self, name: str, change: Callable[..., Job], job: Job, shown: bool) -> None:
        if shown:
            ui.button(name, on_click=lambda: self._change(change, job.id)).props("outline dense no-caps")

    async def _change(self, change: Callable[..., Job], job_id: str) -> None:
        def apply() -> bool:
            parts = self._visit.parts
            with parts.store.writing() as session:
                change(session, job_id, self._visit.who.name)
            parts.notifier.notify(job_id)
            return True

        await self._visit.do(Role.OPERATOR, apply)
        await self.look(job_id)


def about_html(seen: Look) -> str:
    """Errors and waiting first, then what it does now."""
    job, capture = seen.job, seen.capture
    error = f'<p class="notice bad" role="alert">{escape(sentence(job.error))}</p>' if job.error else ""
    waiting = f'<p class="notice warn">{escape(sentence(seen.waiting))}</p>' if seen.waiting else ""
    if capture is None or State(job.state) in FINAL:
        return error + waiting
    listener = f", with {capture.listener}" if capture.listener and capture.stage == "listening" else ""
    next_one = f", at {capture.next_utc:%H:%M:%S} UTC" if capture.next_utc and capture.stage == "waiting" else ""
    left = f", {words.duration_text(job.eta_s)} left" if job.eta_s is not None else ""
    done = f"; {words.count(capture.recordings, 'recording')} so far" if job.kind == "watch" else ""
    stage = _STAGES.get(capture.stage, capture.stage)
    return f'{error}{waiting}<p class="muted">{escape(f"{stage}{listener}{next_one}{left}{done}.")}</p>'


def parts_html(parts: Sequence[PartView]) -> str:
    if not parts:
        return ""
    head = "".join(f"<th>{name}</th>" for name in ("receiver", "", "gave", "seconds", "level", "why"))
    rows = "".join(_part_row(part) for part in parts)
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _part_row(part: PartView) -> str:
    chip = f'<span class="chip {_TONES.get(part.state, "")}">{escape(part.state)}</span>'
    level = "" if part.level_dbm is None else f"{part.level_dbm:.0f} dBm"
    why = "; ".join(each for each in (part.reason or "", *part.notes) if each)
    cells = [part.gave or "nothing", f"{part.seconds:.1f}", level, why]
    return (
        f"<tr><td>{escape(part.name)}</td><td>{chip}</td>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
    )


def sessions_html(made: Sequence[StoredSession]) -> str:
    if not made:
        return ""
    items = "".join(
        f'<li><a href="/?session={escape(each.id)}">{escape(each.name)}</a> <span class="muted">{escape(_fate(each))}</span></li>'
        for each in made
    )
    return f'<h3>Recordings</h3><ul class="plain-list">{items}</ul>'


def _fate(stored: StoredSession) -> str:
    if stored.fix_state == recordings.FAILED:
        return f"not located: {stored.fix_problem}"
    located = "located" if stored.fix_state == recordings.LOCATED else "being located"
    return f"{located}, {words.bytes_text(stored.size_bytes)}"


def _receivers_of(seen: Look) -> Sequence[PartView]:
    """As the job says while it runs; afterwards as the newest recording has it, where there is one."""
    if seen.capture is not None and seen.capture.receivers:
        return seen.capture.receivers
    recorded = view_recorded(seen.sessions[0]) if seen.sessions else None
    return recorded.receivers if recorded else ()
