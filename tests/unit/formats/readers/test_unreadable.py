"""A file that cannot be read costs its receiver, never the session, and never without a word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

from heimdall.formats.readers.limits import Limits
from heimdall.formats.readers.read import read_observations
from heimdall.formats.writers.sigmf_write import write_sigmf
from heimdall.observation import Observation

KIWI = "20200813T065220Z_77500_{}_iq.wav"


@pytest.fixture
def folder(kiwi_wav: Any, tmp_path: Path) -> Path:
    """KiwiSDR recordings of three stations with their positions."""
    rng = np.random.default_rng(1)
    stamps_ns = np.round(370_358.5e9 + np.arange(40) * 512e9 / 12001.1).astype(np.int64)
    folder = tmp_path / "lf"
    folder.mkdir()
    for index, name in enumerate(("a", "b", "c")):
        samples = (rng.normal(0, 900, 40 * 512) + 1j * rng.normal(0, 900, 40 * 512)).astype(np.complex64)
        (folder / KIWI.format(name)).write_bytes(kiwi_wav(samples, stamps_ns))
        (folder / f"{name}.txt").write_text(f"[46.{index}5123, 8.{index}1234]")
    return folder


def _flaws(path: Path, limits: Limits | None = None) -> list[str | None]:
    (observation,) = read_observations(path, limits)
    return [reception.flaw for reception in observation.receptions]


def _refuse(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    """As a file without the right to read it."""
    really_open = Path.open

    def opened(path: Path, *how: Any) -> BinaryIO:
        if path.name.endswith(ending):
            raise PermissionError(13, "Permission denied")
        return really_open(path, *how)  # type: ignore[return-value]

    monkeypatch.setattr(Path, "open", opened)


def test_a_link_that_leads_nowhere_is_a_receiver_with_a_flaw(folder: Path) -> None:
    (folder / KIWI.format("b")).unlink()
    (folder / KIWI.format("b")).symlink_to("/media/usb/b.wav")
    assert _flaws(folder) == [None, f"{KIWI.format('b')} is a link to /media/usb/b.wav, which is not there", None]


def test_a_file_above_the_limit_costs_its_receiver(folder: Path) -> None:
    with (folder / KIWI.format("c")).open("ab") as file:
        file.truncate(1_000_000)
    a, b, c = _flaws(folder, Limits(total_bytes=500_000))
    assert (a, b) == (None, None)
    assert c == f"{KIWI.format('c')} is larger than the 500000 bytes allowed"


def test_a_file_without_permission_costs_its_receiver(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _refuse(monkeypatch, "_a_iq.wav")
    assert _flaws(folder) == [f"{KIWI.format('a')} cannot be read: Permission denied", None, None]


def test_a_position_without_permission_costs_its_receiver(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _refuse(monkeypatch, "a.txt")
    assert _flaws(folder) == ["no position: a.txt cannot be read: Permission denied", None, None]


def test_a_position_without_a_recording_is_said(folder: Path) -> None:
    """The recording got lost; a text that is no position says nothing."""
    (folder / KIWI.format("b")).unlink()
    (folder / "readme.txt").write_text("from the attic")
    (folder / "transmitter.txt").write_text("[50.0155, 9.0108]")
    (observation,) = read_observations(folder)
    said = [note for note in observation.notes if "gives a position" in note]
    assert said == ["b.txt gives a position, but there is no recording of b"]


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("ending", [".sigmf-meta", ".sigmf-data"])
def test_parts_of_a_sigmf_recording_cost_their_receiver(
    iq_session: Observation, tmp_path: Path, listed: bool, ending: str
) -> None:
    """Whether it is a link that leads nowhere or above the limit."""
    write_sigmf(iq_session, tmp_path / "night")
    first, second, _ = sorted((tmp_path / "night").glob(f"*{ending}"))
    first.unlink()
    first.symlink_to("/media/usb/lost")
    with second.open("ab") as file:
        file.truncate(2_000_000)
    if not listed:
        (tmp_path / "night" / "night.sigmf-collection").unlink()
    one, two, three = _flaws(tmp_path / "night", Limits(total_bytes=1_000_000))
    assert one == f"{first.name} is a link to /media/usb/lost, which is not there"
    assert two == f"{second.name} is larger than the 1000000 bytes allowed"
    assert three is None


def test_a_wav_file_of_another_program_costs_its_receiver(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    for index, name in enumerate(("alice", "bob", "carol")):
        data = rng.integers(-9000, 9000, 4000).astype("<i2").tobytes()
        head = b"WAVEfmt \x10\0\0\0\1\0\2\0\x80\xbb\0\0\0\xee\2\0\4\0\x10\0data" + len(data).to_bytes(4, "little")
        wav = b"RIFF" + (len(head) + len(data)).to_bytes(4, "little") + head + data
        (tmp_path / f"{name}_20240510_123456Z_145500000Hz.wav").write_bytes(wav)
        (tmp_path / f"{name}.txt").write_text(json.dumps([46.1234 + index, 8.51234]))
    (tmp_path / "bob_20240510_123456Z_145500000Hz.wav").unlink()
    (tmp_path / "bob_20240510_123456Z_145500000Hz.wav").symlink_to("lost")
    flaws = _flaws(tmp_path)
    assert flaws[::2] == [None, None]
    assert "is a link to lost, which is not there" in str(flaws[1])
