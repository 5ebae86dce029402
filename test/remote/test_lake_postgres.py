"""A lake whose catalog is in PostgreSQL: several drivers, each with workers of its own, over the same tables."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb
import pytest

from remote.conftest import attach, last_run
from remote.test_lake import EVERY_QUERY, LOAD_LAKE, plain, snapshot_now  # noqa: F401
from remote.test_lake_writes import source  # noqa: F401
from support import paths, postgres
from support.background import BackgroundQuery
from support.cluster import Cluster, run_binary
from support.compare import assert_same, fetch
from support.postgres import PostgresServer
from support.session import Connection, bare_session, scalar
from support.waiting import wait_until

pytestmark = [pytest.mark.timeout(240),
              pytest.mark.skipif(postgres.why_not() is not None, reason=postgres.why_not() or "")]

LOAD_POSTGRES = f"LOAD {paths.quoted(paths.POSTGRES_EXTENSION)};\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as running:
        yield running


def driver_over(directory: Path, catalog: str, data: Path, workers: int = 2, init: str = "") -> Cluster:
    directory.mkdir()
    (directory / "init.sql").write_text(LOAD_LAKE + LOAD_POSTGRES + init + EVERY_QUERY)
    (directory / "worker.sql").write_text(LOAD_POSTGRES)
    return Cluster(directory, workers=workers, with_driver=True,
                   worker_options=["--init", str(directory / "worker.sql")],
                   driver_options=["--init", str(directory / "init.sql"), "--lake", f"ducklake:postgres:{catalog}",
                                   "--data-path", str(data)])


@contextmanager
def two_drivers(directory: Path, catalog: str) -> Iterator[tuple[Cluster, Cluster]]:
    with ExitStack() as stack:
        first, second = (stack.enter_context(driver_over(directory / name, catalog, directory / "data"))
                         for name in ("first", "second"))
        yield first, second


@pytest.fixture(scope="module")
def drivers(tmp_path_factory, server) -> Iterator[tuple[Cluster, Cluster]]:
    with two_drivers(tmp_path_factory.mktemp("drivers"), server.create_database("shared")) as both:
        yield both


@pytest.fixture
def client(drivers) -> Iterator[Connection]:
    con = bare_session()
    attach(con, drivers[0], "dh")
    attach(con, drivers[1], "other")
    yield con
    for (table,) in con.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'dh'").fetchall():
        con.execute(f"DROP TABLE dh.{table}")
    con.close()


def test_what_one_driver_writes_the_other_reads(client, plain, source):  # noqa: F811
    files = f"read_parquet('{source}/a.parquet')"
    steps = ("CREATE TABLE {}t AS FROM " + files, "DELETE FROM {}t WHERE i % 3 = 0",
             "UPDATE {}t SET s = 'changed' WHERE i < 1000", "ALTER TABLE {}t ADD COLUMN more INTEGER DEFAULT 7",
             "INSERT INTO {}t SELECT i + 1000000, s, d, k, day, st, n, 8 FROM " + files + " WHERE k = 3",
             "MERGE INTO {}t AS t USING (SELECT range AS i FROM range(2000)) AS new ON t.i = new.i "
             "WHEN MATCHED THEN DELETE")
    read = "SELECT k, count(*), sum(i), min(s), sum(d), max(day), sum(n), sum(st.a) FROM {}t{} GROUP BY k"
    for number, sql in enumerate(steps):
        writer, reader = ("dh.", "other.") if number % 2 == 0 else ("other.", "dh.")
        client.execute(sql.format(writer))
        plain.execute(sql.format(""))
        for where in (reader, writer):
            assert_same(fetch(plain, read.format("", "")), fetch(client, read.format(where, "")), sql)
        assert last_run(client, read.format("dh.", ""))[0] == "DISTRIBUTED"
        assert last_run(client, read.format("dh.", ""))[1] in ("FILE", "ROW_GROUP", "RANGE")
    # the catalog of both begins with the snapshot of the first table
    versions = [snapshot_now(client), snapshot_now(plain)]
    for back in range(len(steps)):
        here, there = (f" AT (VERSION => {version - back})" for version in reversed(versions))
        assert_same(fetch(plain, read.format("", here)), fetch(client, read.format("other.", there)), str(back))


def test_what_the_lake_asks_its_catalog_is_no_query_of_ours(client, source):  # noqa: F811
    client.execute(f"CREATE TABLE dh.t AS FROM read_parquet('{source}/a.parquet')")
    assert scalar(client, "SELECT count(*) FROM dh.t") == 400_000
    asked = client.execute("FROM duckherder_query('dh', 'SELECT sql FROM duckherder_get_query_execution_stats() "
                           "WHERE sql LIKE ''%ducklake_metadata%''')").fetchall()
    assert not asked


def test_conflicts_of_two_drivers(client, drivers):
    client.execute("CREATE TABLE dh.t AS SELECT range AS i, 0 AS v FROM range(100)")
    other = bare_session()
    try:
        attach(other, drivers[1], "other")
        client.execute("BEGIN")
        client.execute("UPDATE dh.t SET v = 1 WHERE i < 50")
        other.execute("BEGIN")
        other.execute("DELETE FROM other.t WHERE i < 60")
        client.execute("COMMIT")
        with pytest.raises(duckdb.Error, match="conflict"):
            other.execute("COMMIT")
        assert client.execute("SELECT count(*), sum(v) FROM other.t").fetchall() == [(100, 50)]
        # appends do not conflict
        client.execute("BEGIN")
        client.execute("INSERT INTO dh.t VALUES (1000, 1)")
        other.execute("INSERT INTO other.t VALUES (2000, 1)")
        client.execute("COMMIT")
        assert client.execute("SELECT count(*), sum(v) FROM dh.t").fetchall() == [(102, 52)]
    finally:
        other.close()


def test_writers_at_both_drivers(client, drivers):
    client.execute("CREATE TABLE dh.t (writer INTEGER, i INTEGER)")
    acknowledged: list[tuple[int, int]] = []
    problems: list[str] = []

    def write(writer: int) -> None:
        con = bare_session()
        try:
            attach(con, drivers[writer % 2])
            for i in range(15):
                try:
                    con.execute(f"INSERT INTO dh.t VALUES ({writer}, {i})")
                    acknowledged.append((writer, i))
                except duckdb.TransactionException:
                    pass
        except Exception as error:  # noqa: BLE001
            problems.append(repr(error))
        finally:
            con.close()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert len(acknowledged) > 20
    for name in ("dh", "other"):
        assert sorted(client.execute(f"FROM {name}.t").fetchall()) == sorted(acknowledged)


def test_driver_killed_while_its_workers_write(tmp_path, server, source):  # noqa: F811
    with two_drivers(tmp_path, server.create_database("killed")) as (first, second):
        con, other = bare_session(), bare_session()
        attach(con, first)
        attach(other, second)
        rows = " UNION ALL ".join([f"FROM read_parquet('{source}/a.parquet')"] * 8)
        writing = BackgroundQuery(con, f"CREATE TABLE dh.t AS {rows}")
        wait_until(lambda: list((tmp_path / "data").rglob("*.parquet")), 60, first.status)
        assert first.driver
        first.driver.kill()
        writing.wait(60)
        assert isinstance(writing.error, duckdb.Error)
        con.close()
        first.restart_driver()
        con = bare_session()
        attach(con, first)
        for session in (con, other):
            assert scalar(session, "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'dh'") == 0
        wait_until(lambda: first.status().count("active") == 2, 60, first.status)
        con.execute(f"CREATE TABLE dh.t AS {rows}")
        assert scalar(other, "SELECT count(*) FROM dh.t") == 8 * 400_000
        con.close()
        other.close()


def test_the_catalog_goes_and_comes_back(tmp_path, server, source):  # noqa: F811
    with driver_over(tmp_path / "one", server.create_database("away"), tmp_path / "data", workers=1) as cluster:
        con = bare_session()
        attach(con, cluster)
        con.execute(f"CREATE TABLE dh.t AS FROM read_parquet('{source}/a.parquet')")
        server.stop()
        try:
            with pytest.raises(duckdb.Error):
                con.execute("INSERT INTO dh.t SELECT * REPLACE (i + 1 AS i) FROM dh.t")
        finally:
            server.start()
        wait_until(lambda: works(con, "SELECT count(*) FROM dh.t"), 60, cluster.logs)
        assert con.execute("SELECT count(*), sum(i) FROM dh.t").fetchall() == [(400_000, 400_000 * 399_999 // 2)]
        con.execute("DELETE FROM dh.t WHERE i >= 1000")
        assert scalar(con, "SELECT count(*) FROM dh.t") == 1000
        con.close()


def works(con: Connection, sql: str) -> bool:
    try:
        con.execute(sql)
        return True
    except duckdb.Error:
        return False


def test_passwords(tmp_path, server):
    catalog = server.create_database("secret")
    # by a secret of DuckDB
    init = (f"CREATE SECRET (TYPE postgres, HOST '{server.sockets}', DATABASE 'secret', USER 'lake', "
            f"PASSWORD '{server.password}');\n")
    with driver_over(tmp_path / "by_secret", "", tmp_path / "data", workers=0, init=init) as cluster:
        con = bare_session()
        attach(con, cluster)
        con.execute("CREATE TABLE dh.t AS SELECT 1 AS i")
        said = con.execute("FROM duckherder_query('dh', 'SELECT path FROM duckdb_databases()')").fetchall()
        assert server.password not in str(said) + cluster.logs()
        con.close()
    # not on the command line, whatever it is called
    init_file = str(tmp_path / "by_secret" / "init.sql")
    for lake in (f"ducklake:postgres:{catalog} password={server.password}", "ducklake:mysql:host=h passwd = secret",
                 f"ducklake:postgres:postgresql://lake:{server.password}@localhost/secret"):
        done = run_binary(["driver", "--listen", "127.0.0.1:0", "--init", init_file, "--lake", lake])
        assert done.returncode == 1 and "--lake has a password" in done.stderr, done
        assert server.password not in done.stderr + done.stdout
    # a wrong one
    wrong = tmp_path / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("*:*:*:lake:not this\n")
    lake = f"ducklake:postgres:{catalog.replace(str(server.passfile), str(wrong))}"
    plain_init = tmp_path / "plain.sql"
    plain_init.write_text(LOAD_LAKE + LOAD_POSTGRES)
    done = run_binary(["driver", "--listen", "127.0.0.1:0", "--init", str(plain_init), "--lake", lake])
    assert done.returncode == 1 and "password authentication failed" in done.stderr, done
