"""What is to be started: kind, recipe, model, data, device; and the plan, before the click."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable
from html import escape
from typing import Any

from nicegui import run, ui
from sqlalchemy import select

from heimdall.errors import HeimdallError, InputError
from heimdall.scenarios import SCENARIO_SUMMARIES
from heimdall.service.auth import Role
from heimdall.service.database.tables import Worker
from heimdall.service.models import registry
from heimdall.service.models.model_cache import champion_of
from heimdall.service.queue import job_requests
from heimdall.service.queue.submit import submit
from heimdall.service.storage import sessions
from heimdall.web import words
from heimdall.web.job_request import as_request
from heimdall.web.layout import panel
from heimdall.web.page_session import Visit, sentence

RECIPES = {
    "quick": "quick: minutes on two CPU cores",
    "study": "study: hours on a CPU",
    "base": "base: hours on a GPU",
    "large": "large: days on a GPU",
}
_SCENARIOS = {name: name for name in SCENARIO_SUMMARIES}
_KINDS = {"train": "Train", "fine-tune": "Fine-tune", "evaluate": "Evaluate"}
_DEVICES = {
    "": "as the worker is configured",
    "auto": "GPU if usable",
    "gpu": "GPU, else the CPU with a warning",
    "cpu": "CPU",
}


class StartPanel:
    def __init__(self, visit: Visit, started: Callable[[str], Awaitable[None]]) -> None:
        self._visit = visit
        self._started = started
        self._asked = 0

    def build(self) -> None:
        with panel("Start"):
            with ui.element("div").classes("form"):
                self._kind = self._select(_KINDS, "train", "What")
                self._recipe = self._select(RECIPES, "quick", "Recipe")
                self._model = self._select({}, None, "Model")
                self._data = self._select({}, [], "Sessions with known transmitters", multiple=True)
                self._scenario = self._select(_SCENARIOS, "matched", "Scenario, instead of sessions")
                self._scenes = self._input("Scenes", "200")
                self._device = self._select(_DEVICES, "", "Device")
                self._changes = self._input("Changes, such as steps=100 optimizer.lr=0.0005", "")
            # Above the plan: leaving a field plans anew, and a button that moves under the mouse is not pressed.
            ui.button("Start", icon="play_arrow", on_click=self._start).props("unelevated no-caps").classes("go")
            self._plan = ui.html("", sanitize=False).classes("plan").props("aria-live=polite")
        self._changes.on("blur", self._replan)
        ui.timer(0, self._fill, once=True)

    def _select(self, options: dict[str, str], value: Any, label: str, *, multiple: bool = False) -> ui.select:
        made = ui.select(options, value=value, label=label, multiple=multiple).props("dense outlined options-dense")
        return made.on_value_change(self._replan)

    def _input(self, label: str, value: str) -> ui.input:
        return ui.input(label, value=value).props("dense outlined")

    async def _fill(self) -> None:
        found = await self._visit.do(Role.VIEWER, self._choices)
        if found is None:
            return
        models, champion, data = found
        self._model.set_options(models, value=champion)
        self._data.set_options(data, value=[])
        await self._replan()

    def _choices(self) -> tuple[dict[str, str], str | None, dict[str, str]]:
        with self._visit.parts.store.reading() as session:
            models = {model.id: f"{model.name} ({model.id[:6]})" for model in registry.find(session)}
            champion = champion_of(session)
            known = [stored for stored in sessions.find(session) if stored.summary.get("with_truth")]
        first = champion.id if champion is not None else next(iter(models), None)
        return models, first, {sessions.data_name(stored.id): stored.name for stored in known}

    async def _replan(self) -> None:
        """Show what fits the kind, and the plan of the rest."""
        kind = self._kind.value
        self._recipe.set_visibility(kind != "evaluate")
        self._changes.set_visibility(kind != "evaluate")
        self._model.set_visibility(kind != "train")
        self._data.set_visibility(kind != "train")
        for each in (self._scenario, self._scenes):
            each.set_visibility(kind == "evaluate" and not self._data.value)
        self._asked += 1
        number = self._asked
        self._plan.set_content('<p class="muted">Planning …</p>' if kind != "evaluate" else "")
        content = await run.io_bound(self._plan_html)
        if number == self._asked:  # the last question counts
            self._plan.set_content(content or "")

    def _plan_html(self) -> str:
        workers = self._workers()
        where = "".join(f'<p class="muted">{escape(sentence(_worker_text(worker)))}</p>' for worker in workers)
        if not workers:
            where = '<p class="warn-text">No worker runs: the job will wait. Start one with <code>heimdall worker</code>.</p>'
        try:
            request = self._request()
            plan = self._visit.parts.planner.plan(request) if isinstance(request, job_requests.TrainRequest) else None
        except HeimdallError as error:
            return f'<p class="warn-text">{escape(sentence(str(error)))}</p>{where}'
        return where if plan is None else plan_html(plan) + where

    def _workers(self) -> list[Worker]:
        with self._visit.parts.store.reading() as session:
            return list(session.scalars(select(Worker).order_by(Worker.name)))

    def _request(self) -> job_requests.AnyRequest:
        document: dict[str, Any] = {"kind": self._kind.value, "accelerator": self._device.value or None}
        if self._kind.value != "evaluate":
            document |= {"recipe": self._recipe.value, "overrides": read_changes(self._changes.value or "")}
        if self._kind.value != "train":
            document |= {"model": self._model.value or "", "data": self._data.value or []}
        if self._kind.value == "evaluate" and not self._data.value:
            document |= {"scenario": self._scenario.value, "count": self._scenes.value}
        return read_request(document)

    async def _start(self) -> None:
        job_id = await self._visit.do(Role.OPERATOR, self._submit)
        if job_id is not None:
            ui.notify("In the queue", type="positive", position="bottom")
            await self._started(job_id)

    def _submit(self) -> str:
        parts = self._visit.parts
        request = self._request()

        job_id = submit(parts.store, request, parts.settings, self._visit.who.name).id
        parts.notifier.notify(job_id)
        return job_id


def read_request(document: dict[str, Any]) -> job_requests.AnyRequest:
    """Raises InputError that names the first field which is wrong."""
    if document["kind"] != "train" and not document.get("model"):
        raise InputError("there is no model yet: train one first, or import one on the page Models")
    return as_request(document)


def read_changes(text: str) -> dict[str, Any]:
    """`steps=100 optimizer.lr=0.0005`, separated by spaces, commas or lines. Raises InputError for anything else."""
    changes: dict[str, Any] = {}
    for part in text.replace(",", " ").split():
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise InputError(f"{part!r} is not a change of the recipe: write field=value, such as steps=100")
        try:
            changes[key] = json.loads(value)
        except ValueError:
            changes[key] = value
        if isinstance(changes[key], float) and not math.isfinite(changes[key]):
            raise InputError(f"{part}: no field of a recipe is so large")
    return changes


def plan_html(plan: dict[str, Any]) -> str:
    """Device and reason first, then time and memory."""
    accelerator, memory = plan["accelerator"], plan.get("memory", {})
    used = accelerator["used"]
    rows = {"device": f"{used.upper()}, {accelerator['device']}, {accelerator['precision']}"}
    if plan.get("estimated_s") is not None:
        rows["time, roughly"] = words.duration_text(plan["estimated_s"])
    if plan.get("steps"):
        rows["work"] = f"{plan['steps']:,} steps of {plan['batch_size']} scenes"
    if memory.get("needed_bytes"):
        rows["memory on a GPU"] = f"{words.bytes_text(memory['needed_bytes'])}, {memory['advice']}"
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows.items())
    why = accelerator.get("reason")
    warning = f'<p class="warn-text">{escape(sentence("Not on the GPU: " + why))}</p>' if why and used == "cpu" else ""
    return f"{warning}<dl>{listed}</dl>"


def _worker_text(worker: Worker) -> str:
    device = f"{words.count(len(worker.devices), 'GPU')}, proved" if worker.gpu_usable else "CPU"
    return f"Worker {worker.name}: {device}"
