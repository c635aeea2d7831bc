"""What answers to the name docker is not always the Docker Engine of this host.

It may be Docker Desktop, the snap, Podman or another computer's engine.
"""

from __future__ import annotations

from heimdall.doctor.facts import Facts
from heimdall.doctor.finding import Finding, Status, Way
from heimdall.doctor.repair import host_commands


def check_podman(facts: Facts) -> Finding | None:
    if not facts.engine.is_podman:
        return None
    seen = f"docker info is answered by Podman {facts.engine.version}{' (rootless)' if facts.engine.rootless else ''}"
    cause = "docker is Podman here: it ignores Compose's GPU reservations and gives devices by CDI only."
    fix = (
        *host_commands.generate_cdi(facts),
        "nvidia-ctk cdi list",
        "# then, in docker-compose.override.yml, service training: devices: [nvidia.com/gpu=all]",
    )
    return Finding("podman", "fault", seen, cause, fix)


def check_elsewhere(facts: Facts) -> Finding | None:
    """A daemon in a virtual machine, or on another computer, has none of this host's devices."""
    if not facts.docker_is_elsewhere:
        return None
    engine = facts.engine
    seen = (
        f"docker info: {engine.system or 'system unknown'}, kernel {engine.kernel}; context "
        f"{engine.context or 'unknown'}; this kernel: {facts.release}"
    )
    if engine.is_desktop:
        cause = (
            "Docker Desktop on Linux runs in a virtual machine and gives no container a GPU; the Docker Engine "
            "of the host does."
        )
        remark = "# the host's own Docker Engine must be installed beside it: https://docs.docker.com/engine/install/"
        return Finding("docker_elsewhere", "fault", seen, cause, ("docker context use default", remark))
    cause = (
        "Docker runs under another kernel than this host: in a virtual machine, or on another computer, which "
        "has its own GPUs or none."
    )
    return Finding("docker_elsewhere", "fault", seen, cause, ("docker context use default",), confidence="likely")


def check_snap(facts: Facts) -> Finding | None:
    """The snap sees its own files and not the host's toolkit; it finds the driver when it starts."""
    if not facts.docker_is_snap or facts.docker.devices or facts.engine.has_nvidia_runtime:
        return None
    seen = (
        f"Docker {facts.engine.version} is a snap ({facts.engine.folder or '/snap/docker'}); no runtime nvidia, "
        "no discovered device"
    )
    cause = (
        "Docker is the snap, which sees its own files only: not the NVIDIA Container Toolkit of the host, and "
        "the driver only if it was there at its start."
    )
    instead = (
        "# what is in the snap's Docker stays there; save its volumes first (heimdall backup)",
        "sudo snap stop --disable docker",
        "# install Docker's own package: https://docs.docker.com/engine/install/",
        *host_commands.install_toolkit(facts)[:-2],
        "sudo nvidia-ctk runtime configure --runtime=docker",
        "sudo systemctl restart docker",
    )
    status: Status = "fault" if facts.engine.answers else "warning"
    return Finding(
        "snap_docker",
        status,
        seen,
        cause,
        ("sudo snap restart docker",),
        (Way("or the distribution's package instead of the snap", instead),),
    )
