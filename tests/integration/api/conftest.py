"""The whole application on a fresh embedded database, with a client for each role."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.geometry import geodesic_distance_m
from heimdall.service.api import create_app
from heimdall.service.auth import Role, create_token
from heimdall.service.database.migrate import migrate
from heimdall.service.database.store import Store
from heimdall.service.settings import Settings

RECEIVERS = {"A": (50.2, 10.1), "B": (49.8, 10.3), "C": (50.1, 9.6), "D": (49.9, 9.7)}
TRUTH = (50.02, 10.05)


@pytest.fixture
def changes() -> dict[str, object]:
    """Settings that a module wants otherwise."""
    return {}


@pytest.fixture
def settings(tmp_path: Path, changes: dict[str, object]) -> Settings:
    return Settings(home=tmp_path / "home", accelerator="cpu", **changes)  # type: ignore[arg-type]


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = Store(settings.database)
    migrate(store)
    yield store
    store.close()


@pytest.fixture
def app(settings: Settings, store: Store):
    return create_app(settings, store)


@pytest.fixture
def client_of(app, store: Store) -> Callable[[Role], TestClient]:
    def make(role: Role) -> TestClient:
        with store.writing() as session:
            word = create_token(session, f"{role} of the test", role)
        client = TestClient(app, headers={"Authorization": f"Bearer {word}"}, raise_server_exceptions=False)
        client.base_url = client.base_url.join("/api/v1/")
        return client

    return make


@pytest.fixture
def client(client_of) -> TestClient:
    return client_of(Role.ADMIN)


@pytest.fixture
def measurements() -> Callable[..., bytes]:
    """A measurement file of `count` transmissions from one place; `known` puts it in as the truth."""

    def make(count: int = 1, known: bool = False, late_s: dict[str, float] | None = None) -> bytes:
        truth = {"latitude_deg": TRUTH[0], "longitude_deg": TRUTH[1], "height_m": 0.0} if known else None
        rows = [
            {"id": f"m{number}", "frequency_hz": 150e6, "bandwidth_hz": 25e3, "truth": truth}
            | {"measurements": [_measurement(name, place, late_s or {}) for name, place in RECEIVERS.items()]}
            for number in range(count)
        ]
        return "".join(json.dumps(row) + "\n" for row in rows).encode()

    return make


def _measurement(name: str, place: tuple[float, float], late_s: dict[str, float]) -> dict[str, object]:
    delay_s = geodesic_distance_m(*place, *TRUTH) * 1.0003 / SPEED_OF_LIGHT_M_S
    where = {"receiver": name, "latitude_deg": place[0], "longitude_deg": place[1], "height_m": 0.0}
    return where | {"toa_s": delay_s + late_s.get(name, 0.0), "clock_sigma_s": 5e-8}
