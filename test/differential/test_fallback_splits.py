"""Storage that cannot describe itself: extraction of tasks throws, and the fallback cuts the scan. The rows, the block
that the trace prints, the recorded strategy, and the SQL of each task, which run on plain DuckDB gives its rows."""

import re
from collections import Counter

import pytest

from support import paths
from support.compare import fetch
from support.pair import Pair, last_query, scan_tasks
from support.session import cluster_session, distribute_everything, plain_session
from support.versions import IS_NEXT_DUCKDB

pytestmark = pytest.mark.timeout(120)

WORKERS = 3
ROWS = 300_000
FAILED = "extraction fails for a test"
FAIL_EXTRACTION = "DUCKHERDER_TEST_FAIL_EXTRACTION"
SELECTED = "i % 1000 = 7"


@pytest.fixture(scope="module")
def pair(three_workers):
    with plain_session() as plain, cluster_session(three_workers) as ours:
        distribute_everything(ours)
        pair = Pair(plain, ours)
        rows = f"SELECT i, i % 10 AS g, 'text ' || i AS s FROM range({ROWS}) r(i)"
        pair.execute(f"CREATE TABLE whole AS {rows}", f"CREATE TABLE holes AS {rows}",
                     "DELETE FROM holes WHERE i % 3 = 0 OR i BETWEEN 100000 AND 230000",
                     "CREATE TABLE small AS SELECT i, 'x' AS s FROM range(5) r(i)",
                     "CREATE TABLE empty AS FROM whole LIMIT 0",
                     f"CREATE TABLE own AS SELECT i AS rowid, i, s FROM ({rows})")
        yield pair


@pytest.fixture(scope="module")
def data(pair, tmp_path_factory):
    directory = tmp_path_factory.mktemp("fallback")
    con = pair.plain
    for number in range(7):
        # some large, most small, one without rows
        rows = 0 if number == 4 else 60_000 if number == 2 else 3000
        con.execute(f"COPY (SELECT i + {number} * 100000 AS i, i % 10 AS g, 'text ' || i AS s FROM range({rows}) r(i)) "
                    f"TO '{directory}/f{number}.parquet' (FORMAT parquet, ROW_GROUP_SIZE 4096)")
    con.execute(f"COPY whole TO '{directory}/hive' (FORMAT parquet, PARTITION_BY (g))")
    con.execute(f"COPY whole TO '{directory}/t.csv' (HEADER)")
    con.execute(f"COPY (FROM whole LIMIT 20000) TO '{directory}/t.json'")
    return directory


@pytest.fixture(autouse=True)
def fail_extraction(monkeypatch):
    monkeypatch.setenv(FAIL_EXTRACTION, "1")


def trace_of(con, sql: str, capfd) -> str:
    capfd.readouterr()
    con.execute("SET duckherder_trace = true")
    try:
        fetch(con, sql)
    finally:
        con.execute("SET duckherder_trace = false")
    return capfd.readouterr().err


def check_trace(text: str, sql: str, strategy: str, task_lines: list[str]) -> None:
    count = len(task_lines)
    name = {"MODULO": "modulo", "FILE": "file-based", "FEED": "feed"}[strategy]
    head = [re.escape(line) for line in (
        "[PIPELINE TASKS] Extracting pipeline tasks from physical plan...", f"  Base SQL: {sql};",
        f"  Available Workers: {WORKERS}")]
    body = [rf"  DuckDB parallelism \(1\) < workers, using {count} tasks",
            rf"  Extraction failed, falling back: .*{FAILED}.*", f"  Creating {count} pipeline tasks",
            f"  Using {name} partitioning", "  Total cardinality: 0",
            *[rf"  Task {number} \(Worker [0-{WORKERS - 1}]\): {re.escape(line)}"
              for number, line in enumerate(task_lines)],
            rf"\[PIPELINE TASKS\] Successfully created {count} tasks"]
    assert re.fullmatch("\n".join(head + body) + "\n", text), text


def check_task_sql(pair: Pair, sql: str) -> None:
    """Each task's statement, on plain DuckDB: together exactly the rows."""
    together: Counter = Counter()
    for task in scan_tasks(pair.ours, sql):
        together.update(fetch(pair.plain, task["task_sql"]).rows)
    assert together == Counter(fetch(pair.plain, sql).rows), [task["task_sql"] for task in scan_tasks(pair.ours, sql)]


def modulo_lines() -> list[str]:
    return [f"rowid % {WORKERS} = {number}" for number in range(WORKERS)]


def aggregate_over(source: str) -> str:
    return f"SELECT count(*), sum(i), min(s), max(s) FROM {source}"


def rows_of(source: str) -> str:
    return f"SELECT i, s FROM {source} WHERE {SELECTED} ORDER BY i, s"


def check_modulo(pair: Pair, source: str, capfd) -> None:
    sql = aggregate_over(source)
    assert pair.check(sql)["partition_strategy"] == "MODULO"
    check_trace(trace_of(pair.ours, sql, capfd), sql, "MODULO", modulo_lines())
    sql = rows_of(source)
    if IS_NEXT_DUCKDB and source == "small":
        # 2.0 sees by the statistics that there are none
        pair.check(sql, "LOCAL", ordered=True)
        return
    assert pair.check(sql, ordered=True)["partition_strategy"] == "MODULO"
    statements = [task["task_sql"] for task in scan_tasks(pair.ours, sql)]
    assert len(statements) == WORKERS
    for number, statement in enumerate(statements):
        assert (f"((rowid % CAST({WORKERS} AS UBIGINT)) = CAST({number} AS UBIGINT))" if IS_NEXT_DUCKDB else
                f"((rowid % {WORKERS}) = {number})") in statement
    check_task_sql(pair, sql)
    # where the order of rows matters there is one task
    sql = f"SELECT i, s FROM {source} WHERE {SELECTED}"
    assert pair.check(sql, ordered=True)["partition_strategy"] == "FEED"
    assert len(scan_tasks(pair.ours, sql)) == 1
    check_trace(trace_of(pair.ours, sql, capfd), sql, "FEED", ["rows of the feed"])


@pytest.mark.parametrize("table", ["whole", "holes", "small", "empty"])
def test_tables(pair, table, capfd):
    check_modulo(pair, table, capfd)


def test_rows_of_the_transaction(pair, capfd):
    """Added, deleted and changed ones, of which only this session knows."""
    pair.execute("BEGIN")
    try:
        pair.execute(f"INSERT INTO holes SELECT i + 1000000, 1, 'new ' || i FROM range({ROWS // 2}) r(i)",
                     "DELETE FROM holes WHERE i % 5 = 0", "UPDATE holes SET s = 'changed' WHERE i % 7 = 0")
        check_modulo(pair, "holes", capfd)
    finally:
        pair.execute("ROLLBACK")
    check_modulo(pair, "holes", capfd)


def test_a_column_called_rowid(pair):
    """Tasks go by the row's number all the same; there is no SQL that says so."""
    sql = "SELECT count(*), sum(rowid), sum(i) FROM own"
    assert pair.check(sql)["partition_strategy"] == "MODULO"
    assert {task["task_sql"] for task in scan_tasks(pair.ours, sql)} == {None}


def test_joins_and_shuffles_above(pair):
    for sql in ("SELECT a.g, count(*), sum(b.i) FROM whole a JOIN holes b USING (i) GROUP BY a.g ORDER BY a.g",
                "SELECT count(DISTINCT s), median(i) FROM holes",
                "SELECT i, g FROM whole ORDER BY s LIMIT 10"):
        assert pair.check(sql)["partition_strategy"] == "MODULO"
    # the order of equal rows matters to a window
    sql = "SELECT i, row_number() OVER (PARTITION BY g ORDER BY i) FROM whole WHERE i % 100 = 3 ORDER BY i"
    assert pair.check(sql)["partition_strategy"] == "FEED"


def file_lines(files: int) -> list[str]:
    tasks = min(files, WORKERS)
    return [f"files [{files * task // tasks}, {files * (task + 1) // tasks - 1}]" for task in range(tasks)]


@pytest.mark.parametrize("name", ["one", "several", "list", "twice", "four_times", "hive", "union_by_name"])
def test_parquet_files(pair, data, name, capfd):
    f = [f"'{data}/f{number}.parquet'" for number in range(7)]
    source, files = {
        "one": (f[2], 1),
        "several": (f"'{data}/f*.parquet'", 7),
        "list": (f"read_parquet([{f[6]}, {f[2]}, {f[4]}, {f[0]}])", 4),
        "twice": (f"read_parquet([{f[2]}, {f[2]}])", 2),
        "four_times": (f"read_parquet([{f[2]}, {f[2]}, {f[1]}, {f[2]}, {f[2]}])", 5),
        "hive": (f"read_parquet('{data}/hive/*/*.parquet')", 10),
        "union_by_name": (f"read_parquet('{data}/f*.parquet', union_by_name = true)", 7),
    }[name]
    sql = aggregate_over(source)
    assert pair.check(sql)["partition_strategy"] == "FILE"
    tasks = scan_tasks(pair.ours, sql)
    assert len(tasks) == min(files, WORKERS)
    # what the tasks read is what storage has: nothing twice, nothing left out
    assert sum(task["rows"] for task in tasks) == fetch(pair.plain, sql).rows[0][0]
    check_trace(trace_of(pair.ours, sql, capfd), sql, "FILE", file_lines(files))
    for sql in (rows_of(source), f"SELECT i, s FROM {source} WHERE {SELECTED}"):
        assert pair.check(sql, ordered=True)["partition_strategy"] == "FILE"
        check_task_sql(pair, sql)


def test_hive_columns(pair, data):
    source = f"read_parquet('{data}/hive/*/*.parquet', hive_partitioning = true)"
    for sql in (f"SELECT g, count(*), sum(i) FROM {source} GROUP BY g ORDER BY g",
                f"SELECT count(*), sum(i) FROM {source} WHERE g IN (3, 7)"):
        assert pair.check(sql)["partition_strategy"] == "FILE"
    sql = f"SELECT i, g, s FROM {source} WHERE g >= 7 AND {SELECTED} ORDER BY i"
    pair.check(sql, ordered=True)
    check_task_sql(pair, sql)


@pytest.mark.parametrize("source", ["read_csv('{data}/t.csv')", "'{data}/t.json'"])
def test_feeds_have_nothing_to_extract(pair, data, source, capfd):
    source = source.format(data=data)
    sql = aggregate_over(source)
    assert pair.check(sql)["partition_strategy"] == "FEED"
    trace = trace_of(pair.ours, sql, capfd)
    assert "Using feed partitioning" in trace and "rows of the feed" in trace and FAILED not in trace
    assert {task["task_sql"] for task in scan_tasks(pair.ours, sql)} == {None}
    pair.check(f"SELECT i, s FROM {source} WHERE {SELECTED}", ordered=True)


def test_lake(tmp_path, three_workers, capfd):
    with cluster_session(three_workers) as con:
        con.execute(f"LOAD {paths.quoted(paths.DUCKLAKE_EXTENSION)}")
        con.execute(f"ATTACH 'ducklake:{tmp_path}/l.ducklake' AS lake (DATA_PATH '{tmp_path}/lake')")
        con.execute("USE lake")
        con.execute("CREATE TABLE l (i BIGINT, s VARCHAR)")
        for part in range(5):
            con.execute(f"INSERT INTO l SELECT i, 'text ' || i FROM range({part} * 20000, {part + 1} * 20000) r(i)")
        con.execute("DELETE FROM l WHERE i % 3 = 0")
        questions = [aggregate_over("l"), rows_of("l")]
        con.execute("SET duckherder_mode = 'never'")
        expected = [fetch(con, sql).rows for sql in questions]
        distribute_everything(con)
        for sql, rows in zip(questions, expected):
            assert fetch(con, sql).rows == rows
            row = last_query(con, sql)
            assert (row["execution_mode"], row["partition_strategy"]) == ("DISTRIBUTED", "FILE")
        # files with deletions are scanned together with those
        blocks = re.split(r"(?<=created 3 tasks\n)", trace_of(con, questions[0], capfd))
        for block in filter(None, blocks):
            check_trace(block, questions[0], "FILE", file_lines(5))


def test_nothing_fails_without_the_variable(pair, monkeypatch, capfd):
    monkeypatch.delenv(FAIL_EXTRACTION)
    sql = aggregate_over("whole")
    assert pair.check(sql)["partition_strategy"] != "MODULO"
    assert FAILED not in trace_of(pair.ours, sql, capfd)
