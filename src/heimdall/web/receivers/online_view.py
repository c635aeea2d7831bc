"""Receivers by address as pages show them: in words, and chosen by distance, band and GPS."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from heimdall.errors import InputError
from heimdall.formats.quantities import hertz
from heimdall.formats.wording import frequency_text, length_text
from heimdall.geometry import geodesic_distance_m
from heimdall.observation import Place
from heimdall.service.receivers.online_schemas import OnlineView, ReceiverState
from heimdall.web import words
from heimdall.web.page_session import sentence
from heimdall.web.places import read_place

_GIVES = {"iq with gps time": "IQ with GPS time", "iq": "IQ without time", "level": "level only"}


@dataclass(frozen=True)
class Filter:
    """None: it does not matter."""

    near: Place | None = None
    within_m: float | None = None
    frequency_hz: float | None = None
    gps: bool = False

    def keeps(self, receiver: OnlineView) -> bool:
        """What a receiver does not say of itself does not fulfil a condition, except the band."""
        state = receiver.state
        if self.gps and not (state and state.has_gps):
            return False
        if self.frequency_hz is not None and state and state.band_hz:
            low_hz, high_hz = state.band_hz
            if not low_hz <= self.frequency_hz <= high_hz:
                return False
        return self.within_m is None or self.near is None or self._is_near(receiver)

    def _is_near(self, receiver: OnlineView) -> bool:
        distance_m = distance_of(receiver, self.near)
        return distance_m is not None and self.within_m is not None and distance_m <= self.within_m


def read_filter(near: str, within_km: float | None, frequency: str, gps: bool) -> Filter:
    """What was typed; empty fields do not matter. Raises InputError."""
    place = read_place(near, coarsest_m=200_000)
    if within_km is not None and within_km <= 0:
        raise InputError("the distance must be more than 0 km")
    within_m = None if within_km is None else 1000.0 * within_km
    return Filter(place, within_m, hertz(frequency) if frequency.strip() else None, gps)


def distance_of(receiver: OnlineView, place: Place | None) -> float | None:
    """Distance in m; None if either position is unknown."""
    if place is None or receiver.latitude_deg is None or receiver.longitude_deg is None:
        return None
    return geodesic_distance_m(place.latitude_deg, place.longitude_deg, receiver.latitude_deg, receiver.longitude_deg)


def is_usable(receiver: OnlineView) -> bool:
    return receiver.enabled and receiver.state is not None and receiver.state.usable


def state_words(receiver: OnlineView) -> tuple[str, str]:
    """A word and its tone: good, warn, bad or nothing."""
    if not receiver.enabled:
        return "off", ""
    if receiver.state is None:
        return "not asked yet", ""
    return ("ready", "good") if receiver.state.usable else ("not usable", "bad")


def receiver_html(receiver: OnlineView, near: Place | None = None) -> str:
    word, tone = state_words(receiver)
    state = receiver.state
    reason = sentence(state.reason) if state and state.reason and receiver.enabled else ""
    lines = [_about(receiver, near), receiver.address, *(_asked(receiver)), receiver.note]
    listed = "".join(f'<p class="muted">{escape(line)}</p>' for line in lines if line)
    told = f'<p class="warn-text">{escape(reason)}</p>' if reason else ""
    chip = f'<span class="chip {tone}">{word}</span>'
    return f'<span class="strong">{escape(receiver.name)}</span> {chip}{told}{listed}'


def short_text(receiver: OnlineView) -> str:
    """One line beside a name."""
    state = receiver.state
    if receiver.enabled and state and not state.usable:
        return state.reason or "not usable"
    if not receiver.enabled or state is None:
        return state_words(receiver)[0]
    return " · ".join(_figures(state)) or "ready"


def _about(receiver: OnlineView, near: Place | None) -> str:
    parts = []
    if receiver.latitude_deg is not None and receiver.longitude_deg is not None:
        parts.append(f"{receiver.latitude_deg:.4f}, {receiver.longitude_deg:.4f}")
    distance_m = distance_of(receiver, near)
    if distance_m is not None:
        parts.append(f"{length_text(distance_m)} away")
    return " · ".join([*parts, *(_figures(receiver.state) if receiver.state else ())])


def _figures(state: ReceiverState) -> list[str]:
    found = [_GIVES.get(state.gives or "", state.gives or "")]
    if state.has_gps is not None:
        satellites = f", {words.count(state.gps_satellites, 'satellite')}" if state.gps_satellites else ""
        found.append(f"GPS{satellites}" if state.has_gps else "no GPS fix")
    if state.snr_db is not None:
        found.append(f"SNR {state.snr_db:.0f} dB")
    if state.slots is not None:
        found.append(f"{state.users or 0} of {words.count(state.slots, 'slot')} taken")
    if state.band_hz is not None:
        low, high = (frequency_text(each) if each else "0" for each in state.band_hz)
        found.append(f"{low} to {high}")
    return [each for each in found if each]


def _asked(receiver: OnlineView) -> list[str]:
    return [] if receiver.asked_utc is None else [f"asked {receiver.asked_utc:%Y-%m-%d %H:%M:%S} UTC"]
