"""What an index answers stays in the session in mode auto, where it takes a fraction of a message to a worker."""

import pytest

from support.compare import fetch
from support.pair import Pair, last_query
from support.session import cluster_session, distribute_everything, plain_session
from support.versions import IS_NEXT_DUCKDB

pytestmark = pytest.mark.timeout(120)

ROWS = 1_000_000
REASON = "an index of {} finds the rows"


@pytest.fixture(scope="module")
def pair(three_workers):
    with plain_session() as plain, cluster_session(three_workers) as ours:
        pair = Pair(plain, ours)
        rows = f"SELECT i AS id, i % 1000 AS g, 'text ' || i AS s, i * 2 AS u FROM range({ROWS}) r(i)"
        pair.execute(
            "CREATE TABLE keyed (id BIGINT PRIMARY KEY, g BIGINT, s VARCHAR, u BIGINT UNIQUE)",
            f"INSERT INTO keyed {rows}", f"CREATE TABLE indexed AS {rows}", "CREATE INDEX by_s ON indexed (s)",
            "CREATE INDEX by_g ON indexed (g)", "CREATE INDEX by_sum ON indexed ((id + u))",
            "CREATE TABLE paired (a BIGINT, b BIGINT, s VARCHAR, PRIMARY KEY (a, b))",
            f"INSERT INTO paired SELECT i % 1000, i, 'text ' || i FROM range({ROWS // 4}) r(i)",
            f"CREATE TABLE plain AS {rows}", "CREATE TABLE few AS SELECT i AS id, i AS x FROM range(100) r(i)",
            "CREATE TABLE holes (id BIGINT PRIMARY KEY, s VARCHAR)",
            f"INSERT INTO holes SELECT i, 'text ' || i FROM range({ROWS // 4}) r(i)",
            "DELETE FROM holes WHERE id % 2 = 0")
        yield pair


BY_INDEX = {
    "SELECT * FROM keyed WHERE id = 777777": "keyed",
    "SELECT count(*), min(s) FROM keyed WHERE id IN (3, 77, 999999, 5000000)": "keyed",
    "SELECT id FROM keyed WHERE u = 1999998": "keyed",
    "SELECT s FROM keyed WHERE id > 999990 ORDER BY id": "keyed",
    "SELECT count(*) FROM keyed WHERE id + 1 = 5": "keyed",
    "SELECT id FROM indexed WHERE s = 'text 4711'": "indexed",
    "SELECT count(*), sum(id) FROM indexed WHERE g = 7": "indexed",
    "SELECT g, count(*) FROM indexed WHERE s IN ('text 1', 'text 2') GROUP BY g ORDER BY g": "indexed",
    "SELECT keyed.s, few.x FROM keyed JOIN few ON few.x = keyed.g WHERE keyed.id = 5": "keyed",
    "SELECT (SELECT max(s) FROM keyed WHERE id = 12), x FROM few ORDER BY x LIMIT 3": "keyed",
    "SELECT s FROM holes WHERE id = 4711": "holes",
    "SELECT count(*) FROM holes WHERE id = 4712": "holes",
}


@pytest.mark.parametrize("sql", BY_INDEX)
def test_stays_in_the_session(pair, sql):
    reason = pair.check(sql, "LOCAL", ordered=True)["local_reason"]
    assert reason and reason.startswith(REASON.format(BY_INDEX[sql])), reason
    (_, row), (_, explained) = pair.ours.execute(f"EXPLAIN {sql}").fetchall()
    assert row == f"LOCAL: {reason}\n", row
    words = " ".join(explained.replace("│", " ").split())
    assert ("Duckherder Local" if IS_NEXT_DUCKDB else "DUCKHERDER_LOCAL") in words and "an index of" in words, explained
    analyzed = pair.ours.execute(f"EXPLAIN ANALYZE {sql}").fetchall()[-1][1]
    assert "an index of" in " ".join(analyzed.replace("│", " ").split()), analyzed
    # DuckDB does what we expected of it
    assert "Index Scan" in analyzed, analyzed


NOT_BY_INDEX = [
    "SELECT s FROM keyed WHERE id BETWEEN 5 AND 9 ORDER BY s",
    "SELECT count(*), max(s) FROM plain WHERE id = 777777",
    "SELECT count(*), sum(id) FROM keyed WHERE g = 7",
    "SELECT count(*), sum(id) FROM keyed WHERE id > 7",
    "SELECT count(*) FROM keyed WHERE id = 5 AND g = 5",
    "SELECT count(*) FROM keyed WHERE id * id = 25",
    "SELECT count(*), min(s) FROM paired WHERE a = 5 AND b = 5",
    "SELECT count(*), min(s) FROM paired WHERE a = 5",
    "SELECT count(*), sum(id) FROM indexed WHERE s LIKE '%9'",
    "SELECT count(*), sum(plain.u) FROM keyed JOIN plain ON plain.g = keyed.g WHERE keyed.id = 5",
    "SELECT count(*) FROM keyed WHERE id = 5 OR id IN (SELECT u FROM plain)",
    "SELECT count(*) FROM keyed",
]


@pytest.mark.parametrize("sql", NOT_BY_INDEX)
def test_is_distributed(pair, sql):
    pair.check(sql, ("DISTRIBUTED", "PARTIAL"))
    if "JOIN" not in sql:
        assert "Index Scan" not in pair.plain.execute(f"EXPLAIN ANALYZE {sql}").fetchall()[0][1]


def test_prepared(pair):
    """As DuckDB plans it with the values that it is called with."""
    sql = "SELECT s FROM keyed WHERE id = ?"
    for con in (pair.plain, pair.ours):
        assert con.execute(sql, [4711]).fetchall() == [("text 4711",)]
    by_index = "Index Scan" in pair.plain.execute(f"EXPLAIN ANALYZE {sql}", [4711]).fetchall()[0][1]
    assert (last_query(pair.ours, sql)["execution_mode"] == "LOCAL") == by_index
    pair.execute("PREPARE look AS SELECT s FROM keyed WHERE id = $1")
    for value in (1, 999999, -5):
        sql = f"EXECUTE look({value})"
        assert fetch(pair.plain, sql).rows == fetch(pair.ours, sql).rows
    pair.execute("DEALLOCATE look")


def test_settings_of_duckdb_decide(pair):
    """The index is used for few rows: how many that are can be set."""
    sql = "SELECT count(*), sum(id) FROM indexed WHERE g = 7"
    pair.check(sql, "LOCAL")
    pair.execute("SET index_scan_max_count = 10", "SET index_scan_percentage = 0.00001")
    try:
        pair.check(sql, "DISTRIBUTED")
    finally:
        pair.execute("RESET index_scan_max_count", "RESET index_scan_percentage")
    pair.check(sql, "LOCAL")


def test_rows_of_the_transaction(pair):
    pair.execute("BEGIN")
    try:
        pair.execute("DELETE FROM keyed WHERE id = 4711", "INSERT INTO keyed VALUES (2000000, 1, 'new', 1)",
                     "UPDATE keyed SET s = 'changed' WHERE id = 4712")
        for key in (4711, 4712, 2000000):
            pair.check(f"SELECT s FROM keyed WHERE id = {key}", ("LOCAL", "DISTRIBUTED"))
    finally:
        pair.execute("ROLLBACK")


def test_who_asks_for_everything_gets_it(pair):
    sql = "SELECT s FROM keyed WHERE id = 777777"
    distribute_everything(pair.ours)
    try:
        pair.check(sql)
        pair.ours.execute("SET duckherder_mode = 'auto'")
        pair.ours.execute("SET duckherder_min_rows = 0")
        pair.check(sql)
    finally:
        for setting in ("mode", "min_rows", "min_task_bytes"):
            pair.ours.execute(f"RESET duckherder_{setting}")


def test_changes_are_found_by_index(pair):
    """UPDATE and DELETE look rows up in the same way."""
    for sql in ("UPDATE holes SET s = 'one' WHERE id = 1", "DELETE FROM holes WHERE id IN (3, 5)",
                "INSERT INTO holes SELECT id + 5000000, s FROM keyed WHERE id = 9"):
        pair.execute(sql)
    pair.check("SELECT count(*), min(s), sum(id) FROM holes", ("DISTRIBUTED",))
