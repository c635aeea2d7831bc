"""What is in the images, and what is not."""

from __future__ import annotations

import json

import pytest

import heimdall

pytestmark = [pytest.mark.docker, pytest.mark.slow]

DRIVER_FILES = ("-name", "libcuda.so*", "-o", "-name", "libnvidia-ml*", "-o", "-name", "nvidia-smi")


def in_image(running, service: str, *command: str, options: tuple[str, ...] = ()) -> str:
    image = running.inspect(service)["Config"]["Image"]
    alone = ("--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp")
    return running.run("docker", "run", *alone, *options, image, *command)


def test_the_image_that_serves_has_no_torch_and_is_a_fraction_of_the_other(running) -> None:
    packages = in_image(running, "api", "python", "-m", "pip", "list", "--format", "freeze").lower()
    assert not [line for line in packages.splitlines() if line.startswith(("torch", "lightning", "timm", "nvidia-cu"))]
    sizes = {
        service: json.loads(running.run("docker", "inspect", running.inspect(service)["Image"]))[0]["Size"]
        for service in ("api", "training")
    }
    print({service: f"{size / 1e9:.2f} GB" for service, size in sizes.items()})
    assert sizes["api"] < 1.1e9
    assert sizes["api"] < sizes["training"] / 4


def test_the_training_image_brings_no_part_of_a_driver_and_the_toolkits_nvidia_smi_comes_first(running) -> None:
    find = ("find", "/", "-xdev", "(", *DRIVER_FILES, ")", "-print")
    stand_in = in_image(running, "training", *find, options=("--user", "0")).split()
    assert stand_in == ["/opt/heimdall/without-gpu/nvidia-smi"]
    path = in_image(running, "training", "printenv", "PATH").strip().split(":")
    assert path[-1] == "/opt/heimdall/without-gpu"
    assert "/usr/bin" in path[:-1]


def test_torch_comes_with_a_cuda_that_the_drivers_from_525_on_run(running) -> None:
    text = in_image(running, "training", "python3", "-c", "import torch; print(torch.version.cuda)")
    assert text.strip() == "12.8"


@pytest.mark.parametrize("service", ["training", "api", "mlflow"])
def test_each_image_says_which_version_and_commit_it_is(running, service: str) -> None:
    labels = json.loads(running.run("docker", "inspect", running.inspect(service)["Image"]))[0]["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == heimdall.__version__
    assert "org.opencontainers.image.revision" in labels


def test_health_names_the_commit_the_image_was_built_from(running) -> None:
    told = running.compose("exec", "-T", "training", "healthcheck.py", "8002", "/health")
    assert json.loads(told)["revision"] == running.run("git", "rev-parse", "HEAD").strip()


@pytest.mark.parametrize("service", ["api", "training", "mlflow"])
def test_the_images_run_as_a_user_with_no_rights(running, service: str) -> None:
    assert in_image(running, service, "id", "-u").strip() == "10001"


def test_the_torch_release_is_an_argument_and_names_the_image(deployment) -> None:
    text = deployment.compose("config", "--format", "json", HEIMDALL_TORCH_VERSION="2.10.0")
    training = json.loads(text)["services"]["training"]
    assert training["build"]["args"]["TORCH_VERSION"] == "2.10.0"
    assert training["image"].endswith("2.10.0")
