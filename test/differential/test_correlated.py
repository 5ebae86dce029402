"""Correlated subqueries: joins, marks and NULLs per outer value, with every side copied or shuffled."""

import pytest

from support.pair import Pair
from support.session import cluster_session, distribute_everything, local_session, plain_session

QUERIES = {
    "not_in": "SELECT i, x NOT IN (SELECT x FROM {table} b WHERE b.g = a.g) AS m FROM a",
    "in_or": "SELECT i, x IN (SELECT x FROM {table} b WHERE b.g = a.g AND b.x < 20) OR g = 3 AS m FROM a",
    "not_in_filter": "SELECT count(*) FROM a WHERE i < 10 OR "
                     "x NOT IN (SELECT x FROM {table} b WHERE b.g = a.g AND x IS NOT NULL)",
    "exists_or": "SELECT count(*) FROM a WHERE EXISTS (SELECT 1 FROM {table} b WHERE b.g = a.g AND b.x > a.x) "
                 "OR i % 3 = 1",
    "exists_value": "SELECT i, EXISTS (SELECT 1 FROM {table} b WHERE b.g = a.g AND b.x = a.x) AS m FROM a",
    "any_all": "SELECT i, x > ALL (SELECT x FROM {table} b WHERE b.g = a.g), "
               "x = ANY (SELECT x + 1 FROM {table} b WHERE b.g = a.g) FROM a",
    "scalar": "SELECT i, (SELECT count(*) FROM {table} b WHERE b.g = a.g), "
              "(SELECT max(x) FROM {table} b WHERE b.g < a.g) FROM a",
    "scalar_of_not_in": "SELECT i, (SELECT sum(x) FROM {table} b WHERE b.g = a.g) FROM a "
                        "WHERE x NOT IN (SELECT x FROM {table} b WHERE b.g = a.g)",
    "lateral": "SELECT a.i, l.n FROM a, LATERAL (SELECT count(*) AS n FROM {table} b WHERE b.g = a.g AND b.x = a.x) l",
    "grouped_outer": "SELECT g, n, (SELECT count(*) FROM {table} b WHERE b.g = o.g AND b.x < o.n) "
                     "FROM (SELECT g, count(*) AS n FROM a GROUP BY g) o",
}


@pytest.fixture(scope="module", params=("local", "processes"))
def pair(request, three_workers):
    session = local_session(3) if request.param == "local" else cluster_session(three_workers)
    with plain_session() as plain, session as ours:
        distribute_everything(ours)
        result = Pair(plain, ours)
        result.execute("CREATE TABLE a AS SELECT CASE WHEN i % 7 > 0 THEN i % 50 END AS x, "
                       "CASE WHEN i % 11 > 0 THEN i % 13 END AS g, i FROM range(20000) r(i)",
                       "CREATE TABLE inner_rows AS SELECT CASE WHEN i % 5 > 0 THEN i % 40 END AS x, "
                       "CASE WHEN i % 6 > 0 THEN i % 17 END AS g FROM range(9000) r(i)",
                       "CREATE TABLE nothing AS FROM inner_rows WHERE g = 100")
        yield result


@pytest.mark.timeout(60)
@pytest.mark.parametrize("broadcast_limit", (64 << 20, 0))
@pytest.mark.parametrize("table", ("inner_rows", "nothing"))
@pytest.mark.parametrize("name", QUERIES)
def test_correlated(pair, name: str, table: str, broadcast_limit: int):
    pair.ours.execute(f"SET duckherder_broadcast_limit = {broadcast_limit}")
    pair.check(QUERIES[name].format(table=table))


@pytest.mark.timeout(60)
def test_correlation_within_a_correlation(pair):
    """Some of it may run in the session."""
    sql = ("SELECT i, (SELECT count(*) FROM inner_rows b WHERE b.g = a.g AND b.x > (SELECT avg(c.x) FROM inner_rows c "
           "WHERE c.g = a.g AND c.x < b.x)) FROM a WHERE i < 500")
    pair.check(sql, mode=("DISTRIBUTED", "PARTIAL"))
