"""A SigMF recording that is published by HTTP, as if its receiver were listening now: with its own stamps and clock."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, replace
from typing import ClassVar

from sigmf.error import SigMFError
from sigmf.sigmffile import dtype_info

from heimdall.capture.faults import CaptureError, Fault, plain
from heimdall.capture.interface import Block, Gives, ReceiverStatus, StreamFormat, Target, Tuning
from heimdall.capture.network.access import Access
from heimdall.capture.network.address import Address
from heimdall.capture.network.fetching import fetch, pieces
from heimdall.formats.readers.limits import Limits
from heimdall.formats.readers.sigmf.metadata import UnreadableRecordingError, read_metadata
from heimdall.formats.readers.sigmf.sigmf_recording import SigmfRecording, parse_recording
from heimdall.formats.readers.source import DATA_SUFFIX, META_SUFFIX

_MOST_META = 1 << 22
_NS = 1_000_000_000
_SAME_HZ = 0.5
_MOST_RATE_HZ = 1e8


@dataclass(frozen=True)
class _Published:
    about: SigmfRecording
    datatype: str
    sample_bytes: int


class SigmfHttp:
    """See `heimdall.capture.interface.Driver`. The address ends in `.sigmf-meta`."""

    kind: ClassVar[str] = "sigmf"

    async def probe(self, target: Target, access: Access) -> ReceiverStatus:
        about = (await _published(target.address, access)).about
        timed = about.clock_sigma_s is not None and about.start_utc is not None
        return ReceiverStatus(
            gives=Gives.IQ_WITH_GPS_TIME if timed else Gives.IQ,
            title=plain(about.receiver),
            place=target.place or about.place,
            position_sigma_m=target.position_sigma_m if target.place else about.position_sigma_m,
            notes=tuple(plain(note, 300) for note in about.notes),
        )

    @contextlib.asynccontextmanager
    async def open(self, target: Target, tuning: Tuning, access: Access) -> AsyncIterator[SigmfStream]:
        published = await _published(target.address, access)
        about = published.about
        if about.frequency_hz is None or not 0 < (about.sample_rate_hz or 0.0) <= _MOST_RATE_HZ:
            raise CaptureError(Fault.NO_RECEIVER, "its metadata say no frequency, or no sample rate that can be")
        if abs(about.frequency_hz - tuning.frequency_hz) > _SAME_HZ:
            raise CaptureError(
                Fault.TUNING, f"it is a recording of {about.frequency_hz:.12g} Hz, not of {tuning.frequency_hz:.12g} Hz"
            )
        yield SigmfStream(_beside(target.address), published, access)


class SigmfStream:
    """The samples of the data file, in its datatype; it ends with the file."""

    def __init__(self, address: Address, published: _Published, access: Access) -> None:
        about = published.about
        assert about.frequency_hz is not None
        assert about.sample_rate_hz is not None
        self._address, self._access, self._published = address, access, published
        timed = about.clock_sigma_s is not None and about.start_utc is not None
        self.format = StreamFormat(
            published.datatype,
            about.sample_rate_hz,
            about.frequency_hz,
            Gives.IQ_WITH_GPS_TIME if timed else Gives.IQ,
            about.level_sigma_db,
            about.clock_sigma_s,
            live=False,
        )

    async def __aiter__(self) -> AsyncGenerator[Block, None]:
        size, left, sample = self._published.sample_bytes, b"", 0
        async for piece in pieces(self._address, self._address.path, self._access):
            left += piece
            count = len(left) // size
            if not count:
                continue
            yield Block(left[: count * size], count, time.time_ns(), self._time_ns(sample), 0)
            left, sample = left[count * size :], sample + count

    def _time_ns(self, sample: int) -> int | None:
        about = self._published.about
        if self.format.gives is not Gives.IQ_WITH_GPS_TIME or about.start_utc is None:
            return None
        return int(about.start_utc.timestamp()) * _NS + round(
            (about.start_rest_s + sample / self.format.sample_rate_hz) * _NS
        )


def _beside(address: Address) -> Address:
    return replace(address, path=address.path.removesuffix(META_SUFFIX) + DATA_SUFFIX)


async def _published(address: Address, access: Access) -> _Published:
    """Raises CaptureError for anything but the metadata of one recording that begins with its first capture."""
    if not address.path.endswith(META_SUFFIX):
        raise CaptureError(Fault.ADDRESS, f"the address of a SigMF recording ends in {META_SUFFIX}")
    answer = await fetch(address, address.path, access, _MOST_META)
    if answer.status != 200 or answer.truncated:
        raise CaptureError(Fault.NO_RECEIVER, f"there is no recording at {address} (HTTP status {answer.status})")
    try:
        document, notes = read_metadata("it", answer.body)
        datatype = str(document["global"]["core:datatype"])
        about = parse_recording("it", {**document, "captures": document["captures"][:1]}, None, Limits())
        size = int(dtype_info(datatype)["sample_size"])
    except (UnreadableRecordingError, SigMFError, KeyError) as error:
        raise CaptureError(Fault.NO_RECEIVER, f"{address}: {error}") from None
    return _Published(replace(about, notes=(*notes, *about.notes)), datatype, size)
