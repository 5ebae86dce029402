"""Results that several threads of the client share: the rows of plain DuckDB in their order, ends, errors, limits."""

from collections.abc import Iterator

import duckdb
import pytest

from remote.conftest import attach
from support.compare import assert_same, fetch
from support.session import Connection, bare_session, plain_session, scalar

pytestmark = pytest.mark.timeout(120)

ROWS = 1_500_000
TABLE = (f"SELECT (range * 7919) % {ROWS} AS i, range % 10 AS k, 'text of row ' || range AS s, "
         f"CASE WHEN range % 3 > 0 THEN [range, NULL, range + 1] END AS l, {{a: range, b: range::VARCHAR}} AS r "
         f"FROM range({ROWS})")
ROW_GROUP = 122_880


@pytest.fixture(scope="module")
def reader(served) -> Iterator[Connection]:
    con = bare_session()
    try:
        con.execute("SET threads = 4")
        attach(con, served)
        con.execute(f"CREATE TABLE dh.large AS {TABLE}")
        yield con
        con.execute("DROP TABLE dh.large")
    finally:
        con.close()


@pytest.fixture(scope="module")
def plain() -> Iterator[Connection]:
    con = plain_session()
    con.execute(f"CREATE TABLE large AS {TABLE}")
    yield con
    con.close()


@pytest.mark.parametrize("preserve", ["true", "false"])
def test_an_order_arrives(reader, preserve: str):
    reader.execute(f"SET preserve_insertion_order = {preserve}")
    try:
        assert [row[0] for row in reader.execute("SELECT i FROM dh.large ORDER BY i").fetchall()] == list(range(ROWS))
        batches = reader.execute("SELECT i FROM dh.large ORDER BY i DESC").to_arrow_reader(10_000)
        assert [value for batch in batches for value in batch.column(0).to_pylist()] == list(range(ROWS - 1, -1, -1))
    finally:
        reader.execute("RESET preserve_insertion_order")


def test_a_table_keeps_its_order(reader, plain):
    reader.execute("CREATE OR REPLACE TEMP TABLE here AS FROM dh.large")
    plain.execute("CREATE OR REPLACE TEMP TABLE here AS FROM large")
    for sql in ("SELECT rowid, i, k, s, l, r FROM here WHERE i % 1000 = 0",
                "SELECT count(*), sum(hash(rowid, i, k, s, l, r)) FROM here",
                "SELECT row_group_id, max(start + count) FROM pragma_storage_info('here') "
                "WHERE segment_type = 'BIGINT' GROUP BY ALL"):
        assert_same(fetch(plain, sql), fetch(reader, sql), sql)
    groups = scalar(reader, "SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('here')")
    assert groups == -(-ROWS // ROW_GROUP)
    reader.execute("DROP TABLE here")


def test_a_scan_without_the_optimizer(reader, plain):
    # then nothing but the scan runs at the driver
    for con, table in ((reader, "dh.large"), (plain, "large")):
        con.execute("PRAGMA disable_optimizer")
        con.execute(f"CREATE OR REPLACE TEMP TABLE here AS SELECT i + k AS i, s FROM {table} WHERE k < 5")
        con.execute("PRAGMA enable_optimizer")
    sql = "SELECT count(*), sum(hash(rowid, i, s)) FROM here"
    assert_same(fetch(plain, sql), fetch(reader, sql), sql)
    for con in (reader, plain):
        con.execute("DROP TABLE here")


def test_an_error_in_the_middle(reader):
    where = f"CASE WHEN i = {ROWS // 2} THEN error('in the middle') ELSE 'fine' END"
    for sql in (f"CREATE TEMP TABLE here AS SELECT i, {where} AS w FROM dh.large",
                f"SELECT i, {where} AS w FROM dh.large"):
        with pytest.raises(duckdb.Error, match="in the middle"):
            reader.execute(sql).fetchall()
    assert scalar(reader, "SELECT count(*) FROM dh.large") == ROWS


def test_who_wants_no_more_ends_it(reader):
    reader.execute("CREATE OR REPLACE TEMP TABLE wanted AS SELECT 'text of row 5' AS s")
    for _ in range(5):
        assert len(reader.execute("SELECT l.s FROM dh.large l, wanted w WHERE l.s >= w.s LIMIT 3").fetchall()) == 3
        rows = reader.execute("SELECT i FROM dh.large").to_arrow_reader(1000)
        assert rows.read_next_batch().num_rows == 1000
        del rows
    assert scalar(reader, "SELECT count(*) FROM dh.large") == ROWS


def test_more_than_the_client_has_memory_for(served, tmp_path):
    con = bare_session()
    try:
        attach(con, served)
        con.execute(f"ATTACH '{tmp_path / 'here.db'}' AS here")
        con.execute("SET threads = 4; SET memory_limit = '100MB'")
        con.execute("CREATE TABLE dh.wide AS SELECT range AS i, repeat('wide ' || range, 100) AS s FROM range(400000)")
        con.execute("CREATE TABLE here.wide AS FROM dh.wide")
        expected = fetch(con, "FROM duckherder_query('dh', 'SELECT count(*), sum(i), sum(hash(s)), min(length(s)), "
                              "max(length(s)) FROM wide')")
        assert_same(expected, fetch(con, "SELECT count(*), sum(i), sum(hash(s)), min(length(s)), max(length(s)) "
                                         "FROM here.wide"), "sums")
        assert scalar(con, "SELECT count(*) FROM here.wide WHERE rowid <> i") == 0
        con.execute("DROP TABLE dh.wide")
    finally:
        con.close()
