"""The worker: takes jobs, runs each as a program of its own, and says how they end.

`celery -A heimdall.service.worker inspect ping` finds the application here.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """`app`, made when it is asked for: importing this package must not need a valid environment."""
    if name != "app":
        raise AttributeError(name)
    from heimdall.service.queue import notifications
    from heimdall.service.settings import load_settings

    return notifications.make_celery(load_settings())
