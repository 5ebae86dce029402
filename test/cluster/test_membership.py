"""Workers that come, go, and end while queries run; queries whose sessions end."""

import contextlib
import signal
from pathlib import Path

import duckdb
import pytest

from support.background import BackgroundQuery, kill_running_session, numbers_file
from support.cluster import Cluster
from support.pair import last_query, tasks_of, unfinished_tasks
from support.session import Connection, cluster_session, distribute_everything, local_session, plain_session, scalar
from support.waiting import PATIENCE, wait_until

ROWS = 200_000
#: Some twenty microseconds a row
SLOW = "sum(length(sha256(repeat(md5(i::VARCHAR), 200))))"
LEASE_SECONDS = 3


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    return numbers_file(tmp_path_factory.mktemp("table") / "t.parquet", ROWS)


class Running(BackgroundQuery):
    """On a connection of its own, so that the test can use the one it has."""

    def __init__(self, con: Connection, sql: str):
        super().__init__(con.cursor(), sql)

    def tasks(self) -> list[dict]:
        """So far"""
        with contextlib.suppress(AssertionError):
            return tasks_of(self.observer, last_query(self.observer, self.sql)["query_id"])
        return []

    def wait_until_tasks_are_done(self, count: int = 3) -> None:
        wait_until(lambda: sum(task["state"] == "DONE" for task in self.tasks()) >= count, 30,
                   lambda: f"no tasks are done: {self.tasks()} {self.error}")


@pytest.mark.timeout(120)
def test_a_worker_that_joins_takes_tasks(tmp_path, table):
    with Cluster(tmp_path, workers=1, with_driver=True) as cluster, cluster_session(cluster) as con:
        sql = f"SELECT {SLOW}, count(*), sum(i) FROM '{table}'"
        query = Running(con, sql)
        query.wait_until_tasks_are_done()
        cluster.add_worker()
        wait_until(lambda: any(task["worker_id"] == "worker-1" for task in query.tasks()), 30,
                   lambda: f"the new worker got no task: {query.tasks()}")
        assert query.wait().error is None, query.error
        assert query.answer == plain_session().execute(sql).fetchall()
        assert last_query(con, sql)["num_workers_used"] == 2


@pytest.mark.timeout(120)
@pytest.mark.parametrize("with_driver", (True, False), ids=("driver", "registered"))
def test_a_worker_drains(tmp_path, table, with_driver: bool):
    """It finishes what it runs, and stays until the query has read what it has made."""
    with Cluster(tmp_path, workers=0, with_driver=with_driver) as cluster:
        for _ in range(2):
            cluster.add_worker(["--drain-timeout", "60"])
        with cluster_session(cluster) as con:
            # too large to travel with the results of the tasks
            sql = (f"SELECT i % 100 AS g, {SLOW}, max(length(p)) FROM (SELECT i, repeat(md5(i::VARCHAR), 4) AS p "
                   f"FROM '{table}') GROUP BY g, p ORDER BY g, p LIMIT 10")
            query = Running(con, sql)
            query.wait_until_tasks_are_done()
            leaving = cluster.workers["worker-0"]
            leaving.signal(signal.SIGTERM)
            if with_driver:
                wait_until(lambda: "draining" in cluster.status(), 20, cluster.status)
            assert query.wait().error is None, query.error
            assert query.answer == plain_session().execute(sql).fetchall()
            tasks = query.tasks()
            assert {task["state"] for task in tasks} == {"DONE"}
            # what it had made was not made again
            assert any(task["worker_id"] == "worker-0" and task["attempt"] == 0 for task in tasks)
            assert leaving.process.wait(20 * PATIENCE) == 0
            if with_driver:
                assert "worker-0" not in cluster.status()


@pytest.mark.timeout(120)
def test_a_long_query_keeps_its_outputs(tmp_path, table):
    """Its first stages are done long before its last one, and leases are short."""
    with Cluster(tmp_path, workers=0) as cluster:
        for _ in range(2):
            cluster.add_worker(["--lease-timeout", str(LEASE_SECONDS)])
        with cluster_session(cluster) as con:
            distribute_everything(con)
            sql = f"SELECT {SLOW}, count(*) FROM (SELECT i FROM '{table}' ORDER BY hash(i) LIMIT {ROWS - 1})"
            assert con.execute(sql).fetchall() == plain_session().execute(sql).fetchall()
            query = last_query(con, sql)
            assert query["retries"] == 0 and query["query_duration_ms"] > 1000 * LEASE_SECONDS, query


@pytest.mark.timeout(120)
def test_a_killed_session_leaves_nothing(tmp_path, table):
    """A worker that is told to end waits as long as somebody may read its outputs: until the lease is over."""
    with Cluster(tmp_path, workers=0, with_driver=True) as cluster:
        worker = cluster.add_worker(["--lease-timeout", str(LEASE_SECONDS), "--drain-timeout", "100"])
        kill_running_session(cluster, f"SELECT {SLOW}, median(i) FROM '{table}'")
        worker.signal(signal.SIGTERM)
        assert worker.process.wait((LEASE_SECONDS + 20) * PATIENCE) == 0


@pytest.mark.timeout(60)
def test_kill(table):
    with local_session(2) as con:
        assert scalar(con, "SELECT duckherder_kill('no such query')") is False
        query = Running(con, f"SELECT {SLOW} FROM '{table}'")
        query.wait_until_tasks_are_done(1)
        query_id = last_query(con, query.sql)["query_id"]
        assert scalar(con, f"SELECT duckherder_kill('{query_id}')") is True
        assert isinstance(query.wait(20).error, duckdb.InterruptException)
        assert f"duckherder_kill('{query_id}')" in str(query.error)
        assert scalar(con, f"SELECT duckherder_kill('{query_id}')") is False
        assert not unfinished_tasks(con)
        assert scalar(query.con, f"SELECT sum(i) FROM '{table}'") == ROWS * (ROWS - 1) // 2


@pytest.mark.timeout(60)
def test_temporary_directories_of_killed_workers_are_removed(tmp_path):
    directory = tmp_path / "temp"
    with Cluster(tmp_path, workers=0) as cluster:
        killed, alive = (cluster.add_worker(["--temp-directory", str(directory)]) for _ in range(2))
        other = directory / "duckherder-worker-of-somebody"
        other.mkdir()
        before = set(directory.iterdir())
        assert len(before) == 3
        killed.kill()
        cluster.add_worker(["--temp-directory", str(directory)])
        after = set(directory.iterdir())
        assert len(after) == 3 and len(after & before) == 2 and other in after
        assert alive.alive
    assert set(directory.iterdir()) == {other}


def assert_exact(con: Connection, sql: str) -> None:
    assert con.execute(sql).fetchall() == plain_session().execute(sql).fetchall()
    assert last_query(con, sql)["execution_mode"] == "DISTRIBUTED"


def shuffling(table: Path) -> str:
    return f"SELECT i % 7 AS g, count(*), count(DISTINCT i % 1000), max(i) FROM '{table}' GROUP BY g ORDER BY g"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("with_driver", (True, False), ids=("driver", "registered"))
def test_the_first_query_after_most_workers_died(tmp_path, table, with_driver: bool):
    """Nobody has noticed yet."""
    with Cluster(tmp_path, workers=5, with_driver=with_driver) as cluster, cluster_session(cluster) as con:
        distribute_everything(con)
        assert_exact(con, shuffling(table))
        for name in list(cluster.workers)[:4]:
            cluster.workers[name].kill()
        assert_exact(con, shuffling(table))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("with_driver", (True, False), ids=("driver", "registered"))
@pytest.mark.parametrize("how", ("stop", "kill"))
def test_the_first_query_after_all_workers_were_started_again(tmp_path, table, with_driver: bool, how: str):
    """The session knows the former ones only, which have the same ids and addresses."""
    with Cluster(tmp_path, workers=2, with_driver=with_driver) as cluster, cluster_session(cluster) as con:
        distribute_everything(con)
        assert_exact(con, shuffling(table))
        for name, node in list(cluster.workers.items()):
            getattr(node, how)()
            cluster.workers[name] = node.start_again()
        assert_exact(con, shuffling(table))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("with_driver", (True, False), ids=("driver", "registered"))
def test_refusals_of_a_draining_worker_cost_no_attempt(tmp_path, table, with_driver: bool):
    """It is held while it drains: its task of one query does not end until those of others were refused."""
    point = {"DUCKHERDER_FAULT_POINT": f"end 0 {tmp_path}"}
    with Cluster(tmp_path, workers=2, with_driver=with_driver, worker_options=["--drain-timeout", "60"],
                 faults=point) as cluster, cluster_session(cluster) as con:
        distribute_everything(con)
        for setting in ("task_retries = 0", "speculation = false"):
            con.execute(f"SET GLOBAL duckherder_{setting}")
        held = Running(con, shuffling(table))
        wait_until((tmp_path / "reached").exists, 20, lambda: f"no task ended: {held.error}")
        leaving = cluster.workers[(tmp_path / "reached").read_text().strip()]
        leaving.signal(signal.SIGTERM)
        assert_exact(con, shuffling(table).replace("max(i)", "min(i)"))
        assert leaving.alive
        (tmp_path / "go").touch()
        assert held.wait().error is None, held.error
        assert held.answer == plain_session().execute(held.sql).fetchall()
