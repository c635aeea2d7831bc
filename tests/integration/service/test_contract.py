"""No request the document allows, and none it forbids, gets an answer the document does not know."""

from __future__ import annotations

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from heimdall.service.api import create_app
from heimdall.service.api.routes import system
from heimdall.service.auth import Role, create_token
from heimdall.service.database.migrate import migrate
from heimdall.service.database.store import Store
from heimdall.service.settings import Settings


@pytest.fixture(scope="module")
def token_and_schema(tmp_path_factory):
    home: Path = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, accelerator="cpu")
    store = Store(settings.database)
    migrate(store)
    with store.writing() as session:
        word = create_token(session, "contract", Role.ADMIN)
    patch = pytest.MonkeyPatch()
    patch.setattr(system.doctor_report, "examine", lambda: {"findings": [], "verdict": "cpu", "reason": "none"})
    yield word, schemathesis.openapi.from_asgi("/api/v1/openapi.json", create_app(settings, store))
    patch.undo()
    store.close()


KNOWS_NO_MODELS = positive_data_acceptance
"""It wants every well-formed request accepted, and cannot know which models and data there are."""

QUIET = hypothesis_settings(
    max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)


def test_every_answer_is_documented(token_and_schema):
    word, schema = token_and_schema
    checked = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.endswith("/events"):
            continue  # a stream that lasts as long as its job; it has its own tests

        @QUIET
        @given(case=operation.as_strategy())
        def check(case):
            case.call_and_validate(headers={"Authorization": f"Bearer {word}"}, excluded_checks=[KNOWS_NO_MODELS])

        check()
        checked.append(operation.label)
    assert len(checked) > 10
