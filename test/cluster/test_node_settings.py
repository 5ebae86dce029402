"""Flags from the environment and from a file, the log of nodes, and workers that start before their driver."""

import json
import signal
import socket
from pathlib import Path

import pytest
from support import paths
from support.cluster import BY_ROWS, Cluster, run_binary, run_status
from support.http_client import HttpClient, cluster_token
from support.process import NodeProcess
from support.waiting import wait_until


def entries(path: Path) -> list[dict]:
    """Of a log in JSON; each line has to be one."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def events(path: Path) -> list[tuple[str, str]]:
    return [(entry["event"], entry.get("worker", "")) for entry in entries(path)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_flags_from_the_environment_and_a_file(tmp_path: Path) -> None:
    config = tmp_path / "driver.conf"
    config.write_text("# of the driver\nmin-ready-workers = 3\n\nlog-format=json   # for machines\n"
                      "max-queries = 5\n")
    environment = {"DUCKHERDER_DRIVER_MIN_READY_WORKERS": "2", "DUCKHERDER_WORKER_ID": "from-environment"}
    with Cluster(tmp_path, workers=0, with_driver=True, environment=environment,
                 driver_options=["--config", str(config)]) as cluster:
        ready = HttpClient(cluster.pages).get("/readyz")
        assert ready.body == "not ready: 0 of 2 workers\n"


@pytest.mark.parametrize(("text", "message"), [
    ("colour = blue", "Line 1"), ("\nthreads", "Line 2"), ("threads = 1\nthreads = 2", "given twice"),
    ("insecure = perhaps", "true or false"), ("config = other", "Line 1"), ("threads = many", "--threads"),
])
def test_a_wrong_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    config = tmp_path / "node.conf"
    config.write_text(text)
    done = run_binary(["driver", "--listen", "127.0.0.1:0", "--http", "off", "--config", str(config)])
    assert done.returncode == 2 and message in done.stderr, done.stderr


def test_a_missing_file_and_a_wrong_variable_are_named(tmp_path: Path) -> None:
    done = run_binary(["worker", "--config", str(tmp_path / "nothing")])
    assert done.returncode == 1 and "nothing" in done.stderr
    done = run_binary(["worker"], {"DUCKHERDER_WORKER_INSECURE": "maybe"})
    assert done.returncode == 2 and "DUCKHERDER_WORKER_INSECURE" in done.stderr
    done = run_binary(["worker", "--log-format", "xml"])
    assert done.returncode == 2 and "xml" in done.stderr
    done = run_binary(["worker", "--log-file", str(tmp_path / "no" / "directory")])
    assert done.returncode == 1 and "cannot be written" in done.stderr


def test_the_log_tells_of_workers_and_queries(tmp_path: Path) -> None:
    log = tmp_path / "driver.json"
    options = ["--log-format", "json", "--log-file", str(log), "--log-slow-queries", "0"]
    with Cluster(tmp_path, workers=2, with_driver=True, driver_options=options) as cluster:
        wait_until(lambda: {("worker_joined", "worker-0"), ("worker_joined", "worker-1")} <= set(events(log)), 10,
                   lambda: str(events(log)))
        node = HttpClient(cluster.pages, cluster_token())
        assert node.sql(BY_ROWS).status == 200
        assert node.sql("CREATE TABLE numbers AS SELECT i FROM range(300000) t(i)").status == 200
        assert node.sql("SELECT sum(CAST('secret ' || i AS INTEGER)) FROM numbers").status == 400
        HttpClient(cluster.pages, "wrong").get("/metrics")
        cluster.workers["worker-0"].stop()
        cluster.workers["worker-1"].kill()
        wait_until(lambda: {("worker_left", "worker-0"), ("worker_lost", "worker-1")} <= set(events(log)), 20,
                   lambda: str(events(log)))
        failed = [entry for entry in entries(log) if entry["event"] == "query_failed"]
        assert len(failed) == 1 and failed[0]["state"] == "FAILED" and failed[0]["level"] == "warning"
        query = node.get("/api/v1/queries", state="FAILED").json["queries"][0]
        assert failed[0]["query_id"] == query["query_id"]
        assert [entry["address"] for entry in entries(log) if entry["event"] == "call_refused"] == ["http:127.0.0.1"]
        assert "secret" not in log.read_text() and cluster_token() not in log.read_text()
        # standard error has nothing beside where the node listens
        assert cluster.driver
        assert [line.split(" at ")[0].split(" on ")[0] for line in cluster.driver.log().splitlines()] == \
            ["listening", "pages"]


def test_slow_queries_are_logged(tmp_path: Path) -> None:
    log = tmp_path / "driver.json"
    options = ["--log-format", "json", "--log-file", str(log), "--log-slow-queries", "1"]
    with Cluster(tmp_path, workers=1, threads=1, with_driver=True, driver_options=options) as cluster:
        node = HttpClient(cluster.pages, cluster_token())
        assert node.sql("CREATE TABLE numbers AS SELECT i FROM range(100000) t(i)").status == 200
        assert node.sql("SELECT count(*) FROM numbers").status == 200
        # some hundred millions of pairs
        slow = "SELECT count(*) FROM numbers a JOIN (FROM numbers LIMIT 5000) b ON (a.i * b.i) % 7919 = 1"
        assert node.sql(slow).status == 200
        took = node.get("/api/v1/queries", search="7919").json["queries"][0]["duration_ms"]
        assert took >= 1000, "the query is too fast to test this"
        wait_until(lambda: any(entry["event"] == "query_slow" for entry in entries(log)), 10, log.read_text)
        assert len([entry for entry in entries(log) if entry["event"] == "query_slow"]) == 1


def test_a_log_is_opened_anew_by_a_signal(tmp_path: Path) -> None:
    log = tmp_path / "driver.log"
    with Cluster(tmp_path, workers=0, with_driver=True, driver_options=["--log-file", str(log)]) as cluster:
        assert cluster.driver
        HttpClient(cluster.pages, "wrong").get("/metrics")
        wait_until(lambda: "refused a call" in log.read_text(), 10, log.read_text)
        moved = log.rename(tmp_path / "driver.log.1")
        cluster.driver.signal(signal.SIGHUP)
        wait_until(log.exists, 10, lambda: "there is no new file")
        cluster.add_worker()
        wait_until(lambda: "has joined" in log.read_text(), 10, log.read_text)
        assert "has joined" not in moved.read_text() and " info: worker worker-0 at grpc" in log.read_text()
        assert log.stat().st_mode & 0o777 == 0o600
        # a worker is not ended by it either
        cluster.workers["worker-0"].signal(signal.SIGHUP)
        assert cluster.workers["worker-0"].alive


def test_a_worker_waits_for_its_driver(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with Cluster(tmp_path, workers=0) as cluster:
        worker = cluster.workers[cluster.launch_worker(["--driver", address])]
        wait_until(lambda: "waiting for it" in worker.log(), 10, worker.log)
        driver = NodeProcess("driver", [str(paths.BINARY), "driver", "--listen", address, "--http", "off"], tmp_path)
        try:
            driver.wait_ready()
            worker.wait_ready()
            wait_until(lambda: "1 workers" in run_status(address), 10, lambda: run_status(address))
        finally:
            driver.stop()


def test_a_worker_gives_up_waiting() -> None:
    done = run_binary(["worker", "--driver", f"127.0.0.1:{free_port()}", "--driver-timeout", "1"])
    assert done.returncode == 1 and "cannot reach driver" in done.stderr
