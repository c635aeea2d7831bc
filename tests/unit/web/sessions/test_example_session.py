"""Who has no session yet can open one, and it shows an honest fix."""

from __future__ import annotations

from pathlib import Path

from heimdall.fix import Status
from heimdall.formats.readers.limits import Limits
from heimdall.formats.readers.read import read_observations
from heimdall.locating.pipeline import locate
from heimdall.service.storage.uploads import Upload
from heimdall.web.sessions.example_session import put_example


def test_the_example_is_read_and_located_with_the_truth_in_its_region(tmp_path: Path) -> None:
    put_example(Upload(tmp_path, Limits(total_bytes=100_000, members=1)))
    fixes = [each.fix for each in locate(read_observations(tmp_path))]
    assert len(fixes) == 3
    for fix in fixes:
        assert fix.status is Status.OK
        assert fix.truth is not None
        assert fix.truth.inside_95
