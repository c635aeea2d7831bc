from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from heimdall.deploy.compose.dotenv import read_values, write_values

OWN = {"HEIMDALL_ACCELERATOR": "gpu-cdi", "HEIMDALL_TORCH_VERSION": "2.10.0"}


@given(st.binary(max_size=200).filter(lambda raw: b"HEIMDALL" not in raw))
def test_everything_that_is_not_ours_stays_byte_for_byte(before: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, ".env")
        path.write_bytes(before)
        backup = write_values(path, OWN)
        separator = b"" if before.endswith(b"\n") or not before else b"\n"
        own = b"HEIMDALL_ACCELERATOR=gpu-cdi\nHEIMDALL_TORCH_VERSION=2.10.0\n"
        assert path.read_bytes() == before + separator + own
        assert backup is not None
        assert backup.read_bytes() == before


def test_a_key_keeps_its_place_and_stands_once(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\nexport HEIMDALL_ACCELERATOR = gpu\n# HEIMDALL_ACCELERATOR=x\nHEIMDALL_ACCELERATOR=cpu\nB=2\n")
    write_values(path, {"HEIMDALL_ACCELERATOR": "gpu-ids"})
    assert path.read_text() == "A=1\nHEIMDALL_ACCELERATOR=gpu-ids\n# HEIMDALL_ACCELERATOR=x\nB=2\n"


def test_a_file_that_says_so_already_is_neither_copied_nor_written(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    assert write_values(path, OWN) is None
    first = path.stat().st_mtime_ns
    assert write_values(path, OWN) is None
    assert path.stat().st_mtime_ns == first
    assert list(tmp_path.iterdir()) == [path]


def test_there_is_one_copy_and_it_is_the_file_as_its_owner_last_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    for mine in ("A=1\nHEIMDALL_ACCELERATOR=gpu-ids\n", "A=2\n"):
        path.write_text(mine)
        for value in ("gpu", "cpu", "gpu-cdi"):
            write_values(path, {"HEIMDALL_ACCELERATOR": value})
        assert (tmp_path / ".env.backup").read_text() == mine
    assert {file.name for file in tmp_path.iterdir()} == {".env", ".env.backup"}


def test_a_file_only_its_owner_reads_stays_so_and_its_copy_too(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("SECRET=1\n")
    path.chmod(0o600)
    backup = write_values(path, OWN)
    assert backup is not None
    assert [file.stat().st_mode & 0o777 for file in (path, backup)] == [0o600, 0o600]


def test_values_are_read_as_compose_reads_them(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# A=0\nA=1\nexport B = 'two'\nA=3\nnonsense\n")
    assert read_values(path) == {"A": "3", "B": "two"}
    assert read_values(tmp_path / "missing") == {}
