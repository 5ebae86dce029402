"""What EXPLAIN and EXPLAIN ANALYZE say of a distributed query: as text, as JSON, and against what has really run."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import tpch
from support.compare import assert_same, fetch
from support.pair import last_query, rows_as_dicts, tasks_of
from support.session import Connection, bare_session, distribute_everything, plain_session, start_local_server
from support.versions import IS_NEXT_DUCKDB

pytestmark = pytest.mark.timeout(120)

SCALE = 0.1
ROW = "distributed_plan"
#: Of TPC-H: the tables that it reads, and some of what its operators say
SHAPES = {
    3: (("lineitem", "orders", "customer"), ("l_orderkey = o_orderkey", "c_mktsegment='BUILDING'", "revenue DESC")),
    9: (("lineitem", "orders", "part", "partsupp", "supplier", "nation"), ("s_nationkey = n_nationkey", "green")),
    18: (("lineitem", "orders", "customer"), ("sum(l_quantity)", "JOIN SEMI", "o_totalprice DESC")),
}


@pytest.fixture(scope="module")
def data() -> Path:
    return tpch.parquet_directory(SCALE)


@pytest.fixture(scope="module")
def con(data) -> Iterator[Connection]:
    with bare_session() as con:
        tpch.create_views(con, data)
        con.execute("CREATE TABLE native AS SELECT i, i % 100 AS g FROM range(100000) r(i)")
        start_local_server(con, 3)
        distribute_everything(con)
        yield con


def text_of(con: Connection, sql: str) -> str:
    rows = con.execute(sql).fetchall()
    assert [row[0] for row in rows] == [ROW, "analyzed_plan" if "ANALYZE" in sql else "physical_plan"]
    return rows[0][1]


def facts_of(con: Connection, sql: str, analyze: bool = False) -> dict:
    return json.loads(text_of(con, f"EXPLAIN ({'ANALYZE, ' if analyze else ''}FORMAT json) {sql}"))


def operators_of(facts: dict) -> list[dict]:
    return [op for part in (facts, *facts["stages"]) for op in part.get("operators", part.get("session", []))]


@pytest.mark.parametrize("number", SHAPES)
def test_names_of_the_query(con, number: int):
    sql = tpch.queries()[number]
    text = text_of(con, f"EXPLAIN {sql}")
    tables, details = SHAPES[number]
    for table in tables:
        assert f"PARQUET_SCAN {table}.parquet" in text, text
    for part in details:
        if IS_NEXT_DUCKDB:
            part = re.sub(r"(\w)([=<>]+)('[^']*')", r"\1 \2 \3", part)
        assert part in text, text
    assert not re.search(r"#\d|#\[|duckherder_\w+_aggregate|__internal|max\(max", text), text
    assert "read by the workers" in text and "fed" not in text


@pytest.mark.parametrize("number", SHAPES)
def test_each_stage_stands_once_in_the_tree(con, number: int):
    sql = tpch.queries()[number]
    stages = facts_of(con, sql)["stages"]
    text = text_of(con, f"EXPLAIN {sql}")
    for stage in stages:
        assert len(re.findall(rf"─ stage {stage['stage']}: to ", text)) == 1, text


@pytest.mark.parametrize("number", SHAPES)
def test_what_has_run(con, number: int):
    sql = tpch.queries()[number]
    facts = facts_of(con, sql, analyze=True)
    query = last_query(con, f"EXPLAIN (ANALYZE, FORMAT json) {sql}")
    tasks = tasks_of(con, query["query_id"])
    ran = {stage["stage"]: stage["run"] for stage in facts["stages"] if "run" in stage}
    assert ran.keys() == {task["stage_id"] for task in tasks if task["state"] == "DONE"}
    for stage, run in ran.items():
        own = [task for task in tasks if task["stage_id"] == stage and task["state"] == "DONE"]
        assert run["tasks"] == len(own)
        assert set(run["workers"]) == {task["worker_id"] for task in own}
        assert run["median_us"] <= run["slowest"]["duration_us"] <= run["busy_us"]
    assert facts["run"]["busy_us"] == sum(run["busy_us"] for run in ran.values())
    assert facts["run"]["without_tasks_us"] <= facts["run"]["wall_us"]
    # It is over when the row is there
    assert all(task["state"] != "RUNNING" for task in tasks)


def test_a_stage_that_two_read_is_shown_once(con):
    text = text_of(con, "EXPLAIN WITH x AS MATERIALIZED "
                        "(SELECT l_suppkey AS s, count(*) AS n FROM lineitem GROUP BY ALL) "
                        "SELECT count(*) FROM x a JOIN x b ON a.n = b.s WHERE a.s <> b.n")
    assert re.search(r"stage \d+: see above", text), text


def test_parts_of_an_aggregate_are_called_alike(con):
    text = text_of(con, "EXPLAIN SELECT l_suppkey, max(l_comment), avg(l_tax), count(*) FROM lineitem GROUP BY ALL")
    assert len(re.findall(r"GROUP_BY  l_suppkey: max\(l_comment\), avg\(l_tax\), count_star\(\)", text)) == 2, text


def test_rows_that_the_session_feeds(con):
    text = text_of(con, "EXPLAIN SELECT g, sum(i) FROM native WHERE i > 7 GROUP BY g")
    assert "rows fed by the session" in text
    assert ("SEQ_SCAN native  (i > 7)" if IS_NEXT_DUCKDB else "SEQ_SCAN native  i>7") in text, text
    (stage, *_) = facts_of(con, "SELECT g, sum(i) FROM native GROUP BY g")["stages"]
    assert stage["tasks"]["rows_are_read_by"] == "session"


def test_stays_in_the_session(con):
    con.execute("SET duckherder_mode = 'auto'; SET duckherder_min_rows = 1000000000")
    try:
        for statement in ("EXPLAIN", "EXPLAIN ANALYZE"):
            text = text_of(con, f"{statement} SELECT count(*) FROM native")
            assert re.fullmatch(r"LOCAL: the largest scan has 100000 rows, .*\n▶ .*min_rows = 0.*\n", text), text
        assert facts_of(con, "SELECT count(*) FROM native")["mode"] == "LOCAL"
    finally:
        con.execute("RESET duckherder_min_rows")
        distribute_everything(con)


def test_partly_in_the_session(con):
    text = text_of(con, "EXPLAIN ANALYZE SELECT i, row_number() OVER (ORDER BY g, i) AS n FROM native")
    first, *rest = text.split("\n")
    assert first.startswith("PARTIAL: a window"), text
    assert any(line.startswith("▶ With a PARTITION BY") for line in rest), text
    assert "  WINDOW  ROW_NUMBER() OVER (ORDER BY g" in text.replace("  row_number()", "  ROW_NUMBER()"), text


def test_writes(con, tmp_path):
    sql = f"COPY (SELECT g, count(*) AS n FROM native GROUP BY g) TO '{tmp_path}/out.parquet'"
    assert "COPY_TO_FILE" in text_of(con, f"EXPLAIN {sql}")
    assert not (tmp_path / "out.parquet").exists()
    assert "COPY_TO_FILE" in text_of(con, f"EXPLAIN ANALYZE {sql}")
    assert con.execute(f"SELECT sum(n) FROM '{tmp_path}/out.parquet'").fetchall() == [(100000,)]
    sql = "CREATE OR REPLACE TABLE filled AS SELECT g, count(*) AS n FROM native GROUP BY g"
    assert "CREATE_TABLE" in text_of(con, f"EXPLAIN {sql}")
    assert "CREATE_TABLE" in text_of(con, f"EXPLAIN ANALYZE {sql}")
    assert con.execute("SELECT sum(n) FROM filled").fetchall() == [(100000,)]


def test_prepared(con):
    """Each execution has its own numbers, and its own values."""
    for value in (99_000, 50_000):
        sql = "EXPLAIN (ANALYZE, FORMAT json) SELECT g, count(*) FROM native WHERE i >= ? GROUP BY g"
        facts = json.loads(con.execute(sql, [value]).fetchall()[0][1])
        assert facts["stages"][0]["run"]["read_rows"] == 100_000 - value
    con.execute("PREPARE explained AS SELECT g, count(*) FROM native WHERE i >= $1 GROUP BY g")
    for value in (99_000, 50_000, 99_000):
        text = text_of(con, f"EXPLAIN ANALYZE EXECUTE explained({value})")
        assert f"{100_000 - value:,} read of 100,000" in text, text
    con.execute("DEALLOCATE explained")


def test_explain_runs_nothing(con):
    con.execute("SELECT duckherder_clear_query_recorder_stats()")
    for number in SHAPES:
        text_of(con, f"EXPLAIN {tpch.queries()[number]}")
    assert rows_as_dicts(con, "FROM duckherder_tasks()") == []


def test_relations(con):
    """Python shows the values of all rows."""
    shown = con.sql("SELECT g, count(*) FROM native GROUP BY g").explain()
    assert "─ stage 0: to " in shown and "DUCKHERDER_GATHER" in shown, shown


def test_plain_queries_are_as_before(con, data):
    with plain_session() as plain:
        tpch.create_views(plain, data)
        for number in SHAPES:
            sql = tpch.queries()[number]
            assert_same(fetch(plain, sql), fetch(con, sql), sql, ordered=True)
    assert con.execute("EXPLAIN SELECT 42").fetchall()[0][0] == "physical_plan"


def test_other_formats_are_duckdbs_own(con):
    for style in ("yaml", "graphviz", "mermaid", "html"):
        rows = con.execute(f"EXPLAIN (FORMAT {style}) SELECT g, count(*) FROM native GROUP BY g").fetchall()
        assert [row[0] for row in rows] == ["physical_plan"]


def test_every_tpch_query_can_be_explained(con):
    """No operator of them has a number where a name could stand."""
    for number, sql in tpch.queries().items():
        text = text_of(con, f"EXPLAIN {sql}")
        left = [line for line in text.split("\n") if re.search(r"#\d|#\[", re.sub(r"'[^']*'", "", line))]
        assert not left, f"TPC-H {number}: {left}"
