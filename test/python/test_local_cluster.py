"""duckherder.LocalCluster: processes that come, go, and end with the one that started them, however that ends."""

import json
import os
import signal
import time

import pytest

from support.http_client import HttpClient
from support.waiting import PATIENCE, wait_until
from support.wheel import RUN_SECONDS, Environment

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("nothing_is_left")]

END_SECONDS = 10 * PATIENCE
TABLE = """
import duckherder
from pathlib import Path
WORKERS = "SELECT id FROM duckherder_workers() WHERE state = 'active' ORDER BY id"
def names(con): return [row[0] for row in con.execute(WORKERS).fetchall()]
def total(con):
    con.execute("SET duckherder_require_distributed = true")
    con.execute("CREATE OR REPLACE TABLE t AS FROM range(100000) r(i)")
    return con.execute("SELECT sum(i) FROM t").fetchone()[0]
"""


def test_it_scales(installed: Environment):
    installed.answer(TABLE + """
with duckherder.LocalCluster(workers=2, threads=1, memory_limit="500MB") as cluster:
    con = cluster.connect()
    assert names(con) == cluster.workers == ["worker-0", "worker-1"], names(con)
    assert total(con) == 4999950000
    cluster.scale(4)
    import time; time.sleep(1.1)
    assert names(con) == cluster.workers == ["worker-0", "worker-1", "worker-2", "worker-3"], names(con)
    assert total(con) == 4999950000
    cluster.scale(1)
    time.sleep(1.1)
    assert names(con) == cluster.workers == ["worker-0"], names(con)
    assert total(con) == 4999950000
    cluster.scale(0)
    assert cluster.workers == []
    cluster.scale(1)
    time.sleep(1.1)
    assert names(con) == ["worker-4"] and total(con) == 4999950000
    threads, memory = con.execute("SELECT threads, memory_limit FROM duckherder_workers()").fetchone()
    assert threads == 1 and 300e6 < memory <= 500e6, (threads, memory)
try:
    cluster.scale(1)
except RuntimeError as error:
    assert "closed" in str(error)
""")


def test_its_token_is_its_own(installed: Environment):
    installed.answer(TABLE + """
with duckherder.LocalCluster(workers=1, threads=1) as first, duckherder.LocalCluster(workers=1, threads=1) as second:
    assert first.token != second.token and len(first.token) == 64
    assert first.token_file.stat().st_mode & 0o777 == 0o600
    assert first.token_file.parent.stat().st_mode & 0o777 == 0o700
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try: assert first.token.encode() not in entry.read_bytes()
        except OSError: pass
    one, two = first.connect(), second.connect()
    assert total(one) == total(two) == 4999950000
    try:
        one.execute(f"SET duckherder_driver = '{second.driver}'")
        raise SystemExit("another cluster has taken the token")
    except Exception as error:
        assert "token" in str(error), error
    one.execute(f"SET duckherder_token_file = '{second.token_file}'")
    one.execute(f"SET duckherder_driver = '{second.driver}'")
    assert total(one) == 4999950000
assert not Path.home().joinpath(".duckherder").exists()
""")


def test_the_page_is_served(installed: Environment):
    process = installed.start([str(installed.python), "-c", """
import duckherder, json, sys, time
with duckherder.LocalCluster(workers=1, threads=1) as cluster:
    print(json.dumps([cluster.dashboard_url, cluster.token]), flush=True)
    time.sleep(60)
"""])
    try:
        url, token = json.loads(process.stdout.readline())
        answer = HttpClient(url, token).get("/api/v1/workers")
        assert answer.status == 200 and "worker-0" in answer.body
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=RUN_SECONDS)


SLEEPS = """
import duckherder, time
cluster = duckherder.LocalCluster(workers=3, threads=1)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_the_parent(installed: Environment, number: int):
    process = installed.start([str(installed.python), "-c", SLEEPS])
    assert process.stdout.readline() == "ready\n", process.communicate()
    assert len(installed.nodes()) == 4
    process.send_signal(number)
    process.communicate(timeout=RUN_SECONDS)
    wait_until(lambda: not installed.nodes() and not installed.left_over(), END_SECONDS,
               lambda: f"left: {installed.nodes()} {installed.left_over()}")


@pytest.mark.parametrize("delay", [0.2, 0.5, 0.8, 1.1, 1.5])
def test_nothing_outlives_a_parent_that_is_killed_while_it_starts_them(installed: Environment, delay: float):
    process = installed.start([str(installed.python), "-c", SLEEPS])
    time.sleep(delay)
    process.kill()
    process.communicate()
    wait_until(lambda: not installed.nodes(), END_SECONDS, lambda: f"left: {installed.nodes()}")
    for path in installed.home.glob("duckherder-*"):
        # the parent was killed before there was a child that could have removed it
        assert not list(path.glob("*.log")), list(path.iterdir())
        for file in sorted(path.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        path.rmdir()


def test_nothing_outlives_a_parent_whose_fork_lives_on(installed: Environment):
    process = installed.start([str(installed.python), "-c", SLEEPS.replace("time.sleep(600)", """
import os
child = os.fork()
if child == 0: time.sleep(20); os._exit(0)
print(child, flush=True)
time.sleep(600)""")])
    assert process.stdout.readline() == "ready\n", process.communicate()
    fork = int(process.stdout.readline())
    try:
        process.kill()
        wait_until(lambda: not installed.nodes() and not installed.left_over(), END_SECONDS,
                   lambda: f"left: {installed.nodes()} {installed.left_over()}")
    finally:
        os.kill(fork, signal.SIGKILL)
        process.communicate(timeout=RUN_SECONDS)


def test_without_close_it_ends_with_the_interpreter(installed: Environment):
    installed.answer(TABLE + """
cluster = duckherder.LocalCluster(workers=1, threads=1)
assert total(cluster.connect()) == 4999950000
""")


def test_a_worker_that_dies_is_replaced_by_scale(installed: Environment):
    installed.answer(TABLE + """
import os, signal, time
with duckherder.LocalCluster(workers=2, threads=1) as cluster:
    con = cluster.connect()
    assert total(con) == 4999950000
    cluster._nodes[1].process.kill()
    cluster._nodes[1].process.wait()
    assert total(con) == 4999950000
    assert cluster.workers == ["worker-1"]
    cluster.scale(2)
    assert cluster.workers == ["worker-1", "worker-2"]
""")


def test_a_worker_that_the_driver_lets_drain_ends_its_process(installed: Environment):
    installed.answer(TABLE + """
import time
with duckherder.LocalCluster(workers=2, threads=1) as cluster:
    con = duckherder.connect(token_file=cluster.token_file)
    con.execute(f"ATTACH '{cluster.driver}' AS dh (TYPE duckherder, TOKEN '{cluster.token}')")
    con.execute("CALL duckherder_execute('dh', 'SELECT duckherder_drain_worker(''worker-0'')')")
    deadline = time.monotonic() + 20
    while cluster.workers != ["worker-1"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert cluster.workers == ["worker-1"]
""")
