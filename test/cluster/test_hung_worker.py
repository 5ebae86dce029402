"""A worker that is stopped but not dead: its connections stay open, and it answers nothing."""

import signal
import threading
import time

import duckdb
import pytest

from support.cluster import Cluster
from support.session import bare_session, distribute_everything, register_workers, scalar
from support.waiting import wait_until

#: A worker has a second to confirm a cancellation
INTERRUPT_SECONDS = 3.0
#: After that the session has given up a call to the worker, and would shake hands before it says anything else
FORGOTTEN_SECONDS = 4.5
SQL = {
    "fed_tasks": "SELECT sum(sqrt(a.i * b.range)) FROM t a, range(100000) b",
    "parquet_tasks": "SELECT sum(sqrt(a.i * b.range)) FROM files a, range(100000) b",
    "outputs": "SELECT a.i, a.s FROM files a, range(100) b",
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", SQL)
@pytest.mark.parametrize("silent_seconds", [0, FORGOTTEN_SECONDS])
def test_interrupt(tmp_path, name: str, silent_seconds: float):
    with Cluster(tmp_path, workers=3) as cluster, bare_session() as con:
        register_workers(con, cluster)
        distribute_everything(con)
        con.execute("CREATE TABLE t AS SELECT i, 'text ' || i AS s FROM range(300000) r(i)")
        con.execute(f"COPY t TO '{tmp_path}/t.parquet' (ROW_GROUP_SIZE 30000)")
        con.execute(f"CREATE VIEW files AS FROM '{tmp_path}/t.parquet'")
        worker = cluster.workers["worker-1"]
        outcome: list = []

        def run() -> None:
            try:
                outcome.append(con.execute(SQL[name]).fetchall())
            except Exception as error:  # noqa: BLE001 the error is the outcome
                outcome.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        observer = con.cursor()
        # not one of the COPY: DuckDB forgets an interrupt that comes before the query has begun
        running = "SELECT count(*) FROM duckherder_tasks() WHERE worker_id = 'worker-1' AND state = 'RUNNING'"
        wait_until(lambda: scalar(observer, running), 30, lambda: "no task has reached the worker")
        worker.signal(signal.SIGSTOP)
        try:
            time.sleep(silent_seconds)
            begin = time.monotonic()
            con.interrupt()
            thread.join(60)
            seconds = time.monotonic() - begin
        finally:
            worker.signal(signal.SIGCONT)
        # DuckDB quotes the error in one of another class if the query ends just when its client asks how it goes
        assert isinstance(outcome[0], duckdb.Error) and "INTERRUPT Error" in str(outcome[0]), outcome[0]
        assert seconds < INTERRUPT_SECONDS
        # the session and the worker go on
        assert scalar(con, "SELECT count(*) FROM files") == 300000
