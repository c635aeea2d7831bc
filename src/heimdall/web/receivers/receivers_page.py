"""Receivers: where they stand, how far their clocks and levels can be trusted, and calibration on a known transmitter."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from fastapi import Request
from nicegui import ui
from nicegui.elements.upload_files import FileUpload
from pydantic import ValidationError
from sqlalchemy.orm import Session

from heimdall.errors import InputError
from heimdall.service.auth import Role
from heimdall.service.database.tables import RegisteredReceiver, StoredSession
from heimdall.service.receivers import registered, session_calibration, session_check
from heimdall.service.receivers.registered import ReceiverFields, RegisteredReceivers
from heimdall.service.receivers.session_calibration import Calibration
from heimdall.service.receivers.session_check import Checked
from heimdall.service.storage import sessions
from heimdall.web import dialogs, words
from heimdall.web.layout import empty, frame, panel
from heimdall.web.page_session import Visit, arrive
from heimdall.web.receivers.online_panel import OnlinePanel
from heimdall.web.receivers.receiver_form import ask_receiver
from heimdall.web.receivers.receivers_view import calibration_html, check_html, registered_html
from heimdall.web.sign_in import Entry, to_sign_in
from heimdall.web.uploader import Uploader

_IMPORT_LIMIT_BYTES = 5_000_000


def register(entry: Entry) -> None:
    @ui.page("/receivers")
    async def show(request: Request) -> object:
        visit = arrive(entry, request)
        if visit is None:
            return to_sign_in(request)
        page = ReceiversPage(visit)
        with frame(visit, "Receivers"):
            page.build()
        ui.timer(0, page.open, once=True)
        return None


class ReceiversPage:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._online = OnlinePanel(visit)

    async def open(self) -> None:
        await self._online.look()
        await self.look()

    def build(self) -> None:
        with ui.element("div").classes("stack"):
            if self._visit.may(Role.OPERATOR):
                self._online.build_form()
                self._build_changes()
            with panel("Calibrate", hint="on a known transmitter"):
                self._build_calibration()
        with ui.element("div").classes("stack"):
            self._online.build_list()
            with panel("Registered receivers", hint="place, clock and correction of those in uploaded sessions"):
                self._list = ui.element("div")
            with panel("Check", hint="which of them are bad"):
                ui.label(
                    "Each receiver against what the others say, over all stored sessions: the worst first."
                ).classes("muted")
                ui.button("Check", on_click=self._check).props("outline no-caps")
                self._checked = ui.element("div")
            self._result = ui.element("div")

    def _build_changes(self) -> None:
        with panel("Register"):
            with ui.element("div").classes("buttons"):
                ui.button("Add a receiver", icon="add", on_click=self._add).props("unelevated no-caps")
                ui.button("Export", icon="download", on_click=self._export).props("outline no-caps")
            label, name = "Import a list (.json)", "Import receivers"
            Uploader(self._visit, label, name, self._uploaded, _IMPORT_LIMIT_BYTES, accept=".json")

    def _build_calibration(self) -> None:
        ui.label(
            "Delay and level of each receiver against the mean of all, from sessions whose transmitter is known."
        ).classes("muted")
        self._chosen = ui.select({}, value=[], multiple=True, label="Sessions").props(
            "dense outlined options-dense use-chips"
        )
        self._chosen.classes("wide")
        with ui.element("div").classes("buttons"):
            ui.button("Find", on_click=lambda: self._calibrate(False)).props("outline no-caps")
            if self._visit.may(Role.OPERATOR):
                ui.button("Find and keep", on_click=lambda: self._calibrate(True)).props("unelevated no-caps")

    async def look(self) -> None:
        found = await self._visit.do(Role.VIEWER, self._find)
        if found is None:
            return
        known, stored = found
        self._chosen.set_options({each.id: each.name for each in stored})
        self._list.clear()
        with self._list:
            if not known:
                empty(
                    "No receiver registered",
                    "Add one, import a list, or calibrate: registered receivers keep their corrections.",
                )
            for row in known:
                self._draw(row)

    def _find(self) -> tuple[Sequence[RegisteredReceiver], list[StoredSession]]:
        with self._visit.parts.store.reading() as session:
            known = [each for each in sessions.find(session) if each.summary.get("with_truth")]
            return registered.find(session), known

    def _draw(self, row: RegisteredReceiver) -> None:
        with ui.element("div").classes("station"):
            ui.html(registered_html(row), sanitize=False).classes("grow")
            if self._visit.may(Role.OPERATOR):
                with ui.element("div").classes("buttons"):
                    ui.button("Edit", on_click=lambda: self._edit(row)).props("flat dense no-caps")
                    ui.button("Forget", on_click=lambda: self._ask_delete(row)).props("flat dense no-caps")

    def _add(self) -> None:
        async def save(fields: ReceiverFields) -> bool:
            return await self._change(lambda session: registered.add(session, fields))

        ask_receiver(self._visit, "Add a receiver", None, save)

    def _edit(self, row: RegisteredReceiver) -> None:
        async def save(fields: ReceiverFields) -> bool:
            return await self._change(lambda session: registered.change(session, row.id, fields))

        ask_receiver(self._visit, f"Edit {row.name}", registered.fields_of(row), save)

    def _ask_delete(self, row: RegisteredReceiver) -> None:
        question = f"Forget {row.name}, with its place and its correction?"
        dialogs.confirm(question, "Forget", lambda: self._delete(row))

    async def _delete(self, row: RegisteredReceiver) -> None:
        await self._change(lambda session: registered.delete(session, row.id))

    async def _change(self, work: Callable[[Session], object]) -> bool:
        done = await self._visit.change(Role.OPERATOR, work)
        if done:
            await self.look()
        return done

    async def _export(self) -> None:
        def listed() -> bytes:
            with self._visit.parts.store.reading() as session:
                found = RegisteredReceivers(receivers=[registered.fields_of(row) for row in registered.find(session)])
            return found.model_dump_json(indent=2).encode()

        content = await self._visit.do(Role.VIEWER, listed)
        if content is not None:
            ui.download.content(content, "receivers.json")

    async def _uploaded(self, files: Sequence[FileUpload]) -> None:
        content = await files[0].read()

        def apply() -> int:
            listed = read_list(content)
            with self._visit.parts.store.writing() as session:
                return registered.import_all(session, listed)

        count = await self._visit.do(Role.OPERATOR, apply)
        if count is not None:
            ui.notify(f"{words.count(count, 'receiver')} imported", type="positive", position="bottom")
            await self.look()

    async def _check(self) -> None:
        found = await self._visit.do(Role.VIEWER, self._check_stored)
        if found is None:
            return
        self._checked.clear()
        with self._checked:
            if not found.receivers:
                empty(
                    "Nothing to check",
                    "Upload sessions on the page Map: each of them says something about its receivers.",
                )
            else:
                ui.html(check_html(found), sanitize=False)

    def _check_stored(self) -> Checked:
        parts = self._visit.parts
        with parts.store.reading() as session:
            chosen, known = list(sessions.find(session)), registered.find(session)
        return parts.locator.run(lambda: session_check.check(parts.settings, chosen, known)).result()

    async def _calibrate(self, keep: bool) -> None:
        chosen = list(self._chosen.value or [])
        role = Role.OPERATOR if keep else Role.VIEWER
        found = await self._visit.do(role, self._found, chosen, keep)
        if found is None:
            return
        self._result.clear()
        with (
            self._result,
            panel(
                "Calibration",
                hint=f"{words.count(found.observations, 'observation')}, {'kept' if keep else 'not kept'}",
            ),
        ):
            ui.html(calibration_html(found), sanitize=False)
        await self.look()

    def _found(self, chosen: list[str], keep: bool) -> Calibration:
        parts = self._visit.parts
        with parts.store.reading() as session:
            stored = [sessions.get(session, each) for each in chosen]
            known = registered.find(session)
        found = session_calibration.calibrate(parts.settings, stored, known)
        if not keep:
            return found
        return session_calibration.keep(parts.store, parts.settings, stored, found)


def read_list(content: bytes) -> RegisteredReceivers:
    """Raises InputError that names the first entry which is wrong."""
    try:
        return RegisteredReceivers.model_validate(json.loads(content))
    except ValidationError as error:
        raise InputError(words.validation_text(error)) from error
    except ValueError as error:
        raise InputError(f"the list is not JSON: {error}") from error
