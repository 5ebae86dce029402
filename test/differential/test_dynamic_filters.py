"""The keys of a finished build side filter the scan on the other side of the join, before anything is sent."""

from pathlib import Path

import pytest

from support.pair import Pair, tasks_of
from support.session import distribute_everything, local_session, plain_session

WORKERS = 3
TABLES = {
    "facts": "SELECT i, i % 20000 AS k, 'p' || i % 700 AS p, CASE WHEN i % 50 > 0 THEN (i % 900)::SMALLINT END AS n, "
             "DATE '2020-01-01' + (i % 1000)::INT AS day FROM range(300000) r(i)",
    "dims": "SELECT i AS k, 'p' || i AS p, (i % 1200)::SMALLINT AS n, 'cat' || i % 200 AS cat, "
            "DATE '2020-01-01' + i::INT AS day FROM range(20000) r(i)",
}


@pytest.fixture(scope="module", params=("native", "parquet"))
def pair(request, tmp_path_factory):
    with plain_session() as plain, local_session(WORKERS) as ours:
        distribute_everything(ours)
        pair = Pair(plain, ours)
        for name, sql in TABLES.items():
            if request.param == "native":
                pair.execute(f"CREATE TABLE {name} AS {sql}")
                continue
            path: Path = tmp_path_factory.mktemp("tables") / f"{name}.parquet"
            plain.execute(f"COPY ({sql}) TO '{path}' (ROW_GROUP_SIZE 30000)")
            pair.execute(f"CREATE VIEW {name} AS FROM '{path}'")
        yield pair


def scanned_rows(pair: Pair, query_id: str) -> int:
    """Rows that left the larger scan."""
    by_stage: dict[int, int] = {}
    for task in tasks_of(pair.ours, query_id):
        if task["row_end"] is not None:
            by_stage[task["stage_id"]] = by_stage.get(task["stage_id"], 0) + task["rows"]
    return max(by_stage.values())


def compare_on_and_off(pair: Pair, sql: str) -> tuple[int, int]:
    """How many rows leave the scans without and with dynamic filters."""
    pair.ours.execute("SET duckherder_dynamic_filters = false")
    try:
        off = scanned_rows(pair, pair.check(sql)["query_id"])
    finally:
        pair.ours.execute("RESET duckherder_dynamic_filters")
    return off, scanned_rows(pair, pair.check(sql)["query_id"])


# shuffled, whatever the sizes; then as the sizes suggest, which copies the small side
@pytest.fixture(params=(0, 67108864), ids=("shuffled", "copied"))
def broadcast_limit(request, pair):
    pair.ours.execute(f"SET duckherder_broadcast_limit = {request.param}")
    yield request.param
    pair.ours.execute("RESET duckherder_broadcast_limit")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("sql", (
    "SELECT count(*), sum(i) FROM facts JOIN dims USING (k) WHERE cat = 'cat7'",
    "SELECT count(*), sum(i) FROM facts WHERE k IN (SELECT k FROM dims WHERE cat = 'cat7')",
    # few values: an IN list; a string; a date; a smaller integer with NULLs
    "SELECT count(*), sum(i) FROM facts JOIN dims USING (k) WHERE cat = 'cat7' AND dims.k < 2000",
    "SELECT count(*), sum(i) FROM facts JOIN dims USING (p) WHERE cat = 'cat7' AND dims.k < 700",
    "SELECT count(*), sum(i) FROM facts JOIN dims USING (day) WHERE cat = 'cat7'",
    "SELECT count(*), sum(i) FROM facts JOIN dims ON facts.n = dims.n AND dims.k < 40",
    # through an aggregate and a projection
    "SELECT f.k, f.n FROM (SELECT k, count(*) AS n FROM facts GROUP BY k) f JOIN dims USING (k) WHERE cat = 'cat7'",
    "SELECT count(*), sum(x) FROM (SELECT k AS y, i + 1 AS x FROM facts WHERE i > 5) JOIN dims ON y = k "
    "WHERE cat = 'cat3'",
    # the keys come through operators that only leave some out
    "SELECT count(*), sum(i) FROM facts JOIN (SELECT DISTINCT k FROM dims WHERE cat = 'cat7') d USING (k)",
    "SELECT count(*), sum(i) FROM facts JOIN (SELECT k AS x, max(n) AS m FROM dims WHERE cat = 'cat7' GROUP BY k "
    "HAVING max(n) > 100) d ON k = x",
))
def test_fewer_rows_leave_the_scan(pair, broadcast_limit, sql: str):
    off, on = compare_on_and_off(pair, sql)
    assert on <= off
    if broadcast_limit == 0:
        assert on * 10 <= off


@pytest.mark.timeout(60)
@pytest.mark.parametrize("sql", (
    # through another join
    "SELECT count(*), sum(f.i) FROM facts f LEFT JOIN facts g ON f.i = g.i AND g.i % 3 = 0 JOIN dims ON f.k = dims.k "
    "WHERE cat = 'cat3'",
    # nothing matches, nothing is there
    "SELECT count(*) FROM facts JOIN dims USING (k) WHERE cat = 'none'",
    "SELECT count(*) FROM facts JOIN dims USING (k) WHERE dims.k > 1e6",
    # rows without a partner are part of these answers
    "SELECT count(*), sum(i), count(cat) FROM facts LEFT JOIN (FROM dims WHERE cat = 'cat7') d USING (k)",
    "SELECT count(*), sum(i), count(cat) FROM facts FULL JOIN (FROM dims WHERE cat = 'cat7') d USING (k)",
    "SELECT count(*), sum(i) FROM facts ANTI JOIN (FROM dims WHERE cat = 'cat7') d USING (k)",
    "SELECT count(*), sum(i) FROM facts WHERE n NOT IN (SELECT n FROM dims WHERE cat = 'cat7')",
    "SELECT count(*) FILTER (found), count(*) FROM "
    "(SELECT k IN (SELECT k FROM dims WHERE cat = 'cat7') AS found FROM facts)",
    "SELECT count(*), sum(i) FROM facts JOIN (FROM dims WHERE cat = 'cat7') d ON facts.n IS NOT DISTINCT FROM d.n",
    "SELECT count(*), count(i) FROM (FROM dims WHERE cat = 'cat7') d LEFT JOIN facts USING (k)",
    "SELECT count(*), count(i) FROM (FROM dims WHERE cat = 'cat7') d RIGHT JOIN facts USING (k)",
    # the scan feeds two readers, or a window, or a limit: it may not be filtered for one of them
    "WITH f AS MATERIALIZED (SELECT k, i FROM facts) "
    "SELECT (SELECT count(*) FROM f), count(*) FROM f JOIN dims USING (k) WHERE cat = 'cat7'",
    "SELECT sum(r) FROM (SELECT k, row_number() OVER (ORDER BY i) AS r FROM facts) JOIN dims USING (k) "
    "WHERE cat = 'cat7'",
    "SELECT sum(i) FROM (SELECT k, i FROM facts ORDER BY i LIMIT 5000) JOIN dims USING (k) WHERE cat = 'cat7'",
    # a build side that depends on the scan it would filter
    "WITH f AS MATERIALIZED (SELECT k, max(i) AS m FROM facts GROUP BY k) "
    "SELECT count(*), sum(a.m) FROM f a JOIN f b ON a.k = b.k + 1 WHERE b.m % 7 = 1",
))
def test_what_must_not_be_left_out(pair, broadcast_limit, sql: str):
    pair.check(sql)


@pytest.mark.timeout(60)
def test_explain_says_what_was_left_out(pair):
    pair.ours.execute("SET duckherder_broadcast_limit = 0")
    sql = "SELECT count(*), sum(i) FROM facts JOIN dims USING (k) WHERE cat = 'cat7'"
    try:
        plan = "\n".join(row[1] for row in pair.ours.execute(f"EXPLAIN {sql}").fetchall())
        assert "filtered by keys of" in " ".join(plan.split())
        analyzed = "\n".join(row[1] for row in pair.ours.execute(f"EXPLAIN ANALYZE {sql}").fetchall())
        assert "dynamic filters: 1" in analyzed
        assert "left out" in analyzed
    finally:
        pair.ours.execute("RESET duckherder_broadcast_limit")
