"""The bin has a way back, and nothing that is pinned or in use is deleted for its age or size."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from heimdall.service.database.tables import Model, RegisteredReceiver, StoredFix, StoredSession
from heimdall.service.errors import ConflictError, UnknownError
from heimdall.service.queue import jobs
from heimdall.service.storage import fixes, retention, sessions

DAY_S = 86_400.0
RECORDED = {"frequency_hz": 77_500.0, "bandwidth_hz": 1000.0, "receivers": []}


@pytest.fixture
def put(store, settings):
    """A session of so many bytes and days, with a fix, as a recording unless said otherwise."""

    def make(number, days=0.0, size_bytes=100, **values):
        session_id = f"{number:016x}"
        folder = sessions.folder_of(settings, session_id)
        folder.mkdir(parents=True)
        (folder / "samples").write_bytes(b"1")
        given = {"recorded": RECORDED, "fix_state": "located", "summary": {}, "created_by": "t", "name": f"s{number}"}
        with store.writing() as session:
            now = retention._now(session)
            session.add(
                StoredSession(
                    id=session_id, size_bytes=size_bytes, created_unix_s=now - days * DAY_S, **(given | values)
                )
            )
            place = {"latitude_deg": 50.0, "longitude_deg": 9.0, "document": {}, "status": "ok"}
            session.add(
                StoredFix(id=session_id, session_id=session_id, name="s", at_unix_s=now, frequency_hz=77_500.0, **place)
            )
        return session_id

    return make


def names(store):
    with store.reading() as session:
        return sorted(each.name for each in sessions.find(session))


def kept_fixes(store):
    with store.reading() as session:
        return len(fixes.find(session, fixes.Wanted()))


def test_what_is_put_into_the_bin_is_gone_until_it_is_restored(store, settings, put):
    session_id = put(1)
    with store.writing() as session:
        retention.discard(session, session_id, "op")
        with pytest.raises(UnknownError, match="is in the bin: restore it first"):
            sessions.get(session, session_id)
        assert [each.deleted_by for each in retention.binned(session)] == ["op"]
        assert sessions.search(session, sessions.Wanted()) == ([], 0)
    assert (names(store), kept_fixes(store)) == ([], 0)
    assert retention.apply(store, settings) == (0, 0)
    with store.writing() as session:
        retention.restore(session, session_id)
    assert (names(store), kept_fixes(store)) == (["s1"], 1)
    assert sessions.folder_of(settings, session_id).is_dir()


def test_the_bin_is_emptied_after_its_days_and_what_a_person_deleted_takes_its_fixes_along(store, settings, put):
    by_hand, by_itself = put(1), put(2, days=20.0)
    aged = settings.model_copy(update={"keep_recordings_days": 10.0})
    with store.writing() as session:
        retention.discard(session, by_hand, "op")
    assert retention.apply(store, aged) == (1, 0)
    with store.writing() as session:
        later = update(StoredSession).values(deleted_unix_s=StoredSession.deleted_unix_s - 8 * DAY_S)
        session.execute(later)
    assert retention.apply(store, aged) == (0, 2)
    for each in (by_hand, by_itself):
        assert not sessions.folder_of(settings, each).exists()
        with store.writing() as session, pytest.raises(UnknownError, match="no session"):
            retention.restore(session, each)
    with store.reading() as session:
        assert [each.session_id for each in session.scalars(select(StoredFix))] == [by_itself]


def test_the_oldest_recordings_go_first_where_they_are_too_many_and_uploads_never(store, settings, put):
    for number, days in ((1, 3.0), (2, 2.0), (3, 1.0)):
        put(number, days=days, size_bytes=400_000)
    put(4, days=400.0, size_bytes=10_000_000, recorded=None, fix_state=None)
    small = settings.model_copy(update={"keep_recordings_gb": 0.0009, "keep_recordings_days": 365.0})
    assert retention.apply(store, small) == (1, 0)
    assert names(store) == ["s2", "s3", "s4"]
    with store.reading() as session:
        told = retention.usage(session, small)
    assert (told.recordings.count, told.recordings.size_bytes, told.bin.size_bytes) == (2, 800_000, 400_000)
    assert told.sessions.count == 3
    # As much again may lie in the bin; what a person put there does not count.
    tighter = small.model_copy(update={"keep_recordings_gb": 0.0003})
    assert retention.apply(store, tighter) == (2, 3)
    assert names(store) == ["s4"]


def test_what_is_pinned_waits_to_be_located_or_is_in_use_stays(store, settings, put):
    ids = {name: put(number, days=99.0, name=name) for number, name in enumerate(("pin", "job", "model", "fit", "old"))}
    put(9, days=99.0, name="waits", fix_state="waiting")
    with store.writing() as session:
        retention.pin(session, ids["pin"], True)
        data = {name: {"data": [sessions.data_name(each)]} for name, each in ids.items()}
        jobs.create(session, "fine-tune", data["job"], name="j", created_by="t", attempts_max=1)
        record = {"job": "x", "arguments": data["model"]}
        session.add(Model(id="m" * 16, name="m", artifact="a", sha256="0" * 64, size_bytes=1, scores={}, record=record))
        session.add(
            RegisteredReceiver(
                id="s" * 16,
                name="HB9",
                latitude_deg=1.0,
                longitude_deg=1.0,
                height_m=0.0,
                note="",
                correction={"sessions": {ids["fit"]: "fit"}},
            )
        )
    aged = settings.model_copy(update={"keep_recordings_days": 1.0})
    assert retention.apply(store, aged) == (1, 0)
    assert names(store) == ["fit", "job", "model", "pin", "waits"]
    with store.reading() as session:
        assert retention.usage(session, aged).protected.count == 4
        assert retention.used_by(session)[ids["fit"]] == ["the correction of HB9"]
    with store.writing() as session, pytest.raises(ConflictError, match="pin is pinned: unpin it"):
        retention.discard(session, ids["pin"], "op")
    with pytest.raises(ConflictError, match="unpin it"):
        retention.delete(store, settings, ids["pin"])


def test_the_history_is_asked_by_time_and_frequency(store, put):
    for number in range(3):
        put(number)
    with store.writing() as session:
        for number in range(3):
            at = {"at_unix_s": 1000.0 + number, "frequency_hz": 1e6 * (number + 1)}
            session.execute(update(StoredFix).where(StoredFix.id == f"{number:016x}").values(**at))

    def found(**wanted):
        with store.reading() as session:
            return [each.at_unix_s - 1000 for each in fixes.find(session, fixes.Wanted(**wanted))]

    assert found() == [0, 1, 2]
    assert found(limit=2) == [1, 2]
    assert found(since_unix_s=1001.0, high_hz=2e6) == [1]
    assert found(low_hz=2e6, until_unix_s=1001.5) == [1]
    assert found(session_id=f"{2:016x}") == [2]


def test_a_recording_that_went_for_its_age_stays_when_it_is_restored(store, settings, put):
    """Or the next look would put it back."""
    session_id = put(1, days=20.0)
    aged = settings.model_copy(update={"keep_recordings_days": 10.0})
    assert retention.apply(store, aged) == (1, 0)
    with store.writing() as session:
        retention.restore(session, session_id)
        assert sessions.get(session, session_id).pinned
    assert retention.apply(store, aged) == (0, 0)
    assert names(store) == ["s1"]


def test_what_a_person_deleted_is_restored_as_it_was(store, put):
    session_id = put(1)
    with store.writing() as session:
        retention.discard(session, session_id, "op")
        assert retention.bin_amount(session).model_dump() == {"count": 1, "size_bytes": 100}
        retention.restore(session, session_id)
        assert not sessions.get(session, session_id).pinned
        assert retention.bin_amount(session).model_dump() == {"count": 0, "size_bytes": 0}
