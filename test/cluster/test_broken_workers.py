"""Workers whose database is invalid after a fatal error, and ids that two processes want."""

import signal
import threading
from pathlib import Path

import duckdb
import pytest

from support import faults, paths
from support.background import BackgroundQuery, numbers_file
from support.cluster import Cluster, run_binary
from support.pair import last_query, tasks_of
from support.process import NodeProcess
from support.session import Connection, cluster_session, distribute_everything, local_session, plain_session, scalar
from support.waiting import PATIENCE, wait_until

ROWS = 100_000
GONE_SECONDS = 2
#: EX_SOFTWARE
EXIT_DATABASE_ENDED = 70
#: An empty match that begins within a character is an internal error of DuckDB 1.5.5, which ends the database
INTERNAL_ERROR = r"len(regexp_extract_all('é' || {}, '^\C|'))"
BREAKING = {
    "scan": f"SELECT max({INTERNAL_ERROR.format('i')}) FROM '{{table}}' WHERE i = 77777",
    "filter": f"SELECT count(*) FROM '{{table}}' WHERE i > 99990 AND {INTERNAL_ERROR.format('i')} > 3",
    "aggregate": f"SELECT max({INTERNAL_ERROR.format('n')}) FROM (SELECT count(*) AS n FROM '{{table}}' GROUP BY i % 7 "
                 "HAVING max(i) = 99999)",
    "join": f"SELECT count(*) FROM '{{table}}' a JOIN '{{table}}' b ON a.i = b.i "
            f"WHERE a.i = 77777 AND {INTERNAL_ERROR.format('a.i || b.i')} > 3",
}


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


def assert_exact(con: Connection, table: Path) -> None:
    for sql in queries(table):
        assert con.execute(sql).fetchall() == plain_session().execute(sql).fetchall(), sql
        assert last_query(con, sql)["execution_mode"] == "DISTRIBUTED"


def workers_used(con: Connection, sql: str) -> set[str]:
    con.execute(sql)
    return {task["worker_id"] for task in tasks_of(con, last_query(con, sql)["query_id"])}


def break_by(con: Connection, sql: str) -> None:
    """The query breaks plain DuckDB, too; here it is the workers', and the session goes on."""
    with pytest.raises(duckdb.InternalException, match="Invalid UTF-8 lead byte"):
        plain_session().execute(sql).fetchall()
    with pytest.raises(duckdb.IOException, match=r"(?s)INTERNAL error: Invalid UTF-8 lead byte .*\(on worker "):
        con.execute(sql)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", BREAKING)
@pytest.mark.parametrize("with_driver", (True, False), ids=("driver", "registered"))
def test_a_query_with_an_internal_error_breaks_no_more_workers_than_it_needs(tmp_path, table, kind: str,
                                                                             with_driver: bool):
    """One may be to blame for what it meets, two are not: its error is the query's then."""
    with Cluster(tmp_path, workers=4, with_driver=with_driver) as cluster, cluster_session(cluster) as con:
        distribute_everything(con)
        break_by(con, BREAKING[kind].format(table=table))
        assert_exact(con, table)
        wait_until(lambda: len(active(con)) == 2, GONE_SECONDS, lambda: str(active(con)))
        gone = [node for name, node in cluster.workers.items() if name not in active(con)]
        assert [node.process.wait(20 * PATIENCE) for node in gone] == [EXIT_DATABASE_ENDED] * 2
        assert_exact(con, table)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", BREAKING)
def test_embedded_workers_are_replaced(table, kind: str):
    """As often as it happens, and the others that stand at the same address are none the wiser."""
    with local_session(2) as con:
        distribute_everything(con)
        for _ in range(3):
            break_by(con, BREAKING[kind].format(table=table))
            assert_exact(con, table)
            assert active(con) == {"worker-0", "worker-1"}
        wait_until(lambda: workers_used(con, queries(table)[0]) == {"worker-0", "worker-1"}, 10 * GONE_SECONDS,
                   lambda: "one of them takes no tasks any more")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("stage", (0, 1))
@pytest.mark.parametrize("with_driver", (True, False), ids=("driver", "registered"))
def test_what_a_broken_worker_has_made_is_made_again(tmp_path, table, stage: int, with_driver: bool):
    """It breaks when its task of this stage begins, and takes with it what it has put out before."""
    sql = f"SELECT a.i % 7 AS g, count(*), max(b.i) FROM '{table}' a JOIN '{table}' b ON a.i = b.i * 2 " \
          "GROUP BY g ORDER BY g"
    point = {"DUCKHERDER_FAULT_POINT": f"begin {stage} {tmp_path}"}
    with Cluster(tmp_path, workers=3, with_driver=with_driver,
                 faults={**faults.poison("once", tmp_path), **point}) as cluster, cluster_session(cluster) as con:
        query = BackgroundQuery(con.cursor(), sql)
        wait_until((tmp_path / "reached").exists, 20, lambda: f"no task of stage {stage} began: {query.error}")
        (tmp_path / "go").touch()
        assert query.wait().error is None, query.error
        assert query.answer == plain_session().execute(sql).fetchall()
        assert (tmp_path / "poisoned").exists()
        row = last_query(con, sql)
        assert row["execution_mode"] == "DISTRIBUTED" and row["retries"] > 0, row


@pytest.mark.timeout(120)
@pytest.mark.parametrize("with_driver", (True, False), ids=("driver", "registered"))
def test_workers_that_their_supervisor_starts_again(tmp_path, table, with_driver: bool):
    """A query breaks all there are; the next one runs on those in their place."""
    with Cluster(tmp_path, workers=2, with_driver=with_driver,
                 faults=faults.poison("always", tmp_path)) as cluster, cluster_session(cluster) as con:
        distribute_everything(con)
        (tmp_path / "go").touch()
        with pytest.raises(duckdb.Error, match="poisoned by a test"):
            con.execute(queries(table)[0])
        for name, node in cluster.workers.items():
            assert node.process.wait(20 * PATIENCE) == EXIT_DATABASE_ENDED
            cluster.workers[name] = node.start_again(without=("DUCKHERDER_POISON",))
        wait_until(lambda: active(con) == set(cluster.workers), GONE_SECONDS, lambda: str(active(con)))
        assert_exact(con, table)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("with_driver", (True, False), ids=("driver", "registered"))
def test_a_query_waits_for_the_only_worker_to_be_started_again(tmp_path, table, with_driver: bool):
    sql = queries(table)[1]
    with Cluster(tmp_path, workers=1, with_driver=with_driver,
                 faults=faults.poison("once", tmp_path)) as cluster, cluster_session(cluster) as con:
        (tmp_path / "go").touch()
        query = BackgroundQuery(con.cursor(), sql)
        node = cluster.workers["worker-0"]
        assert node.process.wait(20 * PATIENCE) == EXIT_DATABASE_ENDED
        cluster.workers["worker-0"] = node.start_again()
        assert query.wait().error is None, query.error
        assert query.answer == plain_session().execute(sql).fetchall()
        assert last_query(con, sql)["execution_mode"] == "DISTRIBUTED"


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
        others = [start_worker(cluster, "second", "--listen", f"127.0.0.2:{first.port}", "--advertise", "host.example"),
                  start_worker(cluster, "third", "--listen", f"127.0.0.3:{first.port}", "--advertise", "other.example")]
        try:
            wait_until(lambda: len(active(con)) == 3, GONE_SECONDS, lambda: str(active(con)))
            assert {f"worker-host.example-{first.port}", f"worker-other.example-{first.port}"} < active(con)
            assert all(name.endswith(f"-{first.port}") for name in active(con)), active(con)
        finally:
            for node in (first, *others):
                node.stop()


def holders(cluster: Cluster) -> list[tuple[str, str]]:
    """Ids, and the addresses of their workers, as the driver has them."""
    rows = [line.split() for line in cluster.status().splitlines()]
    return [(row[0], row[1]) for row in rows if len(row) > 2 and row[2] in ("active", "draining", "lost")]


@pytest.mark.timeout(120)
@pytest.mark.slow
def test_a_silent_holder_does_not_take_its_id_back(tmp_path, table):
    """Its id was given away when it was lost; that it wakes up changes nothing, and the list does not flip."""
    with Cluster(tmp_path, workers=0, with_driver=True) as cluster, cluster_session(cluster) as con:
        distribute_everything(con)
        first = start_worker(cluster, "first", "--id", "w")
        first.signal(signal.SIGSTOP)
        second = start_worker(cluster, "second", "--id", "w")
        try:
            first.signal(signal.SIGCONT)
            wait_until(lambda: "registers with the same id" in first.log(), 20, first.log)
            assert holders(cluster) == [("w", second.location)]
            assert_exact(con, table)
            assert holders(cluster) == [("w", second.location)]
            # what it gives back is not its own any more
            first.stop()
            assert holders(cluster) == [("w", second.location)]
        finally:
            second.stop()


@pytest.mark.timeout(120)
@pytest.mark.slow
def test_of_two_that_start_with_one_id_one_is_refused(tmp_path):
    with Cluster(tmp_path, workers=0, with_driver=True) as cluster:
        driver = f"{cluster.driver.host}:{cluster.driver.port}"
        command = [str(paths.BINARY), "worker", "--driver", driver, "--id", "w", "--drain-timeout", "0"]
        nodes = [NodeProcess(name, command, tmp_path) for name in ("first", "second")]
        try:
            wait_until(lambda: any(not node.alive for node in nodes), 30, cluster.status)
            loser, winner = sorted(nodes, key=lambda node: node.alive)
            winner.wait_ready()
            assert loser.process.wait() == 1
            wait_until(lambda: "registers with the same id" in loser.log(), 5, loser.log)
            assert holders(cluster) == [("w", winner.location)]
        finally:
            for node in nodes:
                node.stop()


@pytest.mark.timeout(120)
def test_a_draining_holder_keeps_its_id_until_it_has_left(tmp_path, table):
    sql = queries(table)[1]
    with Cluster(tmp_path, workers=2, with_driver=True, worker_options=["--drain-timeout", "100"],
                 faults={"DUCKHERDER_FAULT_POINT": f"end 0 {tmp_path}"}) as cluster, cluster_session(cluster) as con:
        # a copy of the task elsewhere would end the query
        con.execute("SET GLOBAL duckherder_speculation = false")
        query = BackgroundQuery(con.cursor(), sql)
        wait_until((tmp_path / "reached").exists, 20, lambda: f"no task ended: {query.error}")
        name = (tmp_path / "reached").read_text().strip()
        first = cluster.workers[name]
        first.signal(signal.SIGTERM)
        wait_until(lambda: "draining" in cluster.status(), 20, cluster.status)
        error = refused(cluster, "--id", name, "--listen", "127.0.0.1:0")
        assert first.location in error and "registers with the same id" in error, error
        assert (name, first.location) in holders(cluster)
        (tmp_path / "go").touch()
        assert query.wait().error is None, query.error
        assert query.answer == plain_session().execute(sql).fetchall()
        second = start_worker(cluster, "second", "--id", name)
        try:
            assert (name, second.location) in holders(cluster)
        finally:
            second.stop()


@pytest.mark.timeout(120)
@pytest.mark.slow
def test_a_restarted_driver_knows_the_holders_again(tmp_path, table):
    with Cluster(tmp_path, workers=2, with_driver=True) as cluster:
        before = sorted((name, node.location) for name, node in cluster.workers.items())
        cluster.driver.kill()
        cluster.restart_driver()
        wait_until(lambda: sorted(holders(cluster)) == before, 20, cluster.status)
        assert before[1][1] in refused(cluster, "--id", before[1][0], "--listen", "127.0.0.1:0")
        assert sorted(holders(cluster)) == before
        with cluster_session(cluster) as con:
            distribute_everything(con)
            assert_exact(con, table)


@pytest.mark.timeout(120)
def test_ids_of_embedded_and_registered_workers(tmp_path, table):
    """A session that has both calls no two by one id."""
    with Cluster(tmp_path, workers=1) as cluster, local_session(2) as con:
        distribute_everything(con)
        location = cluster.workers["worker-0"].location
        with pytest.raises(duckdb.InvalidInputException, match="worker with the id 'worker-1' already"):
            con.execute(f"SELECT duckherder_register_worker('worker-1', '{location}')")
        con.execute(f"SELECT duckherder_register_worker('theirs', '{location}')")
        assert active(con) == {"worker-0", "worker-1", "theirs"}
        assert_exact(con, table)
