"""Rehearsals whose locks lie in the test's own folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from heimdall.rehearsal.troubles import Trouble

from .scene import SPEED, Rehearsal, make_stage


@pytest.fixture
def rehearse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Rehearsal]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    def make(kiwis: int, dongles: int = 0, troubles: Mapping[str, Trouble] | None = None, **changes: Any) -> Rehearsal:
        speed = changes.pop("speed", SPEED)
        return Rehearsal(make_stage(kiwis + dongles, troubles, **changes), kiwis, speed)

    return make
