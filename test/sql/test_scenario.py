"""The scenario of the README, typed into the shells and into Python, with the block that it prints."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import paths
from support.pair import rows_as_dicts
from support.session import local_session, plain_session, scalar

SCENARIO = """
CREATE TABLE test_tasks (id INTEGER, value INTEGER);
INSERT INTO test_tasks SELECT i, i * 10 FROM range(10000) t(i);
SELECT duckherder_start_local_server(0, 4);
SET duckherder_trace = true;
SELECT COUNT(*) FROM test_tasks;
SELECT 'workers used: ' || count(DISTINCT worker_id) FROM duckherder_tasks();
"""
BLOCK = r"""\[PIPELINE TASKS\] Extracting pipeline tasks from physical plan\.\.\.
  Base SQL: SELECT COUNT\(\*\) FROM test_tasks;
  Available Workers: 4
  DuckDB parallelism \(1\) < workers, using 4 tasks
  Creating 4 pipeline tasks
  Using intelligent range-based partitioning
  Total cardinality: 10000
  Task 0 \(Worker ([0-3])\): rows \[0, 2499\], row_groups \[0, 0\]
  Task 1 \(Worker ([0-3])\): rows \[2500, 4999\], row_groups \[0, 0\]
  Task 2 \(Worker ([0-3])\): rows \[5000, 7499\], row_groups \[0, 0\]
  Task 3 \(Worker ([0-3])\): rows \[7500, 9999\], row_groups \[0, 0\]
\[PIPELINE TASKS\] Successfully created 4 tasks
"""
LOAD = f"LOAD {paths.quoted(paths.EXTENSION)};"
PYTHON_HOST = """
import sys, duckdb
con = duckdb.connect(config={"allow_unsigned_extensions": "true"})
for statement in sys.stdin.read().split(";"):
    if statement.strip():
        print(con.execute(statement.strip() + ";").fetchall())
"""
HOSTS = {
    "duckherder_shell": ([str(paths.SHELL), "-csv"], SCENARIO),
    "stock_shell": ([str(paths.STOCK_SHELL), "-unsigned", "-csv"], LOAD + SCENARIO),
    "stock_python": ([sys.executable, "-c", PYTHON_HOST], LOAD + SCENARIO),
}


@pytest.mark.timeout(90)
@pytest.mark.parametrize("host", HOSTS)
def test_typed_scenario(host: str, tmp_path: Path):
    command, script = HOSTS[host]
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\b10000\b", done.stdout), done.stdout + done.stderr
    used = re.search(r"workers used: (\d)", done.stdout)
    assert used and int(used[1]) > 1, done.stdout
    block = re.search(BLOCK, done.stderr)
    assert block, done.stderr
    assert len(set(block.groups())) > 1, f"one worker has all tasks:\n{block[0]}"


@pytest.fixture(scope="module")
def session():
    with local_session(3) as con:
        con.execute("CREATE TABLE t AS SELECT i, i % 10 AS g FROM range(1000000) r(i)")
        con.execute("DELETE FROM t WHERE i % 7 = 0")
        yield con


@pytest.mark.timeout(60)
def test_task_sql_gives_the_rows_of_the_task(session):
    """What the log shows for people is SQL that reads just the rows of its task."""
    total = scalar(session, "SELECT count(*) FROM t WHERE g < 5")
    query_id = scalar(session, "SELECT query_id FROM duckherder_get_query_execution_stats() "
                               "ORDER BY execution_start_time DESC LIMIT 1")
    tasks = rows_as_dicts(session, f"FROM duckherder_tasks() WHERE query_id = '{query_id}' AND stage_id = 0")
    assert len(tasks) > 3
    with plain_session() as plain:
        plain.execute("CREATE TABLE t AS SELECT i, i % 10 AS g FROM range(1000000) r(i)")
        plain.execute("DELETE FROM t WHERE i % 7 = 0")
        counts = [scalar(plain, task["task_sql"]) for task in tasks]
    assert sum(counts) == total
    assert all(counts)


@pytest.mark.timeout(60)
def test_trace_is_silent_unless_asked_for(session, capfd):
    session.execute("SELECT sum(i) FROM t").fetchall()
    assert "[PIPELINE TASKS]" not in capfd.readouterr().err
    session.execute("SET duckherder_trace = true")
    session.execute("SELECT sum(i) FROM t").fetchall()
    session.execute("RESET duckherder_trace")
    assert "[PIPELINE TASKS] Successfully created" in capfd.readouterr().err


@pytest.mark.timeout(60)
def test_progress_bar_moves(tmp_path: Path):
    """The stock shell asks for the progress of a long query; `script` gives it the terminal that it wants for that."""
    sql = (".mode csv\nSET enable_progress_bar = true; SET progress_bar_time = 50;"
           "CREATE TABLE t AS SELECT i FROM range(3000000) r(i); SELECT duckherder_start_local_server(0, 2);"
           "SET duckherder_tasks_per_worker = 12; SET duckherder_require_distributed = true;"
           "SELECT sum(sqrt(ln(i + 2) * sin(i) * sin(i))) > 0 FROM t, (SELECT 1 FROM range(100)) x;")
    (tmp_path / "query.sql").write_text(sql)
    command = f"{paths.SHELL} -dark-mode -init /dev/null < query.sql"
    done = subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, text=True, timeout=50,
                          cwd=tmp_path, stdin=subprocess.DEVNULL)
    seen = {int(percent) for percent in re.findall(r"(\d+)%", done.stdout)}
    assert len({percent for percent in seen if 0 < percent < 100}) > 5, done.stdout[-2000:]
