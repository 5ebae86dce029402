"""The Helm chart: what it renders is what Kubernetes takes, what it must not render, and the rendered command lines in
real processes.

Helm is built by scripts/fetch_helm.sh; DUCKHERDER_HELM names another one."""

import functools
import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from support import paths
from support.cluster import run_binary
from support.process import NodeProcess
from support.skipping import program, skip_loudly
from support.waiting import PATIENCE, wait_until

from deploy.scaling_walk import KEDA_LOCATIONS

CHART = paths.ROOT / "deploy" / "helm" / "duckherder"
SCHEMAS = paths.DEPS / "kubernetes" / "schemas"
RELEASE, NAMESPACE = "test", "data"
DRIVER, WORKERS = "test-duckherder-driver", "test-duckherder-workers"
#: Kinds that Kubernetes itself does not have
CUSTOM = {"Certificate", "ScaledObject", "TriggerAuthentication", "ServiceMonitor"}
ISSUER = {"tls": {"certManager": {"enabled": True, "issuerRef": {"name": "own"}}}}
EVERYTHING = {
    **ISSUER, "http": {"expose": True}, "keda": {"enabled": True}, "serviceMonitor": {"enabled": True},
    "imagePullSecrets": [{"name": "pull"}], "clientTokens": {"existingSecret": "roles", "allowPaths": ["s3://lake/"]},
    "driver": {"init": "LOAD httpfs;", "waitForWorkers": 300, "minReadyWorkers": 1, "lake": "ducklake:c",
               "dataPath": "s3://l/", "extraArgs": ["--max-queries=8"], "extraEnv": [{"name": "A", "value": "b"}],
               "nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}], "priorityClassName": "high"},
    "worker": {"init": "LOAD httpfs;", "resources": {"limits": {"cpu": "1500m", "memory": "1.5Gi"}},
               "temp": {"storageClassName": "fast"}, "topologySpreadConstraints": [
                   {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]},
}
VARIANTS = {
    "insecure": {"insecure": True},
    "own_certificate": {"tls": {"secretName": "own", "requireClientCertificates": True}},
    "certificate": ISSUER,
    "without_volume": {"insecure": True, "driver": {"persistence": {"enabled": False}}},
    "everything": EVERYTHING,
}


@pytest.fixture(scope="module")
def helm() -> Path:
    helm = Path(os.environ.get("DUCKHERDER_HELM") or paths.DEPS / "helm" / "helm")
    found = shutil.which("helm")
    if helm.exists() or found:
        return helm if helm.exists() else Path(str(found))
    skip_loudly("the chart is", "there is no helm: run scripts/fetch_helm.sh, which needs Go")


def run_helm(helm: Path, *words: str, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    command = [str(helm), *words, "--namespace", NAMESPACE, "--values", "-"]
    return subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, timeout=60 * PATIENCE)


def render(helm: Path, values: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """By kind and name."""
    done = run_helm(helm, "template", RELEASE, str(CHART), "--kube-version", "1.37.0", values=values)
    assert done.returncode == 0, done.stderr
    objects = [one for one in yaml.safe_load_all(done.stdout) if one]
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


def refusal(helm: Path, values: dict[str, Any]) -> str:
    done = run_helm(helm, "template", RELEASE, str(CHART), "--kube-version", "1.37.0", values=values)
    assert done.returncode != 0, done.stdout
    return done.stderr


@functools.cache
def schema(name: str) -> Any:
    return json.loads((paths.require(SCHEMAS) / name).read_text())


def problems(one: dict[str, Any]) -> list[str]:
    group, _, version = one["apiVersion"].rpartition("/")
    prefix = group.split(".")[0] + "-" if group else ""
    validator = jsonschema_rs.validator_for(schema(f"{one['kind'].lower()}-{prefix}{version}.json"),
                                            retriever=lambda uri: schema(uri.rsplit("/", 1)[1]))
    return [f"{one['kind']} {list(error.instance_path)}: {error.message}" for error in validator.iter_errors(one)]


def container(pod_owner: dict[str, Any]) -> dict[str, Any]:
    return pod_owner["spec"]["template"]["spec"]["containers"][0]


def environment(of: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in of["env"]}


@pytest.mark.parametrize("variant", VARIANTS)
def test_kubernetes_takes_it(helm, variant):
    linted = run_helm(helm, "lint", "--strict", str(CHART), values=VARIANTS[variant])
    assert linted.returncode == 0, linted.stdout + linted.stderr
    rendered = render(helm, VARIANTS[variant])
    assert [problem for one in rendered.values() if one["kind"] not in CUSTOM for problem in problems(one)] == []
    assert ("StatefulSet", DRIVER) in rendered and ("Deployment", WORKERS) in rendered


def test_the_schema_would_find_something(helm):
    worker = render(helm, VARIANTS["insecure"])["Deployment", WORKERS]
    worker["spec"]["template"]["spec"]["replica"] = 1
    assert len(problems(worker)) == 1


@pytest.mark.parametrize("values, said", (
    ({}, "Nodes need certificates"),
    ({**ISSUER, "insecure": True}, "There are certificates, and insecure is true"),
    ({"tls": {"certManager": {"enabled": True}}}, "which issuer"),
    ({"insecure": True, "keda": {"enabled": True}}, "set http.expose"),
    ({"insecure": True, "serviceMonitor": {"enabled": True}}, "set http.expose"),
    ({"insecure": True, "worker": {"drainTimeout": 100, "terminationGracePeriodSeconds": 110}}, "drainTimeout + 15"),
    ({"insecure": True, "workers": {}}, "workers"),
    ({"insecure": True, "worker": {"replicas": "three"}}, "replicas"),
))
def test_refused(helm, values, said):
    assert said in refusal(helm, values)


@pytest.mark.parametrize("variant", VARIANTS)
def test_pods_are_locked_down(helm, variant):
    rendered = render(helm, VARIANTS[variant])
    for key in (("StatefulSet", DRIVER), ("Deployment", WORKERS)):
        pod = rendered[key]["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"]
        for one in pod["initContainers"] + pod["containers"]:
            assert one["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                              "capabilities": {"drop": ["ALL"]}}
        # No secret in a command line or in the environment
        assert "--token" not in json.dumps(pod)
    assert not [one for one in rendered.values() if one["kind"] in ("Role", "ClusterRole", "RoleBinding")]


def test_what_is_insecure_only_when_said(helm):
    for variant, insecure, listens in (("certificate", False, "127.0.0.1"), ("everything", True, "0.0.0.0"),
                                       ("insecure", True, "127.0.0.1")):
        rendered = render(helm, VARIANTS[variant])
        for key, node in ((("StatefulSet", DRIVER), "DRIVER"), (("Deployment", WORKERS), "WORKER")):
            one = container(rendered[key])
            assert (f"DUCKHERDER_{node}_INSECURE" in environment(one)) == insecure, variant
            assert f"--http={listens}:8816" in one["args"]


def test_a_worker_has_time_to_drain(helm):
    for drain in (0, 60, 600):
        pod = render(helm, {"insecure": True, "worker": {"drainTimeout": drain}})["Deployment", WORKERS]
        assert pod["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= drain + 15
        assert f"--drain-timeout={drain}" in container(pod)["args"]


def test_limits_follow_the_resources(helm):
    worker = environment(container(render(helm, EVERYTHING)["Deployment", WORKERS]))
    assert worker["DUCKHERDER_WORKER_MEMORY_LIMIT"] == "1228MiB"
    assert worker["DUCKHERDER_WORKER_THREADS"] == {"resourceFieldRef": {"resource": "limits.cpu"}}
    worker = environment(container(render(helm, VARIANTS["insecure"])["Deployment", WORKERS]))
    assert worker["DUCKHERDER_WORKER_MEMORY_LIMIT"] == "6553MiB"
    assert "DUCKHERDER_WORKER_THREADS" not in worker


def test_scaling(helm):
    rendered = render(helm, EVERYTHING)
    assert "replicas" not in rendered["Deployment", WORKERS]["spec"]
    scaled = rendered["ScaledObject", WORKERS]["spec"]
    assert scaled["scaleTargetRef"]["name"] == WORKERS and scaled["minReplicaCount"] == 0
    urls = {trigger["metadata"]["url"] for trigger in scaled["triggers"]}
    assert urls == {f"http://{DRIVER}.{NAMESPACE}.svc.cluster.local:8816/api/v1/cluster"}
    assert tuple(trigger["metadata"]["valueLocation"] for trigger in scaled["triggers"]) == KEDA_LOCATIONS
    (secret,) = rendered["TriggerAuthentication", WORKERS]["spec"]["secretTargetRef"]
    assert ("Secret", secret["name"]) in rendered
    assert "--wait-for-workers=300" in container(rendered["StatefulSet", DRIVER])["args"]


def test_wait_for_workers_is_off_by_default(helm):
    assert "wait-for-workers" not in json.dumps(container(render(helm, ISSUER)["StatefulSet", DRIVER]))


def test_the_certificate_names_all_nodes(helm):
    rendered = render(helm, ISSUER)
    names = rendered["Certificate", "test-duckherder"]["spec"]["dnsNames"]
    assert f"{DRIVER}.{NAMESPACE}.svc.cluster.local" in names
    assert f"*.{environment(container(rendered['Deployment', WORKERS]))['WORKERS']}" in names
    # The secret that it makes is the one that pods mount.
    secret = rendered["Certificate", "test-duckherder"]["spec"]["secretName"]
    volumes = rendered["Deployment", WORKERS]["spec"]["template"]["spec"]["volumes"]
    assert secret in json.dumps(volumes)


def test_network_policy(helm):
    rendered = render(helm, {"insecure": True, "networkPolicy": {"clients": []}})
    (rule,) = rendered["NetworkPolicy", "test-duckherder-worker"]["spec"]["ingress"]
    assert [port["port"] for port in rule["ports"]] == [9000] and len(rule["from"]) == 2
    assert not [key for key in render(helm, {"insecure": True, "networkPolicy": {"enabled": False}})
                if key[0] == "NetworkPolicy"]


def test_the_values_schema_knows_all_values():
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def compare(known: dict[str, Any], given: dict[str, Any], path: str) -> None:
        if not known.get("properties"):
            return
        extra = set(known["properties"]) - {"global"}
        assert extra == set(given), f"values.schema.json and values.yaml differ at {path}"
        for name, value in given.items():
            if isinstance(value, dict):
                compare(known["properties"][name], value, f"{path}.{name}")

    schema_of_values = json.loads((CHART / "values.schema.json").read_text())
    compare(schema_of_values, values, "")
    assert jsonschema_rs.validator_for(schema_of_values).is_valid(values)


class Pod:
    """A rendered pod as a process: its init container copies the secrets, its container becomes the node."""

    def __init__(self, owner: dict[str, Any], directory: Path, name: str, replaced: dict[str, str]):
        self._pod = owner["spec"]["template"]["spec"]
        self._name = name
        self._directory = directory / name
        self._replaced = {"/run/secrets/duckherder": str(directory / "secrets"),
                          "/run/duckherder": f"{self._directory}/run", "/var/lib/duckherder": f"{self._directory}/data",
                          **replaced}
        for folder in ("run", "data", "bin"):
            (self._directory / folder).mkdir(parents=True)
        (self._directory / "bin" / "duckherder").symlink_to(paths.require(paths.BINARY))
        (self._directory / "bin" / "duckherder-health").symlink_to(paths.ROOT / "deploy/docker/duckherder-health")
        self._path = f"{self._directory}/bin:{os.environ['PATH']}"

    def here(self, text: str) -> str:
        return re.sub("|".join(rf"(?<![\w.]){re.escape(there)}\b" for there in self._replaced),
                      lambda found: self._replaced[found[0]], text)

    def environment(self) -> dict[str, str]:
        fields = {"status.podIP": "127.0.0.1", "metadata.name": self._name}
        values = environment(self._pod["containers"][0])
        return {"PATH": self._path, **{
            name: self.here(value) if isinstance(value, str) else fields[value["fieldRef"]["fieldPath"]]
            for name, value in values.items()}}

    def start(self) -> NodeProcess:
        subprocess.run([self.here(word) for word in self._pod["initContainers"][0]["command"]], check=True)
        one = self._pod["containers"][0]
        words = [*one.get("command", ["duckherder"]), *one["args"]]
        return NodeProcess(self._name, [self.here(word) for word in words], self._directory, self.environment())

    def probe(self, name: str) -> bool:
        command = [self.here(word) for word in self._pod["containers"][0][name]["exec"]["command"]]
        return subprocess.run(command, env={"PATH": self._path}, capture_output=True).returncode == 0


def make_certificate(directory: Path, names: list[str]) -> None:
    program("openssl", "rendered nodes are", "openssl")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=duckherder",
                    "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names),
                    "-keyout", str(directory / "tls.key"), "-out", str(directory / "tls.crt")],
                   check=True, capture_output=True)
    shutil.copy(directory / "tls.crt", directory / "ca.crt")


def free_ports(number: int) -> list[str]:
    probes = [socket.socket() for _ in range(number)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [str(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mutual", (False, True), ids=("tls", "client_certificates"))
def test_rendered_nodes_run(helm, tmp_path, mutual):
    """Names that end with localhost are this machine, so that certificates are checked as in a cluster."""
    rendered = render(helm, {"clusterDomain": "localhost", "worker": {"resources": {"limits": None}},
                             "driver": {"resources": {"limits": None}},
                             "tls": {"secretName": "own", "requireClientCertificates": mutual}})
    domain = f"{NAMESPACE}.svc.localhost"
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    make_certificate(secrets, [f"{DRIVER}.{domain}", f"*.{WORKERS}.{domain}"])
    (secrets / "token").write_text("a-token-of-this-test\n")
    # As Kubernetes mounts secrets
    for file in secrets.iterdir():
        file.chmod(0o440)
    driver_port, *ports = free_ports(4 + 1)
    driver_pod = Pod(rendered["StatefulSet", DRIVER], tmp_path, "driver-0", {"8815": driver_port, "8816": ports[0]})
    nodes = [driver_pod.start()]
    try:
        nodes[0].wait_ready()
        workers = [Pod(rendered["Deployment", WORKERS], tmp_path, f"worker-{number}",
                       {"8815": driver_port, "8816": ports[1 + number], "9000": port})
                   for number, port in enumerate(free_ports(2))]
        nodes += [pod.start() for pod in workers]
        operator = driver_pod.environment()
        wait_until(lambda: run_binary(["status"], operator).stdout.count("active") == 2, 30,
                   lambda: "\n".join(node.log() for node in nodes))
        assert f"grpc+tls://127-0-0-1.{WORKERS}.{domain}:" in run_binary(["status"], operator).stdout
        assert all(pod.probe(name) for pod in (driver_pod, *workers) for name in ("livenessProbe", "readinessProbe"))
        for statement in ("SET GLOBAL duckherder_mode = 'always'",
                          "CREATE TABLE t AS SELECT i, i % 1000 AS k FROM range(100000) r(i)"):
            assert run_binary(["sql", statement], operator).returncode == 0
        counted = run_binary(["sql", "SELECT count(*) AS n FROM (SELECT k FROM t GROUP BY k)"], operator)
        assert counted.stdout.split() == ["N", "1000"], counted.stderr
        assert "DISTRIBUTED" in run_binary(["queries"], operator).stdout
        # bash has become the worker, so that SIGTERM reaches it: it drains, and ends with 0.
        nodes.pop().stop()
        wait_until(lambda: run_binary(["status"], operator).stdout.count("active") == 1, 30, nodes[0].log)
    finally:
        for node in reversed(nodes):
            node.stop()
