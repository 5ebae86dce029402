"""Statements around a query: what they write, and prepared ones, equal plain DuckDB."""

import duckdb
import pytest

from support.compare import assert_same, fetch
from support.pair import Pair, last_query
from support.session import cluster_session, distribute_everything, local_session, plain_session

ROWS = 300_000


@pytest.fixture(scope="module", params=("local", "processes"))
def pair(request, three_workers):
    session = local_session(3) if request.param == "local" else cluster_session(three_workers)
    with plain_session() as plain, session as ours:
        distribute_everything(ours)
        result = Pair(plain, ours)
        result.execute(f"CREATE TABLE t AS SELECT i, i % 10 AS g, 'text ' || i AS s FROM range({ROWS}) r(i)",
                       "CREATE TABLE dims AS SELECT i AS g, 'name ' || i AS name FROM range(8) r(i)")
        yield result


def run(pair: Pair, sql: str, mode: str = "DISTRIBUTED") -> None:
    assert_same(fetch(pair.plain, sql), fetch(pair.ours, sql), sql)
    assert last_query(pair.ours, sql)["execution_mode"] == mode, last_query(pair.ours, sql)


def compare(pair: Pair, sql: str, ordered: bool = True) -> None:
    assert_same(fetch(pair.plain, sql), fetch(pair.ours, sql), sql, ordered=ordered)


@pytest.mark.timeout(60)
def test_create_table_as(pair):
    run(pair, "CREATE OR REPLACE TABLE made AS SELECT i, s FROM t WHERE i % 3 = 1")
    # Rows stand in the order in which plain DuckDB puts them
    compare(pair, "SELECT rowid, i, s FROM made ORDER BY rowid")
    run(pair, "CREATE OR REPLACE TABLE made AS SELECT g, count(*) AS n, max(s) AS m FROM t GROUP BY g")
    compare(pair, "FROM made", ordered=False)
    run(pair, "CREATE OR REPLACE TEMP TABLE made_here AS "
              "SELECT name, sum(i) AS n FROM t JOIN dims USING (g) GROUP BY name")
    compare(pair, "FROM made_here", ordered=False)


@pytest.mark.timeout(60)
def test_insert(pair):
    pair.execute("CREATE OR REPLACE TABLE target (i BIGINT PRIMARY KEY, s VARCHAR DEFAULT 'none')")
    run(pair, "INSERT INTO target SELECT i, s FROM t WHERE i % 2 = 0")
    run(pair, "INSERT INTO target (i) SELECT i FROM t WHERE i % 2 = 1")
    compare(pair, "SELECT count(*), count(DISTINCT s), sum(i) FROM target")
    # DuckDB plans these as MERGE
    run(pair, "INSERT OR REPLACE INTO target SELECT i, 'again' FROM t WHERE i < 1000", "LOCAL")
    run(pair, "INSERT OR IGNORE INTO target SELECT i, 'never' FROM t WHERE i < 1000", "LOCAL")
    compare(pair, "SELECT s, count(*) FROM target GROUP BY s ORDER BY count(*) DESC, s LIMIT 5")
    run(pair, "INSERT INTO target SELECT 1000000 + i, s FROM t WHERE i % 1000 = 7 RETURNING i, upper(s)")
    for con in (pair.plain, pair.ours):
        with pytest.raises(duckdb.ConstraintException):
            con.execute("INSERT INTO target SELECT i, s FROM t WHERE i = 5")
    compare(pair, "SELECT count(*), sum(i) FROM target")


@pytest.mark.timeout(60)
def test_insert_into_the_table_that_is_read(pair):
    pair.execute("CREATE OR REPLACE TABLE grows AS SELECT i FROM t WHERE i < 50000")
    run(pair, "INSERT INTO grows SELECT i + 50000 FROM grows", "LOCAL")
    compare(pair, "SELECT count(*), sum(i), max(i) FROM grows")


@pytest.mark.timeout(60)
def test_writes_in_a_transaction(pair):
    pair.execute("BEGIN", "CREATE TABLE inside AS SELECT i FROM t WHERE g = 1", "DELETE FROM t WHERE i < 1000",
                 "INSERT INTO inside SELECT -i FROM t WHERE g = 2")
    compare(pair, "SELECT count(*), sum(i), min(i) FROM inside")
    pair.execute("ROLLBACK")
    compare(pair, "SELECT count(*) FROM t")
    assert not pair.ours.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'inside'").fetchone()[0]


@pytest.mark.timeout(60)
def test_copy_to(pair, tmp_path):
    for kind in ("parquet", "csv", "json"):
        for name, con in (("plain", pair.plain), ("ours", pair.ours)):
            con.execute(f"COPY (SELECT i, g, s FROM t WHERE g < 4) TO '{tmp_path}/{name}.{kind}'")
        assert last_query(pair.ours, f"COPY (SELECT i, g, s FROM t WHERE g < 4) TO '{tmp_path}/ours.{kind}'")[
            "execution_mode"] == "DISTRIBUTED"
        ours, plain = (pair.plain.execute(f"FROM '{tmp_path}/{name}.{kind}'").fetchall() for name in ("ours", "plain"))
        assert ours == plain
    pair.ours.execute(f"COPY (FROM t) TO '{tmp_path}/parts' (FORMAT parquet, PARTITION_BY (g))")
    sql = "SELECT g, count(*), sum(i), min(s) FROM {} GROUP BY g ORDER BY g"
    assert pair.plain.execute(sql.format(f"'{tmp_path}/parts/*/*.parquet'")).fetchall() == pair.plain.execute(
        sql.format("t")).fetchall()


@pytest.mark.timeout(60)
def test_statements_that_change_rows_stay_in_the_session(pair):
    pair.execute("CREATE OR REPLACE TABLE changes AS SELECT i, g FROM t")
    run(pair, "UPDATE changes SET i = -i WHERE g IN (SELECT g FROM dims WHERE name LIKE '%3')", "LOCAL")
    run(pair, "DELETE FROM changes USING dims WHERE changes.g = dims.g AND name = 'name 5'", "LOCAL")
    compare(pair, "SELECT g, count(*), sum(i) FROM changes GROUP BY g ORDER BY g")


@pytest.mark.timeout(60)
def test_prepared_statement(pair):
    sql = "SELECT count(*), sum(i), min(s) FROM t WHERE g = $1 AND i < $2 AND s LIKE $3"
    pair.execute(f"PREPARE question AS {sql}")
    for values in ("3, 100000, '%'", "4, 299999, 'text 1%'", "'5', 7.5, '%'", "NULL, 1, '%'", "9, 250000.5, '%9'"):
        execute = f"EXECUTE question({values})"
        compare(pair, execute)
        # nothing equals NULL: then there is nothing to scan
        wanted = "LOCAL" if "NULL" in values else "DISTRIBUTED"
        assert last_query(pair.ours, execute)["execution_mode"] == wanted, values
    pair.execute("DEALLOCATE question")
    for values in ([3, 1000, "%"], [4, 299999, "text 1%"]):
        assert pair.ours.execute(sql, values).fetchall() == pair.plain.execute(sql, values).fetchall()
        assert last_query(pair.ours, sql)["execution_mode"] == "DISTRIBUTED"


@pytest.mark.timeout(60)
def test_prepared_statement_sees_changes(pair):
    pair.execute("CREATE OR REPLACE TABLE moving AS SELECT i FROM t WHERE i < 100000",
                 "PREPARE often AS SELECT count(*), sum(i) FROM moving WHERE i >= $1")
    compare(pair, "EXECUTE often(10)")
    pair.execute("INSERT INTO moving SELECT i FROM t WHERE i >= 200000")
    compare(pair, "EXECUTE often(10)")
    pair.execute("DELETE FROM moving WHERE i % 3 = 0")
    compare(pair, "EXECUTE often(99)")
    pair.ours.execute("SET duckherder_mode = 'never'")
    compare(pair, "EXECUTE often(99)")
    pair.ours.execute("SET duckherder_mode = 'always'")
