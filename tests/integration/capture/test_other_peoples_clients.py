"""The rehearsal is as real as programs that are not ours find it.

HEIMDALL_KIWICLIENT names a checkout of github.com/jks-prv/kiwiclient; rtl_433 is Debian's package of that name.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heimdall.formats.readers.read import read_observations
from heimdall.geometry import geodesic_distance_m
from heimdall.locating.pipeline import locate

Rehearse = Callable[..., Any]


async def _run(command: list[str], folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(60):
            return (await process.communicate())[0].decode("utf-8", "replace")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_the_public_recorder_records_a_session_that_is_located(rehearse: Rehearse, tmp_path: Path) -> None:
    checkout = os.environ.get("HEIMDALL_KIWICLIENT")
    if not checkout:
        pytest.skip("HEIMDALL_KIWICLIENT names no checkout of github.com/jks-prv/kiwiclient")

    async def work(_: object, played: Any) -> str:
        ports = ",".join(str(each.address.port) for each in played)
        names = ",".join(each.site.name for each in played)
        hosts = ",".join("127.0.0.1" for _ in played)
        command = [sys.executable, f"{checkout}/kiwirecorder.py", "-s", hosts, "-p", ports, f"--station={names}"]
        asked = ["-f", "77.5", "-m", "iq", "-L", "-5000", "-H", "5000", "--kiwi-wav", "--kiwi-tdoa", "--quiet"]
        return await _run([*command, *asked, "--tlimit=8", "-d", str(tmp_path)], tmp_path)

    printed = rehearse(4, speed=1.0).run(work)
    recordings = sorted(tmp_path.glob("*_iq.wav"))
    assert len(recordings) == 4, printed[-2000:]
    (located,) = locate(read_observations(tmp_path))
    fix = located.fix
    assert geodesic_distance_m(50.0, 9.0, fix.latitude_deg, fix.longitude_deg) < 2e3
    assert fix.region_95.contains(50.0, 9.0)


def test_rtl_433_takes_the_dongle_for_a_real_one(rehearse: Rehearse, tmp_path: Path) -> None:
    program = shutil.which("rtl_433")
    if program is None:
        pytest.skip("rtl_433 is not installed: apt-get install rtl-433")
    out = tmp_path / "samples.cu8"

    async def work(_: object, played: Any) -> str:
        device = f"rtl_tcp:127.0.0.1:{played[0].address.port}"
        return await _run([program, "-d", device, "-f", "137500", "-s", "250k", "-T", "8", "-w", str(out)], tmp_path)

    printed = rehearse(0, 1, speed=1.0).run(work)
    assert "(Tuner: R820T)" in printed
    parts = np.fromfile(out, dtype=np.uint8).astype(np.float32) - 127.4
    samples = parts.view(np.complex64)[-250_000:]
    power, frequency_hz = np.abs(np.fft.fft(samples)) ** 2, np.fft.fftfreq(len(samples), 1 / 250_000)
    there, elsewhere = (np.mean(power[np.abs(frequency_hz - at_hz) < 1_500]) for at_hz in (-60_000, 60_000))
    assert 10 * np.log10(there / elsewhere) > 15
