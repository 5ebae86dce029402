"""A fragment sees the session's world: what depends on its settings, names, functions or seeds is the same."""

import os
import subprocess
import textwrap

import pytest

from support import paths
from support.pair import Pair, last_query
from support.session import cluster_session, distribute_everything, local_session, plain_session
from support.versions import IS_NEXT_DUCKDB

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=("local", "processes"))
def pair(request, three_workers):
    session = local_session(3) if request.param == "local" else cluster_session(three_workers)
    with plain_session() as plain, session as ours:
        distribute_everything(ours)
        yield Pair(plain, ours)


@pytest.fixture
def table(pair):
    if IS_NEXT_DUCKDB:
        # travels like those below, each of which is looked at with it
        pair.execute("SET error_on_division_by_zero = false")
    pair.execute("CREATE TABLE t AS SELECT i, i % 7 AS g, (i % 100)::DOUBLE AS x, "
                 "CASE WHEN i % 5 > 0 THEN 'Text ' || i % 50 END AS s, DATE '2024-01-01' + (i % 300)::INTEGER AS d "
                 "FROM range(20000) r(i)")
    return "t"


#: Settings, and a query whose rows depend on them when it runs or when its functions are bound again
DEPENDENT = {
    "TimeZone": ("SET TimeZone = 'Asia/Tokyo'", "SELECT min(epoch(d::TIMESTAMPTZ)), max(date_trunc('day', "
                 "d::TIMESTAMPTZ + INTERVAL 30 MINUTE))::VARCHAR FROM t"),
    "TimeZone of a strange kind": ("SET TimeZone = 'America/St_Johns'",
                                   "SELECT g, max(strftime(d::TIMESTAMPTZ, '%H:%M %Z')) FROM t GROUP BY g"),
    "Calendar": ("SET Calendar = 'buddhist'", "SELECT min(year(d::TIMESTAMPTZ)), max(era(d::TIMESTAMPTZ)) FROM t"),
    "default_null_order": ("SET default_null_order = 'nulls_first'",
                           "SELECT g, list_sort([NULL, max(i), min(i)])[1] FROM t GROUP BY g"),
    "default_order": ("SET default_order = 'desc'", "SELECT g, list_sort([min(i), max(i)]), "
                      "list_grade_up([min(i), 5]) FROM t GROUP BY g"),
    "ieee_floating_point_ops": ("SET ieee_floating_point_ops = false",
                                "SELECT count(x / (x - x)), count(x % 0), count(1 / x) FROM t"),
    "integer_division": ("SET integer_division = true", "SELECT sum(i / 7), max(i / (g + 1)) FROM t"),
    "default_collation": ("SET default_collation = 'nocase'",
                          "SELECT count(*), min(s) FROM t WHERE s = 'TEXT 7' OR s < 'tEXT 12'"),
    "disable_timestamptz_casts": ("SET disable_timestamptz_casts = false",
                                  "SELECT max(d::TIMESTAMPTZ)::VARCHAR FROM t"),
    "old_implicit_casting": ("SET old_implicit_casting = true",
                             "SELECT sum(instr(i, '7')), count(concat(i, s)) FROM t"),
    "scalar_subquery_error_on_multiple_rows": (
        "SET scalar_subquery_error_on_multiple_rows = false",
        "SELECT count(*) FROM t WHERE g > (SELECT k FROM (VALUES (1), (1)) v(k))"),
    "none": ("SET threads = 2", "SELECT count(x / (x - x)), sum(i / 7), list_sort([NULL, max(i), min(i)]), "
             "max(d::TIMESTAMPTZ)::VARCHAR, count(*) FILTER (s = 'TEXT 7'), max(year(d::TIMESTAMPTZ)) FROM t"),
}


@pytest.mark.parametrize("name", DEPENDENT)
@pytest.mark.parametrize("scope", ("SET", "SET GLOBAL"))
def test_a_setting_travels(pair, table, name: str, scope: str):
    setting, sql = DEPENDENT[name]
    pair.execute(setting.replace("SET", scope, 1))
    pair.check(sql, mode=("DISTRIBUTED", "PARTIAL"))


def test_a_prepared_statement_keeps_what_it_was_bound_with(pair, table):
    pair.execute("SET TimeZone = 'Asia/Tokyo'", "SET ieee_floating_point_ops = false",
                 "PREPARE p AS SELECT min(epoch(d::TIMESTAMPTZ)), count(x / (x - x)) FROM t",
                 "SET TimeZone = 'America/St_Johns'", "SET ieee_floating_point_ops = true")
    pair.check("EXECUTE p")


#: Run in a process of its own: what is set before LOAD, and by the environment
OTHER_PROCESS = """
    import sys
    sys.path.insert(0, {test!r})
    import duckdb
    from support import paths
    from support.session import distribute_everything
    from support.versions import IS_NEXT_DUCKDB, share_duckdb
    share_duckdb()
    sql = {sql!r}
    def connect(**config):
        con = duckdb.connect(config={{"allow_unsigned_extensions": "true", **config}})
        con.execute({before!r})
        if IS_NEXT_DUCKDB:
            con.execute("SET GLOBAL error_on_division_by_zero = false")
        return con
    plain, ours = connect(**{config!r}), connect(**{config!r})
    ours.execute("LOAD " + paths.quoted(paths.EXTENSION))
    for con in (plain, ours):
        con.execute({table!r})
    for number, location in enumerate({workers!r}):
        ours.execute(f"SELECT duckherder_register_worker('w{{number}}', '{{location}}')")
    distribute_everything(ours)
    right, got = plain.execute(sql).fetchall(), ours.execute(sql).fetchall()
    assert right == got, (right, got)
    modes = ours.execute("SELECT execution_mode FROM duckherder_get_query_execution_stats() "
                         "ORDER BY execution_start_time").fetchall()
    assert modes[-1] == ("DISTRIBUTED",), modes
    other = duckdb.connect()
    other.execute("SET TimeZone = 'UTC'")
    other.execute({table!r})
    assert right != other.execute(sql).fetchall(), "the query does not depend on it"
"""


@pytest.mark.parametrize("environment, config, before, sql", (
    ({"TZ": "Asia/Tokyo"}, {}, "SELECT 1", "SELECT min(epoch(d::TIMESTAMPTZ)) FROM t"),
    ({}, {"ieee_floating_point_ops": "false"}, "SELECT 1", "SELECT count(x / (x - x)) FROM t"),
    ({}, {"default_null_order": "nulls_first"}, "SELECT 1", "SELECT list_sort([NULL, max(i)])[1] FROM t"),
    ({}, {}, "SET GLOBAL integer_division = true", "SELECT sum(i / 7) FROM t"),
    ({}, {}, "SET GLOBAL TimeZone = 'Asia/Kolkata'", "SELECT max(d::TIMESTAMPTZ)::VARCHAR FROM t"),
))
def test_what_was_set_before_the_extension_travels(three_workers, environment, config, before, sql):
    table = "CREATE TABLE t AS SELECT i, i::DOUBLE AS x, DATE '2024-01-01' + (i % 300)::INTEGER AS d " \
            "FROM range(20000) r(i)"
    program = textwrap.dedent(OTHER_PROCESS).format(
        test=str(paths.ROOT / "test"), sql=sql, before=before, config=config, table=table,
        workers=[worker.location for worker in three_workers.workers.values()])
    done = subprocess.run([paths.PYTHON, "-c", program], env={**os.environ, **environment}, text=True,
                          capture_output=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_names_are_looked_up_as_in_the_session(pair):
    pair.execute("ATTACH ':memory:' AS db1", "CREATE SCHEMA db1.s1", "CREATE TABLE db1.s1.one (i INTEGER)",
                 "CREATE TABLE db1.two (i INTEGER)", "SET VARIABLE v = 42",
                 "CREATE TABLE memory.names AS SELECT 'db1' AS d, CASE WHEN i % 2 = 0 THEN 's1' ELSE 'main' END AS s, "
                 "i FROM range(20000) r(i)")
    questions = ("SELECT count(*) FROM memory.names WHERE in_search_path(d, s)",
                 "SELECT count(*) FROM memory.names WHERE in_search_path('db1', s)",
                 "SELECT current_schema(), current_database(), current_schemas(true), current_user, count(*) "
                 "FROM memory.names",
                 "SELECT sum(i + getvariable('v')), max(current_setting('search_path')) FROM memory.names",
                 "SELECT DISTINCT current_schema() || s FROM memory.names ORDER BY ALL",
                 "SELECT count(*) FROM memory.names WHERE s = current_schema()",
                 "SELECT list_filter(['main', s], lambda x: in_search_path(d, x)) AS l, count(*) FROM memory.names "
                 "GROUP BY l ORDER BY ALL")
    for use in ("USE db1", "USE db1.s1", "USE memory"):
        pair.execute(use)
        for sql in ("SHOW TABLES", "SHOW ALL TABLES"):
            names = "SELECT name FROM (" + sql + ") ORDER BY ALL"
            assert pair.plain.execute(names).fetchall() == pair.ours.execute(names).fetchall()
        for sql in questions:
            pair.check(sql, mode=("DISTRIBUTED", "PARTIAL", "LOCAL"))


@pytest.mark.parametrize("disabled", ("", "expression_rewriter,filter_pushdown,statistics_propagation"))
def test_functions_of_the_context_are_computed_here(pair, disabled: str):
    pair.execute("CREATE TABLE t AS SELECT i, 'main' AS s FROM range(20000) r(i)", "ATTACH ':memory:' AS db1",
                 "USE db1", f"SET disabled_optimizers = '{disabled}'")
    pair.check("SELECT count(*) FROM memory.t WHERE in_search_path(current_database(), s)",
               mode=("PARTIAL", "LOCAL"))
    sql = "SELECT sum(i) FROM memory.t WHERE in_search_path('db1', s)"
    row = pair.check(sql, mode=("PARTIAL", "LOCAL"))
    assert "in_search_path depends on the session's search path" in row["local_reason"]


@pytest.mark.parametrize("sample", (
    "FROM t USING SAMPLE reservoir(5 ROWS) REPEATABLE (3)",
    "SELECT count(*) FROM t TABLESAMPLE reservoir(10%) REPEATABLE (7)",
    "SELECT sum(i) FROM t TABLESAMPLE bernoulli(10%) REPEATABLE (7)",
    "SELECT sum(i) FROM t TABLESAMPLE system(20%) REPEATABLE (7)",
    "SELECT sum(i) FROM (FROM t WHERE i % 3 = 1) USING SAMPLE 100 ROWS (reservoir, 42)",
    "SELECT count(*), sum(x.i) FROM (FROM t USING SAMPLE reservoir(50 ROWS) REPEATABLE (3)) x JOIN t USING (i)",
    "SELECT sum(v) FROM (SELECT i * 2 AS v FROM t USING SAMPLE 10% (bernoulli, 5)) WHERE v > 5"))
def test_a_sample_with_a_seed(pair, sample: str):
    for con in (pair.plain, pair.ours):
        con.execute("SET threads = 1")
    pair.execute("CREATE TABLE t AS SELECT i FROM range(20000) r(i)")
    row = pair.check(sample, mode="LOCAL")
    assert "seed" in row["local_reason"]


@pytest.mark.parametrize("sql", ("SELECT i, random() FROM t ORDER BY ALL LIMIT 5",
                                 "SELECT sum(i) FROM t USING SAMPLE reservoir(20 ROWS)",
                                 "SELECT sum(i) FROM t TABLESAMPLE 10% (bernoulli)",
                                 "SELECT i FROM t ORDER BY random() LIMIT 5",
                                 "SELECT max(list_sum(list_transform([i], lambda x: x + random()))) FROM t",
                                 "SELECT count(*) FROM t WHERE random() < 0.5",
                                 "SELECT uuid() FROM t ORDER BY ALL LIMIT 3"))
def test_after_a_seed_random_numbers_are_the_same(pair, sql: str):
    pair.execute("SET threads = 1", "CREATE TABLE t AS SELECT i FROM range(20000) r(i)")
    if IS_NEXT_DUCKDB and "TABLESAMPLE" in sql:
        pytest.skip("DuckDB 2.0 itself samples other rows each time")
    for seed in (0.25, -0.5):
        pair.execute(f"SELECT setseed({seed})")
        pair.check(sql, mode="LOCAL")


def test_without_a_seed_random_numbers_are_distributed(pair):
    pair.execute("CREATE TABLE t AS SELECT i FROM range(20000) r(i)")
    for sql in ("SELECT count(*) FROM t WHERE random() < 2", "SELECT count(*) FROM (FROM t USING SAMPLE 30 ROWS)"):
        pair.check(sql, mode="PARTIAL")


@pytest.mark.parametrize("limit", (
    "LIMIT NULL OFFSET 19995", "LIMIT 9223372036854775807 OFFSET 19995", "LIMIT 9223372036854775807", "LIMIT NULL",
    "LIMIT 0", "LIMIT 0 OFFSET 10", "LIMIT 5 OFFSET NULL", "LIMIT 5 OFFSET 9223372036854775807", "OFFSET 19990",
    "LIMIT 0.01%",
    "LIMIT 100%", "LIMIT 50% OFFSET 19990", "LIMIT (SELECT 3)", "LIMIT 1 + 2 OFFSET 2 * 5",
    "LIMIT 9223372036854775807 OFFSET 9223372036854775807"))
@pytest.mark.parametrize("order", ("", "ORDER BY i DESC"))
def test_limits(pair, limit: str, order: str):
    pair.execute("CREATE TABLE t AS SELECT i FROM range(20000) r(i)")
    pair.check(f"SELECT i FROM t {order} {limit}", ("DISTRIBUTED", "PARTIAL", "LOCAL"), ordered=True)
    pair.check(f"SELECT count(*), sum(i) FROM (SELECT i FROM t {order} {limit})", ("DISTRIBUTED", "PARTIAL", "LOCAL"))


def test_limits_as_parameters(pair):
    pair.execute("CREATE TABLE t AS SELECT i FROM range(20000) r(i)", "PREPARE p AS SELECT i FROM t LIMIT ? OFFSET ?")
    for arguments in ("3, 10", "NULL, 19995", "0, 0", "9223372036854775807, 19998"):
        pair.check(f"EXECUTE p({arguments})", ("DISTRIBUTED", "PARTIAL", "LOCAL"), ordered=True)


def test_exported_states_stay_here(pair):
    pair.execute("CREATE TABLE t AS SELECT i, i % 7 AS g FROM range(20000) r(i)",
                 "CREATE TABLE st AS SELECT g, sum(i) EXPORT_STATE AS s, avg(i) EXPORT_STATE AS a FROM t GROUP BY g")
    modes = ("PARTIAL", "LOCAL", *(["DISTRIBUTED"] if IS_NEXT_DUCKDB else []))
    pair.check("SELECT g, finalize(s), finalize(a) FROM st", modes)
    pair.check("SELECT sum(finalize(s)) FROM st WHERE g > 2", modes)
    pair.check("SELECT g, finalize(combine(x.s, y.s)) FROM st x JOIN st y USING (g)", modes)
    pair.check("SELECT g, finalize(s) FROM (SELECT g, sum(i) EXPORT_STATE AS s FROM t GROUP BY g)", modes)


def test_a_shown_plan_is_duckdbs(pair):
    pair.execute("CREATE TABLE t AS SELECT i, i % 7 AS g FROM range(20000) r(i)")
    shown = "SELECT g, sum(i) FROM t WHERE i > 5 GROUP BY g"
    for options in ("optimize := true", "optimize := false", "optimize := true, skip_empty := true"):
        right, got = pair.results(f"SELECT json_serialize_plan('{shown}', {options})")
        assert right == got
        pair.check(f"SELECT max(json_serialize_plan(q, {options})) FROM (SELECT '{shown}' AS q FROM t LIMIT 3)",
                   ("PARTIAL", "LOCAL"))
    pair.check(shown)
    assert last_query(pair.ours, shown)["execution_mode"] == "DISTRIBUTED"
