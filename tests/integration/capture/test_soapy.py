"""SoapySDR where its module is, and what is said where it is not."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heimdall.capture.faults import Fault
from heimdall.capture.interface import Target, Tuning
from heimdall.capture.network.address import parse_address
from heimdall.capture.recording.parts import Part, Stage
from heimdall.capture.recording.record import record_session
from heimdall.observation import Place

from .scene import ACCESS


class _Device:
    """A device that hears a tone 1 kHz above the channel's middle, as the module's own interface has it."""

    def __init__(self, arguments: str) -> None:
        self.arguments = arguments
        self.rate_hz = self.center_hz = 0.0
        self.sent = self.reads = 0
        self.closed = False

    @staticmethod
    def enumerate(arguments: str) -> list[dict[str, str]]:
        return [{"driver": "fake"}] if "fake" in arguments else []

    def setSampleRate(self, _direction: int, _channel: int, rate_hz: float) -> None:  # noqa: N802
        self.rate_hz = rate_hz

    def setFrequency(self, _direction: int, _channel: int, center_hz: float) -> None:  # noqa: N802
        self.center_hz = center_hz

    def setGainMode(self, *_arguments: Any) -> None:  # noqa: N802
        pass

    setGain = activateStream = deactivateStream = setGainMode

    def setupStream(self, *_arguments: Any) -> str:  # noqa: N802
        return "stream"

    def closeStream(self, _stream: str) -> None:  # noqa: N802
        self.closed = True

    def readStream(self, _stream: str, buffers: list[Any], count: int, timeoutUs: int) -> Any:  # noqa: N802
        self.reads += 1
        if self.reads == 8:
            return types.SimpleNamespace(ret=-4, flags=0, timeNs=0)
        given = min(count, 4096)
        time_s = (self.sent + np.arange(given)) / self.rate_hz
        buffers[0][:given] = np.exp(2j * np.pi * (145_001_000.0 - self.center_hz) * time_s)
        self.sent += given
        return types.SimpleNamespace(ret=given, flags=0, timeNs=0)


def _record(folder: Path, address: str = "soapy:driver=fake") -> Part:
    target = Target("stick", parse_address(address), place=Place(50.0, 9.0, 100.0))
    return record_session([target], Tuning(145e6, 5_000.0), 2, folder, ACCESS).parts[0]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    fake: Any = types.ModuleType("SoapySDR")
    fake.Device, fake.SOAPY_SDR_RX, fake.SOAPY_SDR_CF32 = _Device, 1, "CF32"
    monkeypatch.setitem(sys.modules, "SoapySDR", fake)


@pytest.mark.usefixtures("module")
def test_the_channel_is_cut_out_and_an_overflow_is_a_gap(tmp_path: Path) -> None:
    part = _record(tmp_path / "session")
    assert part.stage is Stage.DONE
    assert part.notes[1:] == ["samples were lost 1 time; the longest part is used"]
    samples = np.fromfile(next((tmp_path / "session").glob("*.sigmf-data")), dtype="<c8")[2000:14_000]
    spectrum = np.abs(np.fft.fft(samples))
    assert np.fft.fftfreq(len(samples), 1 / 12_000)[spectrum.argmax()] == pytest.approx(1_000.0)
    assert spectrum.max() ** 2 > 0.98 * (spectrum**2).sum()


@pytest.mark.usefixtures("module")
def test_a_device_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert "SoapySDRUtil --find" in str(_record(tmp_path / "session", "soapy:driver=other").reason)


def test_without_the_module_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "SoapySDR", None)
    part = _record(tmp_path / "session")
    assert part.fault is Fault.MISSING
    assert "python3-soapysdr" in str(part.reason)
