"""One name is one name, however a file system stores its accents and its case."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from heimdall.formats.readers.limits import Limits
from heimdall.formats.readers.positions import Positions
from heimdall.formats.readers.read import read_observations
from heimdall.formats.readers.sigmf.session import read_collection
from heimdall.formats.writers.sigmf_write import write_sigmf
from heimdall.observation import Observation

FORMS = ("NFC", "NFD")


@pytest.mark.parametrize("stored", FORMS)
@pytest.mark.parametrize("asked", FORMS)
def test_a_position_is_found_however_its_accents_are_stored(stored: Any, asked: Any) -> None:
    """The recording comes from a Mac and the text from elsewhere, or the other way round."""
    positions = Positions({unicodedata.normalize(stored, "Zürich.txt"): b"[47.3769, 8.5417]"})
    receiver, flaw, _ = positions.receiver(unicodedata.normalize(asked, "Zürich"))
    assert (receiver.latitude_deg, flaw) == (47.3769, None)
    assert positions.unheard([unicodedata.normalize(asked, "Zürich")]) == ()


@pytest.mark.parametrize("name", ["20240510T123456Z_77500_{}_iq.wav", "{}_20240510_123456Z_145500000Hz.wav"])
def test_a_receiver_is_called_the_same_however_its_file_is_stored(tmp_path: Path, name: str) -> None:
    for station in ("Köln", "Łódź"):
        (tmp_path / unicodedata.normalize("NFD", name.format(station))).write_bytes(b"RIFF")
    (observation,) = read_observations(tmp_path)
    assert [each.receiver.name for each in observation.receptions] == ["Köln", "Łódź"]


@pytest.mark.parametrize("form", FORMS)
def test_a_collection_finds_its_recordings_and_their_data(iq_session: Observation, tmp_path: Path, form: Any) -> None:
    """Names in the metadata are typed, those of the files are what the file system makes of them."""
    write_sigmf(iq_session, tmp_path / "s")
    files = {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()}
    first = min(name.removesuffix(".sigmf-meta") for name in files if name.endswith("-meta"))
    document = json.loads(files["night.sigmf-collection"])
    typed = unicodedata.normalize("NFC" if form == "NFD" else "NFD", "Zürich")
    document["collection"]["core:streams"][0]["name"] = typed
    document["collection"]["heimdall:receivers"] = [{"name": unicodedata.normalize("NFD", "R0 ü"), "reason": "?"}]
    files["night.sigmf-collection"] = json.dumps(document).encode()
    stored = unicodedata.normalize(form, "Zürich")
    files[f"{stored}.sigmf-meta"] = files.pop(f"{first}.sigmf-meta")
    files[f"{stored}.SIGMF-DATA"] = files.pop(f"{first}.sigmf-data")
    observation = read_collection("night.sigmf-collection", files, Limits())
    assert [(each.receiver.name, each.flaw) for each in observation.receptions] == [
        ("R0 ü", None),
        ("R1 ü", None),
        ("R2 ü", None),
    ]


@pytest.mark.parametrize("listed", [True, False])
def test_suffixes_may_be_in_capitals(iq_session: Observation, tmp_path: Path, listed: bool) -> None:
    """As from a card with an old file system."""
    write_sigmf(iq_session, tmp_path / "s")
    if not listed:
        (tmp_path / "s" / "night.sigmf-collection").unlink()
    for path in list((tmp_path / "s").iterdir()):
        path.rename(path.with_suffix(path.suffix.upper()))
    (observation,) = read_observations(tmp_path / "s")
    assert observation.id == ("night" if listed else "s")
    assert [each.flaw for each in observation.receptions] == [None, None, None]
