"""A driver whose tables are in a DuckLake, on a disk or in an S3 store: workers read the files, the driver plans."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from remote.conftest import attach, last_run
from remote.test_attach import TYPES
from support import paths, tpcds, tpch
from support.cluster import Cluster
from support.compare import assert_same, fetch
from support.s3 import S3Server
from support.session import Connection, bare_session, plain_session, scalar

pytestmark = pytest.mark.timeout(240)

SCALE = 0.1
LOAD_LAKE = f"LOAD {paths.quoted(paths.DUCKLAKE_EXTENSION)};\n"
EVERY_QUERY = "SET GLOBAL duckherder_mode = 'always';\nSET GLOBAL duckherder_min_rows = 1;\n"


def lake_cluster(directory: Path, data_path: str, extra: str = "", name: str = "lake") -> Cluster:
    init = directory / "init.sql"
    init.write_text(LOAD_LAKE + extra + EVERY_QUERY)
    worker_init = directory / "worker.sql"
    worker_init.write_text(extra or "SELECT 1;\n")
    cluster = Cluster(directory, workers=0, with_driver=True,
                      driver_options=["--init", str(init), "--lake", f"ducklake:{directory / name}.ducklake",
                                      "--data-path", data_path])
    cluster.worker_init = str(worker_init)
    return cluster


def start_workers(cluster: Cluster, count: int) -> None:
    for _ in range(count):
        cluster.add_worker(["--init", cluster.worker_init])


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("lake")
    with lake_cluster(directory, str(directory / "data")) as cluster:
        start_workers(cluster, 2)
        yield cluster


@pytest.fixture
def client(lake) -> Iterator[Connection]:
    con = bare_session()
    attach(con, lake)
    con.execute("USE dh")
    yield con
    for (table,) in con.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'dh'").fetchall():
        con.execute(f"DROP TABLE dh.{table}")
    con.close()


@pytest.fixture
def plain(tmp_path) -> Iterator[Connection]:
    """The same lake kind in one process."""
    con = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    con.execute(LOAD_LAKE)
    con.execute(f"ATTACH 'ducklake:{tmp_path}/plain.ducklake' AS lake (DATA_PATH '{tmp_path}/plain', "
                "DATA_INLINING_ROW_LIMIT 0)")
    con.execute("USE lake")
    yield con
    con.close()


def test_workers_read_the_files(client, plain):
    for con in (client, plain):
        con.execute("CREATE TABLE t AS SELECT range AS i, 'x' || range AS s, (range % 100)::DECIMAL(9,2) AS d, "
                    "{a: range, b: [range]} AS st FROM range(200000)")
        con.execute("INSERT INTO t SELECT range + 1000000, NULL, 1.5, NULL FROM range(100000)")
    for sql in ("SELECT count(*), sum(i), sum(d), min(s), sum(st.a) FROM t", "SELECT count(*) FROM t",
                "SELECT d, count(*) FROM t WHERE i > 1000000 GROUP BY d ORDER BY d",
                "SELECT count(*) FROM t AS a JOIN t AS b USING (i) WHERE a.i % 10 = 0",
                "SELECT count(*), max(i) FROM t AT (VERSION => 1)"):
        assert_same(fetch(plain, sql), fetch(client, sql), sql)
        mode, strategy = last_run(client, sql)
        assert mode == "DISTRIBUTED" and strategy in ("ROW_GROUP", "FILE", "RANGE"), (mode, strategy)


def test_columns_that_came_and_went(client, plain):
    for con in (client, plain):
        con.execute("CREATE TABLE t AS SELECT range::INTEGER AS i, 'x' || range AS s FROM range(20000)")
        con.execute("ALTER TABLE t ADD COLUMN n INTEGER DEFAULT 7")
        con.execute("ALTER TABLE t RENAME COLUMN s TO text")
        con.execute("INSERT INTO t SELECT range + 50000, 'new', 8 FROM range(10000)")
        con.execute("ALTER TABLE t ALTER i TYPE BIGINT")
        con.execute("ALTER TABLE t ADD COLUMN s VARCHAR")
        con.execute("INSERT INTO t SELECT range + 5000000000, 'newer', 9, 'again' FROM range(10000)")
        con.execute("ALTER TABLE t DROP COLUMN text")
    for sql in ("SELECT n, count(*), sum(i), max(s) FROM t GROUP BY n ORDER BY n",
                "SELECT * FROM t ORDER BY i LIMIT 5"):
        assert_same(fetch(plain, sql), fetch(client, sql), sql)
        assert last_run(client, sql)[1] in ("ROW_GROUP", "FILE", "RANGE")


def test_partitioned_tables_read_what_they_need(client, plain):
    for con in (client, plain):
        con.execute("CREATE TABLE t (i INTEGER, k INTEGER)")
        con.execute("ALTER TABLE t SET PARTITIONED BY (k)")
        con.execute("INSERT INTO t SELECT range, range % 5 FROM range(50000)")
    for sql in ("SELECT k, count(*), sum(i) FROM t GROUP BY k ORDER BY k",
                "SELECT count(*), min(i) FROM t WHERE k = 3"):
        assert_same(fetch(plain, sql), fetch(client, sql), sql)
        assert last_run(client, sql)[0] == "DISTRIBUTED"


def test_changes_and_time_travel(client, plain):
    for con in (client, plain):
        con.execute("CREATE TABLE t AS SELECT range AS i, 'x' || range AS s FROM range(30000)")
        con.execute("UPDATE t SET s = 'updated' WHERE i % 1000 = 0")
        con.execute("DELETE FROM t WHERE i >= 29000")
        con.execute("MERGE INTO t USING (VALUES (1, 'one'), (99999, 'more')) v(i, s) ON t.i = v.i WHEN MATCHED THEN "
                    "UPDATE SET s = v.s WHEN NOT MATCHED THEN INSERT VALUES (v.i, v.s)")
        con.execute("BEGIN")
        con.execute("DELETE FROM t")
        assert scalar(con, "SELECT count(*) FROM t") == 0
        con.execute("ROLLBACK")
    for sql in ("SELECT count(*), sum(i), max(s) FROM t", "SELECT * FROM t WHERE s NOT LIKE 'x%' ORDER BY i"):
        assert_same(fetch(plain, sql), fetch(client, sql), sql)
    snapshots = client.execute("FROM duckherder_query('dh', 'SELECT snapshot_id FROM lake.snapshots() "
                               "ORDER BY snapshot_id DESC LIMIT 4')").fetchall()
    counts = [scalar(client, f"SELECT count(*) FROM t AT (VERSION => {number})") for (number,) in snapshots]
    assert counts == [29001, 29000, 30000, 30000], counts


def snapshot_now(con: Connection) -> int:
    if "lake" in {name for (name,) in con.execute("SELECT database_name FROM duckdb_databases()").fetchall()}:
        return scalar(con, "SELECT max(snapshot_id) FROM lake.snapshots()")
    return scalar(con, "SELECT max(snapshot_id) FROM duckherder_query('dh', 'FROM lake.snapshots()')")


def test_time_travel_across_changes_of_the_columns(client, plain):
    """Each version has the columns that it had, whatever the table is now, and whether it is still there."""
    steps = ("CREATE TABLE t AS SELECT range AS i, 'x' || range AS s, {a: range} AS st FROM range(20000)",
             "ALTER TABLE t ADD COLUMN n INTEGER DEFAULT 5", "UPDATE t SET n = 6 WHERE i % 2 = 0",
             "ALTER TABLE t RENAME COLUMN s TO text", "ALTER TABLE t DROP COLUMN i",
             "ALTER TABLE t ADD COLUMN st.b INTEGER DEFAULT 1", "ALTER TABLE t RENAME TO other", "DROP TABLE other")
    versions: dict[Connection, list[int]] = {client: [], plain: []}
    names = ["t"] * 6 + ["other"]
    for sql in steps:
        for con, numbers in versions.items():
            con.execute(sql)
            numbers.append(snapshot_now(con))
    for step, name in enumerate(names):
        for query in (f"SELECT * FROM {name} AT (VERSION => {{}}) ORDER BY ALL LIMIT 100",
                      f"SELECT count(*), sum(hash(COLUMNS(*))::DOUBLE) FROM {name} AT (VERSION => {{}})"):
            expected = fetch(plain, query.format(versions[plain][step]))
            assert_same(expected, fetch(client, query.format(versions[client][step])), f"{step}: {query}")
    first, last = versions[client][0], versions[client][-1]
    client.execute(f"PREPARE before AS SELECT i, s FROM t AT (VERSION => {first}) WHERE i = $1")
    for i in (3, 4):
        assert client.execute(f"EXECUTE before({i})").fetchall() == [(i, f"x{i}")]
    for sql, message in ((f"FROM t AT (VERSION => {last})", "does not exist"),
                         (f"FROM other AT (VERSION => {first})", "does not exist"),
                         ("FROM t AT (VERSION => 1000000)", "(?i)snapshot"),
                         (f"SELECT n FROM t AT (VERSION => {first})", 'column "n" not found')):
        with pytest.raises(duckdb.Error, match=message):
            client.execute(sql)
    assert last_run(client, f"SELECT count(*), sum(hash(COLUMNS(*))::DOUBLE) FROM t AT (VERSION => {first})")[0] == \
        "DISTRIBUTED"


def test_types(client, plain):
    """Of all types those that DuckLake takes, NULLs included, from files that workers read."""
    taken = []
    for kind, (first, second) in TYPES.items():
        if kind == "TIME_NS":
            # DuckDB 1.5.5 itself: an internal error of its Parquet writer, which ends the database
            continue
        create = (f"CREATE TABLE t AS SELECT i, v::{kind} AS v FROM (SELECT range AS i, CASE range % 3 WHEN 0 THEN "
                  f"{first}::{kind} WHEN 1 THEN {second}::{kind} END AS v FROM range(300))")
        try:
            plain.execute(create)
        except duckdb.Error as error:
            with pytest.raises(type(error)):
                client.execute(create)
            continue
        client.execute(create)
        sql = "SELECT count(*), count(v), count(DISTINCT v::VARCHAR), min(v::VARCHAR), max(v::VARCHAR) FROM t"
        try:
            expected = fetch(plain, sql)
        except duckdb.Error as error:
            # a Parquet file has no such integers
            with pytest.raises(type(error)):
                client.execute(sql)
        else:
            assert_same(expected, fetch(client, sql), f"{kind}: {sql}")
        if last_run(client, sql)[1] != "FEED":
            taken.append(kind)
        for con in (client, plain):
            con.execute("DROP TABLE t")
    assert len(taken) > 25, taken


def test_merged_files_and_older_snapshots(client, plain):
    for con in (client, plain):
        con.execute("CREATE TABLE t AS SELECT range AS i FROM range(10000)")
        for number in range(3):
            con.execute(f"INSERT INTO t SELECT range + {(number + 1) * 100000} FROM range(10000)")
    first = snapshot_now(client) - 3
    for version in range(first, first + 4):
        assert scalar(client, f"SELECT count(*) FROM t AT (VERSION => {version})") == (version - first + 1) * 10000
    client.execute("CALL duckherder_execute('dh', 'CALL ducklake_merge_adjacent_files(''lake'')')")
    for version in range(first, first + 4):
        sql = f"SELECT count(*), max(i) FROM t AT (VERSION => {version})"
        expected = ((version - first + 1) * 10000, (version - first) * 100000 + 9999)
        assert client.execute(sql).fetchone() == expected, version
    sql = "SELECT count(*), sum(i) FROM t"
    assert_same(fetch(plain, sql), fetch(client, sql), sql)
    assert last_run(client, sql)[0] == "DISTRIBUTED"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("suite", (tpch, tpcds), ids=("tpch", "tpcds"))
def test_suite_on_s3(tmp_path_factory, suite):
    """Loaded by the workers, who then read what they wrote."""
    directory = tmp_path_factory.mktemp("s3")
    with S3Server(directory / "s3") as server:
        extra = f"LOAD {paths.quoted(paths.HTTPFS_EXTENSION)};\n{server.secret_sql()};\n"
        with lake_cluster(directory, "s3://bucket/lake", extra) as cluster:
            start_workers(cluster, 3)
            client = bare_session()
            attach(client, cluster)
            client.execute("USE dh")
            files = suite.parquet_directory(SCALE)
            expected = plain_session()
            suite.create_sources(expected, files, "VIEW")
            for file in files.glob("*.parquet"):
                path = paths.quoted(file).replace("'", "''")
                client.execute(f"CALL duckherder_execute('dh', 'CREATE TABLE {file.stem} AS FROM {path}')")
            for number, sql in suite.queries().items():
                assert_same(fetch(expected, sql), fetch(client, sql), f"query {number}", ordered=suite is tpch)
                mode, strategy = last_run(client, sql)
                assert mode == "DISTRIBUTED" or (mode == "PARTIAL" and suite is tpcds), (number, mode)
                assert strategy in ("ROW_GROUP", "FILE", "RANGE"), (number, strategy)
            client.close()
            expected.close()
