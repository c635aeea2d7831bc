"""The Celery application of one process is its own."""

from pathlib import Path

from celery import Celery

from heimdall.service.queue.notifications import TASK, make_celery
from heimdall.service.settings import Settings


def test_its_task_is_registered_with_no_other_application(tmp_path: Path) -> None:
    applications = [make_celery(Settings(home=tmp_path)) for _ in range(2)]
    assert all(TASK in application.tasks for application in applications)
    other = Celery("other", set_as_current=False)
    assert TASK not in other.tasks
