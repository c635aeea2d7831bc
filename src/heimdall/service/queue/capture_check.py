"""Whether what a recording asks for can be had: receivers that are listed, a channel they receive, a size that can be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from heimdall.capture import LEAST_RECEIVERS
from heimdall.capture.faults import CaptureError
from heimdall.capture.interface import Tuning
from heimdall.capture.network.address import parse_address
from heimdall.capture.recording.reference_transmitter import RETUNABLE
from heimdall.capture.recording.schedule import parse_cron
from heimdall.capture.recording.sizes import bytes_per_s, samples_per_s
from heimdall.capture.watching.squelch import check_listeners
from heimdall.errors import InputError
from heimdall.formats.wording import frequency_text
from heimdall.service.database.tables import OnlineReceiver
from heimdall.service.queue.capture_requests import MOST_RECEIVERS, RecordRequest, WatchRequest
from heimdall.service.settings import Settings
from heimdall.service.transmitters import listed
from heimdall.transmitter import KnownTransmitter

_Request = TypeVar("_Request", bound=RecordRequest)


def checked(session: Session, request: _Request, settings: Settings) -> _Request:
    """The request with the names of its receivers, since jobs and recordings know them by name. Raises InputError."""
    known = session.scalars(select(OnlineReceiver).order_by(OnlineReceiver.name)).all()
    chosen = [_named(each, known) for each in request.receivers] or [each for each in known if each.enabled]
    reference = None if request.reference is None else listed.named(session, request.reference.transmitter)
    tuning = _tuning(request, reference)
    _check_receivers(chosen)
    _check_band(chosen, request.frequency_hz)
    if reference is not None:
        _check_reference(chosen, reference)
    _check_size(chosen, tuning, request.seconds, settings)
    changes: dict[str, object] = {"receivers": [each.name for each in chosen]}
    if request.reference is not None and reference is not None:
        changes["reference"] = request.reference.model_copy(update={"transmitter": reference.name})
    if isinstance(request, WatchRequest):
        _check_end(request)
        changes["squelch"] = _with_names(request, known, chosen)
    return request.model_copy(update=changes)


def _named(which: str, known: Sequence[OnlineReceiver]) -> OnlineReceiver:
    found = [each for each in known if which in (each.id, each.name)]
    if not found:
        raise InputError(f"no receiver by address is called {which}: `GET /api/v1/receivers/online` lists them")
    return found[0]


def _check_receivers(chosen: Sequence[OnlineReceiver]) -> None:
    names = [each.name for each in chosen]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{', '.join(twice)} is named twice: a receiver gives one slot")
    off = [each.name for each in chosen if not each.enabled]
    if off:
        raise InputError(f"{', '.join(off)} is switched off: switch it on, or leave it out")
    if len(chosen) < LEAST_RECEIVERS:
        raise InputError(f"{len(chosen)} of at least {LEAST_RECEIVERS} receivers: add more by their addresses")
    if len(chosen) > MOST_RECEIVERS:
        raise InputError(f"{len(chosen)} receivers are more than the {MOST_RECEIVERS} of one recording: name fewer")


def _tuning(request: RecordRequest, reference: KnownTransmitter | None) -> Tuning:
    """The tuning that takes in channel and reference: sampling as fast as the wider one needs."""
    return Tuning(request.frequency_hz, request.bandwidth_hz, widest_hz=reference.channel_hz if reference else 0.0)


def _check_band(chosen: Sequence[OnlineReceiver], frequency_hz: float) -> None:
    able = [each for each in chosen if _receives(each, frequency_hz)]
    if len(able) < LEAST_RECEIVERS:
        deaf = ", ".join(each.name for each in chosen if each not in able)
        raise InputError(f"{frequency_text(frequency_hz)} is outside the band of {deaf}: {len(able)} are left")


def _check_reference(chosen: Sequence[OnlineReceiver], reference: KnownTransmitter) -> None:
    able = [each for each in chosen if parse_address(each.address).kind == RETUNABLE]
    if len(able) < LEAST_RECEIVERS:
        others = ", ".join(each.name for each in chosen if each not in able)
        raise InputError(
            f"reference: only {RETUNABLE} receivers can be tuned to {reference.name} by a clock that runs on, which leaves out "
            f"{others}: {len(able)} are left"
        )
    _check_band(able, reference.frequency_hz)


def _receives(receiver: OnlineReceiver, frequency_hz: float) -> bool:
    band_hz = (receiver.state or {}).get("band_hz")
    return band_hz is None or band_hz[0] <= frequency_hz <= band_hz[1]


def _check_size(chosen: Sequence[OnlineReceiver], tuning: Tuning, seconds: float, settings: Settings) -> None:
    kinds = [parse_address(each.address).kind for each in chosen]
    try:
        size_mb = sum(bytes_per_s(kind, tuning) for kind in kinds) * seconds / 1e6
        samples = max(samples_per_s(kind, tuning) for kind in kinds) * seconds
    except CaptureError as error:
        raise InputError(str(error)) from None
    if size_mb > settings.upload_mb:
        raise InputError(
            f"{len(chosen)} receivers for {seconds:g} s may take {size_mb:.0f} MB, more than the "
            f"{settings.upload_mb:g} MB of a session (HEIMDALL_UPLOAD_MB): fewer seconds, receivers or hertz"
        )
    if samples > settings.upload_samples:
        raise InputError(
            f"{samples:.3g} samples of one receiver are more than the {settings.upload_samples} of a session "
            "(HEIMDALL_UPLOAD_SAMPLES): fewer seconds or hertz"
        )


def _check_end(request: WatchRequest) -> None:
    now = datetime.now(UTC)
    if request.until_utc is not None and request.until_utc <= now:
        raise InputError(f"until_utc: {request.until_utc.isoformat()} is over")
    if request.cron is not None:
        parse_cron(request.cron).after(now)


def _with_names(request: WatchRequest, known: Sequence[OnlineReceiver], chosen: Sequence[OnlineReceiver]) -> object:
    if request.squelch is None:
        return None
    listeners = [_named(each, known) for each in request.squelch.listeners]
    names = [each.name for each in listeners]
    check_listeners(names, [each.name for each in chosen])
    return request.squelch.model_copy(update={"listeners": names})
