"""UNION, INTERSECT, EXCEPT and windows: equal to plain DuckDB, and on the workers."""

import pytest

from support.pair import Pair
from support.session import cluster_session, distribute_everything, local_session, plain_session

TABLES = (
    "CREATE TABLE a AS SELECT i % 7000 AS i, (i % 3)::VARCHAR AS s, CASE WHEN i % 5 > 0 THEN i % 5 END AS n "
    "FROM range(20000) r(i)",
    "CREATE TABLE b AS SELECT i % 9000 AS i, (i % 4)::VARCHAR AS s, CASE WHEN i % 6 > 0 THEN i % 6 END AS n "
    "FROM range(15000) r(i)",
    "CREATE TABLE nothing AS FROM a WHERE i < 0",
    "CREATE TABLE small AS SELECT i, i::DOUBLE AS s, [i] AS n FROM range(100) r(i)",
)
OPERATIONS = ("UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL", "UNION BY NAME",
              "UNION ALL BY NAME")


@pytest.fixture(scope="module", params=("local", "processes"))
def pair(request, three_workers):
    session = local_session(3) if request.param == "local" else cluster_session(three_workers)
    with plain_session() as plain, session as ours:
        distribute_everything(ours)
        result = Pair(plain, ours)
        result.execute(*TABLES)
        yield result


@pytest.mark.timeout(60)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation(pair, operation: str):
    pair.check(f"FROM a {operation} FROM b")
    pair.check(f"SELECT count(*), sum(i), min(s), max(n) FROM (FROM a {operation} FROM b)")
    pair.check(f"SELECT n, count(*) FROM (SELECT n, s FROM a {operation} SELECT n, s FROM b) GROUP BY n")
    pair.check(f"SELECT i, s FROM a WHERE n = 2 {operation} SELECT i, s FROM b WHERE n IS NULL ORDER BY i, s LIMIT 50",
               ordered=True)
    pair.check(f"SELECT count(*), sum(c.i) FROM a JOIN (SELECT i FROM a {operation} SELECT i FROM b) c USING (i)")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("operation", OPERATIONS[:6])
def test_inputs_of_other_kinds(pair, operation: str):
    """An input without rows, with constants only, with one row, of another type, with a limit."""
    for other in ("FROM nothing", "SELECT 1, '1', 1", "VALUES (1, '1', 1), (NULL, NULL, NULL), (1, '1', 1)",
                  "SELECT max(i), max(s), max(n) FROM b", "SELECT range, 'x', 4 FROM range(3)",
                  "(SELECT i, s, n FROM b ORDER BY ALL LIMIT 100)"):
        for sql in (f"SELECT i, s, n FROM a {operation} {other}", f"{other} {operation} SELECT i, s, n FROM a"):
            pair.check(sql)
            pair.check(f"SELECT s, count(*) FROM ({sql}) t(i, s, n) GROUP BY s")
    pair.check(f"SELECT i FROM a {operation} SELECT s FROM small")


@pytest.mark.timeout(60)
def test_nested(pair):
    pair.check("(FROM a UNION ALL FROM b) EXCEPT (FROM a INTERSECT FROM b)")
    pair.check("SELECT s, count(*) FROM (SELECT s FROM a UNION ALL (SELECT s FROM b UNION SELECT s FROM a)) GROUP BY s")
    pair.check("WITH u AS (FROM a UNION ALL FROM b) SELECT x.n, count(*) FROM u x JOIN u y USING (i) GROUP BY x.n")


@pytest.mark.timeout(60)
def test_order_of_concatenated_inputs_is_kept(pair):
    """The first input's rows come first, as DuckDB promises with preserve_insertion_order."""
    pair.check("SELECT i FROM a WHERE s = '1' UNION ALL SELECT -1 - i FROM b WHERE s = '1'", ordered=True)
    pair.check("(SELECT i FROM a UNION ALL SELECT -1 - i FROM b) LIMIT 25000", ordered=True)


@pytest.mark.timeout(60)
def test_collations(pair):
    """Rows that are equal only by their collation have different hashes."""
    for name, count in (("Upper", 50), ("uPPER", 70)):
        pair.execute(f"CREATE OR REPLACE TABLE t_{count} AS "
                     f"SELECT ('{name} ' || i % {count}) COLLATE NOCASE AS c FROM range(5000) r(i)")
    for operation in OPERATIONS[2:6]:
        pair.check(f"SELECT count(*) FROM (FROM t_50 {operation} FROM t_70)", mode="PARTIAL")
    pair.execute("SET default_collation = 'nocase'")
    try:
        for operation in OPERATIONS[2:6]:
            pair.check(f"SELECT count(*) FROM (SELECT upper(s || 'x') FROM a {operation} SELECT s || 'x' FROM b)",
                       mode="PARTIAL")
    finally:
        pair.execute("RESET default_collation")


WINDOWS = {
    "partitioned": "sum(i) OVER (PARTITION BY s ORDER BY i, n ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)",
    "two_partitions": "rank() OVER (PARTITION BY s ORDER BY i) + count(*) OVER (PARTITION BY s, n)",
    "over_everything": "rank() OVER (ORDER BY i)",
    "without_order": "count(*) OVER ()",
    "different_partitions": "rank() OVER (PARTITION BY s ORDER BY i) - rank() OVER (PARTITION BY n ORDER BY i)",
}
#: The session computes them itself where their rows are the result; below another operator one task does
WITHOUT_COMMON_PARTITION = ("over_everything", "without_order", "different_partitions")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", WINDOWS)
def test_windows(pair, name: str):
    window = WINDOWS[name]
    pair.check(f"SELECT i, s, n, {window} AS w FROM a",
               mode="PARTIAL" if name in WITHOUT_COMMON_PARTITION else "DISTRIBUTED")
    pair.check(f"SELECT s, sum(w), count(DISTINCT w) FROM (SELECT s, {window} AS w FROM a) GROUP BY s")
    pair.check(f"SELECT count(*) FROM (SELECT 1 FROM a QUALIFY {window} < 10)")
