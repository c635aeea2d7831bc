"""The positions of receivers in text files of their names, beside their recordings or where recorders put them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from heimdall.formats.coordinates import COARSE_M, WrittenPlace, decoded, places_in, read_place
from heimdall.formats.plain_notation import plain, says_longitude_first
from heimdall.formats.readers.limits import Files, Limits, content_or_flaw
from heimdall.formats.readers.recordings.grouping import Group
from heimdall.formats.readers.source import FolderFiles, Selection, folder_of, in_folder
from heimdall.formats.readers.station_lists import SUFFIXES as LIST_SUFFIXES
from heimdall.formats.readers.station_lists import is_list, place_of
from heimdall.formats.text import composed, name_key
from heimdall.formats.wording import length_text
from heimdall.observation import Place, Receiver

TRUTH_NAME = "transmitter.txt"
"""Optional: the known place of the transmitter, written like a receiver's."""
FOLDER = "gnss_pos"
"""Where `kiwirecorder.py` writes positions, below the folder it runs in; recordings may go to a folder beside it."""
_SUFFIX = ".txt"
_STATUS = re.compile(r"^gps=\(([^()\n]+)\)\s*$", re.MULTILINE)
"""What `http://<KiwiSDR>/status` says, before a locator of the same place that is kilometres coarser."""
_STATUS_HEIGHT = re.compile(r"^asl=(-?\d+(?:\.\d*)?)\s*$", re.MULTILINE)
"""In metres."""


class Positions:
    """Texts by the name of their file: beside the recordings first, then in `gnss_pos` there, then in the one beside it."""

    def __init__(self, *places: Mapping[str, bytes]) -> None:
        self._texts: dict[str, tuple[bytes, str | None]] = {}
        """What a file holds, or why it cannot be read."""
        self._beside: list[str] = []
        self._lists: list[tuple[str, Mapping[str, bytes]]] = []
        self._list_texts: list[tuple[str, str]] | None = None
        for index, files in enumerate(places):
            texts = [name for name in files if name.lower().endswith(_SUFFIX)]
            self._beside += [] if index else texts
            self._lists += [(name, files) for name in sorted(files) if _may_list(name)]
            for name in texts:
                self._texts.setdefault(name_key(name), content_or_flaw(files, name))

    def receiver(
        self, station: str, *names: str, folder: str = "", among: Sequence[str] = ()
    ) -> tuple[Receiver, str | None, tuple[str, ...]]:
        """A receiver at the place of its text, why it has none, and what to note of it; its own folder comes first.

        Without a text of its own its entry counts in a list of the stations it is `among`.
        """
        for path in self._paths((station, *names), folder):
            if (found := self._texts.get(name_key(path))) is not None:
                content, unreadable = found
                if unreadable is not None:
                    return _nowhere(station), f"no position: {unreadable}", ()
                return _placed(station, path, _places_in(content, station), decoded(content))
        for path, text in self._listed(among):
            if (own := place_of(text, station)) is not None:
                receiver, flaw, notes = _placed(station, path, (own,))
                return receiver, flaw, (f"the position of {station} is that of its entry in {path}", *notes)
        return _nowhere(station), f"no position: write [latitude, longitude] into {station}{_SUFFIX}", ()

    def _listed(self, stations: Sequence[str]) -> Iterator[tuple[str, str]]:
        """The lists of stations beside the recordings, which are read when a receiver has no text of its own."""
        if self._list_texts is None:
            texts = ((path, composed(decoded(content_or_flaw(files, path)[0]))) for path, files in self._lists)
            self._list_texts = [(path, text) for path, text in texts if is_list(text, stations)]
        yield from self._list_texts

    def _paths(self, names: Sequence[str], folder: str) -> Iterator[str]:
        if folder:
            yield from (f"{folder}/{name}{_SUFFIX}" for name in names)
        yield from (f"{name}{_SUFFIX}" for name in names)

    def unheard(self, recorded: Iterable[str]) -> tuple[str, ...]:
        """A note on each position beside the recordings of whose receiver there is none; a list of receivers is of them."""
        recorded = list(recorded)
        known = {name_key(name) for name in recorded} | {TRUTH_NAME[: -len(_SUFFIX)]}
        texts = {
            path: path.rpartition("/")[2][: -len(_SUFFIX)] for path in sorted(self._beside) if self._is_place(path)
        }
        return tuple(
            f"{path} gives a position, but there is no recording of {name}"
            for path, name in texts.items()
            if name_key(name) not in known and not is_list(self._text(path), recorded)
        )

    def _is_place(self, path: str) -> bool:
        return bool(_places_in(self._texts[name_key(path)][0]))

    def _text(self, path: str) -> str:
        return composed(decoded(self._texts[name_key(path)][0]))

    def truth(self) -> tuple[Place | None, tuple[str, ...]]:
        """From the folder of the recordings, or any receiver's own; and a note where its text gives no one position."""
        texts = ((path, each) for path, each in self._texts.items() if f"/{path}".endswith(f"/{TRUTH_NAME}"))
        path, (content, unreadable) = next(texts, ("", (b"", None)))
        found = _places_in(content)
        if len(found) == 1 or not path:
            return (found[0].place if found else None), ()
        why = unreadable or ("it holds several different positions" if found else "it holds no position")
        return None, (f"{path} is not used: {why}; write the [latitude, longitude] of the transmitter into it",)


def positions_beside(files: Files, group: Group, limits: Limits, disk: Path | None) -> Positions:
    """Positions for one group of recordings; a folder on the disk has others beside it."""
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


def _may_list(name: str) -> bool:
    lowered = name.lower()
    return lowered.endswith(LIST_SUFFIXES) and not f"/{lowered}".endswith(f"/{TRUTH_NAME}")


def _on_disk(folder: Path, limits: Limits) -> Mapping[str, bytes]:
    return FolderFiles(folder, limits, depth=1) if folder.is_dir() else {}


def _places_in(content: bytes, station: str = "") -> tuple[WrittenPlace, ...]:
    """The different positions that a text gives; of a list of stations, the one of this station alone, where it is named.

    Of a KiwiSDR's own status page the line with its coordinates counts.
    """
    text = composed(decoded(content))
    status = _STATUS.findall(text)
    height = _STATUS_HEIGHT.search(text)
    if len(status) == 1 and (written := read_place(f"[{status[0]}{f', {height[1]}' if height else ''}]")):
        return (written,)
    found = places_in(text)
    if not station or (len(found) == 1 and found[0].sigma_m <= COARSE_M):
        return found
    # The station's name may be the only thing that is read, as a locator.
    own = place_of(text, station)
    return found if own is None or (len(found) == 1 and own.sigma_m >= found[0].sigma_m) else (own,)


def _nowhere(station: str) -> Receiver:
    return Receiver(station, math.nan, math.nan)


def _unclear(path: str, station: str, found: Sequence[WrittenPlace], text: str) -> str:
    """Why a text gives no one position."""
    if len(found) > 1:
        return (
            f"no position: {path} holds several different ones and none that is plainly of {station}; "
            "write its [latitude, longitude] alone into it"
        )
    why = "names the longitude first" if says_longitude_first(plain(text)) else "holds none that can be read"
    return f"no position: {path} {why}; write [latitude, longitude] in degrees into it"


def _placed(
    station: str, path: str, found: Sequence[WrittenPlace], text: str = ""
) -> tuple[Receiver, str | None, tuple[str, ...]]:
    if len(found) != 1:
        return _nowhere(station), _unclear(path, station, found, text), ()
    written = found[0]
    place = written.place
    notes = []
    if written.remark is not None:
        notes.append(f"{path}: {written.remark!r} is not used as a height: write [latitude, longitude, height in m]")
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
