"""Stages that read exchanges get tasks by the real sizes of partitions: tiny ones together, skewed ones cut."""

import statistics

import pytest

from support.pair import Pair, tasks_of
from support.session import distribute_everything, local_session, plain_session
from support.versions import IS_NEXT_DUCKDB

WORKERS = 3
PARTITIONS = 2 * WORKERS
# Enough row groups for as many scan tasks as there can be: a skewed partition is cut along the tasks that made it.
# 90 % of the rows of `facts` share the key 7, which two rows of `dims` have
FACTS = "SELECT i, CASE WHEN i % 10 < 9 THEN 7 ELSE i % 5000 END AS k, 'v' || i AS v FROM range({}) r(i)"
DATA = (f"CREATE TABLE many AS {FACTS.format(1500000)}", f"CREATE TABLE facts AS {FACTS.format(300000)}",
        "CREATE TABLE dims AS SELECT i % 6000 AS k, 'd' || i AS d FROM range(6500) r(i)")


@pytest.fixture(scope="module")
def pair():
    with plain_session() as plain, local_session(WORKERS) as ours:
        distribute_everything(ours)
        # otherwise the small side would be copied, and no partition would be skewed
        ours.execute("SET duckherder_broadcast_limit = 0")
        pair = Pair(plain, ours)
        pair.execute(*DATA)
        yield pair


def join_tasks(pair: Pair, query_id: str) -> list[dict]:
    """Those of the last stage: it joins what the others have shuffled."""
    tasks = tasks_of(pair.ours, query_id)
    return [task for task in tasks if task["stage_id"] == max(task["stage_id"] for task in tasks)]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("join", ("JOIN", "LEFT JOIN", "SEMI JOIN"))
def test_skewed_keys_are_shared(pair, join: str):
    record = pair.check(f"SELECT many.i FROM many {join} dims USING (k) WHERE many.i % 50 = 1")
    rows = [task["rows"] for task in join_tasks(pair, record["query_id"])]
    assert len(rows) > PARTITIONS
    assert max(rows) < 3 * statistics.median(rows), rows


@pytest.mark.timeout(60)
@pytest.mark.parametrize("join", ("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN"))
@pytest.mark.parametrize("tables", (("facts", "dims"), ("dims", "facts")))
def test_joins_of_skewed_keys(pair, tables: tuple[str, str], join: str):
    left, right = tables
    pair.check(f"SELECT count(*), count(DISTINCT x), min(x), max(x) FROM "
               f"(SELECT {left}.* EXCLUDE (k) FROM {left} {join} {right} ON {left}.k = {right}.k) AS j(y, x)"
               if left == "facts" else
               f"SELECT count(*), count(DISTINCT d), min(d), max(d) FROM "
               f"(SELECT {left}.d FROM {left} {join} {right} ON {left}.k = {right}.k)")
    pair.check(f"SELECT {left}.k, count(*) FROM {left} {join} {right} ON {left}.k = {right}.k GROUP BY ALL")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("sql", (
    "SELECT k, median(i), list(i ORDER BY i)[1:3] FROM facts GROUP BY k",
    "SELECT k, count(DISTINCT v) FROM facts GROUP BY k",
    "SELECT i, row_number() OVER (PARTITION BY k ORDER BY i) AS n FROM facts QUALIFY n % 100 = 1",
    "SELECT k, count(*) FROM facts GROUP BY k UNION ALL SELECT k, count(*) FROM dims GROUP BY k",
    "SELECT k FROM facts INTERSECT SELECT k FROM dims",
    "SELECT k FROM facts EXCEPT ALL SELECT k FROM dims",
    "SELECT count(*) FROM facts a JOIN dims USING (k) WHERE k NOT IN (SELECT k FROM dims WHERE k % 3 = 1)",
    "WITH c AS MATERIALIZED (SELECT k, count(*) AS n FROM facts GROUP BY k) "
    "SELECT x.k, x.n + y.n FROM c x JOIN c y ON x.k = y.k",
))
def test_what_needs_all_rows_of_a_key_is_not_cut(pair, sql: str):
    pair.check(sql)


@pytest.mark.timeout(60)
def test_small_partitions_are_read_together(pair):
    sql = "SELECT k, count(DISTINCT v) AS n FROM facts WHERE i < 1000 GROUP BY k"
    assert len(join_tasks(pair, pair.check(sql)["query_id"])) > 1
    pair.ours.execute("RESET duckherder_min_task_bytes")
    try:
        assert len(join_tasks(pair, pair.check(sql)["query_id"])) == 1
    finally:
        distribute_everything(pair.ours)


@pytest.mark.timeout(60)
def test_no_rows(pair):
    pair.check("SELECT facts.i, dims.d FROM facts JOIN dims USING (k) WHERE facts.i < 0 OR facts.i > 1e9")
    # 2.0 sees that no remainder is so large
    pair.check("SELECT k, count(DISTINCT v) FROM facts WHERE i % 10 = 11 GROUP BY k",
               "LOCAL" if IS_NEXT_DUCKDB else "DISTRIBUTED")
