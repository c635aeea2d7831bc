"""What workers record is located as it comes, however long it takes."""

from __future__ import annotations

import io

import pytest

from heimdall.files.artifacts import open_artifacts
from heimdall.service.api.recording_locator import RecordingLocator
from heimdall.service.concurrent_locating import Locator
from heimdall.service.database.tables import StoredSession
from heimdall.service.models.model_cache import ModelCache
from heimdall.service.storage import fixes, sessions
from heimdall.service.storage.job_recordings import WAITING
from heimdall.service.storage.uploads import receiving

from ..observed import table


@pytest.fixture
def recorded(settings, store) -> str:
    with receiving(settings) as upload:
        upload.add("m.jsonl", io.BytesIO(table()))
        summary = sessions.prepare(upload)
        stored = sessions.add(store, settings, upload, summary, name="recorded", created_by="job")
    with store.writing() as session:
        session.get(StoredSession, stored.id).fix_state = WAITING
    return stored.id


def test_a_recording_that_takes_longer_than_a_request_may_is_located_once(settings, store, recorded):
    hasty = settings.model_copy(update={"locate_s": 1e-9})
    locator = Locator(hasty, store, ModelCache(open_artifacts(settings.artifact_address), settings.home / "warm"))
    RecordingLocator(hasty, store, locator).look()
    locator.close()
    with store.reading() as session:
        assert sessions.get(session, recorded).fix_state == "located"
        assert fixes.waiting(session, 8) == []
