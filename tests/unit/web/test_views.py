"""The pieces of HTML that pages are made of: they escape what comes from outside, and say what is there."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from heimdall.errors import InputError
from heimdall.observation import Place
from heimdall.runs.reader import Warned
from heimdall.service.api.routes.models import FrozenView, ModelView
from heimdall.service.health.monitor import Dependency, Readiness, Status
from heimdall.service.receivers.registered import Correction, ReceiverFields
from heimdall.web.models import model_view
from heimdall.web.places import place_text
from heimdall.web.receivers.receiver_form import read_fields
from heimdall.web.receivers.receivers_page import read_list
from heimdall.web.system.system_page import finding_html, service_html, workers_html
from heimdall.web.training.job_panel import Look, error_curves, figures_html, loss_curves, title_html, warnings_html

EVIL = "<script>alert(1)</script>"
SCORES = {
    f"{method}/{name}": value
    for method in ("likelihood", "network", "hybrid")
    for name, value in {
        "median_m": 90.0,
        "bound_ratio": 1.5,
        "coverage_50": 0.5,
        "coverage_68": 0.7,
        "coverage_95": 0.9,
    }.items()
}


def job(**values):
    usual = dict.fromkeys(("fraction", "phase", "eta_s", "loss", "step", "steps_total", "error", "result"))
    usual |= dict.fromkeys(("accelerator", "accelerator_used", "accelerator_reason", "device", "precision"))
    return SimpleNamespace(
        **(usual | {"name": "n", "state": "running", "attempts": 1, "accelerator_requested": "auto"} | values)
    )


def look(warnings=(), load=None, **values) -> Look:
    return Look(job(**values), [], list(warnings), "", None, load)


def warned(seen: Look) -> str:
    return warnings_html(seen.job, seen.warnings, seen.waiting)


def model(scores=None, **values) -> ModelView:
    usual = {
        "id": "a" * 16,
        "name": "quick.heimdall",
        "champion": False,
        "candidate": False,
        "not_promoted": None,
        "created_utc": datetime(2026, 1, 1, tzinfo=UTC),
    }
    usual |= {"job": None, "sha256": "0" * 64, "size_bytes": 1, "scores": {}, "record": {}}
    frozen = None if scores is None else FrozenView(job="b" * 16, scores=scores)
    return ModelView(**(usual | values), frozen=frozen)


def test_the_error_comes_first_and_each_warning_once():
    told = warned(look([Warned(code="c", message="slow"), Warned(code="c", message="slow")], error="out of memory"))
    assert told.index("Out of memory") < told.index("slow")
    assert told.count("slow") == 1


def test_the_fallback_to_the_cpu_is_told_even_if_the_program_says_nothing():
    assert "no driver" in warned(look(accelerator_used="cpu", accelerator_reason="no driver"))
    assert warned(look(accelerator_used="cpu", accelerator_reason="no driver", accelerator_requested="cpu")) == ""


def test_progress_says_step_device_memory_and_temperature():
    gpu = {"name": "RTX", "memory_used_bytes": 4e9, "memory_total_bytes": 24e9, "temperature_c": 61}
    load = {"memory_used_bytes": 1e9, "memory_total_bytes": 16e9, "gpus": [gpu]}
    told = figures_html(
        look(load=load, step=40, steps_total=60, fraction=2 / 3, eta_s=31.0, accelerator_used="gpu", device="RTX")
    )
    for part in ("67 %", "40 of 60", "31 s", "GPU · RTX", "4 GB of 24 GB, 61 °C", "1 GB of 16 GB"):
        assert part in told


def test_an_evaluation_is_a_table_of_methods_and_a_training_a_list_of_scores():
    scores = {"likelihood/median_m": 224.2, "hybrid/median_m": 124.3, "hybrid/coverage_95": 0.958, "parity": 1e-6}
    told = figures_html(look(result={"scores": scores}))
    assert told.count("<tr>") == 3
    for part in ("<td>hybrid</td><td>124.3</td><td>96 %</td>", "<td>likelihood</td><td>224.2</td><td></td>"):
        assert part in told
    assert "<table" not in figures_html(look(result={"scores": {"hybrid_median_m": 900.0}}))


def test_curves_are_drawn_from_what_the_program_logged():
    metrics = [{"step": 10, "loss": 3.0}, {"step": 20, "loss": 2.0, "validation_loss": 2.5, "validation_ratio": 0.9}]
    training, held_out = loss_curves(metrics)
    assert (training.points, held_out.points) == ([(10, 3.0), (20, 2.0)], [(20, 2.5)])
    assert [curve.points for curve in error_curves(metrics)] == [[(20, 0.9)], [(20, 1.0)]]
    assert not any(curve.points for curve in error_curves([{"step": 1, "loss": None}]))


@pytest.mark.parametrize(
    "html",
    [
        title_html(job(name=EVIL)),
        warned(look(error=EVIL)),
        figures_html(look(phase=EVIL, device=EVIL)),
        figures_html(look(result={"scores": {f"{EVIL}/median_m": 1.0}})),
        model_view.record_html(model(record={EVIL: EVIL})),
        model_view.comparison_html(model(name=EVIL), model({EVIL: 1.0})),
        finding_html({"name": EVIL, "status": EVIL, "evidence": EVIL, "cause": EVIL}),
    ],
)
def test_nothing_from_outside_becomes_markup(html):
    assert EVIL not in html


def test_a_model_that_was_not_evaluated_says_how_it_will_be():
    assert not any(curve.points for curve in model_view.coverage_curves(model())[1:])
    assert "promote" in model_view.bound_html(model())


def test_an_evaluated_model_shows_coverage_of_each_method_and_its_ratio_to_the_bound():
    evaluated = model(SCORES)
    assert [len(curve.points) for curve in model_view.coverage_curves(evaluated)] == [2, 3, 3, 3]
    assert model_view.bound_html(evaluated).count("1.50 ×") == 3
    assert "90" in model_view.head_html(evaluated)


def test_models_that_saw_different_scenes_are_compared_with_a_warning():
    assert "not the same scenes" in model_view.comparison_html(model(SCORES), model(scores=None))
    assert "not the same scenes" not in model_view.comparison_html(model(SCORES), model(SCORES))


def test_without_a_worker_the_page_says_what_to_start():
    assert "heimdall worker" in workers_html([])


def test_every_dependency_of_the_service_has_one_row():
    names = ("database", "mlflow")
    html = service_html(Readiness([Dependency(name, True, Status.OK, "answers", 1.0) for name in names]), {"queued": 2})
    assert all(html.count(f"<td>{name}</td>") == 1 for name in (*names, "queue"))
    assert "2 queued" in html


def test_a_receiver_is_read_from_what_was_typed():
    fields = read_fields(" HB9 ", "46.5, 8.8, 480", "5e-08", "2", "roof")
    assert (fields.name, fields.height_m, fields.clock_sigma_s, fields.level_sigma_db) == ("HB9", 480.0, 5e-8, 2.0)


def test_what_a_form_does_not_show_stays_when_a_receiver_is_edited():
    correction = Correction(delay_s=1e-6, observations=3)
    place = {"latitude_deg": 47.4510040283203, "longitude_deg": -8.1, "height_m": 512.34567}
    before = ReceiverFields(name="A", **place, level_sigma_db=1 / 3, correction=correction)
    shown = (before.name, place_text(Place(*place.values())), "", repr(before.level_sigma_db), "")
    assert read_fields(*shown, before) == before


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("", "46.5, 8.8", "", "", ""), "name"),
        (("A", "", "", "", ""), "position"),
        (("A", "46.5, 8.8", "", "much", ""), "level"),
        (("A", "46.5, 8.8", "", "-1", ""), "level"),
    ],
)
def test_a_wrong_field_of_a_receiver_is_named(typed, said):
    with pytest.raises(InputError, match=said):
        read_fields(*typed)


@pytest.mark.parametrize("content", [b"not json", b"[]", b'{"receivers": [{"name": "A"}]}'])
def test_a_wrong_list_of_receivers_is_told(content):
    with pytest.raises(InputError):
        read_list(content)
