"""What a driver remembers of its queries: over its own end, and seen from the clients that have attached it."""

import base64
import os
import re
import secrets
import stat
from pathlib import Path

import duckdb
import pytest

from remote.conftest import attach
from support.background import BackgroundQuery
from support.cluster import Cluster, run_binary
from support.compare import fetch
from support.session import Connection, bare_session, scalar
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)

VIEWS = ("duckherder_get_query_history", "duckherder_get_query_execution_stats", "duckherder_tasks")
#: What is over is on disk a second later, and after the time that writing takes here
WRITTEN_SECONDS = 10.0


def driver(directory: Path, *options: str, workers: int = 1) -> Cluster:
    return Cluster(directory, workers=workers, with_driver=True, driver_options=list(options))


def view(con: Connection, name: str, columns: str = "*") -> list[tuple]:
    return con.execute(f"SELECT {columns} FROM {name}(database := 'dh')").fetchall()


def bytes_of(path: Path) -> bytes:
    """Of the file, and of the log of its last changes."""
    return b"".join(each.read_bytes() for each in path.parent.glob(path.name + "*") if each.is_file())


def wait_written(path: Path, text: str) -> None:
    wait_until(lambda: text.encode() in bytes_of(path), WRITTEN_SECONDS, lambda: f"'{text}' is not in {path}")


def run_some(con: Connection) -> None:
    """A distributed query, one with tasks that fail, and a change."""
    con.execute("CREATE OR REPLACE TABLE dh.t AS SELECT i, 'x' || i AS s FROM range(100000) r(i)")
    assert scalar(con, "SELECT sum(i) FROM dh.t") == 4999950000
    with pytest.raises(duckdb.ConversionException):
        con.execute("SELECT sum(s::INTEGER) FROM dh.t").fetchall()
    con.execute("UPDATE dh.t SET i = i + 1 WHERE i < 10")


def restart(cluster: Cluster, how: str) -> None:
    assert cluster.driver
    if how == "SIGTERM":
        assert cluster.driver.stop() == 0
    else:
        cluster.driver.kill()
    cluster.restart_driver()
    wait_until(lambda: cluster.status().count("active") == len(cluster.workers), 15, cluster.status)


@pytest.mark.parametrize("how", ("SIGTERM", "SIGKILL"))
def test_history_survives_a_restart(tmp_path: Path, how: str):
    database = tmp_path / "d.duckdb"
    with driver(tmp_path, "--database", str(database), workers=2) as cluster:
        con = bare_session()
        attach(con, cluster)
        run_some(con)
        if how == "SIGKILL":
            wait_written(Path(f"{database}.history"), "SET i = i + 1 WHERE i < 10")
        before = {name: view(con, name) for name in VIEWS}
        modes = view(con, VIEWS[1], "sql, execution_mode")
        assert ("SELECT sum(i) FROM dh.t", "DISTRIBUTED") in modes, modes
        states = view(con, VIEWS[0], "sql, state, error")
        assert any(state == "FAILED" and "x" in error for _, state, error in states), states
        assert len({worker for worker, in view(con, VIEWS[2], "worker_id")}) == 2
        for round in range(2):
            restart(cluster, how)
            for name in VIEWS:
                assert view(con, name) == before[name], (round, name)
        # new ones come behind the old ones, with ids of their own
        assert scalar(con, "SELECT count(*) FROM dh.t") == 100000
        ids = [query_id for query_id, in view(con, VIEWS[0], "query_id")]
        assert ids[:-1] == [row[0] for row in before[VIEWS[0]]] and len(set(ids)) == len(ids)
        con.close()


def test_a_query_that_ran_at_the_end_is_lost(tmp_path: Path):
    history = tmp_path / "h"
    with driver(tmp_path, "--history", str(history)) as cluster:
        con = bare_session()
        attach(con, cluster)
        con.execute("CREATE TABLE dh.t AS SELECT range AS i FROM range(100000)")
        endless = "SELECT count(*) FROM dh.t a, dh.t b, dh.t c WHERE hash(a.i, b.i, c.i) = 42"
        query = BackgroundQuery(con, endless)
        wait_written(history, endless)
        running = view(query.observer, VIEWS[0], "sql, state")
        assert (endless, "RUNNING") in running, running
        assert cluster.driver
        cluster.driver.kill()
        query.wait()
        assert query.error
        cluster.restart_driver()
        again = bare_session()
        attach(again, cluster)
        found = view(again, VIEWS[0], "sql, state, error")
        assert (endless, "LOST", "The driver ended before the query did") in found, found
        con.close()
        again.close()


@pytest.mark.parametrize("damage", ("garbage", "cut", "other"))
def test_an_unreadable_file_is_kept_aside(tmp_path: Path, damage: str):
    history = tmp_path / "h"
    with driver(tmp_path, "--history", str(history)) as cluster:
        con = bare_session()
        attach(con, cluster)
        run_some(con)
        assert cluster.driver and cluster.driver.stop() == 0
        good = history.read_bytes()
        bad = {"garbage": os.urandom(len(good)), "cut": good[:len(good) // 2], "other": b"-- a text"}[damage]
        history.write_bytes(bad)
        cluster.restart_driver()
        assert view(con, VIEWS[0]) == []
        assert f'The history of queries in "{history}" cannot be read' in cluster.driver.log()
        assert f'It is now "{history}.unreadable"' in cluster.driver.log()
        assert Path(f"{history}.unreadable").read_bytes() == bad
        run_some(con)
        before = view(con, VIEWS[0])
        restart(cluster, "SIGTERM")
        assert before and view(con, VIEWS[0]) == before
        con.close()


@pytest.mark.parametrize("how", ("SIGTERM", "SIGKILL"))
def test_clearing_clears_the_file(tmp_path: Path, how: str):
    database = tmp_path / "d.duckdb"
    history = Path(f"{database}.history")
    with driver(tmp_path, "--database", str(database)) as cluster:
        con = bare_session()
        attach(con, cluster)
        run_some(con)
        wait_written(history, "SET i = i + 1 WHERE i < 10")
        # when it returns, and not a second later
        con.execute("CALL duckherder_execute('dh', 'SELECT duckherder_clear_query_recorder_stats()')")
        assert b"WHERE i < 10" not in bytes_of(history)
        restart(cluster, how)
        for name in VIEWS:
            assert view(con, name) == [], name
        con.close()


def test_without_a_file(tmp_path: Path):
    """In memory, and with --history off, nothing is left behind."""
    for options in ((), ("--database", str(tmp_path / "d.duckdb"), "--history", "off")):
        with driver(tmp_path, *options) as cluster:
            con = bare_session()
            attach(con, cluster)
            run_some(con)
            assert view(con, VIEWS[0])
            con.execute("CALL duckherder_execute('dh', 'SELECT duckherder_clear_query_recorder_stats()')")
            restart(cluster, "SIGTERM")
            assert view(con, VIEWS[0]) == []
            con.close()
    assert not list(tmp_path.glob("*history*"))


def test_a_database_that_is_only_read(tmp_path: Path):
    """The history has a file of its own: what the driver may not write, it need not write."""
    data = tmp_path / "data.duckdb"
    with duckdb.connect(str(data)) as owner:
        owner.execute("CREATE TABLE t AS SELECT range AS i FROM range(100000)")
    os.chmod(data, 0o400)
    before = data.read_bytes()
    (tmp_path / "init.sql").write_text(f"ATTACH '{data}' AS data (READ_ONLY);")
    history = tmp_path / "history"
    with driver(tmp_path, "--init", str(tmp_path / "init.sql"), "--history", str(history)) as cluster:
        con = bare_session()
        attach(con, cluster, options=", DATABASE 'data'")
        assert scalar(con, "SELECT sum(i) FROM dh.t") == 4999950000
        restart(cluster, "SIGTERM")
        assert ("SELECT sum(i) FROM dh.t", "SUCCEEDED") in view(con, VIEWS[0], "sql, state")
        con.close()
    assert data.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix not in (".log", ".world")) == \
        ["data.duckdb", "history", "init.sql"]


def test_one_file_one_driver(tmp_path: Path):
    history, database, other = tmp_path / "h", tmp_path / "d.duckdb", tmp_path / "other.duckdb"
    with duckdb.connect(str(other)) as owner:
        owner.execute("CREATE TABLE sales AS SELECT 1 AS i")
    with driver(tmp_path, "--database", str(database), "--history", str(history), workers=0) as cluster:
        def refused(*options: str) -> str:
            done = run_binary(["driver", "--listen", "127.0.0.1:0", *options])
            assert done.returncode in (1, 2), done
            return done.stderr

        assert re.search(r"another process has opened it \(\d+\). --history names another file", refused(
            "--history", str(history)))
        assert "it needs another file" in refused("--database", str(tmp_path / "e"), "--history", str(tmp_path / "e"))
        assert "tables of its own" in refused("--history", str(other))
        assert "cannot be made" in refused("--history", str(tmp_path / "none" / "h"))
        assert "it is not a file" in refused("--history", str(tmp_path))
        assert "a file or 'off'" in refused("--history", "")
        # nor is it opened twice by the driver itself, and nobody finds it in the catalog
        con = bare_session()
        attach(con, cluster)
        with pytest.raises(duckdb.Error, match="already attached"):
            con.execute(f"CALL duckherder_execute('dh', 'ATTACH ''{history}'' AS h')")
        names = con.execute("FROM duckherder_query('dh', 'SELECT database_name FROM duckdb_databases() WHERE NOT "
                            "internal')").fetchall()
        assert names == [("d",)]
        con.close()


def test_files_are_for_the_owner(tmp_path: Path):
    database = tmp_path / "d.duckdb"
    with driver(tmp_path, "--database", str(database)) as cluster:
        con = bare_session()
        attach(con, cluster)
        run_some(con)
        wait_written(Path(f"{database}.history"), "WHERE i < 10")
        files = list(tmp_path.glob("*.history*"))
        assert files
        for path in files:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        con.close()


def test_secrets_are_not_in_it(tmp_path: Path):
    """Neither tokens nor those of CREATE SECRET, also where statements come together in one text."""
    history = tmp_path / "h"
    secret = "hidden" + secrets.token_hex(12)
    token = Path(os.environ["DUCKHERDER_TOKEN_FILE"]).read_text().strip()
    (tmp_path / "init.sql").write_text(
        f"CREATE SECRET a (TYPE http, BEARER_TOKEN '{secret}'); "
        "CREATE TABLE t AS SELECT range AS i FROM range(100000); CREATE TABLE u AS SELECT sum(i) FROM t;")
    with driver(tmp_path, "--init", str(tmp_path / "init.sql"), "--history", str(history)) as cluster:
        assert cluster.driver
        con = bare_session()
        con.execute(f"CREATE SECRET (TYPE duckherder, TOKEN '{token}'); "
                    f"ATTACH '{cluster.driver.host}:{cluster.driver.port}' AS dh (TYPE duckherder, TOKEN '{token}'); "
                    "SELECT sum(i) + 1 FROM dh.t")
        con.execute(f"CREATE SECRET (TYPE http, BEARER_TOKEN '{secret}'); SELECT sum(i) + 2 FROM dh.t")
        con.execute(f"CALL duckherder_execute('dh', 'CREATE SECRET b (TYPE http, BEARER_TOKEN ''{secret}'')')")
        with pytest.raises(duckdb.Error):
            con.execute(f"CALL duckherder_execute('dh', 'CREATE SECRET b (TYPE http, BEARER_TOKEN ''{secret}'')')")
        seen = [fetch(con, f"FROM {name}{of}").rows for name in VIEWS for of in ("()", "(database := 'dh')")]
        assert "sum(i) + 1" in str(seen) and "sum(i) + 2" in str(seen)
        for hidden in (secret, token):
            assert hidden not in str(seen)
        cluster.driver.stop()
        written = bytes_of(history)
        for text in ("CREATE TABLE u AS", "sum(i) + 1", "sum(i) + 2"):
            assert text.encode() in written, text
        for hidden in (secret, token):
            assert hidden.encode() not in written
            assert base64.b64encode(hidden.encode()).rstrip(b"=") not in written
        con.close()


def test_queries_do_not_wait_for_the_disk(tmp_path: Path):
    """A history that cannot be written is said once, and queries go on."""
    place = tmp_path / "place"
    place.mkdir()
    with driver(tmp_path, "--history", str(place / "h")) as cluster:
        con = bare_session()
        attach(con, cluster)
        run_some(con)
        wait_written(place / "h", "WHERE i < 10")
        place.rename(tmp_path / "away")
        with pytest.raises(duckdb.IOException, match="cannot be written"):
            con.execute("CALL duckherder_execute('dh', 'SELECT duckherder_clear_query_recorder_stats()')")
        assert scalar(con, "SELECT sum(i) + 1 FROM dh.t") == 4999950011
        assert [sql for sql, in view(con, VIEWS[0], "sql")] == ["SELECT sum(i) + 1 FROM dh.t"]
        assert cluster.driver and cluster.driver.log().count("cannot be written") == 1
        (tmp_path / "away").rename(place)
        wait_until(lambda: "is written again" in cluster.logs(), WRITTEN_SECONDS, cluster.logs)
        restart(cluster, "SIGKILL")
        assert [sql for sql, in view(con, VIEWS[0], "sql")] == ["SELECT sum(i) + 1 FROM dh.t"]
        con.close()


def test_clients_see_the_drivers_views(tmp_path: Path):
    with driver(tmp_path, workers=2) as cluster:
        con = bare_session()
        attach(con, cluster)
        run_some(con)
        for name in (*VIEWS, "duckherder_workers"):
            here, there = fetch(con, f"FROM {name}()"), fetch(con, f"FROM {name}(database := 'dh')")
            asked = fetch(con, f"FROM duckherder_query('dh', 'FROM {name}()')")
            assert (there.names, there.types) == (here.names, here.types) == (asked.names, asked.types)
            if name != "duckherder_workers":
                assert there.rows == asked.rows and there.rows and there.rows != here.rows
        assert {worker for worker, in view(con, "duckherder_workers", "id")} == set(cluster.workers)
        # whatever is open between the two
        con.execute("BEGIN")
        con.execute("INSERT INTO dh.t SELECT i, s FROM dh.t WHERE i = 77")
        assert sum("WHERE i = 77" in sql for sql, in view(con, VIEWS[0], "sql")) == 1
        con.execute("ROLLBACK")
        # with a table of the client, and prepared
        con.execute("CREATE TABLE mine AS SELECT 'SELECT sum(i) FROM dh.t' AS sql")
        joined = "SELECT count(*) FROM mine JOIN duckherder_get_query_history(database := 'dh') USING (sql)"
        assert scalar(con, joined) == 1
        con.execute("PREPARE p AS SELECT count(*) FROM duckherder_tasks(database := 'dh')")
        assert scalar(con, "EXECUTE p") == len(view(con, "duckherder_tasks"))
        for wrong, message in (("NULL", "not NULL"), ("'nobody'", "nobody"), ("'memory'", "not the database of a")):
            with pytest.raises(duckdb.BinderException, match=message):
                con.execute(f"FROM duckherder_tasks(database := {wrong})")
        assert cluster.driver
        cluster.driver.kill()
        with pytest.raises(duckdb.IOException):
            view(con, "duckherder_tasks")
        con.close()


def test_a_driver_whose_database_fails_keeps_it(tmp_path: Path):
    """A fatal error of DuckDB ends the driver, and its history is another DuckDB's."""
    database = tmp_path / "d.duckdb"
    with driver(tmp_path, "--database", str(database)) as cluster:
        con = bare_session()
        attach(con, cluster)
        con.execute("CREATE TABLE dh.t AS SELECT range AS i FROM range(1000000)")
        con.execute("CREATE TABLE dh.small AS SELECT range AS i FROM range(10000)")
        assert cluster.driver and cluster.driver.stop() == 0
        good = database.read_bytes()
        cluster.restart_driver()
        assert scalar(con, "SELECT sum(i) FROM dh.small") == 49995000
        os.truncate(database, 12288)
        con.execute("INSERT INTO dh.t SELECT a.i FROM dh.small a, range(30)")
        with pytest.raises(duckdb.Error):
            con.execute("CHECKPOINT dh")
        wait_until(lambda: cluster.driver and not cluster.driver.alive, WRITTEN_SECONDS, cluster.logs)
        assert "the database ended after a fatal error" in cluster.driver.log()
        database.write_bytes(good)
        Path(f"{database}.wal").unlink(missing_ok=True)
        cluster.restart_driver()
        states = view(con, VIEWS[0], "sql, state")
        assert ("SELECT sum(i) FROM dh.small", "SUCCEEDED") in states, states
        assert ("INSERT INTO dh.t SELECT a.i FROM dh.small a, range(30)", "SUCCEEDED") in states, states
        con.close()
