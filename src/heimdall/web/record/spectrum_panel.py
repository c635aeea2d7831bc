"""What one receiver hears, before anything is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from nicegui import background_tasks, ui
from nicegui.element import Element

from heimdall.capture.spectrum import Spectrum
from heimdall.errors import HeimdallError
from heimdall.formats.wording import frequency_text
from heimdall.service.auth import Role
from heimdall.service.database.tables import OnlineReceiver
from heimdall.service.receivers import online, preview
from heimdall.web.layout import panel
from heimdall.web.page_session import Visit

_SECONDS = 30.0


class Waterfall(Element, component="waterfall.js"):
    def push(self, spectrum: Spectrum, channel_hz: tuple[float, float]) -> None:
        self.run_method(
            "push",
            {
                "low_hz": spectrum.low_hz,
                "high_hz": spectrum.high_hz,
                "power_db": list(spectrum.power_db),
                "channel_hz": list(channel_hz),
            },
        )


class SpectrumPanel:
    """`channel` says what is typed: centre and width in Hz; it raises InputError."""

    def __init__(self, visit: Visit, channel: Callable[[], tuple[float, float]]) -> None:
        self._visit = visit
        self._channel = channel
        self._task: asyncio.Task[None] | None = None

    def build(self) -> None:
        with panel("Spectrum", hint=f"of one receiver, for {_SECONDS:g} s; it takes one of its slots"):
            with ui.element("div").classes("tools"):
                self._receiver = ui.select([], label="Receiver").props("dense outlined options-dense").classes("narrow")
                self._button = ui.button("Look", icon="graphic_eq", on_click=self._turn).props("outline dense no-caps")
                self._told = ui.label("").classes("muted").props("role=status")
            self._waterfall = Waterfall()
            self._waterfall.set_visibility(False)
        ui.context.client.on_disconnect(self.stop)

    def show(self, names: list[str]) -> None:
        """Which receivers can be looked at."""
        value = self._receiver.value if self._receiver.value in names else next(iter(names), None)
        if names != self._receiver.options or value != self._receiver.value:
            self._receiver.set_options(names, value=value)

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _turn(self) -> None:
        if self._task is not None:
            return self.stop()
        try:
            frequency_hz, width_hz = self._channel()
        except HeimdallError as error:
            return self._visit.complain(str(error))
        receiver = await self._visit.do(Role.OPERATOR, self._find, self._receiver.value or "")
        if receiver is not None:
            self._task = background_tasks.create(self._listen(receiver, frequency_hz, width_hz))

    def _find(self, name: str) -> OnlineReceiver:
        with self._visit.parts.store.reading() as session:
            return online.get(session, name)

    async def _listen(self, receiver: OnlineReceiver, frequency_hz: float, width_hz: float) -> None:
        settings = self._visit.parts.settings
        self._button.set_text("Stop")
        self._told.set_text(f"Connecting to {receiver.name} …")
        self._waterfall.set_visibility(True)
        edges_hz = frequency_hz - width_hz / 2, frequency_hz + width_hz / 2
        try:
            async with aclosing(preview.spectra(receiver, frequency_hz, width_hz, settings, _SECONDS)) as found:
                async for each in found:
                    self._draw(receiver.name, each, edges_hz)
            self._told.set_text("Ended")
        except HeimdallError as error:
            self._told.set_text("")
            self._visit.complain(str(error))
        finally:
            self._task = None
            self._button.set_text("Look")

    def _draw(self, name: str, spectrum: Spectrum, edges_hz: tuple[float, float]) -> None:
        level = "" if spectrum.level_dbm is None else f", {spectrum.level_dbm:.0f} dBm"
        if spectrum.power_db:
            self._waterfall.push(spectrum, edges_hz)
        band = f"{frequency_text(spectrum.low_hz)} to {frequency_text(spectrum.high_hz)}"
        self._told.set_text(f"{name}, {band}{level}")
