"""Native tables of the session, whose rows it reads, filters and sends: every row once, and none that is not there."""

import threading
import time
from collections.abc import Iterator

import duckdb
import pytest

from support.cluster import Cluster
from support.compare import assert_same, fetch
from support.pair import Pair, rows_as_dicts, scan_tasks
from support.session import cluster_session, distribute_everything, local_session, plain_session
from support.waiting import wait_until

#: More than five row groups of DuckDB, and a part of another one
ROWS = 700_000
STEP_TEXT = "in the session"


@pytest.fixture(scope="module", params=("local", "processes"))
def pair(request, three_workers: Cluster) -> Iterator[Pair]:
    session = local_session(3) if request.param == "local" else cluster_session(three_workers)
    with plain_session() as plain, session as ours:
        # As many threads as several senders for each of the workers
        ours.execute("SET threads = 8")
        distribute_everything(ours)
        pair = Pair(plain, ours)
        pair.execute("CREATE TABLE t AS SELECT i::INTEGER AS i, i % 10 AS g, (i * 7919) % 1000 AS v, "
                     f"CASE WHEN i % 5 > 0 THEN 'text ' || i END AS s, i * 0.5 AS d FROM range({ROWS}) r(i)")
        yield pair


QUERIES = {
    "all": "SELECT count(*), sum(i), sum(v), count(s), min(s), max(s) FROM t",
    "groups": "SELECT g, count(*), sum(i), max(s) FROM t GROUP BY g",
    "statistics prune": "SELECT count(*), sum(v) FROM t WHERE i BETWEEN 300000 AND 300100",
    "filter of two columns": "SELECT count(*), sum(i) FROM t WHERE i % 1000 < v - 900",
    "filter of a text": "SELECT count(*), sum(i) FROM t WHERE s LIKE '%99%' OR v = 3",
    "filter of NULLs": "SELECT count(*), sum(i) FROM t WHERE s IS NULL AND v + g > 500",
    "no row passes": "SELECT count(*), sum(i) FROM t WHERE (v + 2) * (g + 3) = 13",
    "rowid": "SELECT sum(rowid), min(rowid), max(rowid), count(*) FROM t WHERE rowid % 3 = 1",
    "only a count": "SELECT count(*) FROM t",
    "narrow rows": "SELECT sum(k), count(*) FROM (SELECT (v + g)::SMALLINT AS k FROM t WHERE d > v)",
    "join": "SELECT count(*), sum(a.i), sum(b.v) FROM t a JOIN t b ON a.i = b.i + 1 WHERE b.v < 50",
    "join of groups": "SELECT a.g, count(*) FROM t a SEMI JOIN (FROM t WHERE i % 9999 = 0) b ON a.v = b.v GROUP BY a.g",
    "distinct": "SELECT count(*) FROM (SELECT DISTINCT v, g FROM t)",
    "top": "SELECT i, s FROM t WHERE v + g > 100 ORDER BY v DESC, i LIMIT 50",
    "rows in order": "SELECT i FROM t WHERE v + g = 77",
    "first rows": "SELECT i, s FROM t LIMIT 10 OFFSET 250000",
    "first of a filter": "SELECT i FROM t WHERE v - g = 500 LIMIT 7",
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", QUERIES)
def test_every_row_once(pair, name):
    sql = QUERIES[name]
    ordered = name in ("top", "rows in order", "first rows", "first of a filter")
    pair.check(sql, mode=("DISTRIBUTED", "PARTIAL"), ordered=ordered)


@pytest.mark.timeout(60)
def test_filters_take_rows_out_before_they_are_sent(pair):
    sql = "SELECT sum(i) FROM t WHERE i % 1000 < v - 990"
    pair.check(sql)
    passed = pair.plain.execute("SELECT count(*) FROM t WHERE i % 1000 < v - 990").fetchone()[0]
    assert sum(task["rows"] for task in scan_tasks(pair.ours, sql)) == passed
    plan = pair.ours.execute(f"EXPLAIN {sql}").fetchall()[0][1]
    assert STEP_TEXT in plan and "rows fed by the session" in plan, plan


@pytest.mark.timeout(60)
@pytest.mark.parametrize("sql", ("SELECT sum(i) FROM t WHERE error('value ' || g) IS NULL AND v > 998",
                                 "SELECT count(*) FROM t WHERE s::INTEGER + v > 1000 AND g = 3",
                                 "SELECT sum((i * 4000)::INTEGER) FROM t",
                                 "SELECT count(*) FROM t WHERE (i * 4000)::INTEGER > v"))
def test_errors_keep_their_type(pair, sql):
    expected, actual = pair.failure(sql)
    assert type(actual) is type(expected)
    pair.check(QUERIES["groups"])


@pytest.mark.timeout(60)
def test_random_values_are_made_by_workers_or_here_but_once(pair):
    # A filter over random() leaves about half of the rows, whoever runs it.
    count = pair.ours.execute("SELECT count(*) FROM t WHERE random() < 0.5").fetchone()[0]
    assert 0.45 * ROWS < count < 0.55 * ROWS


@pytest.mark.timeout(120)
def test_rows_of_the_own_transaction(pair):
    pair.execute("CREATE TABLE changed AS SELECT i, i % 7 AS g, 'committed' AS s FROM range(300000) r(i)", "BEGIN",
                 "DELETE FROM changed WHERE i % 3 = 0",
                 "UPDATE changed SET s = 'updated' WHERE i % 5 = 0",
                 "INSERT INTO changed SELECT i, i % 7, 'added' FROM range(1000000, 1260000) r(i)",
                 "DELETE FROM changed WHERE i BETWEEN 1100000 AND 1200000 AND g < 3")
    try:
        for sql in ("SELECT s, count(*), sum(i), sum(g) FROM changed GROUP BY s",
                    "SELECT count(*), sum(i), sum(rowid % 1000) FROM changed WHERE i % 11 > g",
                    "SELECT i FROM changed WHERE i % 1000 = g * 100"):
            pair.check(sql, ordered="i FROM" in sql, mode=("DISTRIBUTED", "PARTIAL"))
        # Another connection sees what is committed.
        other = pair.ours.cursor()
        distribute_everything(other)
        assert other.execute("SELECT s, count(*) FROM changed GROUP BY s").fetchall() == [("committed", 300000)]
        other.close()
    finally:
        pair.execute("ROLLBACK")
    pair.check("SELECT s, count(*), sum(i) FROM changed GROUP BY s")
    pair.execute("DROP TABLE changed")


@pytest.mark.timeout(120)
def test_tables_without_rows_or_with_few(pair):
    pair.execute("CREATE TABLE none (i INTEGER, s VARCHAR)", "CREATE TABLE few AS SELECT i, 's' || i AS s "
                 "FROM range(3000) r(i)", "CREATE TABLE gone AS FROM few", "DELETE FROM gone")
    for table in ("none", "few", "gone"):
        pair.check(f"SELECT count(*), sum(i), max(s) FROM {table}")
        pair.check(f"SELECT count(*) FROM {table} WHERE i % 2 = length(s) % 2")
        pair.check(f"SELECT a.g, count(*) FROM t a JOIN {table} b ON a.i = b.i GROUP BY a.g")
    # Rows from the middle of row groups on: as many tasks as there are, on less than one row group
    pair.execute("DELETE FROM few WHERE i BETWEEN 700 AND 2300")
    pair.check("SELECT i, s FROM few", ordered=True, mode=("DISTRIBUTED", "PARTIAL"))
    pair.execute("DROP TABLE none", "DROP TABLE few", "DROP TABLE gone")


@pytest.mark.timeout(120)
def test_values_larger_than_a_message(pair):
    pair.execute("CREATE TABLE wide AS SELECT i, repeat(chr((65 + i % 26)::INTEGER), CASE WHEN i % 40 = 0 "
                 "THEN 3500000 ELSE (i * 37 % 4000)::INTEGER END) AS s, [i, i + 1] AS l, {'a': i, 'b': 'x' || i} AS st "
                 "FROM range(1200) r(i)")
    pair.check("SELECT count(*), sum(length(s)), sum(hash(s) % 1000), sum(l[2]), max(st.b) FROM wide")
    pair.check("SELECT i, md5(s), l, st FROM wide WHERE length(s) % 3 = 1", ordered=True,
               mode=("DISTRIBUTED", "PARTIAL"))
    pair.check("SELECT st.a % 5 AS k, max(s)[:20] FROM wide WHERE l[1] % 2 = 0 GROUP BY k")
    pair.execute("DROP TABLE wide")


@pytest.mark.timeout(120)
def test_prepared_statements_are_fed_again(pair):
    sql = "SELECT g, count(*) FROM t WHERE v + g > ? AND i < ? GROUP BY g ORDER BY g"
    for values in ((10, 600000), (900, 100000), (2000, 5)):
        expected, actual = (con.execute(sql, values).fetchall() for con in (pair.plain, pair.ours))
        assert actual == expected
    pair.execute("PREPARE fed AS SELECT count(*), sum(i) FROM t WHERE v + g > $1")
    for value in (10, 900, 10):
        expected, actual = pair.results(f"EXECUTE fed({value})")
        assert_same(expected, actual, "EXECUTE fed", False)
    pair.execute("DEALLOCATE fed")


@pytest.mark.timeout(60)
def test_interrupt_while_rows_are_sent(pair):
    con = pair.ours.cursor()
    distribute_everything(con)
    error: list[Exception] = []

    def run() -> None:
        try:
            con.execute("SELECT count(*) FROM t a, range(3000) b WHERE sin(a.i + b.range) > 2").fetchall()
        except Exception as problem:  # noqa: BLE001 it is what the test is about
            error.append(problem)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: any(task["state"] == "RUNNING" for task in rows_as_dicts(pair.ours, "FROM duckherder_tasks()")),
               30, lambda: "no task has started")
    time.sleep(0.2)
    con.interrupt()
    thread.join(10)
    assert not thread.is_alive() and error and isinstance(error[0], duckdb.InterruptException), error
    con.close()
    pair.check(QUERIES["groups"])


@pytest.mark.timeout(120)
def test_a_worker_that_is_killed_while_it_is_fed(tmp_path):
    with plain_session() as plain, Cluster(tmp_path, workers=3) as cluster, cluster_session(cluster) as ours:
        ours.execute("SET threads = 4")
        distribute_everything(ours)
        for con in (plain, ours):
            con.execute(f"CREATE TABLE t AS SELECT i, i % 10 AS g, 'text ' || i AS s FROM range({4 * ROWS}) r(i)")
        sql = "SELECT g, count(*), sum(i), sum(length(s)), max(s) FROM t WHERE i % 7 > g % 3 GROUP BY g"
        expected = fetch(plain, sql)
        for victim in ("worker-0", "worker-1"):
            observer = ours.cursor()

            def is_fed(name: str = victim) -> bool:
                tasks = rows_as_dicts(observer, "FROM duckherder_tasks()")
                return any(task["state"] == "RUNNING" and task["worker_id"] == name for task in tasks)

            def kill(name: str = victim) -> None:
                wait_until(is_fed, 20, lambda: f"{name} runs no task")
                cluster.workers[name].kill()

            killer = threading.Thread(target=kill)
            killer.start()
            assert_same(expected, fetch(ours, sql), sql, False)
            killer.join()
            observer.close()
            ours.execute(f"SELECT duckherder_unregister_worker('{victim}')")
