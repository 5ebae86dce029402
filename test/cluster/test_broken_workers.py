"""Workers whose database is invalid after a fatal error, and ids that two processes want."""

import threading
from pathlib import Path

import duckdb
import pytest

from support import faults, paths
from support.background import numbers_file
from support.cluster import Cluster, run_binary
from support.process import NodeProcess
from support.session import Connection, cluster_session, distribute_everything, plain_session, scalar
from support.waiting import PATIENCE, wait_until

ROWS = 100_000
GONE_SECONDS = 2
#: EX_SOFTWARE
EXIT_DATABASE_ENDED = 70


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    return numbers_file(tmp_path_factory.mktemp("table") / "t.parquet", ROWS)


def queries(table: Path) -> list[str]:
    return [f"SELECT count(*), sum(i) FROM '{table}'",
            f"SELECT i % 7 AS g, count(*), max(i) FROM '{table}' GROUP BY g ORDER BY g",
            f"SELECT count(*) FROM '{table}' a JOIN '{table}' b ON a.i = b.i * 2",
            f"SELECT i FROM '{table}' ORDER BY hash(i) LIMIT 5"]


def active(con: Connection) -> set[str]:
    rows = con.execute("SELECT id FROM duckherder_workers() WHERE state = 'active'").fetchall()
    return {row[0] for row in rows}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("with_driver", (True, False), ids=("driver", "registered"))
def test_a_poisoned_worker_of_three(tmp_path, table, with_driver: bool):
    """No query fails, the list is without it at once, and its process ends for its supervisor to start it again."""
    expected = [plain_session().execute(sql).fetchall() for sql in queries(table)]
    with Cluster(tmp_path, workers=3, with_driver=with_driver,
                 faults=faults.poison("once", tmp_path)) as cluster, cluster_session(cluster) as con:
        distribute_everything(con)
        for sql, rows in zip(queries(table), expected):
            assert con.execute(sql).fetchall() == rows
        assert len(active(con)) == 3
        (tmp_path / "go").touch()
        con.execute(queries(table)[0])
        poisoned = (tmp_path / "poisoned").read_text().strip()
        wait_until(lambda: active(con) == set(cluster.workers) - {poisoned}, GONE_SECONDS, lambda: str(active(con)))
        if with_driver:
            wait_until(lambda: poisoned not in cluster.status(), GONE_SECONDS, cluster.status)
        for sql, rows in zip(queries(table) * 3, expected * 3):
            assert con.execute(sql).fetchall() == rows
        node = cluster.workers[poisoned]
        assert node.process.wait(20 * PATIENCE) == EXIT_DATABASE_ENDED
        assert "the database ended after a fatal error: poisoned by a test" in node.log(), node.log()


@pytest.mark.timeout(120)
def test_many_sessions_while_a_worker_is_poisoned(tmp_path, table):
    """Those whose tasks only ran there when it happened are none the wiser."""
    problems: list[str] = []

    def run(con: Connection) -> None:
        try:
            for sql in queries(table) * 5:
                if con.execute(sql).fetchall() != plain_session().execute(sql).fetchall():
                    problems.append(f"other rows: {sql}")
        except duckdb.Error as error:
            problems.append(str(error))

    with Cluster(tmp_path, workers=3, with_driver=True, faults=faults.poison("once", tmp_path)) as cluster, \
            cluster_session(cluster) as con:
        distribute_everything(con)
        threads = [threading.Thread(target=run, args=(con.cursor(),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: scalar(con, "SELECT count(*) FROM duckherder_tasks()") > 10, 20, lambda: "no tasks")
        (tmp_path / "go").touch()
        for thread in threads:
            thread.join()
        assert not problems, problems
        assert (tmp_path / "poisoned").exists()


@pytest.mark.timeout(120)
def test_a_query_that_breaks_each_worker_gives_the_error(tmp_path, table):
    with Cluster(tmp_path, workers=3, with_driver=True, faults=faults.poison("always", tmp_path)) as cluster, \
            cluster_session(cluster) as con:
        distribute_everything(con)
        (tmp_path / "go").touch()
        with pytest.raises(duckdb.Error, match="poisoned by a test"):
            con.execute(queries(table)[0])


def refused(cluster: Cluster, *options: str) -> str:
    assert cluster.driver
    done = run_binary(["worker", "--driver", f"{cluster.driver.host}:{cluster.driver.port}", *options])
    assert done.returncode == 1, done
    return done.stderr


@pytest.mark.timeout(120)
@pytest.mark.slow
def test_a_live_id_is_not_taken_over(tmp_path, table):
    with Cluster(tmp_path, workers=1, with_driver=True) as cluster, cluster_session(cluster) as con:
        holder = cluster.workers["worker-0"]
        error = refused(cluster, "--id", "worker-0", "--listen", "127.0.0.1:0")
        assert holder.location in error and "registers with the same id" in error, error
        assert error.count("grpc://127.0.0.1:") == 2, error
        assert scalar(con, "SELECT location FROM duckherder_workers()") == holder.location
        assert con.execute(queries(table)[0]).fetchall() == plain_session().execute(queries(table)[0]).fetchall()


def start_worker(cluster: Cluster, name: str, *options: str) -> NodeProcess:
    """Without an id, unless the options have one."""
    assert cluster.driver
    driver = f"{cluster.driver.host}:{cluster.driver.port}"
    command = [str(paths.BINARY), "worker", "--driver", driver, "--threads", "1", "--drain-timeout", "0", *options]
    return NodeProcess(name, command, cluster.directory).wait_ready()


@pytest.mark.timeout(120)
def test_a_process_at_the_same_address_takes_its_id_at_once(tmp_path):
    with Cluster(tmp_path, workers=0, with_driver=True) as cluster, cluster_session(cluster) as con:
        first = start_worker(cluster, "first", "--id", "w")
        first.kill()
        second = start_worker(cluster, "second", "--id", "w", "--listen", f"{first.host}:{first.port}")
        try:
            assert second.location in cluster.status() and "active" in cluster.status(), cluster.status()
            wait_until(lambda: active(con) == {"w"}, GONE_SECONDS, lambda: str(active(con)))
        finally:
            second.stop()


@pytest.mark.timeout(120)
def test_a_process_elsewhere_waits_until_the_former_one_is_lost(tmp_path):
    with Cluster(tmp_path, workers=0, with_driver=True) as cluster, cluster_session(cluster) as con:
        start_worker(cluster, "first", "--id", "w").kill()
        second = start_worker(cluster, "second", "--id", "w")
        try:
            assert second.location in cluster.status(), cluster.status()
            wait_until(lambda: active(con) == {"w"}, GONE_SECONDS, lambda: str(active(con)))
        finally:
            second.stop()


@pytest.mark.timeout(60)
def test_default_ids_differ_by_host_and_port(tmp_path):
    with Cluster(tmp_path, workers=0, with_driver=True) as cluster, cluster_session(cluster) as con:
        first = start_worker(cluster, "first")
        # as on another host
        second = start_worker(cluster, "second", "--listen", f"127.0.0.2:{first.port}", "--advertise", "host.example")
        try:
            wait_until(lambda: len(active(con)) == 2, GONE_SECONDS, lambda: str(active(con)))
            assert f"worker-host.example-{first.port}" in active(con)
            assert all(name.endswith(f"-{first.port}") for name in active(con)), active(con)
        finally:
            first.stop()
            second.stop()
