"""The positions of receivers in text files of their names, beside their recordings or where recorders put them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from heimdall.formats.coordinates import COARSE_M, WrittenPlace, decoded, read_place
from heimdall.formats.readers.limits import Files, Limits, content_or_flaw
from heimdall.formats.readers.recordings.grouping import Group
from heimdall.formats.readers.source import FolderFiles, Selection, folder_of, in_folder
from heimdall.formats.text import name_key
from heimdall.formats.wording import length_text
from heimdall.observation import Place, Receiver

TRUTH_NAME = "transmitter.txt"
"""Optional: the known place of the transmitter, written like a receiver's."""
FOLDER = "gnss_pos"
"""Where `kiwirecorder.py` writes positions, below the folder it runs in; recordings may go to a folder beside it."""
_SUFFIX = ".txt"
_STATUS = re.compile(r"^gps=\(([^()\n]+)\)\s*$", re.MULTILINE)
"""What `http://<KiwiSDR>/status` says, before a locator of the same place that is kilometres coarser."""


class Positions:
    """Texts by the name of their file: beside the recordings first, then in `gnss_pos` there, then in the one beside it."""

    def __init__(self, *places: Mapping[str, bytes]) -> None:
        self._texts: dict[str, tuple[bytes, str | None]] = {}
        """What a file holds, or why it cannot be read."""
        self._beside: list[str] = []
        for index, files in enumerate(places):
            texts = [name for name in files if name.lower().endswith(_SUFFIX)]
            self._beside += [] if index else texts
            for name in texts:
                self._texts.setdefault(name_key(name), content_or_flaw(files, name))

    def receiver(self, station: str, *names: str, folder: str = "") -> tuple[Receiver, str | None, tuple[str, ...]]:
        """A receiver at the place of its text, why it has none, and what to note of it; its own folder comes first."""
        for path in self._paths((station, *names), folder):
            if (found := self._texts.get(name_key(path))) is not None:
                content, unreadable = found
                if unreadable is not None:
                    return _nowhere(station), f"no position: {unreadable}", ()
                return _placed(station, path, _place_in(content))
        return _nowhere(station), f"no position: write [latitude, longitude] into {station}{_SUFFIX}", ()

    def _paths(self, names: Sequence[str], folder: str) -> Iterator[str]:
        if folder:
            yield from (f"{folder}/{name}{_SUFFIX}" for name in names)
        yield from (f"{name}{_SUFFIX}" for name in names)

    def unheard(self, recorded: Iterable[str]) -> tuple[str, ...]:
        """A note on each position beside the recordings of whose receiver there is none."""
        known = {name_key(name) for name in recorded} | {TRUTH_NAME[: -len(_SUFFIX)]}
        texts = {
            path: path.rpartition("/")[2][: -len(_SUFFIX)] for path in sorted(self._beside) if self._is_place(path)
        }
        return tuple(
            f"{path} gives a position, but there is no recording of {name}"
            for path, name in texts.items()
            if name_key(name) not in known
        )

    def _is_place(self, path: str) -> bool:
        return _place_in(self._texts[name_key(path)][0]) is not None

    def truth(self) -> Place | None:
        """From the folder of the recordings, or any receiver's own."""
        content, _ = next(
            (each for path, each in self._texts.items() if f"/{path}".endswith(f"/{TRUTH_NAME}")), (b"", None)
        )
        written = _place_in(content)
        return None if written is None else written.place


def positions_beside(files: Files, group: Group, limits: Limits, disk: Path | None) -> Positions:
    """Of a group of recordings among others; a folder on the disk has others beside it."""
    folder, above = group.folder, folder_of(group.folder)
    places: list[Mapping[str, bytes]] = [group.files]
    for own in group.subfolders:
        inside = in_folder(files, "/".join(part for part in (folder, own, FOLDER) if part))
        places.append(Selection(inside, {f"{own}/{name}": name for name in inside}))
    if group.subfolders:
        places.append(in_folder(files, folder))
    places.append(in_folder(files, f"{folder}/{FOLDER}" if folder else FOLDER))
    if folder:
        places.append(in_folder(files, f"{above}/{FOLDER}" if above else FOLDER))
    elif disk is not None:
        places.append(_on_disk(disk.resolve().parent / FOLDER, limits))
    return Positions(*places)


def _on_disk(folder: Path, limits: Limits) -> Mapping[str, bytes]:
    return FolderFiles(folder, limits, depth=1) if folder.is_dir() else {}


def _place_in(content: bytes) -> WrittenPlace | None:
    """A position as people write it; of a KiwiSDR's own status page, the line with its coordinates."""
    text = decoded(content)
    status = _STATUS.search(text)
    written = read_place(f"[{status[1]}]") if status else None
    return written or read_place(text)


def _nowhere(station: str) -> Receiver:
    return Receiver(station, math.nan, math.nan)


def _placed(station: str, path: str, written: WrittenPlace | None) -> tuple[Receiver, str | None, tuple[str, ...]]:
    if written is None:
        flaw = f"no position: {path} holds none that can be read; write [latitude, longitude] in degrees into it"
        return _nowhere(station), flaw, ()
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
