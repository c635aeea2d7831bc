"""What is put under a key is fetched under it, whole, from a folder as from remote storage."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from heimdall.errors import HeimdallError
from heimdall.files.artifacts import Artifacts, fingerprint, open_artifacts

KEY = "models/0123/m.heimdall"


@pytest.fixture(params=["folder", "memory"])
def artifacts(request, tmp_path) -> Artifacts:
    return open_artifacts(str(tmp_path / "store") if request.param == "folder" else "memory://heimdall-test")


@pytest.fixture
def model(tmp_path) -> Path:
    path = tmp_path / "m.heimdall"
    path.write_bytes(b"weights" * 1000)
    return path


def test_what_is_put_can_be_fetched_and_putting_it_again_does_no_harm(artifacts, model, tmp_path):
    artifacts.put(model, KEY)
    artifacts.put(model, KEY)
    assert artifacts.fetch(KEY, tmp_path / "in").read_bytes() == model.read_bytes()


def test_what_is_deleted_is_told_to_be_missing(artifacts, model, tmp_path):
    artifacts.put(model, KEY)
    artifacts.delete(KEY)
    artifacts.delete(KEY)
    with pytest.raises(HeimdallError, match=KEY):
        artifacts.fetch(KEY, tmp_path / "in")


def test_the_names_in_a_folder_are_those_directly_in_it(artifacts, model):
    for key in ("names/b", "names/a", "names/deep/c"):
        artifacts.put(model, key)
    assert artifacts.names("names") == ["names/a", "names/b"]
    assert artifacts.names("nothing") == []


def test_a_store_that_works_says_so(artifacts):
    assert artifacts.check()


def test_a_folder_that_takes_no_files_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"(?i)directory|exists"):
        open_artifacts(str(tmp_path / "file")).check()


def test_nothing_half_written_stays_beside_the_file(model, tmp_path):
    open_artifacts(str(tmp_path / "store")).put(model, KEY)
    assert [path.name for path in (tmp_path / "store" / KEY).parent.iterdir()] == ["m.heimdall"]


def test_the_fingerprint_is_sha_256(model):
    assert fingerprint(model) == hashlib.sha256(model.read_bytes()).hexdigest()
