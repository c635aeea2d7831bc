"""Whatever SoapySDR drives on this computer: IQ without stamps. Its Python module comes with the system, not from PyPI."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, ClassVar

import numpy as np

from heimdall.capture.drivers.cut import QuarterDecimator, cut_of
from heimdall.capture.drivers.dongle import BLOCK_S, LEVEL_SIGMA_DB, dongle_status, gain_db
from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.interface import Block, Gives, ReceiverStatus, StreamFormat, Target, Tuning
from heimdall.capture.network.access import Access

_WAIT_US = 200_000
_OVERFLOW = -4


class Soapy:
    """See `heimdall.capture.interface.Driver`. The address is what SoapySDR calls device arguments: `soapy:driver=rtlsdr`."""

    kind: ClassVar[str] = "soapy"

    async def probe(self, target: Target, access: Access) -> ReceiverStatus:
        module = _module()
        found = await asyncio.to_thread(module.Device.enumerate, target.address.path)
        if not found:
            raise CaptureError(
                Fault.UNREACHABLE, f"no device fits {target.address.path}: SoapySDRUtil --find lists them"
            )
        return dongle_status(target, f"SoapySDR, {target.address.path}", "SoapySDR")

    @contextlib.asynccontextmanager
    async def open(self, target: Target, tuning: Tuning, access: Access) -> AsyncIterator[SoapyStream]:
        module = _module()
        try:
            device = await asyncio.to_thread(module.Device, target.address.path)
        except RuntimeError as error:
            raise CaptureError(Fault.UNREACHABLE, f"{target.address.path} cannot be opened: {error}") from None
        stream = SoapyStream(module, device, target, tuning, access)
        try:
            await asyncio.to_thread(stream.begin)
            yield stream
        finally:
            await asyncio.to_thread(stream.end)


class SoapyStream:
    """Blocks of a tenth of a second, read by a thread."""

    def __init__(self, module: Any, device: Any, target: Target, tuning: Tuning, access: Access) -> None:
        self._module, self._device, self._target, self._access = module, device, target, access
        cut = cut_of(tuning)
        self._rate_hz, self._center_hz = cut.rate_hz, cut.center_hz
        self._decimator = QuarterDecimator(cut.rate_hz, cut.factor) if cut.factor > 1 else None
        self._count = cut.block(BLOCK_S)
        self._stream: Any = None
        self.format = StreamFormat("cf32_le", cut.rate_hz / cut.factor, tuning.frequency_hz, Gives.IQ, LEVEL_SIGMA_DB)

    def begin(self) -> None:
        module, device = self._module, self._device
        receive = module.SOAPY_SDR_RX
        try:
            device.setSampleRate(receive, 0, self._rate_hz)
            device.setFrequency(receive, 0, self._center_hz * (1 + 1e-6 * self._target.ppm))
            device.setGainMode(receive, 0, False)
            device.setGain(receive, 0, gain_db(self._target))
            self._stream = device.setupStream(receive, module.SOAPY_SDR_CF32)
            device.activateStream(self._stream)
        except (RuntimeError, ValueError) as error:
            raise CaptureError(Fault.TUNING, f"it does not take what is asked for: {error}") from None

    def end(self) -> None:
        if self._stream is not None:
            self._device.deactivateStream(self._stream)
            self._device.closeStream(self._stream)

    async def __aiter__(self) -> AsyncGenerator[Block, None]:
        while True:
            samples, lost = await asyncio.to_thread(self._read)
            host_utc_ns = time.time_ns()
            kept = samples if self._decimator is None else self._decimator(samples)
            yield Block(kept.astype("<c8").tobytes(), len(kept), host_utc_ns, lost=lost)

    def _read(self) -> tuple[Any, bool]:
        """A block, and whether samples were lost within or before it."""
        samples, filled, lost = np.zeros(self._count, dtype=np.complex64), 0, False
        end_s = time.monotonic() + self._access.silence_s
        while filled < self._count:
            read = self._device.readStream(self._stream, [samples[filled:]], self._count - filled, timeoutUs=_WAIT_US)
            lost |= read.ret == _OVERFLOW
            filled += max(0, read.ret)
            if time.monotonic() > end_s:
                raise CaptureError(Fault.SILENT, f"it has sent too little for {self._access.silence_s:g} s")
        return samples, lost


def _module() -> Any:
    try:
        import SoapySDR
    except ImportError:
        raise CaptureError(
            Fault.MISSING,
            "SoapySDR's Python module is not installed: apt-get install python3-soapysdr and the module of the device, "
            "and make the virtual environment with --system-site-packages",
        ) from None
    return SoapySDR
