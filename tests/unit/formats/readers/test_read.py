"""Any path is recognised by what is in it; archives are read without trusting a name or a size in them."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heimdall.errors import InputError
from heimdall.formats.readers.limits import Limits
from heimdall.formats.readers.measurements import measurements_text
from heimdall.formats.readers.read import read_observations
from heimdall.formats.writers.sigmf_write import write_sigmf
from heimdall.observation import Observation

Pack = Callable[[Path, dict[str, bytes]], None]


def _zip(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def _tar(path: Path, files: dict[str, bytes], mode: str = "w") -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def _tar_gz(path: Path, files: dict[str, bytes]) -> None:
    _tar(path, files, "w:gz")


def _tar_xz(path: Path, files: dict[str, bytes]) -> None:
    _tar(path, files, "w:xz")


@pytest.fixture
def session(iq_session: Observation, tmp_path: Path) -> Path:
    write_sigmf(iq_session, tmp_path / "night")
    return tmp_path / "night"


@pytest.fixture
def table(iq_session: Observation) -> bytes:
    receptions = tuple(
        replace(reception, samples=None, rssi_dbm=-80.0 - index)
        for index, reception in enumerate(iq_session.receptions)
    )
    return measurements_text([replace(iq_session, receptions=receptions)]).encode()


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _ids(path: Path) -> list[str]:
    return [observation.id for observation in read_observations(path)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be-sig"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_table_is_read_however_an_editor_saved_it(
    table: bytes, tmp_path: Path, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    """With a mark of UTF-8 or UTF-16, alone, compressed, and in an archive."""
    text = table.decode() * 3
    saved = b"\xfe\xff" + text.encode("utf-16-be") if encoding == "utf-16-be-sig" else text.encode(encoding)
    suffix = "" if pack is bytes else ".gz"
    path = tmp_path / f"t.jsonl{suffix}"
    path.write_bytes(pack(saved))
    _zip(tmp_path / "t.zip", {f"t.jsonl{suffix}": pack(saved)})
    assert _ids(path) == _ids(tmp_path / "t.zip") == ["night"] * 3


def test_a_session_is_read_from_its_folder_and_from_its_collection(session: Path) -> None:
    """Both ways give the same session."""
    assert _ids(session) == ["night"]
    assert _ids(session / "night.sigmf-collection") == ["night"]


def test_a_folder_of_sessions_gives_them_in_order(iq_session: Observation, tmp_path: Path) -> None:
    """What `simulate` writes, one folder a session, is read at once."""
    for name in ("b", "a", "c"):
        write_sigmf(replace(iq_session, id=name), tmp_path / name)
    assert _ids(tmp_path) == ["a", "b", "c"]


def test_a_folder_of_recordings_without_a_collection_is_a_session(session: Path) -> None:
    """The folder gives the session its name."""
    (session / "night.sigmf-collection").unlink()
    assert _ids(session) == ["night"]


@pytest.mark.parametrize(
    ("pack", "suffix"), [(_zip, "zip"), (_tar, "sigmf"), (_tar_gz, "sigmf.gz"), (_tar_xz, "tar.xz")]
)
@pytest.mark.parametrize("prefix", ["", "./", "deep/er/"])
def test_a_session_is_read_from_an_archive(session: Path, tmp_path: Path, pack: Pack, suffix: str, prefix: str) -> None:
    """ZIP and tar, plain and compressed, with and without folders inside, hold the same session."""
    path = tmp_path / f"upload.{suffix}"
    pack(path, {prefix + name: content for name, content in _contents(session).items()})
    (observation,) = read_observations(path)
    assert observation.id == "night"
    assert [reception.flaw for reception in observation.receptions] == [None, None, None]


def test_an_archive_may_keep_each_recording_in_a_folder_of_its_own(session: Path, tmp_path: Path) -> None:
    """As the SigMF archive format has it: name/name.sigmf-meta; with a collection on top, and without."""
    files = _contents(session)
    spread = {f"{name.split('.')[0]}/{name}": files[name] for name in files if "collection" not in name}
    _tar(tmp_path / "bare.sigmf", spread)
    _tar(tmp_path / "listed.sigmf", {**spread, "night.sigmf-collection": files["night.sigmf-collection"]})
    for name, expected in (("bare.sigmf", "bare"), ("listed.sigmf", "night")):
        (observation,) = read_observations(tmp_path / name)
        assert observation.id == expected
        assert len(observation.receptions) == 3


def test_kiwisdr_recordings_are_read_from_a_folder_and_an_archive(tmp_path: Path) -> None:
    """The folder or the archive names the session; recordings that are broken are flagged, not lost."""
    files = {f"20200813T065220Z_77500_{name}_iq.wav": b"RIFF" for name in ("a", "b")}
    folder = tmp_path / "lf"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    _zip(tmp_path / "lf.zip", {f"inner/{name}": content for name, content in files.items()})
    assert _ids(folder) == ["lf"]
    assert _ids(tmp_path / "lf.zip") == ["inner"]


def test_measurements_are_read_from_a_file_a_folder_and_an_archive(table: bytes, tmp_path: Path) -> None:
    """A table is a table wherever it lies."""
    (tmp_path / "m.jsonl").write_bytes(table)
    _zip(tmp_path / "x.zip", {"in/m.jsonl": table})
    assert _ids(tmp_path / "m.jsonl") == ["night"]
    assert _ids(tmp_path) == ["night"]
    assert _ids(tmp_path / "x.zip") == ["night"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.sigmf-meta", b"{}", "one receiver"),
        ("a.wav", b"RIFF", "one receiver"),
        ("a.dat", b"{}", "not recognised"),
        ("a.jsonl", b"{", "line 1"),
        ("a.zip", b"PK\3\4broken", "archive cannot be read"),
        ("a.sigmf", b"\x1f\x8bbroken", "archive cannot be read"),
    ],
)
def test_what_is_not_recognised_is_refused_in_one_line(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    """The error says what is wrong with the file, or what is expected."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=reason) as caught:
        read_observations(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_path_that_is_not_there_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    """Both errors say so."""
    with pytest.raises(InputError, match="no such file"):
        read_observations(tmp_path / "none")
    with pytest.raises(InputError, match="nothing in it is recognised"):
        read_observations(tmp_path)


@pytest.mark.parametrize("pack", [_zip, _tar])
@pytest.mark.parametrize("name", ["../m.jsonl", "/m.jsonl", "a/../../m.jsonl", "..\\m.jsonl"])
def test_an_archive_that_points_elsewhere_is_refused(table: bytes, tmp_path: Path, pack: Pack, name: str) -> None:
    """Nobody writes such a name by accident."""
    pack(tmp_path / "x.bin", {name: table})
    with pytest.raises(InputError, match="points elsewhere"):
        read_observations(tmp_path / "x.bin")


def test_links_in_an_archive_are_passed_over(table: bytes, tmp_path: Path) -> None:
    """A link is no file, wherever it leads."""
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        info = tarfile.TarInfo("m.jsonl")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(InputError, match="nothing in it is recognised"):
        read_observations(tmp_path / "x.tar")


@pytest.mark.parametrize("pack", [_zip, _tar, _tar_gz])
def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, pack: Pack) -> None:
    """Megabytes of zeros in a small archive stop at the limit."""
    pack(tmp_path / "bomb.bin", {"m.jsonl": bytes(3_000_000)})
    with pytest.raises(InputError, match=r"unpacks to more|is allowed"):
        read_observations(tmp_path / "bomb.bin", Limits(total_bytes=1_000_000))


def test_too_many_members_are_refused(table: bytes, tmp_path: Path) -> None:
    """The number of files in an archive, and in a folder, is limited."""
    _zip(tmp_path / "x.zip", {f"{index}.jsonl": table for index in range(5)})
    with pytest.raises(InputError, match="4 files"):
        read_observations(tmp_path / "x.zip", Limits(members=4))


def test_a_size_in_a_header_is_not_believed(tmp_path: Path) -> None:
    """A tar header that claims more than there is, and a huge extended header, end in an error, not in memory."""
    info = tarfile.TarInfo("m.jsonl")
    info.size = 1 << 40
    (tmp_path / "claim.tar").write_bytes(info.tobuf())
    extended = tarfile.TarInfo("pax")
    extended.type, extended.size = tarfile.XHDTYPE, 1 << 33
    (tmp_path / "pax.tar.gz").write_bytes(gzip.compress(extended.tobuf(tarfile.GNU_FORMAT) + bytes(8_000_000)))
    for name in ("claim.tar", "pax.tar.gz"):
        with pytest.raises(InputError):
            read_observations(tmp_path / name, Limits(total_bytes=1_000_000))


@pytest.fixture(scope="module")
def archives(iq_session: Observation, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    """A file to write to, and the same session in three kinds of archive."""
    folder = tmp_path_factory.mktemp("archives")
    write_sigmf(iq_session, folder / "night")
    path, packed = folder / "x.bin", []
    for pack in (_zip, _tar, _tar_gz):
        pack(path, _contents(folder / "night"))
        packed.append(path.read_bytes())
    return path, packed


@settings(max_examples=60, deadline=None)
@given(data=st.data(), kind=st.integers(0, 2))
def test_any_damage_to_an_archive_gives_observations_or_one_error(
    archives: tuple[Path, list[bytes]], data: st.DataObject, kind: int
) -> None:
    """Cut and overwritten anywhere, an archive is read or refused with InputError."""
    path, packed = archives
    content = bytearray(packed[kind])
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        patch = data.draw(st.binary(min_size=1, max_size=12))
        content[place : place + len(patch)] = patch
    path.write_bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    with contextlib.suppress(InputError):
        assert read_observations(path)


@pytest.mark.parametrize(("suffix", "compress"), [("gz", gzip.compress), ("xz", lzma.compress), ("bz2", bz2.compress)])
def test_compressed_measurements_are_read(table: bytes, tmp_path: Path, suffix: str, compress: Any) -> None:
    """As data sets are published: alone, in a folder, in an archive."""
    for name in ("m.jsonl", "n.NDJSON"):
        (tmp_path / f"{name}.{suffix}").write_bytes(compress(table))
        assert _ids(tmp_path / f"{name}.{suffix}") == ["night"]
    assert _ids(tmp_path) == ["night", "night"]
    _zip(tmp_path / "x.zip", {f"in/m.jsonl.{suffix}": compress(table)})
    assert _ids(tmp_path / "x.zip") == ["night"]


def test_a_compressed_file_that_is_damaged_or_unpacks_to_too_much_is_refused(table: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.jsonl.gz").write_bytes(gzip.compress(table)[:60])
    with pytest.raises(InputError, match=r"m\.jsonl\.gz"):
        read_observations(tmp_path / "m.jsonl.gz")
    (tmp_path / "m.jsonl.gz").write_bytes(gzip.compress(b" " * 3_000_000))
    with pytest.raises(InputError, match="more than is allowed"):
        read_observations(tmp_path / "m.jsonl.gz", Limits(total_bytes=1_000_000))


@pytest.mark.parametrize("pack", [_zip, _tar])
def test_what_a_mac_adds_to_an_archive_is_passed_over(session: Path, tmp_path: Path, pack: Pack) -> None:
    files = {f"s/{name}": content for name, content in _contents(session).items()}
    phantoms = {f"__MACOSX/s/._{name}": b"\0\5\x16\7" for name in _contents(session)}
    phantoms |= {f"s/._{name}": b"\0\5\x16\7" for name in _contents(session)} | {"s/.DS_Store": b"x"}
    pack(tmp_path / "x.bin", {**files, **phantoms})
    (observation,) = read_observations(tmp_path / "x.bin")
    assert [reception.flaw for reception in observation.receptions] == [None, None, None]


@pytest.mark.parametrize("layout", ["gnss_pos", "../gnss_pos"])
def test_positions_are_found_where_the_recorder_puts_them(tmp_path: Path, layout: str) -> None:
    """`gnss_pos` in the folder of the recordings, or beside it, from the disk and in an archive."""
    folder = tmp_path / "checkout" / "iq"
    positions = (folder / layout).resolve()
    for each in (folder, positions):
        each.mkdir(parents=True, exist_ok=True)
    for name in ("a", "b"):
        (folder / f"20200813T065220Z_77500_{name}_iq.wav").write_bytes(b"RIFF")
        (positions / f"{name}.txt").write_text(f"[46.{ord(name)}, 8.5]")
    _zip(
        tmp_path / "x.zip", {str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*.*") if p.is_file()}
    )
    for path in (folder, tmp_path / "checkout", tmp_path / "x.zip"):
        (observation,) = read_observations(path)
        assert [reception.receiver.latitude_deg for reception in observation.receptions] == [46.97, 46.98]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.cf32", '"core:datatype": "cf32_le"'),
        ("a.cs16", '"ci16_le"'),
        ("a.cu8", '"cu8"'),
        ("a.vrt", "VITA 49"),
        ("a.w64", "as WAV"),
    ],
)
def test_raw_samples_say_what_to_write_beside_them(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).write_bytes(bytes(64))
    for path in (tmp_path / name, tmp_path):
        with pytest.raises(InputError, match="sigmf-meta") as caught:
            read_observations(path)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["levels.parquet", "levels.xlsx", "places.geojson"])
def test_a_table_says_the_line_to_write_instead_and_that_line_is_read(tmp_path: Path, name: str) -> None:
    table = b"receiver,latitude,longitude,rssi\n"
    if name.endswith(".xlsx"):
        _zip(tmp_path / name, {"docProps/app.xml": table, "xl/workbook.xml": table})
    else:
        (tmp_path / name).write_bytes(table)
    for path in (tmp_path / name, tmp_path):
        with pytest.raises(InputError, match=r"write NAME\.jsonl") as caught:
            read_observations(path)
    line = str(caught.value).partition("per observation: ")[2]
    for placeholder, value in {
        "HZ": 433e6,
        "DEGREES": 47,
        "METRES": 400,
        "SECONDS_OR_null": None,
        "DBM_OR_null": -90,
    }.items():
        line = line.replace(placeholder, json.dumps(value))
    other = '{"receiver": "B", "latitude_deg": 47.1, "longitude_deg": 8, "rssi_dbm": -80}'
    (tmp_path / "levels.jsonl").write_text(line.replace("NAME", '"A"').replace("...", other))
    (observation,) = read_observations(tmp_path)
    assert [each.receiver.name for each in observation.receptions] == ["A", "B"]


def test_a_table_beside_an_archive_hides_no_advice(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("a,b\n")
    _zip(tmp_path / "recordings.zip", {"a.wav": b"RIFF"})
    with pytest.raises(InputError, match=r"unpack recordings\.zip.*; notes\.csv: "):
        read_observations(tmp_path)


def test_a_wav_file_beside_other_data_is_not_a_session(session: Path, table: bytes, tmp_path: Path) -> None:
    (session / "voice.wav").write_bytes(b"RIFF")
    assert _ids(session) == ["night"]
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "m.jsonl").write_bytes(table)
    (tmp_path / "t" / "voice.wav").write_bytes(b"RIFF")
    assert _ids(tmp_path / "t") == ["night"]


def test_every_bad_row_is_told_with_its_file(table: bytes, tmp_path: Path) -> None:
    """As a note where other rows are read, as the error where none is."""
    row: dict[str, Any] = json.loads(table)
    row["measurements"] = row["measurements"][:1]
    bad = json.dumps(row).encode()
    (tmp_path / "m.jsonl").write_bytes(table + bad)
    (observation,) = read_observations(tmp_path)
    assert observation.notes[-1].startswith("not read: m.jsonl line 2: night: 1 receiver")
    (tmp_path / "m.jsonl").write_bytes(bad)
    with pytest.raises(InputError, match=r"m\.jsonl line 1: night: 1 receiver"):
        read_observations(tmp_path)
