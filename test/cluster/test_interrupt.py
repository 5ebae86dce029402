"""A cancelled query ends at the user and on every worker within a second."""

import os
import re
import signal
import subprocess
import threading
import time

import duckdb
import pytest

from support import paths
from support.pair import rows_as_dicts, unfinished_tasks
from support.session import cluster_session, local_session, scalar
from support.waiting import PATIENCE, wait_until

LIMIT_SECONDS = 1.0
START_SECONDS = 30.0
#: Runs for minutes, in each kind of operator
ENDLESS = {
    "scan": "SELECT sum(sqrt(a.i * b.range)) FROM t a, range(1000000) b",
    "grouped": "SELECT g, sum(ln(a.i + b.range + 1)) FROM t a, range(1000000) b GROUP BY g",
    "rows": "SELECT a.i + b.range AS n FROM t a, range(1000000) b WHERE sin(n) > 2",
    "shuffle": "SELECT count(*) FROM (SELECT DISTINCT a.i + b.range * 2000000 FROM t a, range(1000000) b)",
    "join": "SELECT count(*) FROM t a JOIN t b ON a.g = b.g JOIN t c ON b.g = c.g",
}


@pytest.fixture(scope="module")
def local():
    with local_session(2) as con:
        con.execute("CREATE TABLE t AS SELECT i, i % 10 AS g FROM range(200000) r(i)")
        yield con


@pytest.fixture(scope="module")
def processes(three_workers):
    with cluster_session(three_workers) as con:
        con.execute("CREATE TABLE t AS SELECT i, i % 10 AS g FROM range(200000) r(i)")
        yield con


@pytest.fixture(params=("local", "processes"))
def session(request):
    return request.getfixturevalue(request.param)


def busy_workers(con) -> list[dict]:
    return [row for row in rows_as_dicts(con, "FROM duckherder_workers()") if row["running_tasks"] > 0]


def assert_workers_become_idle(con) -> None:
    wait_until(lambda: not busy_workers(con), LIMIT_SECONDS, lambda: f"still busy: {busy_workers(con)}")
    assert not unfinished_tasks(con)


def run_until_it_runs(con, sql: str) -> tuple[threading.Thread, list]:
    """Starts the query in a thread, and returns when its tasks run. The list gets its error and when it came."""
    outcome: list = []

    def run() -> None:
        try:
            outcome.append(con.execute(sql).fetchall())
        except Exception as error:  # noqa: BLE001 the error is the outcome
            outcome.append(error)
        outcome.append(time.monotonic())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    observer = con.cursor()

    def is_running() -> bool:
        states = {task["state"] for task in rows_as_dicts(observer, "FROM duckherder_tasks()")}
        return "RUNNING" in states or bool(outcome)

    wait_until(is_running, START_SECONDS, lambda: "no task has started")
    assert not outcome, f"the query is already over: {outcome}"
    observer.close()
    return thread, outcome


@pytest.mark.timeout(90)
@pytest.mark.parametrize("name", ENDLESS)
def test_interrupt(session, name: str):
    con = session.cursor()
    thread, outcome = run_until_it_runs(con, ENDLESS[name])
    interrupted_at = time.monotonic()
    con.interrupt()
    thread.join(START_SECONDS)
    assert not thread.is_alive(), f"the query goes on {START_SECONDS} s after the interrupt"
    assert isinstance(outcome[0], duckdb.InterruptException), outcome[0]
    assert outcome[1] - interrupted_at < LIMIT_SECONDS * PATIENCE
    assert_workers_become_idle(session)
    assert scalar(con, "SELECT count(*) FROM t WHERE g = 3") == 20000
    con.close()


@pytest.mark.timeout(60)
def test_closing_the_connection_cancels(session):
    con = session.cursor()
    thread, outcome = run_until_it_runs(con, ENDLESS["grouped"])
    con.interrupt()
    thread.join(START_SECONDS)
    con.close()
    assert_workers_become_idle(session)


@pytest.mark.timeout(60)
def test_result_that_is_not_read_to_its_end(session):
    """Closing the result cancels what still runs for it."""
    con = session.cursor()
    con.execute("SELECT a.i, b.range FROM t a, range(1000) b")
    assert len(con.fetchmany(10)) == 10
    con.close()
    assert_workers_become_idle(session)


@pytest.mark.timeout(60)
def test_other_queries_go_on(session):
    """One query is interrupted, another one of the same database is not."""
    other = session.cursor()
    thread, _ = run_until_it_runs(con := session.cursor(), ENDLESS["scan"])
    results: list = []
    neighbour = threading.Thread(target=lambda: results.extend(
        scalar(other, "SELECT sum(i) FROM t WHERE g <> 11") for _ in range(5)), daemon=True)
    neighbour.start()
    con.interrupt()
    thread.join(START_SECONDS)
    neighbour.join(START_SECONDS)
    assert results == [19999900000] * 5
    con.close()
    other.close()


@pytest.mark.timeout(90)
def test_interrupt_of_the_shell(three_workers, tmp_path):
    """Ctrl-C in the shell: the prompt comes back within a second, and the next statement works."""
    registrations = "".join(f"SELECT duckherder_register_worker('{name}', '{node.location}');\n"
                            for name, node in three_workers.workers.items())
    script = registrations + "CREATE TABLE t AS SELECT i, i % 10 AS g FROM range(200000) r(i);\n"
    # exec: a /bin/sh between the two would get the SIGINT as well, and (dash) end with it
    command = f"exec {paths.SHELL} -interactive -dark-mode -init /dev/null"
    shell = subprocess.Popen(["script", "-qec", command, "/dev/null"],
                             env={**os.environ, "TERM": "dumb"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, cwd=tmp_path, text=True, bufsize=1)
    assert shell.stdin and shell.stdout
    seen: list[str] = []
    reader = threading.Thread(target=lambda: seen.extend(iter(lambda: shell.stdout.read(1), "")), daemon=True)
    reader.start()

    def output() -> str:
        return "".join(seen)

    try:
        shell.stdin.write(script + "SELECT 'ready ' || 'to run';\n")
        wait_until(lambda: "ready to run" in output(), START_SECONDS, output)
        shell.stdin.write(ENDLESS["scan"] + ";\n")
        with cluster_session(three_workers) as observer:
            wait_until(lambda: busy_workers(observer), START_SECONDS, output)
            # The terminal turns this character into SIGINT
            shell.stdin.write("\x03")
            shell.stdin.flush()
            begin = time.monotonic()
            # The stock shell says nothing of it, and shows its prompt
            wait_until(lambda: re.search(r"\^C.* D $", output(), re.DOTALL), START_SECONDS, output)
            assert time.monotonic() - begin < LIMIT_SECONDS * PATIENCE
            wait_until(lambda: not busy_workers(observer), LIMIT_SECONDS, lambda: "workers are still busy")
        shell.stdin.write("SELECT 'count is ' || count(*) FROM t WHERE g = 3;\n")
        wait_until(lambda: "count is 20000" in output(), START_SECONDS, output)
        shell.stdin.write(".quit\n")
        # the stock shell answers 1 after a statement that failed
        assert shell.wait(START_SECONDS) in (0, 1)
    finally:
        if shell.poll() is None:
            shell.send_signal(signal.SIGKILL)
            shell.wait()
