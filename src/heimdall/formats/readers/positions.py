"""The positions of receivers in text files of their names, beside their recordings or where recorders put them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from heimdall.formats.coordinates import COARSE_M, WrittenPlace, decoded, read_place
from heimdall.formats.readers.limits import Files, Limits
from heimdall.formats.readers.source import FolderFiles
from heimdall.formats.wording import length_text
from heimdall.observation import Place, Receiver

TRUTH_NAME = "transmitter.txt"
"""Optional: the known place of the transmitter, written like a receiver's."""
FOLDER = "gnss_pos"
"""Where `kiwirecorder.py` writes positions, below the folder it runs in; recordings may go to a folder beside it."""
_SUFFIX = ".txt"


class Positions:
    """Texts by the name of their file: beside the recordings first, then in `gnss_pos` there, then in the one beside it."""

    def __init__(self, *places: Mapping[str, bytes]) -> None:
        self._texts: dict[str, bytes] = {}
        for files in places:
            for name in files:
                if name.lower().endswith(_SUFFIX) and name.lower() not in self._texts:
                    self._texts[name.lower()] = files[name]

    def receiver(self, station: str, *names: str) -> tuple[Receiver, str | None, tuple[str, ...]]:
        """A receiver at the place of its text, why it has none, and what to note of it."""
        for name in (station, *names):
            if (content := self._texts.get(f"{name}{_SUFFIX}".lower())) is not None:
                return _placed(station, f"{name}{_SUFFIX}", read_place(decoded(content)))
        nowhere = Receiver(station, math.nan, math.nan)
        return nowhere, f"no position: write [latitude, longitude] into {station}{_SUFFIX}", ()

    def truth(self) -> Place | None:
        content = self._texts.get(TRUTH_NAME)
        written = None if content is None else read_place(decoded(content))
        return None if written is None else written.place


def positions_beside(files: Files, folder: str, direct: Files, limits: Limits) -> Positions:
    """Of the recordings that lie directly in a folder of others; a folder on the disk has others beside it."""
    above = folder.rpartition("/")[0]
    inside: list[Mapping[str, bytes]] = [_below(files, f"{folder}/{FOLDER}" if folder else FOLDER)]
    if folder:
        inside.append(_below(files, f"{above}/{FOLDER}" if above else FOLDER))
    elif isinstance(files, FolderFiles):
        inside.append(_on_disk(files.folder.resolve().parent / FOLDER, limits))
    return Positions(direct, *inside)


def _below(files: Files, folder: str) -> dict[str, bytes]:
    names = [name for name in files if name.rpartition("/")[0] == folder and name.lower().endswith(_SUFFIX)]
    return {name.rpartition("/")[2]: files[name] for name in names}


def _on_disk(folder: Path, limits: Limits) -> Mapping[str, bytes]:
    return FolderFiles(folder, limits, depth=1) if folder.is_dir() else {}


def _placed(station: str, path: str, written: WrittenPlace | None) -> tuple[Receiver, str | None, tuple[str, ...]]:
    if written is None:
        flaw = f"no position: {path} holds none that can be read; write [latitude, longitude] in degrees into it"
        return Receiver(station, math.nan, math.nan), flaw, ()
    place = written.place
    notes = []
    if written.form is not None:
        notes.append(f"{path} is read as {written.form}: {place.latitude_deg:.6g}, {place.longitude_deg:.6g}")
    if written.sigma_m > COARSE_M and (place.latitude_deg, place.longitude_deg) != (0, 0):
        notes.append(
            f"the position of {station} is rounded to about {length_text(written.sigma_m)} (one standard deviation): "
            "the fix cannot be better than that"
        )
    receiver = Receiver(
        station, place.latitude_deg, place.longitude_deg, place.height_m or 0.0, position_sigma_m=written.sigma_m
    )
    return receiver, None, tuple(notes)
