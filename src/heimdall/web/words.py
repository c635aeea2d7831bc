"""Small wordings and questions that several pages share."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from nicegui import ui

from heimdall.errors import InputError
from heimdall.formats.wording import frequency_text
from heimdall.observation import Place
from heimdall.service.storage.sessions import Summary

_NUMBER = r"(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)"
_PLACE = re.compile(rf"\s*\[?\s*{_NUMBER}\s*°?\s*[,; ]\s*{_NUMBER}\s*°?\s*(?:[,; ]\s*{_NUMBER})?\s*\]?\s*")


def about_session(summary: Summary) -> str:
    parts = [
        count(summary.observations, "observation"),
        count(len(summary.receivers), "receiver"),
        frequency_text(summary.frequency_hz[0]),
        " + ".join({"iq": "IQ"}.get(each, each) for each in summary.carries),
    ]
    if summary.with_truth:
        parts.append(
            "transmitter known" if summary.with_truth == summary.observations else f"{summary.with_truth} known"
        )
    return " · ".join(part for part in parts if part)


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration_text(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 129_600 else f"{seconds / 86_400:.1f} days"


def ago_text(unix_s: float, now: datetime | None = None) -> str:
    seconds = ((now or datetime.now(UTC)) - datetime.fromtimestamp(unix_s, UTC)).total_seconds()
    return "now" if seconds < 2 else f"{duration_text(seconds)} ago"


def bytes_text(size_bytes: float) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.3g} {unit}"
    return f"{size_bytes:.0f} bytes"


def number_text(value: object) -> str:
    """Four digits of a number, never with a power of ten where people count; a dash for none."""
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"


def score_name(name: str) -> str:
    """`hybrid/median_m` as people read it: hybrid, median in m."""
    plain = name.replace("/", ", ").replace("_", " ")
    return f"{plain[:-2]} in m" if plain.endswith(" m") else plain


def place_text(place: Place) -> str:
    """To the last digit, as `read_place` reads it: a form must not change what nobody edits."""
    known = [place.latitude_deg, place.longitude_deg, *([] if place.height_m is None else [place.height_m])]
    return ", ".join(map(repr, known))


def read_place(text: str) -> Place | None:
    """`50.0155, 9.0108` or with a height; None for nothing. Raises InputError for anything else."""
    if not text.strip():
        return None
    found = _PLACE.fullmatch(text)
    if found is None:
        raise InputError(f"{text.strip()!r} is no place: write latitude, longitude in degrees, such as 50.0155, 9.0108")
    latitude_deg, longitude_deg = float(found[1]), float(found[2])
    if abs(latitude_deg) > 90 or abs(longitude_deg) > 180:
        raise InputError(
            f"{text.strip()} is not on the globe: latitude comes first, -90 to 90, then longitude, -180 to 180"
        )
    return Place(latitude_deg, longitude_deg, float(found[3]) if found[3] else None)


def confirm(question: str, action: str, go: Callable[[], Awaitable[None]]) -> None:
    """A dialog before something that cannot be undone."""
    with ui.dialog(value=True) as dialog, ui.card().classes("ask"):
        ui.label(question)

        async def agreed() -> None:
            dialog.close()
            await go()

        with ui.element("div").classes("buttons"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps autofocus")
            ui.button(action, on_click=agreed).props("unelevated no-caps color=negative")


def ask(title: str, label: str, value: str, answer: Callable[[str], Awaitable[bool]]) -> None:
    """A dialog with one line of text; it closes when `answer` is content, or when nothing was changed."""
    with ui.dialog(value=True) as dialog, ui.card().classes("ask"):
        ui.label(title).classes("title")
        field = ui.input(label, value=value).props("outlined dense autofocus").classes("wide")

        async def save() -> None:
            text = field.value or ""
            if text == value or await answer(text):
                dialog.close()

        field.on("keydown.enter", save)
        with ui.element("div").classes("buttons"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
            ui.button("Save", on_click=save).props("unelevated no-caps")
