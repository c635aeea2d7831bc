"""The Helm chart: what it renders is valid for Kubernetes, and as guarded as the Compose file."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "charts" / "heimdall"
KUBERNETES = "1.34"
OUT = "networkPolicy.egress[0].to[0].ipBlock.cidr=10.0.0.0/8"
STORE = [OUT, "artifacts.url=s3://bucket/heimdall", "artifacts.existingSecret=s3", "artifacts.endpoint=http://s3:8080"]
EXTERNAL = [
    "postgres.enabled=false",
    "postgres.externalUrl=postgresql://heimdall@db:5432/heimdall",
    "valkey.enabled=false",
    "valkey.externalUrl=amqp://heimdall@rabbit:5672//",
    "mlflow.enabled=false",
    "secrets.existingSecret=mine",
]
CHOICES = {
    "as it is": [],
    "several workers with GPUs": [*STORE, "worker.replicas=3", "worker.gpu.enabled=true", "worker.gpu.count=2"],
    "servers from elsewhere": [*STORE, *EXTERNAL],
    "with an ingress": ["api.ingress.enabled=true", "api.ingress.host=heimdall.example", "api.ingress.tlsSecret=tls"],
    "watched, on nodes of their own": [
        "serviceMonitor.enabled=true",
        "serviceMonitor.labels.release=prometheus",
        "worker.runtimeClassName=nvidia",
        "worker.gpu.enabled=true",
    ],
    "without policies": ["networkPolicy.enabled=false", "settings.HEIMDALL_LOG_LEVEL=DEBUG"],
}


@pytest.fixture(scope="module")
def helm(tmp_path_factory):
    beside = Path(sys.executable).with_name("helm")
    program = shutil.which("helm") or (str(beside) if beside.exists() else None)
    if program is None:
        pytest.skip("no helm: .ci/helm puts one into .venv/bin")
    home = tmp_path_factory.mktemp("helm")
    places = {f"HELM_{name}_HOME": str(home / name) for name in ("CACHE", "CONFIG", "DATA")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | places | {"KUBECONFIG": str(home / "none")}
        return subprocess.run([program, *arguments], capture_output=True, text=True, env=environment, check=False)

    return run


@pytest.fixture(scope="module")
def render(helm):
    def make(*values: str) -> list[dict[str, Any]]:
        done = helm("template", "site", str(CHART), *(part for value in values for part in ("--set", value)))
        assert done.returncode == 0, done.stderr
        return [document for document in yaml.safe_load_all(done.stdout) if document]

    return make


def pods(documents):
    """Pod templates by the name of what makes them."""
    makers = [each for each in documents if each["kind"] in ("Deployment", "StatefulSet", "Job")]
    return {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in makers}


def named(documents, kind, name):
    return next(each for each in documents if each["kind"] == kind and each["metadata"]["name"] == name)


def environment(pod):
    return {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}


@pytest.mark.parametrize("choice", CHOICES)
def test_the_chart_is_free_of_what_helm_complains_of(helm, choice):
    options = [part for value in CHOICES[choice] for part in ("--set", value)]
    done = helm("lint", "--strict", str(CHART), *options)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("choice", CHOICES)
def test_everything_it_renders_follows_the_schema_of_kubernetes(render, choice):
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    documents = render(*CHOICES[choice])
    for document in documents:
        if document["apiVersion"].startswith("monitoring.coreos.com"):
            continue  # of the operator of Prometheus, not of Kubernetes
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    assert len(documents) > 8


@pytest.mark.parametrize("choice", CHOICES)
def test_no_container_is_root_or_may_write_to_its_image_or_speaks_to_the_cluster(render, choice):
    documents = render(*CHOICES[choice])
    for name, pod in pods(documents).items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["automountServiceAccountToken"] is False, name
        for container in pod["containers"]:
            guard = container["securityContext"]
            assert (guard["readOnlyRootFilesystem"], guard["allowPrivilegeEscalation"]) == (True, False), name
            assert guard["capabilities"] == {"drop": ["ALL"]}, name
            assert "memory" in container["resources"]["limits"], name
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            there = {volume["name"] for volume in pod["volumes"]}
            claimed = {"home", "data"}
            assert mounted <= there | claimed, name
    account = named(documents, "ServiceAccount", "site-pods")
    assert account["automountServiceAccountToken"] is False
    assert not [each for each in documents if "Role" in each["kind"]]


def test_only_workers_ask_for_gpus_and_only_when_told_to(render):
    for values, expected in (([], None), ([*STORE, "worker.gpu.enabled=true", "worker.gpu.count=2"], 2)):
        found = {name: pod["containers"][0]["resources"]["limits"] for name, pod in pods(render(*values)).items()}
        assert found["site-worker"].get("nvidia.com/gpu") == expected
        assert not any("nvidia.com/gpu" in limits for name, limits in found.items() if name != "site-worker")
        worker = pods(render(*values))["site-worker"]
        assert environment(worker)["HEIMDALL_ACCELERATOR"] == ("cpu" if expected is None else "gpu")


def test_health_decides_whether_a_container_lives_and_ready_whether_it_is_asked(render):
    found = pods(render())
    for name in ("site-api", "site-worker"):
        container = found[name]["containers"][0]
        paths = [container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")]
        assert paths == ["/health", "/health", "/ready"]


def test_a_pod_that_is_to_go_has_the_time_that_its_training_needs_for_a_checkpoint(render):
    worker = pods(render("worker.stopGraceSeconds=120"))["site-worker"]
    assert worker["terminationGracePeriodSeconds"] == 150
    assert environment(worker)["HEIMDALL_STOP_GRACE_S"] == "120"


def test_secrets_are_made_at_random_and_stand_in_no_environment_and_no_command(render):
    first, second = (named(render(), "Secret", "site-secrets")["stringData"] for _ in range(2))
    words = [first[name] for name in ("database_password", "broker_password", "admin_token", "mlflow_password")]
    assert len(set(words)) == 4
    assert all(len(word) >= 32 for word in words)
    assert not set(words) & {str(value) for value in second.values()}
    documents = render()
    made = named(documents, "Secret", "site-secrets")["stringData"]
    rest = json.dumps([each for each in documents if each["kind"] != "Secret"])
    assert not any(made[name] in rest for name in ("database_password", "broker_password", "admin_token"))
    assert base64.b64encode(made["admin_token"].encode()).decode() not in rest


def test_with_a_secret_of_ones_own_none_is_made_and_every_pod_reads_that_one(render):
    documents = render("secrets.existingSecret=mine")
    assert not [each for each in documents if each["kind"] == "Secret"]
    named_secrets = {
        volume["secret"]["secretName"]
        for pod in pods(documents).values()
        for volume in pod["volumes"]
        if "secret" in volume
    }
    assert named_secrets == {"mine"}


def test_workers_that_share_no_store_are_refused_with_what_to_do(helm):
    done = helm("template", "site", str(CHART), "--set", "worker.replicas=2")
    assert done.returncode != 0
    assert "artifacts.url" in done.stderr


def test_each_worker_has_a_name_and_a_volume_that_outlive_its_pod(render):
    worker = named(render(*STORE, "worker.replicas=3"), "StatefulSet", "site-worker")["spec"]
    assert [claim["metadata"]["name"] for claim in worker["volumeClaimTemplates"]] == ["home"]
    names = [
        each for each in worker["template"]["spec"]["containers"][0]["env"] if each["name"] == "HEIMDALL_WORKER_NAME"
    ]
    assert names[0]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


def test_without_a_store_api_and_worker_share_one_volume(render):
    found = pods(render())
    claims = [
        volume["persistentVolumeClaim"]["claimName"]
        for name in ("site-api", "site-worker")
        for volume in found[name]["volumes"]
        if volume["name"] == "home"
    ]
    assert claims == ["site-home", "site-home"]


def test_every_setting_the_chart_names_is_one_of_the_program(render):
    from heimdall.service.settings import PREFIX, Settings

    known = {f"{PREFIX}{name.upper()}{ending}" for name in Settings.model_fields for ending in ("", "_FILE")}
    for pod in pods(render(*STORE)).values():
        told = {each["name"] for each in pod["containers"][0].get("env", []) if each["name"].startswith(PREFIX)}
        assert told <= known


def test_servers_are_reached_only_by_those_who_need_them(render):
    documents = render()
    for server in ("postgres", "valkey", "mlflow"):
        rule = named(documents, "NetworkPolicy", f"site-{server}")["spec"]["ingress"][0]
        parts = {each["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for each in rule["from"]}
        assert {"api", "worker"} <= parts <= {"api", "worker", "migration", "mlflow"}


def test_a_pod_reaches_the_servers_of_its_release_and_names_and_nothing_else_unless_told_to(render):
    documents = render()
    ways = {}
    for policy in (each for each in documents if each["kind"] == "NetworkPolicy"):
        assert set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        part = policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        rules = policy["spec"]["egress"]
        assert all(rule.get("to") or {port["port"] for port in rule["ports"]} == {53} for rule in rules), part
        ways[part] = {
            to["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
            for rule in rules
            for to in rule.get("to", [])
        }
    servers = {"postgres", "valkey", "mlflow"}
    assert ways == {
        "api": servers,
        "worker": servers,
        "migration": {"postgres", "valkey"},
        "mlflow": {"postgres"},
        "postgres": set(),
        "valkey": set(),
    }
    told = named(render(*STORE), "NetworkPolicy", "site-worker")["spec"]["egress"]
    assert told[-1] == {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}


def test_servers_elsewhere_without_a_way_to_them_are_refused_with_what_to_do(helm):
    done = helm("template", "site", str(CHART), "--set", "artifacts.url=s3://bucket/x")
    assert done.returncode != 0
    assert "networkPolicy.egress" in done.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        "worker.replica=2",
        "worker.replicas=two",
        "artifacts.url=bucket",
        "worker.takes[0]=tpu",
        "image.pullPolicy=Sometimes",
    ],
)
def test_a_value_that_does_not_exist_or_cannot_be_is_refused(helm, wrong):
    done = helm("template", "site", str(CHART), "--set", wrong)
    assert done.returncode != 0
    assert wrong.partition("=")[0].split(".")[0] in done.stderr


def test_workers_are_drained_one_at_a_time_and_go_to_nodes_that_are_kept_for_gpus(render):
    documents = render("worker.gpu.enabled=true", "worker.runtimeClassName=nvidia")
    budget = named(documents, "PodDisruptionBudget", "site-worker")["spec"]
    assert budget["maxUnavailable"] == 1
    worker = pods(documents)["site-worker"]
    assert worker["runtimeClassName"] == "nvidia"
    assert [each["key"] for each in worker["tolerations"]] == ["nvidia.com/gpu"]
    assert "tolerations" not in pods(render())["site-worker"]


def test_prometheus_is_told_of_api_and_workers_by_the_ports_of_their_services(render):
    documents = render("serviceMonitor.enabled=true")
    for name, port in (("site-api", "http"), ("site-worker", "health")):
        monitor = named(documents, "ServiceMonitor", name)["spec"]
        service = named(documents, "Service", name)
        assert monitor["endpoints"][0]["port"] == port == service["spec"]["ports"][0]["name"]
        assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
