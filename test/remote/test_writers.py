"""Clients that write at once, that die, and a driver that ends and comes back: nothing is lost, nothing half done."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from remote.conftest import attach
from remote.writers import ForSeconds, check, create_tables, run_writers, summary
from support.cluster import Cluster
from support.process import die_with_parent
from support.session import bare_session, scalar
from support.waiting import PATIENCE, wait_until

CLIENTS = 8
SECONDS = 5 * PATIENCE

IN_A_TRANSACTION = """
import sys, threading
sys.path.insert(0, {tests!r})
from support.session import bare_session
con = bare_session()
con.execute("ATTACH '{address}' AS dh (TYPE duckherder)")
con.execute("BEGIN")
con.execute("INSERT INTO dh.t VALUES (1, 'lost')")
con.execute("UPDATE dh.t SET s = 'changed' WHERE i = 0")
print("written", flush=True)
threading.Event().wait()
"""


def address_of(cluster: Cluster) -> str:
    assert cluster.driver
    return f"{cluster.driver.host}:{cluster.driver.port}"


@pytest.mark.timeout(120)
def test_clients_that_write_at_once(client, served):
    create_tables(client)
    told = run_writers(address_of(served), CLIENTS, ForSeconds(SECONDS))
    problems = check(client, told)
    assert not problems, "\n".join(problems) + summary(told)
    committed = sum(count for each in told.values() for name, count in each.counts.items() if "committed" in name)
    assert committed > CLIENTS and "lost" not in summary(told), summary(told)


@pytest.mark.timeout(120)
def test_conflicts(client, served):
    """The first of two writers of a row wins, the second is told so, and can do it afterwards."""
    other = bare_session()
    attach(other, served)
    client.execute("CREATE TABLE t (i INTEGER PRIMARY KEY, s VARCHAR)")
    client.execute("INSERT INTO t VALUES (0, 'start'), (1, 'start')")
    for change in ("UPDATE dh.t SET s = '{}' WHERE i = 0", "DELETE FROM dh.t WHERE i = 1",
                   "INSERT INTO dh.t VALUES (2, '{}')", "ALTER TABLE dh.t ADD COLUMN \"{}\" INTEGER",
                   "CREATE TABLE dh.made (i INTEGER)", "DROP TABLE dh.made"):
        client.execute("BEGIN")
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM dh.t").fetchall()
        client.execute(change.format("first"))
        told = loses(lambda: other.execute(change.format("second")))
        client.execute("COMMIT")
        if told:
            other.execute("ROLLBACK")
        else:
            assert loses(lambda: other.execute("COMMIT")), change
    assert client.execute("SELECT i, s FROM t ORDER BY i").fetchall() == [(0, "first"), (2, "first")]
    other.execute("UPDATE dh.t SET s = 'second' WHERE i = 0")
    assert scalar(client, "SELECT s FROM t WHERE i = 0") == "second"
    other.close()


def loses(step) -> bool:
    """Whether it is told that another was first."""
    try:
        step()
        return False
    except (duckdb.TransactionException, duckdb.ConstraintException) as error:
        assert "onflict" in str(error) or "uplicate" in str(error), error
        return True


@pytest.mark.timeout(180)
def test_a_client_that_dies(client, served):
    """What it had not committed is never seen, and does not hinder others for longer than its lease."""
    client.execute("CREATE TABLE t (i INTEGER PRIMARY KEY, s VARCHAR)")
    client.execute("INSERT INTO t VALUES (0, 'start')")
    script = IN_A_TRANSACTION.format(tests=str(Path(__file__).parent.parent), address=address_of(served))
    dying = subprocess.Popen([sys.executable, "-c", script], env=os.environ, stdout=subprocess.PIPE, text=True,
                             preexec_fn=die_with_parent)
    try:
        assert dying.stdout and dying.stdout.readline() == "written\n"
        assert client.execute("FROM t").fetchall() == [(0, "start")]
        with pytest.raises(duckdb.TransactionException, match="[Cc]onflict"):
            client.execute("UPDATE t SET s = 'mine' WHERE i = 0")
    finally:
        dying.kill()
        dying.wait()

    def write() -> bool:
        try:
            client.execute("UPDATE t SET s = 'mine' WHERE i = 0")
            return True
        except duckdb.TransactionException:
            return False

    wait_until(write, 60, lambda: "the rows of a dead client's transaction cannot be written")
    client.execute("INSERT INTO t VALUES (1, 'mine too')")
    assert client.execute("FROM t ORDER BY i").fetchall() == [(0, "mine"), (1, "mine too")]


@pytest.mark.timeout(180)
def test_a_driver_that_ends_and_comes_back(tmp_path):
    with Cluster(tmp_path, workers=1, with_driver=True,
                 driver_options=["--database", str(tmp_path / "driver.duckdb")]) as cluster:
        con, idle, open_one = bare_session(), bare_session(), bare_session()
        for each in (con, idle, open_one):
            attach(each, cluster)
        con.execute("CREATE TABLE dh.t AS SELECT range AS i FROM range(1000)")
        con.execute("CREATE VIEW dh.v AS SELECT count(*) AS n FROM dh.t")
        con.execute("CREATE SEQUENCE dh.q")
        assert scalar(idle, "SELECT n FROM dh.v") == 1000
        for each in (con, open_one):
            each.execute("BEGIN")
            each.execute("INSERT INTO dh.t VALUES (5000)")
        assert cluster.driver
        cluster.driver.stop()
        with pytest.raises(duckdb.IOException, match="cannot reach"):
            scalar(idle, "SELECT n FROM dh.v")
        cluster.restart_driver()
        # a transaction from before the end is over, whatever it is asked for
        with pytest.raises((duckdb.InvalidInputException, duckdb.IOException), match="rolled back|not answer"):
            con.execute("INSERT INTO dh.t VALUES (5001)")
        con.execute("ROLLBACK")
        with pytest.raises(duckdb.TransactionException, match="Failed to commit.*rolled back"):
            open_one.execute("COMMIT")
        for each in (con, idle, open_one):
            assert scalar(each, "SELECT n FROM dh.v") == 1000
            assert scalar(each, "SELECT max(i) FROM dh.t") == 999
        con.execute("INSERT INTO dh.t SELECT 1000 + nextval('dh.q') FROM range(10)")
        assert scalar(idle, "SELECT n FROM dh.v") == 1010
        for each in (con, idle, open_one):
            each.close()


@pytest.mark.timeout(240)
def test_a_driver_that_is_killed_while_clients_write(tmp_path):
    """Whatever was acknowledged is there afterwards; what failed is not; what is unknown may be either."""
    with Cluster(tmp_path, workers=1, with_driver=True,
                 driver_options=["--database", str(tmp_path / "driver.duckdb")]) as cluster:
        con = bare_session()
        attach(con, cluster)
        con.execute("USE dh")
        create_tables(con)
        going = threading.Event()
        going.set()
        told: dict = {}
        running = threading.Thread(target=lambda: told.update(
            run_writers(address_of(cluster), CLIENTS // 2, going.is_set)), daemon=True)
        running.start()
        assert cluster.driver
        try:
            for kills in range(3):
                wait_until(lambda: scalar(con, "SELECT n FROM counter") >= 5 * (kills + 1), 60,
                           lambda: "nothing is written")
                cluster.driver.kill()
                cluster.restart_driver()
            wait_until(lambda: scalar(con, "SELECT n FROM counter") >= 20, 60, lambda: "nothing is written")
        finally:
            going.clear()
            running.join(60)
        problems = check(con, told)
        assert not problems, "\n".join(problems) + summary(told)
        assert "committed" in summary(told) and "driver lost" in summary(told), summary(told)
        con.close()
