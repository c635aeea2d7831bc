"""SigMF archives among other files: each is read as a folder of its name, and what else is packed is said.

Only what the standard calls an archive is looked into, a plain tar: it unpacks to no more than itself, so that neither depth
nor compression hides more than the limits allow.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from heimdall.errors import InputError
from heimdall.formats.readers.limits import Files, Limits, content_or_flaw, names_ending
from heimdall.formats.readers.source import DATA_SUFFIX, META_SUFFIX, folder_of, plain_name, tar_files

SUFFIX = ".sigmf"
_PACKED = (".zip", ".tar", ".tgz", ".7z", ".rar")
_COMPRESSED = (".tar", ".sigmf", META_SUFFIX, DATA_SUFFIX, ".wav")
"""What is not read compressed, as measurement files are."""


def with_archives(files: Files, limits: Limits) -> Files:
    """The files, and in place of each SigMF archive its members; the files themselves where there is none.

    One that cannot be read is a recording that cannot be read. Raises InputError where there are too many members.
    """
    packed = (name for name in names_ending(files, SUFFIX) if f"{name[: -len(SUFFIX)]}{META_SUFFIX}" not in files)
    archives = dict.fromkeys(packed)
    return _Unpacked(files, archives, limits) if archives else files


def packed_advice(files: Files) -> str | None:
    """What to do about files that are packed otherwise; None where there are none."""
    packed = [name for name in sorted(files) if _is_packed(name.lower())]
    listed = f"{', '.join(packed[:3])}{' and the others' if len(packed) > 3 else ''}"
    return f"archives in it are not looked into: unpack {listed}, or give them by themselves" if packed else None


def _is_packed(name: str) -> bool:
    plain = plain_name(name)
    return name.endswith(_PACKED) or (plain != name and plain.endswith(_COMPRESSED))


class _Unpacked(Mapping[str, bytes]):
    """Members are unpacked again when they are asked for, one archive in memory at a time."""

    def __init__(self, files: Files, archives: Collection[str], limits: Limits) -> None:
        self._files = files
        self._limits = limits
        self._plain = dict.fromkeys(name for name in files if name not in archives)
        self._member: dict[str, tuple[str, str]] = {}
        self._broken: dict[str, str] = {}
        self._last: tuple[str, Files] = ("", {})
        for archive in archives:
            self._list(archive)

    def _list(self, archive: str) -> None:
        stem = archive[: -len(SUFFIX)]
        try:
            members = self._unpacked(archive)
            if not any(names_ending(members, META_SUFFIX)):
                raise InputError(f"{archive} holds no {META_SUFFIX}")
        except InputError as error:
            self._broken[f"{stem}/{stem.rpartition('/')[2]}{META_SUFFIX}"] = str(error)
            return
        for name, member in _without_common_folder(members).items():
            self._member.setdefault(f"{stem}/{name}", (archive, member))
        if len(self) > self._limits.members:
            raise InputError(f"more than {self._limits.members} files in the archives: give fewer at a time")

    def _unpacked(self, archive: str) -> Files:
        if self._last[0] != archive:
            content, unreadable = content_or_flaw(self._files, archive)
            if unreadable is not None:
                raise InputError(unreadable)
            bounded = replace(self._limits, total_bytes=min(len(content), self._limits.total_bytes))
            self._last = (archive, tar_files(archive, io.BytesIO(content), bounded))
        return self._last[1]

    def __getitem__(self, name: str) -> bytes:
        if name in self._plain:
            return self._files[name]
        if name in self._broken:
            raise InputError(self._broken[name])
        archive, member = self._member[name]
        return self._unpacked(archive)[member]

    def __contains__(self, name: object) -> bool:
        return name in self._plain or name in self._member or name in self._broken

    def __iter__(self) -> Iterator[str]:
        yield from (*self._plain, *self._member, *self._broken)

    def __len__(self) -> int:
        return len(self._plain) + len(self._member) + len(self._broken)


def _without_common_folder(names: Files) -> dict[str, str]:
    """Members by their names below the folder that all lie in: archives keep a recording in a folder of its name."""
    folders = {folder_of(name) for name in names}
    common = folders.pop() if len(folders) == 1 else ""
    return {name[len(common) + 1 if common else 0 :]: name for name in names}
