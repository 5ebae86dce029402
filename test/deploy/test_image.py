"""What of the image and the compose file can be checked without a container engine: docs/deploy.md says how both were
run in one."""

import http.server
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import paths
from support.cluster import Cluster, run_binary

DOCKER = paths.ROOT / "deploy" / "docker"
HEALTH = DOCKER / "duckherder-health"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
IMAGE_VERSION = re.compile(r"duckherder:(\d+\.\d+\.\d+)")
CMAKE_VERSION = re.compile(r"project\(duckherder VERSION (\S+)")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]


def healthy(*words: str) -> bool:
    return subprocess.run([str(HEALTH), *words], capture_output=True, timeout=20).returncode == 0


@pytest.mark.timeout(60)
def test_health_of_nodes(tmp_path):
    with Cluster(tmp_path, workers=0, with_driver=True, driver_options=["--min-ready-workers", "1"]) as cluster:
        port = cluster.pages.rsplit(":", 1)[1]
        assert healthy("healthz", port)
        # Nobody takes tasks yet.
        assert not healthy("readyz", port)
    assert not healthy("healthz", port)


def test_health_does_not_wait_for_ever():
    silent = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    # Listens, and nobody serves.
    try:
        assert not healthy("healthz", str(silent.server_port))
    finally:
        silent.server_close()


def test_image_is_not_root():
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    assert "HEALTHCHECK" in DOCKERFILE and 'ENTRYPOINT ["duckherder"]' in DOCKERFILE


def test_versions_agree():
    """Of the program, the chart and the images that files of deploy/ name."""
    found = CMAKE_VERSION.search((paths.ROOT / "CMakeLists.txt").read_text())
    assert found
    version = found[1]
    chart = yaml.safe_load((paths.ROOT / "deploy/helm/duckherder/Chart.yaml").read_text())
    assert chart["appVersion"] == version
    assert set(IMAGE_VERSION.findall((DOCKER / "compose.yaml").read_text())) == {version}


def test_compose_publishes_on_loopback_only(services):
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_compose_drops_rights(services):
    for name in ("driver", "worker"):
        assert services[name]["cap_drop"] == ["ALL"] and services[name]["read_only"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]
        assert services[name]["stop_grace_period"] == "90s"
    # A password has no default.
    assert "${S3_SECRET:?" in (DOCKER / "compose.yaml").read_text()


def test_compose_uses_flags_that_exist(services):
    for name in ("driver", "worker"):
        command, *flags = services[name]["command"]
        known = run_binary([command, "--help"]).stdout
        assert command == name
        for flag in flags:
            assert flag.split("=")[0] in known, flag
    assert services["worker"]["deploy"]["replicas"] == 3


def test_compose_mounts_files_that_exist(services):
    mounted = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])
               if volume.startswith("./")]
    assert mounted and all((DOCKER / Path(name)).is_file() for name in mounted)
