"""A driver whose queries wait for the first worker, which may be started for them."""

import duckdb
import pytest

from support.background import BackgroundQuery
from support.cluster import Cluster
from support.http_client import HttpClient, cluster_token
from support.pair import rows_as_dicts
from support.session import Connection, bare_session, scalar
from support.waiting import wait_until

ROWS = 300_000
SQL = "SELECT count(*), sum(i) FROM t WHERE hash(i) % 2 < 2"
ANSWER = [(ROWS, ROWS * (ROWS - 1) // 2)]


class Waiting(BackgroundQuery):
    def __init__(self, con: Connection, history: str = "duckherder_get_query_history()"):
        self._history = history
        super().__init__(con, SQL)

    def wait_for(self, state: str) -> "Waiting":
        wait_until(lambda: self.records()[-1:] == [state], 30, lambda: f"the query is {self.records()}: {self.error}")
        return self

    def records(self) -> list[str]:
        """The states of its records, of which there shall be one only"""
        return [row[0] for row in
                self.observer.execute(f"SELECT state FROM {self._history} WHERE sql LIKE '%hash(i)%'").fetchall()]


def serve_driver(con: Connection, seconds: int) -> str:
    con.execute(f"CREATE TABLE t AS SELECT i FROM range({ROWS}) r(i)")
    return str(scalar(con, "CALL duckherder_serve_driver(listen := '127.0.0.1:0', http := 'off', "
                           f"wait_for_workers := {seconds})"))


def statistics(con: Connection, of: str = "") -> dict:
    rows = rows_as_dicts(con, f"FROM duckherder_get_query_execution_stats({of}) WHERE sql LIKE '%hash(i)%'")
    return rows[-1]


@pytest.mark.timeout(60)
def test_a_query_waits_for_the_first_worker():
    with bare_session() as con:
        location = serve_driver(con, 60)
        query = Waiting(con.cursor()).wait_for("QUEUED")
        with bare_session() as other:
            other.execute(f"CALL duckherder_serve_worker(driver := '{location}')")
            assert query.wait().error is None and query.answer == ANSWER, query.error
        assert query.records() == ["SUCCEEDED"]
        assert statistics(con)["execution_mode"] == "DISTRIBUTED"


@pytest.mark.timeout(60)
def test_a_query_of_a_client_waits(tmp_path):
    init = tmp_path / "init.sql"
    init.write_text(f"CREATE TABLE t AS SELECT i FROM range({ROWS}) r(i); SET GLOBAL duckherder_mode = 'always';")
    options = ["--wait-for-workers", "60", "--init", str(init)]
    with Cluster(tmp_path, workers=0, with_driver=True, driver_options=options) as cluster, bare_session() as con:
        con.execute(f"ATTACH '{cluster.driver.host}:{cluster.driver.port}' AS dh (TYPE duckherder)")
        cursor = con.cursor()
        cursor.execute("USE dh")
        query = Waiting(cursor, "duckherder_get_query_history(database := 'dh')").wait_for("QUEUED")
        metrics = HttpClient(cluster.pages, cluster_token()).get("/metrics").body
        for family in ("duckherder_queries", "duckherder_admitted_queries"):
            assert f'{family}{{state="QUEUED"}} 1\n' in metrics, metrics
        cluster.add_worker()
        assert query.wait().error is None and query.answer == ANSWER, query.error
        assert statistics(con, "database := 'dh'")["execution_mode"] == "DISTRIBUTED"


@pytest.mark.timeout(60)
def test_nobody_comes():
    with bare_session() as con:
        serve_driver(con, 1)
        con.execute("SET duckherder_mode = 'always'")
        assert con.execute(SQL).fetchall() == ANSWER
        row = statistics(con)
        assert row["execution_mode"] == "LOCAL" and row["local_reason"].startswith("no active workers"), row
        con.execute("SET duckherder_require_distributed = true")
        with pytest.raises(duckdb.InvalidInputException, match="no active workers"):
            con.execute(SQL)


@pytest.mark.timeout(60)
def test_a_query_that_waits_is_interrupted():
    with bare_session() as con:
        serve_driver(con, 600)
        cursor = con.cursor()
        query = Waiting(cursor).wait_for("QUEUED")
        cursor.interrupt()
        assert isinstance(query.wait(10).error, duckdb.InterruptException), query.error
        assert query.records() == ["CANCELLED"]


@pytest.mark.timeout(60)
def test_what_stays_here_anyway_does_not_wait():
    with bare_session() as con:
        serve_driver(con, 600)
        assert con.execute("SELECT 1").fetchall() == [(1,)]
        # too few rows, or done before a stage would have begun
        con.execute("CREATE TABLE small AS FROM range(10)")
        assert scalar(con, "SELECT count(*) FROM small") == 10
        assert scalar(con, "SELECT count(*) FROM t WHERE i > 5") == ROWS - 6
        con.execute("SET duckherder_mode = 'always'")
        assert con.execute(f"EXPLAIN {SQL}").fetchall()
        con.execute("DELETE FROM t WHERE i > 5")
        con.execute("SET duckherder_mode = 'never'")
        assert scalar(con, "SELECT count(*) FROM t WHERE hash(i) % 2 < 2") == 6
