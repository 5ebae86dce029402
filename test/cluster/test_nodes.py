"""The `duckherder` program: drivers, workers and status as real processes."""

import re
import signal
import stat
import subprocess

import duckdb
import pytest

from support import paths
from support.cluster import Cluster, run_binary, run_status
from support.pair import rows_as_dicts
from support.session import bare_session, cluster_session, register_workers, scalar
from support.waiting import wait_until

LOST_SECONDS = 15.0


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A driver with three workers."""
    with Cluster(tmp_path_factory.mktemp("served"), workers=3, threads=1, with_driver=True) as cluster:
        yield cluster


@pytest.mark.parametrize("arguments", ([], ["driver"], ["worker"], ["status"]), ids=lambda words: " ".join(words))
def test_help(arguments: list[str]):
    done = run_binary([*arguments, "--help"])
    assert done.returncode == 0, done.stderr
    wanted = {"driver": "--listen --token-file --tls-cert --tls-key --insecure",
              "worker": "--listen --advertise --driver --id --threads --memory-limit --temp-directory --init "
                        "--token-file",
              "status": "--driver"}.get(arguments[0] if arguments else "", "driver worker status")
    for word in wanted.split():
        assert word in done.stdout, f"{word} is not in\n{done.stdout}"


def test_version():
    done = run_binary(["--version"])
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"duckherder \d+\.\d+\.\d+( \(commit [0-9a-f]{12}(-changed)?\))?, DuckDB v\d+\.\d+\.\d+, "
                        r"Arrow \d+\.\d+\.\d+\n", done.stdout), done.stdout
    assert duckdb.__version__ in done.stdout


#: What is typed wrong, and what the error names
WRONG_USES = {
    "dirver": "dirver", "": "no subcommand", "worker --no-such-flag 1": "--no-such-flag",
    "driver --listen nonsense:x": "nonsense:x", "driver --listen http://h:1": "the scheme is 'http'",
    "driver --listen grpc+tls://127.0.0.1:0": "--tls-cert", "worker --threads many": "many",
    "worker --threads": "--threads",
    "worker --threads 1 --threads 2": "twice", "driver --data-path x": "--lake", "worker --driver :1": "no host",
    "status --driver 127.0.0.1:70000": "70000", "status --help=1": "--help",
}


@pytest.mark.parametrize("words", WRONG_USES)
def test_wrong_use(words: str):
    done = run_binary(words.split())
    assert done.returncode == 2, done
    assert WRONG_USES[words] in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) < 40


def test_status_of_nobody():
    """What was typed is right; it is the driver that is not there."""
    done = run_binary(["status", "--driver", "127.0.0.1:1"])
    assert done.returncode == 1 and "cannot reach driver at grpc://127.0.0.1:1" in done.stderr, done


@pytest.mark.timeout(60)
def test_status(served):
    text = served.status()
    for name, node in served.workers.items():
        assert name in text and f"{node.host}:{node.port}" in text, text


@pytest.mark.timeout(60)
def test_session_borrows_the_workers_of_a_driver(served):
    with cluster_session(served) as con:
        assert scalar(con, "SELECT duckherder_get_worker_count()") == 3
        workers = rows_as_dicts(con, "FROM duckherder_workers() ORDER BY id")
        assert [row["id"] for row in workers] == sorted(served.workers)
        assert {row["location"] for row in workers} == {node.location for node in served.workers.values()}
        assert {row["state"] for row in workers} == {"active"}
        assert {row["threads"] for row in workers} == {1}
        con.execute("CREATE TABLE t AS SELECT i, i % 5 AS g FROM range(500000) r(i)")
        assert con.execute("SELECT g, count(*) FROM t GROUP BY g ORDER BY g").fetchall() == \
            [(g, 100000) for g in range(5)]
        row = rows_as_dicts(con, "FROM duckherder_get_query_execution_stats()")[-1]
        assert row["execution_mode"] == "DISTRIBUTED" and row["num_workers_used"] > 1, row


@pytest.mark.timeout(60)
def test_two_sessions_share_the_workers(served):
    with cluster_session(served) as first, cluster_session(served) as second:
        for con, rows in ((first, 100_000), (second, 200_000)):
            con.execute(f"CREATE TABLE t AS SELECT i FROM range({rows}) r(i)")
        assert scalar(first, "SELECT count(*) FROM t") == 100_000
        assert scalar(second, "SELECT count(*) FROM t") == 200_000
        # Each has its own statistics
        assert len(rows_as_dicts(first, "FROM duckherder_get_query_execution_stats()")) == 1


@pytest.mark.timeout(90)
def test_workers_come_and_go(tmp_path):
    with Cluster(tmp_path, workers=1, with_driver=True) as cluster, cluster_session(cluster) as con:
        con.execute("CREATE TABLE t AS SELECT i FROM range(300000) r(i)")
        count = "SELECT duckherder_get_worker_count()"
        assert scalar(con, count) == 1
        cluster.add_worker()
        wait_until(lambda: scalar(con, count) == 2, LOST_SECONDS, cluster.status)
        assert scalar(con, "SELECT count(*) FROM t") == 300_000
        # One says goodbye, another one dies
        assert cluster.workers["worker-1"].stop() == 0
        wait_until(lambda: scalar(con, count) == 1, LOST_SECONDS, cluster.status)
        cluster.add_worker()
        wait_until(lambda: scalar(con, count) == 2, LOST_SECONDS, cluster.status)
        cluster.workers["worker-2"].kill()
        wait_until(lambda: scalar(con, count) == 1, LOST_SECONDS, cluster.status)
        assert scalar(con, "SELECT sum(i) FROM t") == 300_000 * 299_999 // 2


@pytest.mark.timeout(60)
def test_register_and_unregister(three_workers):
    with bare_session() as con:
        register_workers(con, three_workers)
        assert scalar(con, "SELECT duckherder_get_worker_count()") == 3
        location = three_workers.workers["worker-0"].location
        with pytest.raises(duckdb.Error, match="worker-0"):
            con.execute(f"SELECT duckherder_register_worker('worker-0', '{location}')").fetchall()
        con.execute("SELECT duckherder_unregister_worker('worker-0')").fetchall()
        assert scalar(con, "SELECT duckherder_get_worker_count()") == 2
        con.execute("CREATE TABLE t AS SELECT i FROM range(100000) r(i)")
        assert scalar(con, "SELECT count(*) FROM t") == 100000
        used = rows_as_dicts(con, "SELECT DISTINCT worker_id FROM duckherder_tasks()")
        assert "worker-0" not in {row["worker_id"] for row in used}


@pytest.mark.timeout(60)
def test_standalone_worker_of_another_session(tmp_path):
    with bare_session() as owner, bare_session() as con:
        answer = str(scalar(owner, "SELECT duckherder_start_standalone_worker(0)"))
        location = re.search(r"grpc://\S+:\d+", answer)
        assert location, answer
        con.execute(f"SELECT duckherder_register_worker('theirs', '{location[0]}')").fetchall()
        con.execute("CREATE TABLE t AS SELECT i FROM range(100000) r(i)")
        assert scalar(con, "SELECT sum(i) FROM t") == 4999950000
        assert scalar(con, "SELECT DISTINCT worker_id FROM duckherder_tasks()") == "theirs"


@pytest.mark.timeout(60)
def test_nodes_end_cleanly(tmp_path):
    with Cluster(tmp_path, workers=2, with_driver=True) as cluster:
        nodes = [*cluster.workers.values(), cluster.driver]
        for node in nodes:
            assert node.stop() == 0, node.log()
            assert len(re.findall("listening on grpc://", node.log())) == 1


def _token(tmp_path, name: str, text: str) -> str:
    path = tmp_path / name
    path.touch(mode=0o600)
    path.write_text(text)
    return str(path)


@pytest.mark.timeout(60)
def test_other_token_is_refused(tmp_path, served):
    wrong = _token(tmp_path, "wrong", "0" * 64 + "\n")
    address = f"{served.driver.host}:{served.driver.port}"
    done = run_binary(["status", "--driver", address, "--token-file", wrong])
    assert done.returncode != 0 and "token" in done.stderr.lower(), done.stdout + done.stderr
    done = run_binary(["status", "--driver", address], {"DUCKHERDER_TOKEN_FILE": wrong})
    assert done.returncode != 0 and "token" in done.stderr.lower(), done.stdout + done.stderr
    assert "worker-0" in run_status(address)


@pytest.mark.timeout(60)
def test_token_is_made_on_the_first_start(tmp_path):
    """In the home directory, for nobody else to read; the workers and status of this user find it."""
    environment = {"HOME": str(tmp_path), "DUCKHERDER_TOKEN_FILE": ""}
    with Cluster(tmp_path, workers=1, with_driver=True, environment=environment) as cluster:
        token = tmp_path / ".duckherder" / "token"
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        assert len(token.read_text().strip()) >= 32
        assert "worker-0" in cluster.status()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("node", ("driver", "worker"))
def test_listening_beyond_loopback_needs_token_and_tls(node: str):
    done = run_binary([node, "--listen", "0.0.0.0:0"])
    assert done.returncode != 0
    assert "TLS" in done.stderr and "--insecure" in done.stderr, done.stderr


@pytest.mark.timeout(60)
def test_port_in_use(served):
    done = run_binary(["driver", "--listen", f"127.0.0.1:{served.driver.port}"])
    assert done.returncode != 0
    assert str(served.driver.port) in done.stderr, done.stderr


@pytest.mark.timeout(60)
def test_shell_answers_its_version():
    sql = "SELECT version(), loaded FROM duckdb_extensions() WHERE extension_name = 'duckherder'"
    done = subprocess.run([str(paths.SHELL), "-csv", "-noheader", "-c", sql], capture_output=True, text=True,
                          timeout=30, stdin=subprocess.DEVNULL)
    assert done.stdout.strip() == "v1.5.5,true", done.stderr


@pytest.mark.timeout(60)
@pytest.mark.parametrize("node", ["driver", "worker"])
@pytest.mark.parametrize("place", ["file/below", "/proc/no-directory", "/dev/null"])
def test_a_temp_directory_that_cannot_be_written_to(tmp_path, node, place):
    (tmp_path / "file").touch()
    directory = place if place.startswith("/") else str(tmp_path / place)
    done = run_binary([node, "--listen", "127.0.0.1:0", "--temp-directory", directory])
    assert done.returncode != 0 and directory in done.stderr and "temporary directory" in done.stderr, done
