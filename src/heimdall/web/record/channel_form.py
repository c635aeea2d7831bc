"""What is to be recorded, and when; read as the request of a job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from heimdall.capture import LEAST_RECEIVERS
from heimdall.errors import InputError
from heimdall.formats.quantities import hertz
from heimdall.formats.wording import frequency_text
from heimdall.service.queue import job_requests
from heimdall.transmitter import KnownTransmitter
from heimdall.web.job_request import as_request

ONCE, EVERY, CRON, SIGNAL = "once", "every", "cron", "signal"
_OCCASIONS = {
    ONCE: "once, now",
    EVERY: "again and again",
    CRON: "by a cron line",
    SIGNAL: "when the signal is there",
}
_OWN_CLOCKS = "the receivers themselves"


class ChannelForm:
    def build(self) -> None:
        with ui.element("div").classes("form"):
            self._frequency = self._input("Frequency in Hz, such as 77.5k", "")
            self._width = self._input("Width of the channel in Hz, such as 1k", "10k")
            self._seconds = ui.number("Seconds", value=30, min=1).props("dense outlined")
            self._occasion = ui.select(_OCCASIONS, value=ONCE, label="When", on_change=self._show)
            self._occasion.props("dense outlined options-dense")
            self._minutes = ui.number("Interval in minutes", value=10, min=0.1).props("dense outlined")
            self._cron = self._input("Minute hour day month weekday, in UTC", "*/10 * * * *")
            self._above = ui.number("Threshold in dB above the noise", value=10, min=1).props("dense outlined")
            self._most = ui.number("Recordings at most; empty: until cancelled", min=1, format="%d")
            self._most.props("dense outlined")
            self._reference = ui.select({None: _OWN_CLOCKS}, value=None, label="Clocks from")
            self._reference.props("dense outlined options-dense")
            self._reference.tooltip("A known transmitter that rtl_tcp receivers are tuned to as well, for their clocks")
        self._show()

    def offer(self, transmitters: Sequence[KnownTransmitter]) -> None:
        """Offers the transmitters that can give clocks."""
        options: dict[str | None, str] = {None: _OWN_CLOCKS}
        options |= {each.name: f"{each.name}, {frequency_text(each.frequency_hz)}" for each in transmitters}
        self._reference.set_options(options)

    def _input(self, label: str, value: str) -> ui.input:
        return ui.input(label, value=value).props("dense outlined")

    def _show(self) -> None:
        occasion = self._occasion.value
        self._minutes.set_visibility(occasion == EVERY)
        self._cron.set_visibility(occasion == CRON)
        self._above.set_visibility(occasion == SIGNAL)
        self._most.set_visibility(occasion != ONCE)

    def channel(self) -> tuple[float, float]:
        """Centre and width in Hz. Raises InputError."""
        if not (self._frequency.value or "").strip():
            raise InputError("say at which frequency: 77500, 77.5k or 433.92M")
        return hertz(self._frequency.value or ""), hertz(self._width.value or "")

    def request(self, receivers: Sequence[str]) -> job_requests.AnyRequest:
        """Raises InputError that names the first field which is wrong."""
        frequency_hz, bandwidth_hz = self.channel()
        document = {
            "frequency_hz": frequency_hz,
            "bandwidth_hz": bandwidth_hz,
            "seconds": self._seconds.value,
            "receivers": list(receivers),
            "reference": None if self._reference.value is None else {"transmitter": self._reference.value},
        }
        return read_request(document | self._when())

    def _when(self) -> dict[str, Any]:
        occasion = self._occasion.value
        if occasion == ONCE:
            return {"kind": "record"}
        most = self._most.value
        rest: dict[str, Any] = {"kind": "watch", "most": None if most is None else int(most)}
        if occasion == EVERY:
            return rest | {"every_s": 60.0 * (self._minutes.value or 0.0)}
        if occasion == CRON:
            return rest | {"cron": self._cron.value or ""}
        above_db = self._above.value or 0.0
        return rest | {"squelch": {"open_db": above_db, "close_db": min(6.0, 0.6 * above_db)}}


def read_request(document: dict[str, Any]) -> job_requests.AnyRequest:
    """Raises InputError that names the first field which is wrong."""
    if len(document["receivers"]) < LEAST_RECEIVERS:
        raise InputError("choose at least two receivers, on the map or in the list: one alone locates nothing")
    return as_request(document)
