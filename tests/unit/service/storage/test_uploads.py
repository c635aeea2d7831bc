"""Uploads are bounded, harmless by name, and archives never write where their members' names say."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdall.errors import InputError, TooLargeError
from heimdall.formats.readers.limits import Limits
from heimdall.formats.readers.read import read_observations
from heimdall.service.settings import Settings
from heimdall.service.storage.uploads import Upload, file_name, harmless, receiving


def zipped(members: dict[str, bytes]) -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    stream.seek(0)
    return stream


@pytest.fixture
def upload(tmp_path: Path) -> Upload:
    folder = tmp_path / "upload"
    folder.mkdir()
    return Upload(folder, Limits(total_bytes=30_000, members=4, rows=10, samples=100))


@pytest.mark.parametrize("safe", [harmless, file_name])
@given(name=st.text(max_size=300))
def test_a_harmless_name_stays_in_its_folder(safe: Callable[[str], str], name: str) -> None:
    """Whatever it was: one part, no leading dot, and never empty."""
    made = safe(name)
    assert Path(made).name == made
    assert made not in ("", ".", "..")
    assert not made.startswith(".")
    assert len(made.encode()) <= 150


def test_a_long_file_keeps_its_suffix_and_a_long_title_its_beginning() -> None:
    assert harmless("x" * 300 + ".wav").endswith("x.wav")
    assert file_name("first " + "x" * 300).startswith("first x")


def test_bytes_beyond_the_limit_are_refused_while_they_arrive(upload: Upload) -> None:
    """The second file is one too many."""
    upload.add("a", io.BytesIO(b"x" * 16_000))
    with pytest.raises(TooLargeError):
        upload.add("b", io.BytesIO(b"x" * 16_000))


def test_what_an_archive_unpacks_to_counts(upload: Upload) -> None:
    """A small file that becomes a large one."""
    upload.add("bomb.zip", zipped({"a.txt": b"\0" * 1_000_000}))
    with pytest.raises(TooLargeError, match=r"bomb\.zip"):
        upload.unpack()


@pytest.mark.parametrize(("name", "kept"), [("m.jsonl.gz", "m.jsonl.gz"), ("m.json.gz", "m.jsonl.gz")])
def test_a_measurement_file_may_be_compressed(upload: Upload, name: str, kept: str) -> None:
    row = (Path(__file__).parents[4] / "examples" / "rocket.jsonl").read_bytes().splitlines()[0]
    upload.add(name, io.BytesIO(gzip.compress(row)))
    upload.unpack()
    assert [path.name for path in upload.folder.iterdir()] == [kept]
    assert len(read_observations(upload.folder)) == 1


@pytest.mark.parametrize("name", ["m.csv", "m.tsv", "m.txt"])
def test_a_table_may_be_uploaded_by_itself(upload: Upload, name: str) -> None:
    row = "a;1e8;1e5;%s;48,2;11,5%d;-80,5\n"
    table = "id;frequency_hz;bandwidth_hz;receiver;lat;lon;rssi_dbm\n" + row % ("north", 1) + row % ("south", 2)
    upload.add(name, io.BytesIO(table.encode()))
    upload.unpack()
    (read,) = read_observations(upload.folder, upload.limits)
    assert [each.receiver.longitude_deg for each in read.receptions] == [11.51, 11.52]


def test_a_compressed_tar_is_unpacked_whatever_it_is_called(upload: Upload) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    packed.seek(0)
    upload.add("session", packed)
    upload.unpack()
    assert [path.name for path in upload.folder.rglob("*.txt")] == ["a.txt"]


def test_a_spreadsheet_is_no_archive(upload: Upload) -> None:
    upload.add("levels.ods", zipped({"mimetype": b"x", "content.xml": b"x"}))
    upload.unpack()
    with pytest.raises(InputError, match=r"levels\.ods: \.ods files are not read"):
        read_observations(upload.folder)


def test_an_archive_is_counted_packed_and_unpacked_each_by_itself(upload: Upload) -> None:
    """Random bytes pack to no less: together they would be more than the limit."""
    upload.add("a.zip", zipped({"a.txt": random.Random(1).randbytes(20_000)}))
    upload.unpack()
    assert [path.stat().st_size for path in upload.folder.rglob("a.txt")] == [20_000]


def test_all_archives_of_an_upload_unpack_to_no_more_than_one_limit(upload: Upload) -> None:
    """Each alone would have room."""
    for name in ("a.zip", "b.zip"):
        upload.add(name, zipped({"x.txt": b"\0" * 20_000}))
    with pytest.raises(TooLargeError, match=r"b\.zip: unpacks to more"):
        upload.unpack()


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil.txt", "a/../../evil.txt", "..\\evil.txt"])
def test_a_member_that_points_elsewhere_refuses_the_archive(upload: Upload, name: str, tmp_path: Path) -> None:
    """Nothing is written outside the upload's folder."""
    upload.add("a.zip", zipped({name: b"evil"}))
    with pytest.raises(InputError):
        upload.unpack()
    assert not list(tmp_path.rglob("evil.txt"))


def test_links_of_a_tar_are_passed_over(upload: Upload, tmp_path: Path) -> None:
    """A link out of the folder, then a file through it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        archive.addfile(link)
        member = tarfile.TarInfo("out/evil.txt")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
    stream.seek(0)
    upload.add("a.tar", stream)
    upload.unpack()
    assert [path.relative_to(upload.folder).as_posix() for path in upload.folder.rglob("*.txt")] == ["a/out/evil.txt"]
    assert not (tmp_path / "evil.txt").exists()


def test_two_files_of_one_name_are_refused(upload: Upload) -> None:
    """The second would hide the first."""
    upload.add("x/a.txt", io.BytesIO(b"1"))
    with pytest.raises(InputError, match=r"two files are named a\.txt"):
        upload.add("y/a.txt", io.BytesIO(b"2"))


@pytest.mark.parametrize("members", [{"a/b": b"1", "a": b"2"}, {"a": b"1", "a/b": b"2"}])
def test_a_name_that_is_a_file_and_a_folder_is_refused(upload: Upload, members: dict[str, bytes]) -> None:
    """Whichever comes first."""
    upload.add("x.zip", zipped(members))
    with pytest.raises(InputError, match="give each a name of its own"):
        upload.unpack()


def test_a_file_beside_an_archive_of_its_name_is_refused(upload: Upload) -> None:
    """The archive's folder would take the file's place."""
    upload.add("x.zip", zipped({"a.txt": b"1"}))
    upload.add("x", io.BytesIO(b"2"))
    with pytest.raises(InputError, match="x is a file and a folder"):
        upload.unpack()


def test_too_many_files_are_refused(upload: Upload) -> None:
    """Four are allowed."""
    for number in range(4):
        upload.add(f"{number}", io.BytesIO(b""))
    with pytest.raises(InputError, match="more than 4 files"):
        upload.add("5", io.BytesIO(b""))


def test_the_folder_of_an_upload_is_gone_at_the_end(tmp_path: Path) -> None:
    """Also when something went wrong."""
    settings = Settings(home=tmp_path, upload_mb=0.001)

    def take_too_much() -> None:
        with receiving(settings) as upload:
            folders.append(upload.folder)
            upload.add("a", io.BytesIO(b"x" * 2000))

    folders: list[Path] = []
    with pytest.raises(TooLargeError):
        take_too_much()
    assert not folders[0].exists()
