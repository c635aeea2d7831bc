"""Models: which one locates, how good each is, and what it takes to change that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from fastapi import Request
from nicegui import events, ui
from nicegui.elements.upload_files import FileUpload

from heimdall.service.api.routes.models import ModelView, import_model, view_model
from heimdall.service.auth import Role
from heimdall.service.models import registry
from heimdall.service.models.model_cache import get_model
from heimdall.service.queue.submit import provide
from heimdall.service.storage.uploads import Upload, model_limits, receiving
from heimdall.web import dialogs, words
from heimdall.web.chart import Axis, LineChart
from heimdall.web.downloads import MODELS
from heimdall.web.layout import empty, frame, panel
from heimdall.web.models import model_view
from heimdall.web.page_session import FAILURES, Visit, arrive
from heimdall.web.rows import Pick, PickRow, Rows
from heimdall.web.sign_in import Entry, to_sign_in
from heimdall.web.uploader import Uploader

_LOOK_EVERY_S = 2.0


def register(entry: Entry) -> None:
    @ui.page("/models")
    async def show(request: Request) -> object:
        visit = arrive(entry, request)
        if visit is None:
            return to_sign_in(request)
        page = ModelsPage(visit, request.query_params.get("model"))
        with frame(visit, "Models"):
            page.build()
        ui.timer(0, page.look, once=True)
        ui.timer(_LOOK_EVERY_S, page.follow)
        return None


class ModelsPage:
    def __init__(self, visit: Visit, model_id: str | None) -> None:
        self._visit = visit
        self._model_id = model_id
        self._rival: str | None = None
        self._models: list[ModelView] = []
        self._rows = Rows(lambda: PickRow(self._choose), key=lambda state: state.id)

    def build(self) -> None:
        with ui.element("div").classes("stack"):
            with panel("Models"):
                self._rows.build("list")
            if self._visit.may(Role.OPERATOR):
                with panel("Import"):
                    label, name = "Choose a bundle or drop it here", "Import a bundle"
                    limit_bytes = self._visit.parts.settings.model_mb * 1e6
                    Uploader(self._visit, label, name, self._uploaded, limit_bytes, accept=".heimdall")
                    ui.label("NAME.heimdall. It is listed if its hashes, its format and its network hold.").classes(
                        "muted"
                    )
        with ui.element("div").classes("stack"):
            self._head = ui.element("div").classes("stack")
            # The chart stays, for one that is removed before the browser has drawn it fails there.
            with ui.element("div").classes("halves") as self._scores:
                with panel("Coverage", hint="of the frozen evaluation"):
                    x, y = (Axis(label, 0.0, 1.0) for label in ("probability of the region", "held the truth"))
                    self._coverage = LineChart("Coverage of the regions", x, y, model_view.NOT_YET)
                with panel("Error against the bound", hint="median over the bound's median"):
                    self._bound = ui.html("", sanitize=False)
            self._rest = ui.element("div").classes("stack")
        self._scores.set_visibility(False)

    async def look(self) -> None:
        found = await self._visit.do(Role.VIEWER, self._find)
        if found is None:
            return
        self._models = found
        if self._chosen() is None:
            self._model_id = next((each.id for each in found if each.champion), found[0].id if found else None)
        self._draw()

    async def follow(self) -> None:
        """While a promotion waits, what became of it."""
        if (waited := next((each.id for each in self._models if each.candidate), None)) is None:
            return
        await self.look()
        model = next((each for each in self._models if each.id == waited), None)
        if model is None or model.candidate:
            return
        if model.champion:
            self._notify_champion(model.name)
        elif model.not_promoted is not None:
            self._visit.complain(model.not_promoted)

    def _find(self) -> list[ModelView]:
        parts = self._visit.parts
        with parts.store.reading() as session:
            return [view_model(session, parts.settings, model) for model in registry.find(session)]

    def _chosen(self) -> ModelView | None:
        return next((each for each in self._models if each.id == self._model_id), None)

    def _draw(self) -> None:
        nothing = "Train one on the page Training, or import a bundle. Until then the likelihood locates."
        self._rows.show([self._pick(each) for each in self._models], ("No model yet", nothing))
        self._head.clear()
        self._rest.clear()
        chosen = self._chosen()
        self._scores.set_visibility(chosen is not None)
        if chosen is not None:
            self._draw_model(chosen)
            return
        with self._head, panel(""):
            empty("Nothing to show", "Scores, coverage and the training record of a model appear here.")

    def _pick(self, each: ModelView) -> Pick:
        chip = ' <span class="chip good">champion</span>' if each.champion else ""
        about = f"{each.id[:6]} · {words.ago_text(each.created_utc.timestamp())} · {words.bytes_text(each.size_bytes)}"
        html = f'<span class="strong">{escape(each.name)}</span>{chip}<br><span class="muted">{escape(about)}</span>'
        return Pick(each.id, html, each.id == self._model_id)

    async def _choose(self, model_id: str) -> None:
        self._model_id, self._rival = model_id, None
        ui.navigate.history.replace(f"/models?model={model_id}")
        await self.look()

    def _draw_model(self, model: ModelView) -> None:
        with self._head, panel(model.name):
            ui.html(model_view.head_html(model), sanitize=False)
            self._draw_buttons(model)
            if model.candidate:
                ui.html(_WAITING_HTML, sanitize=False)
        self._coverage.draw(model_view.coverage_curves(model))
        self._bound.set_content(model_view.bound_html(model))
        with self._rest:
            self._draw_comparison(model)
            with panel("Training record"):
                ui.html(model_view.record_html(model), sanitize=False)

    def _draw_buttons(self, model: ModelView) -> None:
        with ui.element("div").classes("buttons"):
            if self._visit.may(Role.ADMIN) and not model.champion:
                button = ui.button("Promote", icon="emoji_events", on_click=self._promote).props(
                    "unelevated dense no-caps"
                )
                button.set_enabled(not model.candidate)
            ui.button("Download", icon="download", on_click=self._download).props("outline dense no-caps")
            if self._visit.may(Role.OPERATOR):
                if model.frozen is None:
                    ui.button("Evaluate", on_click=lambda: self._evaluate(model.id)).props("outline dense no-caps")
                ui.button("Rename", on_click=lambda: self._ask_name(model)).props("flat dense no-caps")
            if self._visit.may(Role.ADMIN) and not model.champion:
                ui.button("Delete", on_click=lambda: self._ask_delete(model)).props("flat dense no-caps")

    def _ask_name(self, model: ModelView) -> None:
        dialogs.ask("Rename", "Name", model.name, lambda text: self._rename(model.id, text))

    def _ask_delete(self, model: ModelView) -> None:
        question = f"Delete {model.name}? Jobs that name it and have not run will fail."
        dialogs.confirm(question, "Delete", lambda: self._delete(model.id))

    async def _rename(self, model_id: str, text: str) -> bool:
        done = await self._visit.change(Role.OPERATOR, lambda session: registry.rename(session, model_id, text))
        await self.look()
        return done

    async def _delete(self, model_id: str) -> None:
        parts = self._visit.parts
        await self._visit.do(Role.ADMIN, registry.delete, parts.store, parts.artifacts, model_id)
        await self.look()

    def _draw_comparison(self, model: ModelView) -> None:
        others = {each.id: f"{each.name} ({each.id[:6]})" for each in self._models if each.id != model.id}
        if not others:
            return
        with panel("Compare"):
            choice = (
                ui.select(others, value=self._rival, label="With")
                .props("dense outlined options-dense")
                .classes("medium")
            )
            choice.on_value_change(self._rival_chosen)
            rival = next((each for each in self._models if each.id == self._rival), None)
            if rival is not None:
                ui.html(model_view.comparison_html(model, rival), sanitize=False)

    def _rival_chosen(self, event: events.ValueChangeEventArguments[str]) -> None:
        self._rival = event.value
        self._draw()

    async def _promote(self) -> None:
        if self._model_id is None:
            return
        promotion = await self._visit.do(
            Role.ADMIN, self._visit.parts.promoter.ask, self._model_id, self._visit.who.name
        )
        if promotion is not None and promotion.promoted:
            self._notify_champion(promotion.reason)
        await self.look()

    def _notify_champion(self, text: str) -> None:
        ui.notify(f"Champion: {text}", type="positive", position="bottom", timeout=8000)

    async def _evaluate(self, model_id: str) -> None:
        def start() -> str:
            parts = self._visit.parts
            provide(registry.frozen_request(parts.settings, model_id), parts.settings)
            with parts.store.writing() as session:
                job_id = registry.evaluate(session, parts.settings, model_id, self._visit.who.name).id
            parts.notifier.notify(job_id)
            return job_id

        job_id = await self._visit.do(Role.OPERATOR, start)
        if job_id is not None:
            ui.navigate.to(f"/training?job={job_id}")

    async def _download(self) -> None:
        model_id = self._model_id
        if model_id is not None and await self._visit.do(Role.VIEWER, self._is_there, model_id):
            self._visit.take_away(f"{MODELS}/{model_id}")

    def _is_there(self, model_id: str) -> bool:
        """Raises UnknownError for one that is gone."""
        with self._visit.parts.store.reading() as session:
            return bool(get_model(session, model_id))

    async def _uploaded(self, files: Sequence[FileUpload]) -> None:
        settings = self._visit.parts.settings
        with receiving(settings, model_limits(settings)) as upload:
            try:
                path = upload.room_for(files[0].name, files[0].size())
                await files[0].save(path)
            except FAILURES as error:
                return self._visit.tell(error)
            view = await self._visit.do(Role.OPERATOR, self._import(upload))
        if view is not None:
            ui.notify("Imported", type="positive", position="bottom")
            await self._choose(view)

    def _import(self, upload: Upload) -> Callable[[], str]:
        path = next(upload.folder.iterdir())
        return lambda: import_model(self._visit.parts, path, self._visit.who.name).id


_WAITING_HTML = (
    '<p class="notice warn" role="status">It is being evaluated on the frozen set, and becomes champion by itself if it wins, '
    'also when you leave this page. <a href="/training">Follow the evaluation</a></p>'
)
