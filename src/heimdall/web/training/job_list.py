"""Jobs to pick one from, with their state and progress."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from html import escape

from heimdall.service.database.tables import Job
from heimdall.service.queue.jobs import State
from heimdall.web import words
from heimdall.web.rows import Pick, PickRow, Rows

TONES = {State.SUCCEEDED: "good", State.FAILED: "bad", State.RUNNING: "busy"}


class JobList:
    """`choose` is told the job that was picked; `nothing` is said, and what to do, where there is none."""

    def __init__(self, choose: Callable[[str], Awaitable[None]], nothing: tuple[str, str]) -> None:
        self._nothing = nothing
        self._rows = Rows(lambda: PickRow(choose), key=lambda state: state.id)

    def build(self) -> None:
        self._rows.build("list")

    def show(self, jobs: Sequence[Job], current: str | None) -> None:
        self._rows.show([Pick(job.id, _row_html(job), job.id == current) for job in jobs], self._nothing)


def _row_html(job: Job) -> str:
    """Jobs of one name are told apart by who asked for them, and when."""
    percent = "" if job.fraction is None else f"{round(100 * job.fraction)} %"
    left = "" if job.eta_s is None else f"{words.duration_text(job.eta_s)} left"
    made = f"{words.ago_text(job.created_unix_s)} by {job.created_by}"
    about = " · ".join(part for part in (job.kind, percent, left, made) if part)
    tone = TONES.get(State(job.state), "")
    return (
        f'<span class="strong">{escape(job.name)}</span> <span class="chip {tone}">{escape(job.state)}</span>'
        f'<br><span class="muted">{escape(about)}</span>'
    )
