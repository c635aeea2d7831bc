"""Trainings and recordings are each on a page of their own."""

from __future__ import annotations

from heimdall.service.queue import jobs


def test_jobs_of_one_name_are_told_apart_by_who_asked_for_them_and_when(site):
    with site.parts.store.writing() as session:
        for who in ("anna", "ben"):
            jobs.create(session, "train", {"recipe": "quick"}, name="quick", created_by=who, attempts_max=3)

    async def look(visitor):
        await visitor.open("/training")
        for who in ("anna", "ben"):
            await visitor.sees(f" by {who}")

    site.visit(look)


def test_jobs_that_record_are_not_in_the_list_of_trainings(site):
    with site.parts.store.writing() as session:
        about = {"created_by": "t", "attempts_max": 3}
        jobs.create(session, "train", {"recipe": "quick"}, name="a training", **about)
        arguments = {"frequency_hz": 77_500.0, "receivers": ["a", "b"]}
        for kind in ("record", "watch"):
            jobs.create(session, kind, arguments, name=f"a {kind}", needs_capture=True, **about)

    async def look(visitor):
        await visitor.open("/training")
        await visitor.sees("a training")
        for name in ("a record", "a watch"):
            await visitor.sees_no(name)
        await visitor.open("/record")
        for name in ("a record", "a watch"):
            await visitor.sees(name)
        await visitor.sees_no("a training")

    site.visit(look)
