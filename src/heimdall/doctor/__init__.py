"""Why the GPU is not used, and what to type: needs only the standard library (Python 3.9 or newer).

Nothing here makes a CUDA context in the calling process, and nothing here raises: a check that fails is a finding itself.
"""

from heimdall.doctor.examination import accelerator_reason, examine, glance
from heimdall.doctor.facts.containers.docker import DockerGpuSupport, docker_gpu_support
from heimdall.doctor.facts.wheels import torch_release_for
from heimdall.doctor.finding import Finding, Report
from heimdall.doctor.symptoms import explain

__all__ = [
    "DockerGpuSupport",
    "Finding",
    "Report",
    "accelerator_reason",
    "docker_gpu_support",
    "examine",
    "explain",
    "glance",
    "torch_release_for",
]
