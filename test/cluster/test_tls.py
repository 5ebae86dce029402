"""Nodes with TLS and one shared token; nodes that would listen beyond loopback without."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from support import paths
from support.cluster import run_binary
from support.process import NodeProcess
from support.session import bare_session, scalar

ROWS = 300_000


@dataclass
class TlsNodes:
    driver: NodeProcess
    worker: NodeProcess
    certificate: Path


@pytest.fixture
def nodes(tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: no certificate can be made")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=duckherder",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
                   check=True, capture_output=True)
    tls = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    binary = str(paths.require(paths.BINARY))
    driver = NodeProcess("driver", [binary, "driver", "--listen", "127.0.0.1:0", *tls], tmp_path)
    try:
        driver.wait_ready()
        assert "grpc+tls://" in driver.log()
        worker = NodeProcess("worker", [binary, "worker", "--listen", "127.0.0.1:0", "--id", "alpha", *tls, "--tls-ca",
                                        str(certificate), "--driver", f"127.0.0.1:{driver.port}"], tmp_path)
        try:
            yield TlsNodes(driver, worker.wait_ready(), certificate)
        finally:
            worker.stop()
    finally:
        driver.stop()


def ask(con) -> None:
    con.execute(f"CREATE OR REPLACE TABLE t AS SELECT i FROM range({ROWS}) r(i)")
    con.execute("SET duckherder_require_distributed = true")
    assert scalar(con, "SELECT sum(i) FROM t WHERE sin(i) < 2") == ROWS * (ROWS - 1) // 2


@pytest.mark.timeout(60)
def test_session_that_trusts_the_certificate(nodes, monkeypatch):
    monkeypatch.setenv("DUCKHERDER_TLS_CA", str(nodes.certificate))
    with bare_session() as con:
        con.execute(f"SELECT duckherder_register_worker('alpha', 'grpc+tls://127.0.0.1:{nodes.worker.port}')")
        ask(con)
    with bare_session() as con:
        con.execute(f"SELECT duckherder_register_or_replace_driver('127.0.0.1', {nodes.driver.port})")
        ask(con)
    status = run_binary(["status", "--driver", f"127.0.0.1:{nodes.driver.port}", "--tls-ca", str(nodes.certificate)])
    assert "alpha" in status.stdout, status.stderr


@pytest.mark.timeout(60)
def test_session_that_does_not(nodes):
    with bare_session() as con:
        for scheme in ("grpc+tls", "grpc"):
            with pytest.raises(duckdb.IOException, match="alpha"):
                con.execute(f"SELECT duckherder_register_worker('alpha', '{scheme}://127.0.0.1:{nodes.worker.port}')")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("command", ("driver", "worker"))
def test_beyond_loopback_without_tls_is_refused(command: str):
    done = run_binary([command, "--listen", "0.0.0.0:0"])
    assert done.returncode == 1
    assert "--tls-cert" in done.stderr and "--insecure" in done.stderr, done.stderr


@pytest.mark.timeout(60)
def test_wrong_token(three_workers, tmp_path, monkeypatch):
    other = tmp_path / "token"
    other.touch(mode=0o600)
    other.write_text("0" * 64)
    monkeypatch.setenv("DUCKHERDER_TOKEN_FILE", str(other))
    location = three_workers.workers['worker-0'].location
    with bare_session() as con, pytest.raises(duckdb.PermissionException, match="token"):
        con.execute(f"SELECT duckherder_register_worker('w', '{location}')").fetchall()


@pytest.mark.timeout(60)
def test_worker_that_advertises_another_name(tmp_path):
    """It listens everywhere, and others are told the name under which they reach it."""
    binary = str(paths.require(paths.BINARY))
    command = [binary, "worker", "--listen", "0.0.0.0:0", "--insecure", "--advertise", "localhost"]
    worker = NodeProcess("worker", command, tmp_path)
    try:
        worker.wait_ready()
        assert f"grpc://localhost:{worker.port}" in worker.log()
        with bare_session() as con:
            con.execute(f"SELECT duckherder_register_worker('w', 'grpc://localhost:{worker.port}')")
            ask(con)
    finally:
        worker.stop()
