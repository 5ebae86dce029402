"""Tables of a lake that workers write: the same as in plain DuckDB with DuckLake, from files of several workers."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from remote.conftest import attach, last_run
from remote.test_lake import client, lake, lake_cluster, plain, snapshot_now, start_workers  # noqa: F401
from support import paths, tpch
from support.background import BackgroundQuery
from support.cluster import Cluster
from support.compare import assert_same, fetch
from support.s3 import S3Server
from support.session import Connection, bare_session, scalar
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(240)

ROWS = 400_000
#: In the driver's plan what follows upon the workers' writing
CHECK = "DUCKHERDER_CHECK_FILES"
COLUMNS = ("SELECT range AS i, 'x' || range AS s, (range % 100)::DECIMAL(9, 2) AS d, range % 7 AS k, "
           "DATE '2024-01-01' + (range % 900)::INTEGER AS day, {{a: range, b: [range, NULL]}} AS st, "
           "CASE WHEN range % 5 = 0 THEN NULL ELSE range / 3 END AS n FROM range({rows})")


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """Files that each side reads: what is filled from range() alone is not distributed."""
    directory = tmp_path_factory.mktemp("source")
    con = duckdb.connect()
    con.execute(f"COPY ({COLUMNS.format(rows=ROWS)}) TO '{directory}/a.parquet' (ROW_GROUP_SIZE 20000)")
    con.close()
    return directory


def at_driver(con: Connection, sql: str) -> list[tuple]:
    return con.execute("FROM duckherder_query('dh', $1)", [sql]).fetchall()


@pytest.fixture
def read(client, plain, source) -> str:  # noqa: F811
    """A table of both, with the rows of `source`, that workers have read or written."""
    for con in (client, plain):
        con.execute(f"CREATE TABLE origin AS FROM read_parquet('{source}/a.parquet')")
    return "origin"


def files_of(con: Connection, table: str) -> int:
    return at_driver(con, f"SELECT count(*) FROM ducklake_list_files('lake', '{table}')")[0][0]


def assert_written_by_workers(con: Connection, sql: str, workers: int = 2) -> None:
    mode, strategy = last_run(con, sql)
    assert mode == "DISTRIBUTED" and strategy in ("ROW_GROUP", "FILE", "RANGE"), (mode, strategy)
    quoted = sql.replace("'", "''")
    wrote = at_driver(con, "SELECT count(DISTINCT worker_id) FROM duckherder_tasks() WHERE rows > 0 AND query_id = "
                           f"(SELECT max(query_id) FROM duckherder_get_query_execution_stats() WHERE sql = '{quoted}')")
    assert wrote == [(workers,)], wrote
    assert CHECK in explained(con, sql), explained(con, sql)


def explained(con: Connection, sql: str) -> str:
    rows = at_driver(con, f"EXPLAIN {re.sub('TABLE (IF NOT EXISTS )?', 'OR REPLACE TABLE ', sql, count=1)}")
    return "\n".join(row[1] for row in rows)


def check(con: Connection, plain: Connection, table: str) -> None:  # noqa: F811
    for sql in (f"SELECT count(*), sum(i), sum(d), min(s), max(s), sum(k), sum(st.a), count(n), max(day) FROM {table}",
                f"SELECT * FROM {table} WHERE i % 5003 = 0 ORDER BY i",
                f"SELECT k, count(*), sum(n) FROM {table} WHERE i > 1000 GROUP BY k ORDER BY k"):
        assert_same(fetch(plain, sql), fetch(con, sql), sql)


def test_create_table_as(client, plain, read):  # noqa: F811
    sql = "CREATE TABLE t AS SELECT * FROM origin"
    for con in (client, plain):
        con.execute(sql)
    assert_written_by_workers(client, sql)
    assert files_of(client, "t") == 2
    check(client, plain, "t")
    # the statistics of the files are the lake's: what they rule out is not read
    sql = "SELECT count(*) FROM t WHERE i < 0"
    assert_same(fetch(plain, sql), fetch(client, sql), sql)


def test_rows_that_a_shuffle_made(client, plain, read):  # noqa: F811
    sql = ("CREATE TABLE t AS SELECT a.i, max(b.s) AS s, sum(b.n) AS n FROM origin AS a JOIN origin AS b "
           "ON a.i = b.i + 1 GROUP BY a.i")
    for con in (client, plain):
        con.execute(sql)
    assert_written_by_workers(client, sql)
    for query in ("SELECT count(*), sum(i), sum(n), min(s) FROM t", "FROM t ORDER BY i LIMIT 100"):
        assert_same(fetch(plain, query), fetch(client, query), query)


@pytest.mark.parametrize("rows", ("FROM origin", "SELECT i, max(s) AS s, k FROM origin GROUP BY i, k"))
def test_sorted_rows(client, plain, read, rows):  # noqa: F811
    """Each worker sorts a range of the rows, and the lake lists the files in the order of these."""
    create = f"CREATE TABLE t AS {rows} ORDER BY k DESC, i"
    insert = f"INSERT INTO t {rows} WHERE i % 3 = 1 ORDER BY k, i DESC" if rows.startswith("FROM") else create
    for con in (client, plain):
        con.execute(create)
    assert "to range by (k DESC, i)" in explained(client, create), explained(client, create)
    assert last_run(client, create)[0] == "DISTRIBUTED"
    order = "SELECT i, k FROM {} ORDER BY k DESC, i"
    # read as they lie there
    assert at_driver(client, "SELECT i, k FROM t") == fetch(plain, order.format("t")).rows
    assert files_of(client, "t") >= 2
    if insert != create:
        for con in (client, plain):
            con.execute(insert)
        assert last_run(client, insert)[0] == "DISTRIBUTED"
        expected = fetch(plain, order.format("origin")).rows
        expected += fetch(plain, "SELECT i, k FROM origin WHERE i % 3 = 1 ORDER BY k, i DESC").rows
        assert at_driver(client, "SELECT i, k FROM t") == expected
        check(client, plain, "t")


def test_insert(client, plain, read):  # noqa: F811
    """Columns left out, columns in another order, casts, and a second statement after the first."""
    statements = ("INSERT INTO t (s, i) SELECT s, i FROM origin WHERE i < 300000",
                  "INSERT INTO t SELECT i + 1000000, s, i, k FROM origin",
                  "INSERT INTO t BY NAME SELECT i + 5000000 AS i, k::VARCHAR AS big FROM origin")
    for con in (client, plain):
        con.execute("CREATE TABLE t (i BIGINT NOT NULL, s VARCHAR DEFAULT 'none', big HUGEINT, k SMALLINT DEFAULT 7)")
        for sql in statements:
            assert con.execute(sql).fetchall() == [(300_000 if "WHERE" in sql else ROWS,)]
    for sql in statements:
        mode, _ = last_run(client, sql)
        assert mode == "DISTRIBUTED", sql
        assert CHECK in at_driver(client, f"EXPLAIN {sql}")[-1][1]
    assert files_of(client, "t") == 6
    for query in ("SELECT count(*), sum(i), min(s), max(s), sum(big), sum(k) FROM t",
                  "FROM t WHERE i % 7001 = 0 ORDER BY i"):
        assert_same(fetch(plain, query), fetch(client, query), query)


@pytest.mark.parametrize("partition, files", (("k", 7), ("year(day)", 3), ("k, year(day)", 21)))
def test_partitioned(client, plain, read, partition, files):  # noqa: F811
    sql = "INSERT INTO t SELECT * FROM origin"
    for con in (client, plain):
        con.execute("CREATE TABLE t AS SELECT * FROM origin LIMIT 0")
        con.execute(f"ALTER TABLE t SET PARTITIONED BY ({partition})")
        con.execute(sql)
    assert_written(client, sql)
    assert files_of(client, "t") == files, "one for each partition"
    check(client, plain, "t")
    sql = "SELECT count(*), min(i) FROM t WHERE k = 3 AND day < DATE '2025-01-01'"
    assert_same(fetch(plain, sql), fetch(client, sql), sql)
    values = ("SELECT partition_key_index, partition_value, count(*) FROM __ducklake_metadata_lake."
              "ducklake_file_partition_value WHERE table_id = (SELECT max(table_id) FROM __ducklake_metadata_lake."
              "ducklake_table) GROUP BY ALL ORDER BY ALL")
    assert at_driver(client, values) == plain.execute(values).fetchall()


def assert_written(con: Connection, sql: str) -> None:
    assert last_run(con, sql)[0] == "DISTRIBUTED"
    assert CHECK in at_driver(con, f"EXPLAIN {sql}")[-1][1]


def test_sorted(client, plain, read):  # noqa: F811
    sql = "INSERT INTO t SELECT * FROM origin"
    for con in (client, plain):
        con.execute("CREATE TABLE t AS SELECT * FROM origin LIMIT 0")
        con.execute("ALTER TABLE t SET SORTED BY (k DESC, i)") if con is plain else at_driver(
            con, "ALTER TABLE t SET SORTED BY (k DESC, i)")
        con.execute(sql)
    assert_written(client, sql)
    check(client, plain, "t")
    for (name,) in at_driver(client, "SELECT data_file FROM ducklake_list_files('lake', 't')"):
        rows = duckdb.sql(f"SELECT k, i FROM read_parquet('{name}', file_row_number = true) "
                          "ORDER BY file_row_number").fetchall()
        assert rows == sorted(rows, key=lambda row: (-row[0], row[1]))


def test_few_rows_and_none(client, plain, read):  # noqa: F811
    for con in (client, plain):
        con.execute("CREATE TABLE t AS SELECT * FROM origin WHERE i < 0")
        con.execute("INSERT INTO t SELECT * FROM origin WHERE i = 17")
        con.execute("CREATE TABLE IF NOT EXISTS t AS SELECT * FROM origin")
        con.execute("CREATE OR REPLACE TABLE u AS SELECT * FROM origin WHERE k = 1")
        con.execute("CREATE OR REPLACE TABLE u AS SELECT * FROM origin WHERE k = 2")
    assert files_of(client, "t") == 1
    check(client, plain, "t")
    check(client, plain, "u")


def test_errors_leave_nothing(client, plain, read):  # noqa: F811
    for con in (client, plain):
        con.execute("CREATE TABLE t (n DOUBLE NOT NULL)")
    for sql in ("INSERT INTO t SELECT n FROM origin", "INSERT INTO t SELECT s::INTEGER FROM origin",
                "CREATE TABLE u AS SELECT s::INTEGER AS s FROM origin", "CREATE TABLE origin AS SELECT * FROM origin",
                "INSERT INTO t SELECT i, i FROM origin", "INSERT INTO t SELECT n FROM origin ON CONFLICT DO NOTHING",
                "INSERT INTO t SELECT 1 FROM origin RETURNING n"):
        errors = []
        for con in (client, plain):
            with pytest.raises(duckdb.Error) as error:
                con.execute(sql)
            errors.append(type(error.value))
        assert errors[0] is errors[1], sql
        assert scalar(client, "SELECT count(*) FROM t") == 0
    assert client.execute("SHOW TABLES").fetchall() == [("origin",), ("t",)]


def test_transactions(lake, client, plain, read):  # noqa: F811
    for con in (client, plain):
        con.execute("BEGIN")
        con.execute("CREATE TABLE t AS SELECT * FROM origin")
        con.execute("INSERT INTO t SELECT * FROM origin WHERE k = 3")
        con.execute("ROLLBACK")
        with pytest.raises(duckdb.CatalogException):
            con.execute("FROM t")
        con.execute("BEGIN")
        con.execute("CREATE TABLE t AS SELECT * FROM origin")
        con.execute("INSERT INTO t SELECT * FROM origin WHERE k = 3")
    check(client, plain, "t")
    other = bare_session()
    attach(other, lake)
    with pytest.raises(duckdb.CatalogException):
        other.execute("FROM dh.t")
    for con in (client, plain):
        con.execute("COMMIT")
    assert scalar(other, "SELECT count(*) FROM dh.t") == scalar(plain, "SELECT count(*) FROM t")
    other.close()
    check(client, plain, "t")


def test_prepared(client, plain, read):  # noqa: F811
    for con in (client, plain):
        con.execute("CREATE TABLE t AS SELECT * FROM origin LIMIT 0")
        con.execute("PREPARE fill AS INSERT INTO t SELECT * FROM origin WHERE k = $1")
        for k in (1, 2, 1):
            con.execute(f"EXECUTE fill({k})")
        con.execute("DEALLOCATE fill")
    check(client, plain, "t")


def test_changes_afterwards(client, plain, read):  # noqa: F811
    for con in (client, plain):
        con.execute("CREATE TABLE t AS SELECT * FROM origin")
        con.execute("UPDATE t SET s = 'updated', n = i WHERE i % 1000 = 0")
        con.execute("DELETE FROM t WHERE k = 6")
        con.execute("MERGE INTO t USING (SELECT i + 200000 AS i, s FROM origin WHERE k < 2) AS v ON t.i = v.i "
                    "WHEN MATCHED THEN UPDATE SET s = v.s WHEN NOT MATCHED THEN INSERT (i, s, k) VALUES (v.i, v.s, 1)")
        con.execute("ALTER TABLE t ADD COLUMN more INTEGER DEFAULT 3")
        con.execute("INSERT INTO t SELECT *, 4 FROM origin WHERE k = 5")
    check(client, plain, "t")
    sql = "SELECT more, count(*), max(s) FROM t GROUP BY more ORDER BY more"
    assert_same(fetch(plain, sql), fetch(client, sql), sql)


def test_encrypted_lake(tmp_path, source):
    """The key does not leave the driver, which writes the files then."""
    httpfs = f"LOAD {paths.quoted(paths.HTTPFS_EXTENSION)};\n"
    with lake_cluster(tmp_path, str(tmp_path / "data"), httpfs) as cluster:
        start_workers(cluster, 2)
        con = bare_session()
        attach(con, cluster)
        con.execute("CALL duckherder_execute('dh', $$ATTACH 'ducklake:" + str(tmp_path / "secret.ducklake") +
                    "' AS secret (DATA_PATH '" + str(tmp_path / "encrypted") + "', ENCRYPTED)$$)")
        con.execute(f"CALL duckherder_execute('dh', $$CREATE TABLE secret.t AS FROM '{source}/a.parquet'$$)")
        assert at_driver(con, "SELECT count(*), sum(i) FROM secret.t") == [(ROWS, ROWS * (ROWS - 1) // 2)]
        plan = at_driver(con, f"EXPLAIN CREATE TABLE secret.u AS FROM '{source}/a.parquet'")[-1][1]
        assert "COPY_TO_FILE" in plan and CHECK not in plan
        con.close()


def load_lineitem() -> str:
    return f"CREATE TABLE lineitem AS SELECT * FROM read_parquet('{tpch.parquet_directory(1)}/lineitem.parquet')"


def executed(sql: str) -> str:
    return f"CALL duckherder_execute('dh', '{sql.replace(chr(39), chr(39) * 2)}')"


LINEITEM = ("SELECT count(*), sum(l_orderkey), sum(l_quantity), sum(l_extendedprice), min(l_comment), max(l_comment) "
            "FROM {}",
            "SELECT l_returnflag, l_linestatus, count(*), sum(l_tax) AS tax FROM {} GROUP BY ALL ORDER BY ALL")


def assert_lineitem(con: Connection, plain: Connection, table: str) -> None:  # noqa: F811
    for sql in LINEITEM:
        assert_same(fetch(plain, sql.format("lineitem")), fetch(con, sql.format(table)), sql)


@pytest.fixture(scope="module")
def lineitem(tmp_path_factory) -> Iterator[Connection]:
    con = duckdb.connect()
    con.execute(f"CREATE VIEW lineitem AS FROM read_parquet('{tpch.parquet_directory(1)}/lineitem.parquet')")
    yield con
    con.close()


def data_files(directory: Path) -> list[Path]:
    return list((directory / "data").glob("**/*.parquet"))


@contextmanager
def loading_lineitem(directory: Path) -> Iterator[tuple[Cluster, Connection, BackgroundQuery]]:
    """A lake whose three workers are just writing their files."""
    with lake_cluster(directory, str(directory / "data")) as cluster:
        start_workers(cluster, 3)
        con = bare_session()
        attach(con, cluster)
        writing = BackgroundQuery(con, executed(load_lineitem()))
        wait_until(lambda: len(data_files(directory)) >= 2, 60, cluster.status)
        yield cluster, con, writing
        con.close()


def test_worker_killed_while_it_writes(tmp_path, lineitem):
    """The task runs again elsewhere; what the killed one left is no part of the table."""
    with loading_lineitem(tmp_path) as (cluster, con, writing):
        cluster.workers["worker-1"].kill()
        writing.wait(120)
        assert writing.error is None
        assert_lineitem(con, lineitem, "dh.lineitem")
        files = at_driver(con, "SELECT data_file FROM ducklake_list_files('lake', 'lineitem')")
        registered = {name for (name,) in files}
        left = {str(path) for path in data_files(tmp_path)} - registered
        assert len(registered) == 3 and len(left) <= 2, (registered, left)
        wait_until(lambda: cluster.status().count("active") == 2, 60, cluster.status)
        at_driver(con, "FROM ducklake_delete_orphaned_files('lake', cleanup_all => true)")
        assert {str(path) for path in data_files(tmp_path)} == registered
        assert_lineitem(con, lineitem, "dh.lineitem")


def test_lineitem_loaded_and_changed(tmp_path, plain):  # noqa: F811
    """SF1 by three workers, then changes, and every snapshot of them, beside the same in one process."""
    with lake_cluster(tmp_path, str(tmp_path / "data")) as cluster:
        start_workers(cluster, 3)
        con = bare_session()
        attach(con, cluster)
        con.execute("USE dh")
        con.execute(executed(load_lineitem()))
        plain.execute(load_lineitem())
        assert files_of(con, "lineitem") == 3
        for sql in ("UPDATE lineitem SET l_comment = 'updated', l_tax = l_tax + 1 WHERE l_orderkey % 1000 = 1",
                    "DELETE FROM lineitem WHERE l_shipdate < DATE '1992-06-01'",
                    "MERGE INTO lineitem USING (SELECT l_orderkey, l_linenumber, max(l_quantity) + 1 AS quantity FROM "
                    "lineitem WHERE l_orderkey < 5000 GROUP BY ALL) AS more USING (l_orderkey, l_linenumber) "
                    "WHEN MATCHED AND quantity > 20 THEN UPDATE SET l_quantity = quantity"):
            assert con.execute(sql).fetchall() == plain.execute(sql).fetchall(), sql
            assert_lineitem(con, plain, "lineitem")
        last = [snapshot_now(con), snapshot_now(plain)]
        for back in range(4):
            ours, theirs = (f"lineitem AT (VERSION => {number - back})" for number in last)
            for sql in LINEITEM:
                assert_same(fetch(plain, sql.format(theirs)), fetch(con, sql.format(ours)), f"{back} back: {sql}")
                assert last_run(con, sql.format(ours))[1] in ("ROW_GROUP", "FILE", "RANGE")
        con.close()


def test_driver_killed_while_workers_write(tmp_path, lineitem):
    """Nothing of the table is there when it is back, and the same statement then works."""
    with loading_lineitem(tmp_path) as (cluster, con, writing):
        assert cluster.driver
        cluster.driver.kill()
        writing.wait(120)
        assert isinstance(writing.error, (duckdb.IOException, duckdb.ConnectionException)), writing.error
        cluster.restart_driver()
        wait_until(lambda: cluster.status().count("active") >= 3, 60, cluster.status)
        assert con.execute("SHOW TABLES FROM dh").fetchall() == []
        at_driver(con, "FROM ducklake_delete_orphaned_files('lake', cleanup_all => true)")
        con.execute(executed(load_lineitem()))
        assert_lineitem(con, lineitem, "dh.lineitem")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a process a disk of its own")
def test_workers_without_the_storage(tmp_path, source):
    """A worker whose disk is another one writes its file there. The driver does not find it: an error, and no table."""
    data = tmp_path / "data"
    own_disk = f'mkdir -p {data} && mount -t tmpfs none {data} && mkdir {data}/main && exec "$0" "$@"'
    with lake_cluster(tmp_path, str(data)) as cluster:
        start_workers(cluster, 1)
        cluster.add_worker(["--init", cluster.worker_init], within=["unshare", "--mount", "sh", "-c", own_disk])
        con = bare_session()
        attach(con, cluster)
        with pytest.raises(duckdb.IOException, match="has to be storage that the driver and all workers share"):
            con.execute(executed(f"CREATE TABLE t AS FROM read_parquet('{source}/a.parquet')"))
        assert con.execute("SHOW TABLES FROM dh").fetchall() == []
        con.close()
