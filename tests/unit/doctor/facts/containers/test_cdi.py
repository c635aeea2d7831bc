"""Specifications of the Container Device Interface."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdall.doctor.facts.containers.cdi import cdi_devices, missing_paths, parse_spec, read_specs

YAML = """---
cdiVersion: 0.5.0
containerEdits:
  deviceNodes:
  - path: /dev/nvidiactl
  hooks:
  - args: [nvidia-cdi-hook, update-ldcache]
    hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
  mounts:
  - containerPath: /usr/lib/libcuda.so.580.95.05
    hostPath: /run/driver/usr/lib/libcuda.so.580.95.05
    options: [ro, nosuid, nodev, bind]
devices:
- containerEdits:
    deviceNodes:
    - hostPath: /run/driver/dev/nvidia0
      path: /dev/nvidia0
  name: "0"
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
  name: all
kind: nvidia.com/gpu
"""
JSON = """{"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": [{"name": "0", "containerEdits": {"deviceNodes":
[{"path": "/dev/nvidia0", "hostPath": "/run/driver/dev/nvidia0"}]}}, {"name": "all", "containerEdits": {}}],
"containerEdits": {"deviceNodes": [{"path": "/dev/nvidiactl"}], "hooks": [{"path": "/usr/bin/nvidia-cdi-hook"}],
"mounts": [{"hostPath": "/run/driver/usr/lib/libcuda.so.580.95.05", "containerPath": "/usr/lib/libcuda.so.580.95.05"}]}}"""
FLOW = """cdiVersion: "0.6.0"
kind: nvidia.com/gpu
devices:
  - name: all
    containerEdits:
      env: ["NVIDIA_VISIBLE_DEVICES=void"]
      mounts:
        - {hostPath: /opt/rootfs/nvidia-smi, containerPath: /usr/bin/nvidia-smi, options: [ro, bind]}
"""
HOST_PATHS = {
    "/dev/nvidiactl",
    "/usr/bin/nvidia-cdi-hook",
    "/run/driver/usr/lib/libcuda.so.580.95.05",
    "/run/driver/dev/nvidia0",
}


@pytest.mark.parametrize("text", [YAML, JSON], ids=["yaml", "json"])
def test_kind_devices_and_host_paths_are_the_same_in_both_forms(text: str) -> None:
    spec = parse_spec("/etc/cdi/nvidia.yaml", text)
    assert spec.kind == "nvidia.com/gpu"
    assert spec.devices == ("0", "all")
    assert set(spec.host_paths) - {"/dev/nvidia0"} == HOST_PATHS
    assert spec.versions == ("580.95.05",)


def test_flow_style_is_read_as_well() -> None:
    spec = parse_spec("/etc/cdi/nvidia.yaml", FLOW)
    assert (spec.kind, spec.devices, spec.host_paths) == ("nvidia.com/gpu", ("all",), ("/opt/rootfs/nvidia-smi",))


def test_two_folders_that_are_one_through_a_link_count_once(bare: Any) -> None:
    bare.write("/run/cdi/nvidia.yaml", YAML)
    bare.link("/var/run", "/run")
    assert len(read_specs(bare.host(), ("/run/cdi", "/var/run/cdi"))) == 1


def test_devices_carry_the_name_that_docker_takes(bare: Any) -> None:
    bare.write("/etc/cdi/nvidia.yaml", FLOW)
    bare.write("/etc/cdi/nvidia.yaml.stale", YAML)
    assert [device.name for device in cdi_devices(bare.host())] == ["nvidia.com/gpu=all"]


def test_paths_that_are_not_on_the_host_are_missing(bare: Any) -> None:
    bare.write("/dev/nvidiactl")
    missing = missing_paths(bare.host(), parse_spec("x", YAML))
    assert "/dev/nvidiactl" not in missing
    assert "/run/driver/usr/lib/libcuda.so.580.95.05" in missing


@given(text=st.text(alphabet=st.sampled_from(list("kindameholsPt:/{}[]-\"',# \n0"))) | st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    spec = parse_spec("x", text)
    assert all(isinstance(path, str) for path in spec.host_paths)


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"devices": 3}', '{"devices": [1, {"name": 2}], "kind": null}', "kind:\n", ""]
)
def test_damaged_documents_describe_nothing_that_is_not_there(text: str) -> None:
    assert parse_spec("x", text).host_paths == ()
