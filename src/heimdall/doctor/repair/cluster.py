"""Commands for a pod of Kubernetes: typed outside it, where the cluster's tools are, with the names of the project's chart."""

from __future__ import annotations

from heimdall.doctor.facts import Facts
from heimdall.doctor.repair.host_commands import Commands

OUTSIDE = "# outside this pod, where helm and kubectl reach the cluster (with -n NAMESPACE):"
UPGRADE = "helm upgrade heimdall charts/heimdall --reuse-values --set"
DEVICE_PLUGIN = "https://github.com/NVIDIA/k8s-device-plugin"
SHOW_GPUS = r"kubectl get nodes -o custom-columns='NODE:.metadata.name,GPUS:.status.allocatable.nvidia\.com/gpu'"


def ask_for_gpu() -> Commands:
    """A pod gets devices by its container's limits only; a node has them to give once the device plugin runs there."""
    return (
        OUTSIDE,
        f"{UPGRADE} worker.gpu.enabled=true",
        "# in a manifest of your own, below the container: resources: {limits: {nvidia.com/gpu: 1}}",
        "# does the pod stay Pending? This shows what the nodes have to give; <none> everywhere means that NVIDIA's "
        f"device plugin is missing ({DEVICE_PLUGIN}):",
        SHOW_GPUS,
    )


def use_nvidias_runtime() -> Commands:
    """The pod was given a GPU, and the node's runtime did not put it in."""
    return (
        OUTSIDE,
        f"{UPGRADE} worker.runtimeClassName=nvidia",
        "# in a manifest of your own: spec: {runtimeClassName: nvidia}; the node needs the NVIDIA Container Toolkit",
    )


def recreate_pod(facts: Facts) -> Commands:
    name = (facts.host.read("/etc/hostname") or "").strip() or "POD"
    return (OUTSIDE, f"kubectl delete pod {name}", "# its StatefulSet or Deployment starts it anew")


def change_settings(line: str) -> Commands:
    return (OUTSIDE, f"# {line}; then helm upgrade, or kubectl apply")
