"""One job, live: warnings on top, progress, curves, device, log, and what can be done with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from nicegui import ui
from sqlalchemy import select

from heimdall.runs.reader import Warned
from heimdall.service.auth import Role
from heimdall.service.database.tables import Job, Model, Worker
from heimdall.service.queue import jobs
from heimdall.service.queue.jobs import State
from heimdall.service.queue.matching import living, why_waiting
from heimdall.web import words
from heimdall.web.chart import Axis, Curve, LineChart
from heimdall.web.layout import empty, panel
from heimdall.web.page_session import Visit, sentence
from heimdall.web.training.job_buttons import JobButtons
from heimdall.web.training.job_list import TONES

_LOG_BYTES = 8000

_EVALUATED = {
    "median_m": "median, m",
    "q68_m": "68 %, m",
    "q90_m": "90 %, m",
    "bound_ratio": "to the bound",
    "coverage_50": "50 % region holds",
    "coverage_68": "68 % region holds",
    "coverage_95": "95 % region holds",
    "ms_per_fix": "ms a fix",
}
"""Figures of an evaluation, in the order of the table."""


@dataclass(frozen=True)
class Look:
    job: Job
    metrics: list[dict[str, Any]]
    warnings: list[Warned]
    log: str
    model: str | None
    load: dict[str, Any] | None
    waiting: str | None = None


class JobPanel:
    def __init__(self, visit: Visit, deleted: Callable[[], Awaitable[None]]) -> None:
        self._visit = visit
        self._job_id: str | None = None
        self._buttons = JobButtons(visit, self.look, deleted)

    def build(self) -> None:
        with panel("") as self._nothing:
            empty("Nothing runs", "Progress, curves and the log of a job appear here.")
        with panel("") as self._head:
            self._title = ui.html("", sanitize=False)
            self._warnings = ui.html("", sanitize=False).props("aria-live=polite")
            self._bar = ui.linear_progress(0, show_value=False, size="10px").props('rounded aria-label="Progress"')
            self._figures = ui.html("", sanitize=False)
            self._buttons.build()
        with ui.element("div").classes("halves") as self._curves:
            with panel("Loss"):
                loss = "The loss is drawn from the first steps on."
                self._loss = LineChart("Loss by step", Axis("step"), Axis("loss"), loss)
            with panel("Error on held-out scenes"):
                title, label = "Median error by step, relative to the likelihood's", "median error / likelihood's"
                error = "Drawn from the first validation on."
                self._error = LineChart(title, Axis("step"), Axis(label), error)
        with panel("Log") as self._log_panel:
            self._log = ui.html("", sanitize=False)
        self._show(False)

    async def look(self, job_id: str | None) -> None:
        self._job_id = job_id
        seen = None if job_id is None else await self._visit.do(Role.VIEWER, self._look, job_id)
        if job_id != self._job_id:
            return
        self._show(seen is not None)
        if seen is not None:
            self._draw(seen)

    def _look(self, job_id: str) -> Look | None:
        parts = self._visit.parts
        with parts.store.reading() as session:
            try:
                job = jobs.get(session, job_id)
            except jobs.UnknownJobError:
                return None
            model = session.scalar(select(Model.id).where(Model.job_id == job_id))
            worker = session.get(Worker, job.worker) if job.worker is not None else None
            waiting = why_waiting(job, living(session, parts.settings.lease_s))
        folder = parts.folders.of(job_id)
        load = worker.load if worker is not None and job.state in jobs.LEASED else None
        return Look(job, folder.metrics(), folder.warnings(), folder.log_page(-_LOG_BYTES).text, model, load, waiting)

    def _show(self, there: bool) -> None:
        self._nothing.set_visibility(not there)
        for each in (self._head, self._curves, self._log_panel):
            each.set_visibility(there)

    def _draw(self, seen: Look) -> None:
        job = seen.job
        self._title.set_content(title_html(job))
        self._warnings.set_content(warnings_html(job, seen.warnings, seen.waiting))
        self._bar.set_value(job.fraction or 0.0)
        self._figures.set_content(figures_html(seen))
        self._loss.draw(loss_curves(seen.metrics))
        self._error.draw(error_curves(seen.metrics))
        self._curves.set_visibility(job.kind in ("train", "fine-tune"))
        self._log.set_content(f'<div class="log"><pre>{escape(seen.log) or "Nothing yet."}</pre></div>')
        self._buttons.draw(job, seen.model)


def title_html(job: Job) -> str:
    tone = TONES.get(State(job.state), "")
    return f'<h2>{escape(job.name)} <span class="chip {tone}" data-state="{job.state}">{escape(job.state)}</span></h2>'


def warnings_html(job: Job, warnings: Sequence[Warned], waiting: str | None) -> str:
    """Errors first, then what the program and the worker warn of; each once."""
    told = [each.message for each in warnings] + ([waiting] if waiting else [])
    if job.accelerator_used == "cpu" and job.accelerator_reason and job.accelerator_requested != "cpu" and not told:
        told.append(f"it runs on the CPU: {job.accelerator_reason}")
    error = f'<p class="notice bad" role="alert">{escape(sentence(job.error))}</p>' if job.error else ""
    return error + "".join(f'<p class="notice warn">{escape(sentence(each))}</p>' for each in dict.fromkeys(told))


def figures_html(seen: Look) -> str:
    job = seen.job
    figures = {"done": f"{100 * (job.fraction or 0):.0f} %", "step": _steps(job), "phase": job.phase or "–"}
    if job.state in jobs.LEASED and job.eta_s is not None:
        figures["time left"] = words.duration_text(job.eta_s)
    if job.loss is not None:
        figures["loss"] = words.number_text(job.loss)
    used = (job.accelerator_used or "").upper()
    device = " · ".join(part for part in (used, job.device, job.precision) if part)
    figures["device"] = device or job.accelerator or "not yet known"
    figures |= _load_figures(seen.load)
    if job.attempts > 1:
        figures["starts"] = str(job.attempts)
    scores = (job.result or {}).get("scores", {})
    figures |= {words.score_name(name): words.number_text(value) for name, value in scores.items() if "/" not in name}
    items = "".join(f"<li><b>{escape(value)}</b><span>{escape(name)}</span></li>" for name, value in figures.items())
    return f'<ul class="figures">{items}</ul>{methods_html(scores)}'


def methods_html(scores: dict[str, float]) -> str:
    """What an evaluation found, a row a method; nothing where there was none."""
    methods = list(dict.fromkeys(name.partition("/")[0] for name in scores if "/" in name))
    if not methods:
        return ""
    columns = [key for key in _EVALUATED if any(f"{method}/{key}" in scores for method in methods)]

    def cell(method: str, key: str) -> str:
        value = scores.get(f"{method}/{key}")
        shown = (
            "" if value is None else f"{100 * value:.0f} %" if key.startswith("coverage") else words.number_text(value)
        )
        return f"<td>{escape(shown)}</td>"

    head = "".join(f"<th>{escape(_EVALUATED[key])}</th>" for key in columns)
    rows = "".join(
        f"<tr><td>{escape(method)}</td>{''.join(cell(method, key) for key in columns)}</tr>" for method in methods
    )
    return f'<div class="table"><table><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def loss_curves(metrics: list[dict[str, Any]]) -> list[Curve]:
    return [
        Curve("training", _points(metrics, "loss"), "a"),
        Curve("held out", _points(metrics, "validation_loss"), "b", True),
    ]


def error_curves(metrics: list[dict[str, Any]]) -> list[Curve]:
    return [
        Curve("to the likelihood's", _points(metrics, "validation_ratio"), "a", True),
        Curve("", [(row["step"], 1.0) for row in metrics if "validation_ratio" in row], "rule"),
    ]


def _points(metrics: list[dict[str, Any]], name: str) -> list[tuple[float, float]]:
    return [(row["step"], row[name]) for row in metrics if isinstance(row.get(name), int | float)]


def _steps(job: Job) -> str:
    return "–" if job.step is None else f"{job.step:,} of {job.steps_total:,}" if job.steps_total else f"{job.step:,}"


def _load_figures(load: dict[str, Any] | None) -> dict[str, str]:
    if load is None:
        return {}
    used, total = load["memory_used_bytes"], load["memory_total_bytes"]
    figures = {"memory of the machine": f"{words.bytes_text(used)} of {words.bytes_text(total)}"} if total else {}
    for gpu in load.get("gpus", []):
        memory = f"{words.bytes_text(gpu['memory_used_bytes'])} of {words.bytes_text(gpu['memory_total_bytes'])}"
        figures[gpu["name"]] = f"{memory}, {gpu['temperature_c']} °C"
    return figures
