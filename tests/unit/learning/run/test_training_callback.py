"""What happens after each step of a training."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from heimdall.learning.run.training_callback import TrainingCallback


def test_checkpoints_of_earlier_versions_keep_their_seconds() -> None:
    """Lightning finds a callback's state in a checkpoint by its key, which therefore stays `Watch`."""
    parts: list[Any] = [Mock() for _ in range(6)]
    callback = TrainingCallback(*parts)
    assert callback.state_key == "Watch"
    callback.load_state_dict({"seconds": 12.5})
    assert callback.seconds == 12.5
