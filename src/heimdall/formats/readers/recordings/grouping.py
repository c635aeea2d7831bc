"""Which files of a folder tree are one session: those of one folder, or of neighbouring folders with one receiver each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from heimdall.formats.readers.limits import Files
from heimdall.formats.readers.source import Selection, folder_of, in_folder


@dataclass(frozen=True)
class Who:
    """A receiver by what is known before its recording is read."""

    receiver: str | None
    frequency_hz: float | None = None
    everywhere: bool = True
    """Whether the name is the receiver's own: in another folder it is the same one."""


@dataclass(frozen=True, eq=False)
class Group:
    """The files of one session, by their names below a folder."""

    folder: str
    files: Files

    @property
    def subfolders(self) -> list[str]:
        """Subfolders of the receivers, if each has its own."""
        return sorted({folder_of(name) for name in self.files} - {""})


def groups(files: Files, folders: Sequence[str], receivers_in: Callable[[Files], Collection[Who]]) -> Iterator[Group]:
    """Each of the folders, but neighbours with one receiver each, of one frequency, together as their parent's."""
    together = _neighbours({folder: receivers_in(in_folder(files, folder)) for folder in folders})
    single = {folder for members in together for folder in members}
    found = [Group(folder, in_folder(files, folder)) for folder in folders if folder not in single]
    found += [_beneath(files, members) for members in together]
    yield from sorted(found, key=lambda group: group.folder)


def _neighbours(receivers: dict[str, Collection[Who]]) -> list[list[str]]:
    """Folders beside each other that hold one receiver each, two different ones at least."""
    alone: dict[tuple[str, float | None], list[tuple[str, str]]] = defaultdict(list)
    for folder, found in receivers.items():
        if folder and len(found) == 1:
            (who,) = found
            alone[folder_of(folder), who.frequency_hz].append(
                (folder, who.receiver if who.receiver and who.everywhere else folder)
            )
    return [
        [folder for folder, _ in members]
        for members in alone.values()
        if len({receiver for _, receiver in members}) > 1
    ]


def _beneath(files: Files, folders: Sequence[str]) -> Group:
    parent = folder_of(folders[0])
    names = [name for name in files if folder_of(name) in set(folders)]
    return Group(parent, Selection(files, {name[len(parent) + 1 if parent else 0 :]: name for name in names}))
