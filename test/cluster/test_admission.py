"""A driver that lets only so many queries run at a time, over all sessions that use its workers."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from support.background import BackgroundQuery, kill_running_session, numbers_file
from support.cluster import Cluster
from support.pair import last_query, rows_as_dicts
from support.session import cluster_session, distribute_everything, plain_session, scalar
from support.waiting import wait_until

ROWS = 60_000
SLOW = "sum(length(sha256(repeat(md5(i::VARCHAR), 400))))"
WAIT_SECONDS = 3
#: A place of a session that died is given away
LEASE_SECONDS = 10


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    return numbers_file(tmp_path_factory.mktemp("table") / "t.parquet", ROWS)


@pytest.fixture
def cluster(tmp_path, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The parameter: how many seconds queries wait."""
    limits = ["--max-queries", "1", "--max-queued", "1", "--queue-timeout", str(request.param)]
    with Cluster(tmp_path, workers=1, with_driver=True, driver_options=limits) as cluster:
        yield cluster


class Background(BackgroundQuery):
    """Its result stays open after its row."""

    def fetch(self) -> object:
        return scalar(self.con, self.sql)

    def state(self) -> str:
        rows = rows_as_dicts(self.observer, "FROM duckherder_get_query_history()")
        mine = [row for row in rows if row["sql"] == self.sql]
        return mine[-1]["state"] if mine else ""

    def wait_for(self, state: str) -> "Background":
        wait_until(lambda: self.state() == state, 30, lambda: f"the query is {self.state()}: {self.error}")
        return self


@pytest.mark.parametrize("cluster", (60,), indirect=True)
@pytest.mark.timeout(120)
def test_queries_wait_for_their_turn(cluster, table):
    slow, quick = f"SELECT {SLOW} FROM '{table}'", f"SELECT sum(i) FROM '{table}'"
    with cluster_session(cluster) as first, cluster_session(cluster) as second, cluster_session(cluster) as third:
        running = Background(first, slow).wait_for("RUNNING")
        waiting = Background(second, quick).wait_for("QUEUED")
        # the queue is full
        with pytest.raises(duckdb.ConnectionException, match="1 run and 1 wait"):
            distribute_everything(third)
            third.execute(quick).fetchall()
        assert running.wait().answer == plain_session().execute(slow).fetchone()[0]
        assert waiting.wait().error is None
        assert waiting.answer == ROWS * (ROWS - 1) // 2
        assert last_query(second, quick)["execution_mode"] == "DISTRIBUTED"
        # nothing is left: a refused query left no place behind, and neither did those that ended
        assert scalar(third, quick) == ROWS * (ROWS - 1) // 2


@pytest.mark.parametrize("cluster", (WAIT_SECONDS,), indirect=True)
@pytest.mark.timeout(120)
def test_waiting_ends(cluster, table):
    """After its time, by an interrupt, and by duckherder_kill."""
    slow, quick = f"SELECT {SLOW} FROM range(20) CROSS JOIN '{table}'", f"SELECT sum(i) FROM '{table}'"
    with cluster_session(cluster) as first, cluster_session(cluster) as second:
        running = Background(first, slow).wait_for("RUNNING")
        late = Background(second, quick).wait_for("QUEUED")
        assert isinstance(late.wait().error, duckdb.ConnectionException) and "has waited for" in str(late.error)
        interrupted = Background(second, quick + " -- interrupted").wait_for("QUEUED")
        second.interrupt()
        assert isinstance(interrupted.wait().error, duckdb.InterruptException)
        killed = Background(second, quick + " -- killed").wait_for("QUEUED")
        query_id = last_query(killed.observer, killed.sql)["query_id"]
        assert scalar(killed.observer, f"SELECT duckherder_kill('{query_id}')") is True
        assert isinstance(killed.wait().error, duckdb.InterruptException)
        first.interrupt()
        assert isinstance(running.wait().error, duckdb.InterruptException)
        assert scalar(second, quick) == ROWS * (ROWS - 1) // 2


@pytest.mark.parametrize("cluster", (60,), indirect=True)
@pytest.mark.timeout(120)
def test_a_killed_session_keeps_no_place(cluster, table):
    kill_running_session(cluster, f"SELECT {SLOW} FROM range(20) CROSS JOIN '{table}'")
    with cluster_session(cluster) as con:
        distribute_everything(con)

        def answered() -> bool:
            try:
                return scalar(con, f"SELECT sum(i) FROM '{table}'") == ROWS * (ROWS - 1) // 2
            except duckdb.ConnectionException:
                return False
        wait_until(answered, LEASE_SECONDS + 20, lambda: "the place was not given away")


@pytest.mark.timeout(120)
def test_a_refused_query_with_several_gathers(tmp_path):
    """Threads of the session open the gathers of one plan at the same time: all have to hear that it was refused."""
    limits = ["--max-queries", "1", "--max-queued", "0"]
    with Cluster(tmp_path, workers=1, with_driver=True, driver_options=limits) as cluster, \
            cluster_session(cluster) as first, cluster_session(cluster) as second:
        for con in (first, second):
            distribute_everything(con)
            con.execute("CREATE TABLE t AS SELECT i, i % 7 AS k FROM range(2000000) r(i)")
        # open until the end of this test
        first.execute("SELECT i FROM t WHERE hash(i) % 2 < 2")
        second.execute("SET threads = 4")
        sums = "SELECT k, sum(i) FROM t GROUP BY k UNION ALL SELECT k, max(i) FROM t GROUP BY k"
        for _ in range(100):
            with pytest.raises(duckdb.ConnectionException, match="1 run and 0 wait"):
                second.execute(sums)
        assert first.fetchone()
        first.execute("SELECT 1")

        def answered() -> bool:
            try:
                return len(second.execute(sums).fetchall()) == 14
            except duckdb.ConnectionException:
                # the place is given back a moment after the result is closed
                return False
        wait_until(answered, 30, lambda: "the session is still refused")
