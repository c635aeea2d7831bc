"""Record: frequency, receivers, a look at the channel, and the fix of what was heard."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request
from nicegui import ui

from heimdall.service.auth import Role
from heimdall.service.database.tables import Job
from heimdall.service.queue import jobs
from heimdall.service.queue.notifications import queue_of
from heimdall.service.queue.submit import submit
from heimdall.service.receivers import online
from heimdall.service.receivers.online_schemas import OnlineView, view_online
from heimdall.service.transmitters import listed
from heimdall.transmitter import KnownTransmitter
from heimdall.web.layout import frame, panel
from heimdall.web.map.fix_map import FixMap
from heimdall.web.map.map_tools import MapTools
from heimdall.web.map.tile_file import tile_address
from heimdall.web.page_session import Visit, arrive
from heimdall.web.receivers.online_view import is_usable
from heimdall.web.record.channel_form import ChannelForm
from heimdall.web.record.progress_panel import ProgressPanel, Seen
from heimdall.web.record.receiver_choice import ReceiverChoice
from heimdall.web.record.recorded_view import fix_scene
from heimdall.web.record.spectrum_panel import SpectrumPanel
from heimdall.web.sign_in import Entry, to_sign_in
from heimdall.web.training.job_list import JobList

LOOK_EVERY_S = 1.0
_SHOWN = 15


def register(entry: Entry) -> None:
    @ui.page("/record")
    async def show(request: Request) -> object:
        visit = arrive(entry, request)
        if visit is None:
            return to_sign_in(request)
        page = RecordPage(visit, request.query_params.get("job"))
        with frame(visit, "Record"):
            page.build()
        ui.timer(0, page.offer, once=True)
        ui.timer(LOOK_EVERY_S, page.look)
        return None


@dataclass(frozen=True)
class _Found:
    receivers: list[OnlineView]
    jobs: list[Job]
    seen: Seen | None


class RecordPage:
    def __init__(self, visit: Visit, job_id: str | None) -> None:
        self._visit = visit
        self._job_id = job_id
        self._form = ChannelForm()
        self._choice = ReceiverChoice(self._show_choice)
        self._spectrum = SpectrumPanel(visit, self._form.channel)
        self._progress = ProgressPanel(visit, self.choose, self._forget)
        self._receivers: list[OnlineView] | None = None
        self._list = JobList(self.choose, ("None yet", "Recordings and watches appear here."))
        self._mapped: str | None = None
        """The fix that was put on the map."""

    def build(self) -> None:
        settings = self._visit.parts.settings
        may = self._visit.may(Role.OPERATOR)
        with ui.element("div").classes("stack"):
            with panel("Channel") as channel:
                self._form.build()
                ui.button("Record", icon="fiber_manual_record", on_click=self._start).props(
                    "unelevated no-caps"
                ).classes("go")
            channel.set_visibility(may)
            with panel("Receivers"):
                self._choice.build()
            with panel("Recordings"):
                self._list.build()
        with ui.element("div").classes("stack"):
            with ui.element("div").classes("map-box"):
                self._map = FixMap(tile_address(settings), settings.tile_credit, self._no_pick)
                self._map.on_receiver(self._turn)
            with ui.element("div").classes("tools"):
                self._back = ui.button("Receivers", icon="cell_tower", on_click=self._show_choice)
                self._back.props("outline dense no-caps").set_visibility(False)
                for what in ("all", "region"):
                    ui.button(what.capitalize(), on_click=lambda what=what: self._map.zoom_to(what)).props(
                        "flat dense no-caps"
                    )
                MapTools(self._visit, self._map).build()
            if may:
                self._spectrum.build()
            self._progress.build()

    async def offer(self) -> None:
        """The known transmitters that can give clocks, as they are now."""
        found = await self._visit.do(Role.VIEWER, self._known)
        if found is not None:
            self._form.offer(found)

    def _known(self) -> tuple[KnownTransmitter, ...]:
        with self._visit.parts.store.reading() as session:
            return listed.known(session)

    async def _no_pick(self, index: int) -> None:
        """There is one fix on this map."""

    async def look(self) -> None:
        """What is new since the last look."""
        found = await self._visit.do(Role.VIEWER, self._find)
        if found is None:
            return
        if found.receivers != self._receivers:
            self._receivers = found.receivers
            self._choice.show(found.receivers)
            self._show_spectrum(found.receivers)
            if self._mapped is None:
                self._show_choice()
        self._list.show(found.jobs, self._job_id)
        self._progress.draw(found.seen)
        self._map_fix(found.seen)

    def _find(self) -> _Found:
        with self._visit.parts.store.reading() as session:
            receivers = [view_online(each) for each in online.find(session)]
            newest = list(jobs.find(session, records=True, limit=_SHOWN))
        if self._job_id is None and newest:
            self._job_id = newest[0].id
        seen = None if self._job_id is None else self._progress.find(self._job_id)
        return _Found(receivers, newest, seen)

    def _show_spectrum(self, receivers: list[OnlineView]) -> None:
        if self._visit.may(Role.OPERATOR):
            self._spectrum.show([each.name for each in receivers if is_usable(each)])

    def _turn(self, name: str) -> None:
        if name in {each.name for each in self._choice.receivers if each.enabled}:
            self._choice.turn(name)

    def _show_choice(self) -> None:
        self._back.set_visibility(False)
        self._map.show(self._choice.scene())

    def _map_fix(self, seen: Seen | None) -> None:
        """The newest fix of the job, once: who looks at the receivers again is not disturbed."""
        if seen is None or seen.fix is None or seen.fix.id == self._mapped:
            return
        self._mapped = seen.fix.id
        self._map.show(fix_scene(seen.fix, seen.capture.receivers if seen.capture else []))
        self._back.set_visibility(True)

    async def _start(self) -> None:
        job_id = await self._visit.do(Role.OPERATOR, self._submit)
        if job_id is not None:
            ui.notify("In the queue", type="positive", position="bottom")
            await self.choose(job_id)

    def _submit(self) -> str:
        parts = self._visit.parts
        request = self._form.request(self._choice.chosen)
        job = submit(parts.store, request, parts.settings, self._visit.who.name)
        parts.notifier.notify(job.id, queue_of(job))
        return job.id

    async def choose(self, job_id: str) -> None:
        if job_id != self._job_id:
            self._mapped = None
            self._show_choice()
        self._job_id = job_id
        ui.navigate.history.replace(f"/record?job={job_id}")
        await self.look()

    async def _forget(self) -> None:
        self._job_id = self._mapped = None
        ui.navigate.history.replace("/record")
        self._show_choice()
        await self.look()
