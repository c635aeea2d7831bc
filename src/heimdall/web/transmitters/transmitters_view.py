"""Known transmitters as the page shows them: in words, and chosen by text and frequency."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from heimdall.errors import InputError
from heimdall.formats.quantities import hertz
from heimdall.formats.wording import frequency_text, length_text
from heimdall.service.transmitters.listed import Listed
from heimdall.transmitter import Kind, KnownTransmitter
from heimdall.web import words

KINDS = {
    Kind.TIME_SIGNAL: "time signal",
    Kind.AM: "AM",
    Kind.FM: "FM",
    Kind.DAB: "DAB",
    Kind.TELEVISION: "television",
    Kind.BEACON: "beacon",
    Kind.OTHER: "other",
}


@dataclass(frozen=True)
class Wanted:
    """A part of the list: `text` occurs in the name or the source. None: no limit."""

    text: str = ""
    low_hz: float | None = None
    high_hz: float | None = None
    offset: int = 0
    limit: int = 50

    @property
    def filters(self) -> bool:
        return bool(self.text.strip()) or self.low_hz is not None or self.high_hz is not None

    def keeps(self, found: Listed) -> bool:
        """Whether the transmitter is between the frequencies."""
        text = self.text.strip().casefold()
        return text in found.sorts_by or text in found.transmitter.source.casefold()


def read_wanted(text: str, low: str, high: str) -> Wanted:
    """What was typed; empty fields do not matter. Raises InputError for what is no frequency, or no band."""
    low_hz, high_hz = (hertz(each) if each.strip() else None for each in (low, high))
    if low_hz is not None and high_hz is not None and low_hz > high_hz:
        raise InputError(f"{low} is above {high}: write the lower frequency first")
    return Wanted(text, low_hz, high_hz)


def transmitter_html(found: Listed) -> str:
    each = found.transmitter
    chip = '<span class="chip">comes with Heimdall</span>' if found.shipped else ""
    lines = (_signal(each), _place(each), each.source, _added(found))
    listed = "".join(f'<p class="muted">{escape(line)}</p>' for line in lines if line)
    return f'<span class="strong">{escape(each.name)}</span> {chip}{listed}'


def _signal(each: KnownTransmitter) -> str:
    width = "" if each.bandwidth_hz is None else f" · {frequency_text(each.bandwidth_hz)} wide"
    return f"{frequency_text(each.frequency_hz)} · {KINDS[each.kind]}{width}"


def _place(each: KnownTransmitter) -> str:
    height = "" if each.height_m is None else f", height {each.height_m:g} m"
    return f"{each.latitude_deg:.5f}, {each.longitude_deg:.5f} ± {length_text(each.position_sigma_m)}{height}"


def _added(found: Listed) -> str:
    if found.created_unix_s is None:
        return ""
    return f"added by {found.created_by}, {words.time_text(found.created_unix_s)}"
