"""Tables of a lake from which rows were deleted: workers leave them out themselves, at every snapshot."""

import pytest

from remote.conftest import last_run
from remote.test_lake import client, lake, plain, snapshot_now  # noqa: F401
from remote.test_lake_writes import at_driver, source  # noqa: F401
from support.compare import assert_same, fetch
from support.session import Connection

pytestmark = pytest.mark.timeout(120)

BY_WORKERS = ("ROW_GROUP", "FILE", "RANGE")
QUERIES = ("SELECT count(*) FROM {}", "SELECT count(*), sum(i), min(s), max(day), sum(st.a), count(n) FROM {}",
           "SELECT k, count(*), max(s) FROM {} WHERE i > 1000 GROUP BY k ORDER BY k",
           "SELECT * FROM {} WHERE i % 9973 < 3 ORDER BY i", "SELECT s FROM {} ORDER BY i DESC LIMIT 7",
           "SELECT count(*) FROM {} WHERE k = 3 AND d < 50",
           "SELECT count(*), sum(a.i) FROM {0} AS a JOIN {0} AS b ON a.i = b.i + 1 WHERE b.k = 2",
           "SELECT count(*) FROM {0} AS a WHERE i IN (SELECT i + 3 FROM {0})",
           "SELECT i FROM {0} EXCEPT SELECT i + 2 FROM {0} ORDER BY i LIMIT 10",
           "SELECT k, rank() OVER (PARTITION BY k ORDER BY i) AS r FROM {} QUALIFY r < 3 ORDER BY k, r",
           "SELECT 1 FROM {} WHERE i = 5000", "SELECT DISTINCT k FROM {} ORDER BY k",
           "SELECT count(DISTINCT filename) > 1, min(file_row_number) FROM {}")


@pytest.fixture
def changed(client, plain, source) -> str:  # noqa: F811
    for con in (client, plain):
        con.execute(f"CREATE TABLE t AS FROM read_parquet('{source}/a.parquet')")
        con.execute("INSERT INTO t SELECT * REPLACE (i + 1000000 AS i) FROM t WHERE k = 1")
        con.execute("DELETE FROM t WHERE i % 10 = 3")
        con.execute("DELETE FROM t WHERE i BETWEEN 100000 AND 250000")
        con.execute("UPDATE t SET s = 'updated' WHERE i % 1000 = 0")
        con.execute("INSERT INTO t SELECT * REPLACE (i + 5000000 AS i) FROM t WHERE k = 2")
    return "t"


def check(client: Connection, plain: Connection, sql: str) -> None:  # noqa: F811
    assert_same(fetch(plain, sql), fetch(client, sql), sql)
    mode, strategy = last_run(client, sql)
    assert strategy in BY_WORKERS and mode == "DISTRIBUTED", (sql, mode, strategy)


def test_queries(client, plain, changed):  # noqa: F811
    for query in QUERIES:
        check(client, plain, query.format("t"))


def test_every_snapshot(client, plain, changed):  # noqa: F811
    """A file of deletes holds those of several snapshots."""
    ours, theirs = snapshot_now(client), snapshot_now(plain)
    for back in range(6):
        for query in ("SELECT count(*), sum(i), max(s) FROM t AT (VERSION => {})",
                      "SELECT count(*) FROM t AT (VERSION => {})"):
            assert_same(fetch(plain, query.format(theirs - back)), fetch(client, query.format(ours - back)), query)
            assert last_run(client, query.format(ours - back))[1] in BY_WORKERS, back


def test_insertion_order(client, changed):  # noqa: F811
    sql = "SELECT filename, file_row_number FROM t WHERE k < 3"
    rows = client.execute(sql).fetchall()
    assert last_run(client, sql)[1] in BY_WORKERS
    files = list(dict.fromkeys(name for name, _ in rows))
    assert rows == sorted(rows, key=lambda row: (files.index(row[0]), row[1]))


def test_altered_and_partitioned(client, plain, source):  # noqa: F811
    for con in (client, plain):
        con.execute("CREATE TABLE t (i BIGINT, k INTEGER, s VARCHAR)")
        con.execute("ALTER TABLE t SET PARTITIONED BY (k)")
        con.execute(f"INSERT INTO t SELECT i, k, s FROM read_parquet('{source}/a.parquet')")
        con.execute("DELETE FROM t WHERE i % 3 = 0 AND k <> 4")
        con.execute("ALTER TABLE t ADD COLUMN more INTEGER DEFAULT 7")
        con.execute("ALTER TABLE t RENAME COLUMN s TO text")
        con.execute("DELETE FROM t WHERE k = 5")
    for sql in ("SELECT k, count(*), sum(more), max(text) FROM t GROUP BY k ORDER BY k",
                "SELECT count(*), min(i) FROM t WHERE k = 3", "SELECT count(*) FROM t WHERE k = 4",
                "SELECT * FROM t ORDER BY i LIMIT 9"):
        check(client, plain, sql)


def test_within_a_transaction(client, plain, changed):  # noqa: F811
    """What the transaction itself has deleted is only known where it runs."""
    for con in (client, plain):
        con.execute("BEGIN")
    check(client, plain, "SELECT count(*), sum(i) FROM t")
    for con in (client, plain):
        con.execute("DELETE FROM t WHERE k = 0")
    sql = "SELECT count(*), sum(i) FROM t WHERE k < 2"
    assert_same(fetch(plain, sql), fetch(client, sql), sql)
    for con in (client, plain):
        con.execute("ROLLBACK")
    check(client, plain, "SELECT count(*), sum(i) FROM t WHERE k < 3")


def test_into_another_table(client, plain, changed):  # noqa: F811
    sql = "CREATE TABLE u AS SELECT i, s, k FROM t"
    for con in (client, plain):
        con.execute(sql)
    assert last_run(client, sql)[1] in BY_WORKERS
    check(client, plain, "SELECT count(*), sum(i), max(s), sum(k) FROM u")


def test_prepared(client, plain, changed):  # noqa: F811
    for con in (client, plain):
        con.execute("PREPARE p AS SELECT count(*), sum(i) FROM t WHERE k = $1")
    for k in (1, 5):
        assert fetch(plain, f"EXECUTE p({k})").rows == fetch(client, f"EXECUTE p({k})").rows
        for con in (client, plain):
            con.execute(f"DELETE FROM t WHERE k = {k} AND i % 2 = 0")
        assert fetch(plain, f"EXECUTE p({k})").rows == fetch(client, f"EXECUTE p({k})").rows
    for con in (client, plain):
        con.execute("DEALLOCATE p")


def test_rewritten(client, plain, changed):  # noqa: F811
    rewrite = "CALL ducklake_rewrite_data_files('lake', 't', delete_threshold => 0.1)"
    at_driver(client, rewrite)
    plain.execute(rewrite)
    check(client, plain, "SELECT count(*), sum(i), max(s) FROM t")
