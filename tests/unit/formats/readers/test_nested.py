"""SigMF archives in folders and archives are read as folders, and never unpack to more than they are."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from heimdall.errors import InputError
from heimdall.formats.readers.limits import Limits
from heimdall.formats.readers.nested import with_archives
from heimdall.formats.readers.read import read_observations
from heimdall.formats.writers.sigmf_write import write_sigmf
from heimdall.formats.writers.truth import write_truth
from heimdall.observation import Observation, Place, Receiver, Reception


def _tar(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def _zip(path: Path, files: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.fixture
def plain(tmp_path: Path) -> dict[str, bytes]:
    """The files of a session of three receivers."""
    receptions = tuple(
        Reception(
            Receiver(name, 47.0 + ord(name) / 1000, 8.0, 300.0, 1e-7),
            samples=np.random.default_rng(ord(name))
            .normal(size=(16_000, 2))
            .astype(np.float32)
            .view(np.complex64)[:, 0],
            sample_rate_hz=8000.0,
        )
        for name in "abc"
    )
    observation = Observation("s", 145.5e6, 4000.0, receptions, datetime(2025, 1, 1, tzinfo=UTC))
    write_sigmf(observation, tmp_path / "plain")
    return {path.name: path.read_bytes() for path in (tmp_path / "plain").iterdir()}


def _packed(plain: Mapping[str, bytes], folders: bool) -> dict[str, bytes]:
    """One archive a recording, as the standard has it: with or without a folder of its name inside."""
    stems = [name.removesuffix(".sigmf-meta") for name in plain if name.endswith("-meta")]
    return {
        f"{stem}.sigmf": _tar(
            {f"{stem}/{n}" if folders else n: c for n, c in plain.items() if n.startswith(f"{stem}.")}
        )
        for stem in sorted(stems)
    }


def _write(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def _flaws(path: Path, limits: Limits | None = None) -> tuple[str, list[str | None]]:
    (observation,) = read_observations(path, limits)
    return observation.id, [each.flaw for each in observation.receptions]


@pytest.mark.parametrize("folders", [True, False])
@pytest.mark.parametrize("below", ["", "deep/"])
def test_an_archive_for_each_receiver_is_one_session(
    plain: dict[str, bytes], tmp_path: Path, folders: bool, below: str
) -> None:
    """In a folder and in a ZIP, whether an archive has a folder inside or not."""
    files = {f"{below}{name}": content for name, content in _packed(plain, folders).items()}
    _write(tmp_path / "night", files)
    _zip(tmp_path / "night.zip", files)
    assert _flaws(tmp_path / "night") == (below.strip("/") or "night", [None] * 3)
    assert _flaws(tmp_path / "night.zip") == ("night", [None] * 3)


def test_an_archive_of_a_whole_session_in_a_folder_is_that_session(plain: dict[str, bytes], tmp_path: Path) -> None:
    _write(tmp_path / "all", {"one.sigmf": _tar({f"s/{name}": content for name, content in plain.items()})})
    assert _flaws(tmp_path / "all") == ("s", [None] * 3)


def test_an_archive_beside_what_was_unpacked_from_it_is_not_read_again(plain: dict[str, bytes], tmp_path: Path) -> None:
    files = {name: content for name, content in plain.items() if "collection" not in name}
    assert _flaws(_write(tmp_path / "x", files | _packed(plain, True))) == ("x", [None] * 3)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[: len(content) // 2], "cannot be read"),
        (gzip.compress, "is no plain tar, as SigMF archives are: unpack it"),
        (lambda content: b"", "is no plain tar"),
        (lambda content: _tar({"readme.txt": b"?"}), "holds no .sigmf-meta"),
        (lambda content: _tar({"../x.sigmf-meta": b"?"}), "points elsewhere"),
        (lambda content: _tar({"inner.sigmf": content}), "holds no .sigmf-meta"),
    ],
)
def test_an_archive_that_cannot_be_read_costs_its_receiver(
    plain: dict[str, bytes], tmp_path: Path, damage: object, reason: str
) -> None:
    """Archives within archives within a folder are not looked into."""
    files = _packed(plain, True)
    name = sorted(files)[1]
    files[name] = damage(files[name])  # type: ignore[operator]
    _, (first, second, third) = _flaws(_write(tmp_path / "night", files))
    assert (first, third) == (None, None)
    assert reason in str(second)
    assert name in str(second)


def _sparse(count: int) -> bytes:
    """A tar of a few blocks that says it holds so many zeros."""
    info = tarfile.TarInfo("bomb.sigmf-meta")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 0
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[386:410] = b"%011o\0%011o\0" % (count, 0)
    block[483:495] = b"%011o\0" % count
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes(1024)


def test_an_archive_unpacks_to_no_more_than_itself(plain: dict[str, bytes], tmp_path: Path) -> None:
    """Zeros that are only said to be there are not made."""
    files = _packed(plain, True)
    files["z.sigmf"] = _sparse(1 << 30)
    with tarfile.open(fileobj=io.BytesIO(files["z.sigmf"])) as archive:
        assert archive.next().size == 1 << 30  # type: ignore[union-attr]
    _, flaws = _flaws(_write(tmp_path / "night", files))
    assert flaws[:3] == [None] * 3
    assert "unpacks to more than" in str(flaws[3])


def test_the_number_of_members_of_all_archives_is_limited(plain: dict[str, bytes]) -> None:
    with pytest.raises(InputError, match="more than 5 files"):
        with_archives(_packed(plain, True), Limits(members=5))
    assert len(with_archives(_packed(plain, True), Limits(members=6))) == 6


def test_a_zip_in_a_folder_says_what_to_do(plain: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    _zip(tmp_path / "x" / "session.zip", plain)
    with pytest.raises(InputError, match=r"unpack session\.zip"):
        read_observations(tmp_path / "x")


def test_a_truth_is_refused_where_archives_cannot_keep_it(plain: dict[str, bytes], tmp_path: Path) -> None:
    _write(tmp_path / "night", _packed(plain, True))
    with pytest.raises(InputError, match="to say where the transmitter was"):
        write_truth(tmp_path / "night", Place(50.0, 9.0))


def test_a_collection_lists_recordings_that_are_packed(plain: dict[str, bytes], tmp_path: Path) -> None:
    """Its streams are found in the archives, from the folder and from the collection itself."""
    files = _packed(plain, True) | {name: content for name, content in plain.items() if "collection" in name}
    assert json.loads(files["s.sigmf-collection"])["collection"]["core:streams"]
    folder = _write(tmp_path / "night", files)
    assert _flaws(folder) == _flaws(folder / "s.sigmf-collection") == ("s", [None] * 3)
