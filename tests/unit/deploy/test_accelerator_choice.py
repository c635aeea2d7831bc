from __future__ import annotations

from collections.abc import Callable

import pytest

from heimdall.deploy.accelerator_choice import Choice, HostView, Request, choose, explain_loss
from heimdall.deploy.trial import Trial, Way

HEALTHY = HostView("", (), "")
NO_CARD = HostView("no NVIDIA GPU here.", (), None, has_card=False)
MISMATCH = HostView("module 570.195 and library 570.211 differ", ("sudo reboot",), "2.10.0")


def hands_out(*ways: Way) -> Callable[[Way], Trial]:
    return lambda way: Trial(way, way in ways, "GPU 0: RTX 3090" if way in ways else f"no {way}")


@pytest.mark.parametrize(
    ("request_", "working", "way"),
    [
        ("auto", ("gpu", "gpu-cdi"), "gpu-cdi"),
        ("auto", ("gpu",), "gpu"),
        ("auto", (), "cpu"),
        ("gpu", ("gpu", "gpu-cdi"), "gpu"),
        ("gpu-ids", ("gpu-ids",), "gpu-ids"),
        ("gpu", ("gpu-cdi",), "cpu"),
        ("cpu", ("gpu", "gpu-cdi"), "cpu"),
    ],
)
def test_the_first_way_that_works_is_taken_and_never_one_that_was_not_asked_for(
    request_: Request, working: tuple[Way, ...], way: Way
) -> None:
    assert choose(request_, HEALTHY, hands_out(*working)).way == way


def test_the_doctors_reason_and_commands_come_first_and_dockers_words_stand_beside_them() -> None:
    choice = choose("auto", MISMATCH, hands_out())
    assert choice.reason == "module 570.195 and library 570.211 differ (no gpu)"
    assert choice.fix == ("sudo reboot",)
    assert [trial.way for trial in choice.trials] == ["gpu-cdi", "gpu"]


def test_where_the_doctor_sees_no_fault_dockers_message_is_explained() -> None:
    message = "nvidia-container-cli: initialization error: nvml error: driver/library version mismatch"
    for host in (HEALTHY, NO_CARD):
        choice = explain_loss(Choice("gpu", None, ""), host, message)
        assert choice.way == "cpu"
        assert "different versions" in choice.reason
        assert message in choice.reason
        assert "heimdall doctor" in choice.fix


def test_a_host_without_a_card_is_not_told_that_it_lacks_the_toolkit() -> None:
    choice = explain_loss(Choice("gpu", None, ""), NO_CARD, 'could not select device driver "nvidia"')
    assert choice.reason == 'no NVIDIA GPU here (could not select device driver "nvidia")'
    assert choice.fix == ()
    assert choose("auto", NO_CARD, hands_out()).fix == ()
    # A container that saw one outweighs it.
    seen = Choice("gpu", None, "", (), (Trial("gpu", True, "GPU 0"),))
    assert explain_loss(seen, NO_CARD, "no kernel ran").fix


def test_an_unknown_trouble_is_told_as_it_is() -> None:
    assert explain_loss(Choice("gpu", None, ""), HEALTHY, "the moon is full").reason == "the moon is full"


def test_a_container_that_gets_the_gpu_outweighs_what_the_doctor_fears() -> None:
    choice = choose("auto", MISMATCH, hands_out("gpu"))
    assert (choice.way, choice.fix) == ("gpu", ())


def test_the_torch_release_follows_the_driver_even_while_the_gpu_is_out_of_reach() -> None:
    assert choose("auto", MISMATCH, hands_out()).variables == {
        "HEIMDALL_ACCELERATOR": "cpu",
        "HEIMDALL_TORCH_VERSION": "2.10.0",
    }


def test_an_unknown_driver_leaves_the_torch_release_as_it_is() -> None:
    assert choose("cpu", HostView("", (), None), hands_out()).variables == {"HEIMDALL_ACCELERATOR": "cpu"}
