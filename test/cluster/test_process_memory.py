"""The memory limit of a node is one of its process: queries that explode end with an error, and the node lives."""

from pathlib import Path

import duckdb
import pytest

from support.cluster import Cluster
from support.process import peak_mb
from support.session import Connection, bare_session, cluster_session, distribute_everything, plain_session, scalar
from support.waiting import wait_until

LIMIT_MB = 300
#: What a process may have been at its largest, MB: code and stacks come on top of the limit
PEAK_MB = 600
ROWS = 40
#: Each asks for gigabytes, in its own way
EXPLODING = (
    "max(length(repeat(s, 20000000)))",
    "max(length(lpad(s, 200000000, 'x')))",
    "length(string_agg(repeat(s, 3000000), ','))",
    "max(len(list_transform(range(60000000 + i), lambda x: x + 1)))",
    "len(list(repeat(s, 4000000)))",
    "count(DISTINCT repeat(s || i, 9000000))",
    "max(length(replace(repeat(s, 9000000), 'R', 'bbbbbbbb')))",
    "max(length(to_base64(repeat(s, 30000000)::BLOB)))",
    "max(len(repeat([i], 90000000)))",
    "max(length(concat(repeat(s, 20000000), repeat(s, 20000000), i)))",
)


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("memory") / "t.parquet"
    plain_session().execute(f"COPY (SELECT i, 'REG AIR' AS s FROM range({ROWS}) r(i)) TO '{path}'")
    return path


def assert_answers(con: Connection, table: Path) -> None:
    assert con.execute(f"SELECT count(*), sum(i) FROM '{table}'").fetchall() == [(ROWS, ROWS * (ROWS - 1) // 2)]


@pytest.mark.timeout(180)
def test_exploding_queries_on_workers(tmp_path, table):
    options = ["--memory-limit", f"{LIMIT_MB}MB"]
    with Cluster(tmp_path, workers=2, with_driver=True, worker_options=options) as cluster, \
            cluster_session(cluster) as con:
        distribute_everything(con)
        for expression in EXPLODING:
            with pytest.raises(duckdb.OutOfMemoryException) as error:
                con.execute(f"SELECT {expression} FROM '{table}'")
            assert "(on worker " in str(error.value), error.value
            assert_answers(con, table)
        peaks = {name: peak_mb(worker.pid) for name, worker in cluster.workers.items()}
        print(peaks)
        assert max(peaks.values()) < PEAK_MB, peaks
        assert all(worker.alive for worker in cluster.workers.values())
        states = con.execute("SELECT DISTINCT state FROM duckherder_workers()").fetchall()
        assert states == [("active",)]


@pytest.mark.timeout(180)
def test_many_small_pieces(tmp_path, table):
    """What grows without large blocks is seen from outside."""
    options = ["--memory-limit", f"{LIMIT_MB}MB"]
    with Cluster(tmp_path, workers=1, with_driver=True, worker_options=options) as cluster, \
            cluster_session(cluster) as con:
        distribute_everything(con)
        sql = (f"SELECT max(len(l)) FROM (SELECT list(x || i || repeat('y', 200)) AS l FROM '{table}', "
               "range(300000) r(x))")
        with pytest.raises(duckdb.OutOfMemoryException):
            con.execute(sql)
        worker = cluster.workers["worker-0"]
        assert peak_mb(worker.pid) < PEAK_MB, peak_mb(worker.pid)
        wait_until(lambda: con.execute("SELECT state FROM duckherder_workers()").fetchall() == [("active",)], 10,
                   cluster.status)
        assert_answers(con, table)


@pytest.mark.timeout(180)
def test_exploding_queries_on_a_driver(tmp_path, table):
    options = ["--memory-limit", f"{LIMIT_MB}MB"]
    with Cluster(tmp_path, workers=0, with_driver=True, driver_options=options) as cluster, bare_session() as con:
        assert cluster.driver
        con.execute(f"ATTACH '{cluster.driver.host}:{cluster.driver.port}' AS dh (TYPE duckherder)")
        con.execute(f"CREATE TABLE dh.t AS FROM '{table}'")
        for expression in EXPLODING:
            with pytest.raises(duckdb.Error, match="memory|Memory"):
                con.execute(f"FROM duckherder_query('dh', $$SELECT {expression} FROM t$$)")
            assert scalar(con, "SELECT count(*) FROM dh.t") == ROWS
        peak = peak_mb(cluster.driver.pid)
        print(peak)
        assert peak < PEAK_MB


def resident_mb(pid: int) -> float:
    pages = Path(f"/proc/{pid}/statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * 4096 / (1 << 20)


@pytest.mark.timeout(120)
def test_memory_that_is_kept_for_reuse_goes_back_when_nothing_runs(tmp_path):
    path = tmp_path / "t.parquet"
    # in no order: sorted rows would be joined where they are
    plain_session().execute("COPY (SELECT (i * 7919) % 1500000 AS i, repeat('x', 100 + i % 7) AS s "
                            f"FROM range(1500000) r(i)) TO '{path}'")
    with Cluster(tmp_path, workers=1, with_driver=True) as cluster, cluster_session(cluster) as con:
        distribute_everything(con)
        worker = cluster.workers["worker-0"]
        before = resident_mb(worker.pid)
        # all rows cross an exchange twice
        sql = f"SELECT count(*), max(a.s) FROM '{path}' a JOIN '{path}' b ON a.i = b.i AND a.s = b.s"
        assert con.execute(sql).fetchall() == [(1500000, "x" * 106)]
        used = peak_mb(worker.pid) - before
        assert used > 150, used
        wait_until(lambda: resident_mb(worker.pid) - before < used / 3, 20,
                   lambda: f"{resident_mb(worker.pid):.0f} MB, {before:.0f} before, {used:.0f} more at most")
