"""What is partitioned by the right columns already is not shuffled again."""

import pytest

from support.pair import Pair, rows_as_dicts
from support.session import distribute_everything, local_session, plain_session
from support.versions import IS_NEXT_DUCKDB

DATA = ("CREATE TABLE a AS SELECT i % 40000 AS k, i % 7 AS j, i, 'a' || i AS s FROM range(100000) r(i)",
        "CREATE TABLE b AS SELECT i % 50000 AS k, i % 5 AS j, i, 'b' || i AS s FROM range(90000) r(i)",
        "CREATE TABLE c AS SELECT CASE WHEN i % 9 > 0 THEN i % 45000 END AS k, i % 3 AS j, i FROM range(80000) r(i)")
#: How many stages: one for each scan, and one for each change of partitioning; None: not asserted
CASES = {
    # grouping on the key of a join; k of the groups is the key of the next join
    "SELECT k, count(*), sum(a.i), max(b.s) FROM a JOIN b USING (k) GROUP BY k": 3,
    "SELECT k, b.j, string_agg(b.s ORDER BY b.s) FROM a JOIN b USING (k) GROUP BY k, b.j": 3,
    "SELECT n, x.k, b.i FROM (SELECT k, count(*) AS n FROM a GROUP BY k) x JOIN b ON x.k = b.k": 3,
    "SELECT x.k, n, m FROM (SELECT k, count(*) AS n FROM a GROUP BY k) x "
    "JOIN (SELECT k, count(*) AS m FROM b GROUP BY k) y ON x.k = y.k": 3,
    # one key for three tables
    "SELECT a.k, a.i + b.i + c.i FROM a JOIN b USING (k) JOIN c USING (k) WHERE a.i % 50 = 1": 4,
    "SELECT a.k, b.k, c.k, a.i FROM a LEFT JOIN b ON a.k = b.k AND b.i > 30000 LEFT JOIN c ON a.k = c.k": 4,
    # partitioned by a part of what comes next
    "SELECT a.k, a.j, count(*) FROM a JOIN b ON a.k = b.k AND a.j = b.j JOIN c ON c.j = a.j AND c.k = a.k "
    "GROUP BY a.k, a.j": 4,
    "SELECT x.k, x.j, m FROM (SELECT k, median(i) AS m, max(j) AS j FROM a GROUP BY k) x "
    "JOIN b ON b.j = x.j AND b.k = x.k": 3,
    "SELECT DISTINCT a.k, b.j FROM a JOIN b USING (k)": 3,
    "SELECT a.k, a.i, row_number() OVER (PARTITION BY a.k ORDER BY a.i, b.i) FROM a JOIN b USING (k)": 3,
    "SELECT k, i, rank() OVER (PARTITION BY k, j ORDER BY i), sum(i) OVER (PARTITION BY k ORDER BY i) FROM a": 2,
    "SELECT k, max(n) FROM (SELECT k, row_number() OVER (PARTITION BY k ORDER BY i) AS n FROM a) GROUP BY k": 2,
    "SELECT k FROM a WHERE k IN (SELECT k FROM b) AND k NOT IN (SELECT coalesce(k, 1) FROM c GROUP BY k)": None,
    # the columns of the side that is filled up with NULL bring nothing together
    "SELECT b.k, count(*), count(DISTINCT a.s) FROM a LEFT JOIN b ON a.k = b.k AND b.i > 30000 GROUP BY b.k": 4,
    "SELECT a.k, count(*), count(DISTINCT b.s) FROM a RIGHT JOIN b ON a.k = b.k AND a.i > 30000 GROUP BY a.k": 4,
    "SELECT b.k, count(*), count(DISTINCT b.s) FROM a RIGHT JOIN b ON a.k = b.k AND a.i > 30000 GROUP BY b.k": 3,
    "SELECT coalesce(a.k, c.k) AS k, count(*) FROM a FULL JOIN c ON a.k = c.k GROUP BY 1": 4,
    "SELECT c.k, count(*), count(DISTINCT a.s) FROM a FULL JOIN c ON a.k = c.k GROUP BY c.k": 4,
    "SELECT c.k, d.k, c.i FROM c LEFT JOIN a ON c.k = a.k AND a.j = 1 LEFT JOIN b d ON a.k = d.k": 5,
    # another expression of the key is another key
    "SELECT k + 1 AS m, count(*), median(a.i) FROM a JOIN b USING (k) GROUP BY m": 4,
    "SELECT a.k % 100 AS m, count(DISTINCT a.i) FROM a JOIN b USING (k) GROUP BY m": 4,
    "SELECT x.k, c.i FROM (SELECT k, count(*) FROM a GROUP BY k) x JOIN c ON c.k = x.k::BIGINT + 0": None,
    "SELECT a.k, count(*) FROM a JOIN b USING (k) GROUP BY ROLLUP (a.k)": None,
}


@pytest.fixture(scope="module")
def pair():
    with plain_session() as plain, local_session(3) as ours:
        distribute_everything(ours)
        ours.execute("SET duckherder_broadcast_limit = 0")
        # it makes other columns of the keys, which another test looks at
        for con in (plain, ours):
            con.execute("SET disabled_optimizers = 'compressed_materialization'")
        result = Pair(plain, ours)
        result.execute(*DATA)
        yield result


@pytest.mark.timeout(60)
@pytest.mark.parametrize("sql", CASES)
def test_stages(pair, sql: str):
    record = pair.check(sql)
    stages = rows_as_dicts(pair.ours, f"SELECT count(DISTINCT stage_id) AS n FROM duckherder_tasks() "
                                      f"WHERE query_id = '{record['query_id']}'")
    # what the optimizer of 2.0 makes of some has other stages
    if CASES[sql] is not None and not IS_NEXT_DUCKDB:
        assert stages[0]["n"] == CASES[sql]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("sql", CASES)
def test_with_all_optimizers(pair, sql: str):
    pair.ours.execute("SET disabled_optimizers = ''")
    try:
        pair.check(sql)
    finally:
        pair.ours.execute("SET disabled_optimizers = 'compressed_materialization'")
