"""What is recorded, and when: once, again and again, or when the signal is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nicegui import ui
from pydantic import ValidationError

from heimdall.errors import InputError
from heimdall.formats.wording import hertz
from heimdall.service.auth import Role
from heimdall.service.queue.job_requests import AnyRequest, read_request
from heimdall.service.queue.notifications import queue_of
from heimdall.service.queue.submit import submit
from heimdall.web import words
from heimdall.web.page_session import Visit

ONCE, EVERY, CRON, SQUELCH = "once", "every", "cron", "squelch"
_WHEN = {ONCE: "now, once", EVERY: "every … seconds", CRON: "by a cron line", SQUELCH: "when the signal is there"}
_DETAIL = {
    EVERY: "Seconds from start to start",
    CRON: "Minute hour day month weekday, UTC",
    SQUELCH: "dB above the noise",
}
_USUAL = {EVERY: "600", CRON: "*/10 * * * *", SQUELCH: "10"}


class RecordForm:
    def __init__(self, visit: Visit, chosen: Callable[[], set[str]], started: Callable[[str], Awaitable[None]]) -> None:
        """`chosen` are the names of the receivers; `started` is told the job."""
        self._visit = visit
        self._chosen = chosen
        self._started = started

    def build(self) -> None:
        with ui.element("div").classes("form"):
            self._frequency = self._input("Frequency, such as 77.5k or 433.92M", "")
            self._bandwidth = self._input("Bandwidth", "10k")
            self._seconds = self._input("Seconds", "30")
            self._when = ui.select(_WHEN, value=ONCE, label="When", on_change=self._show_detail)
            self._when.props("dense outlined options-dense")
            self._detail = self._input("", "")
            self._name = self._input("Name", "")
        ui.button("Record", icon="radio_button_checked", on_click=self._start).props("unelevated no-caps").classes("go")
        self._show_detail()

    def _input(self, label: str, value: str) -> ui.input:
        return ui.input(label, value=value).props("dense outlined")

    def _show_detail(self) -> None:
        when = self._when.value
        self._detail.set_visibility(when != ONCE)
        self._detail.props(f'label="{_DETAIL.get(when, "")}"')
        self._detail.set_value(_USUAL.get(when, ""))

    async def _start(self) -> None:
        job_id = await self._visit.do(Role.OPERATOR, self._submit)
        if job_id is not None:
            ui.notify("In the queue", type="positive", position="bottom")
            await self._started(job_id)

    def _submit(self) -> str:
        parts = self._visit.parts
        fields = (self._frequency, self._bandwidth, self._seconds, self._when, self._detail, self._name)
        request = as_request(*(each.value or "" for each in fields), receivers=sorted(self._chosen()))
        job = submit(parts.store, request, parts.settings, self._visit.who.name)
        parts.notifier.notify(job.id, queue_of(job))
        return job.id


def as_request(
    frequency: str, bandwidth: str, seconds: str, when: str, detail: str, name: str, *, receivers: Sequence[str]
) -> AnyRequest:
    """What was typed. Raises InputError that says which field is wrong."""
    if not receivers:
        raise InputError("no receiver is chosen: tick those that shall record")
    document: dict[str, Any] = {
        "kind": "record" if when == ONCE else "watch",
        "name": name.strip(),
        "frequency_hz": hertz(frequency),
        "bandwidth_hz": hertz(bandwidth),
        "seconds": _number(seconds, "seconds"),
        "receivers": list(receivers),
    }
    if when == CRON:
        document["cron"] = detail.strip()
    elif when == EVERY:
        document["every_s"] = _number(detail, "seconds from start to start")
    elif when == SQUELCH:
        open_db = _number(detail, "dB above the noise")
        document["squelch"] = {"open_db": open_db, "close_db": max(0.6 * open_db, 0.5)}
    try:
        return read_request(document)
    except ValidationError as error:
        raise InputError(words.validation_text(error, skip=1)) from error


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{what}: {text!r} is not a number") from None
