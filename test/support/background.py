"""Queries and sessions that run beside a test."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import duckdb

from support.cluster import Cluster
from support.process import die_with_parent
from support.session import Connection, distribute_everything, plain_session
from support.waiting import PATIENCE, wait_until

SESSION = """
import sys
sys.path.insert(0, {tests!r})
from support.session import bare_session, distribute_everything
con = bare_session()
distribute_everything(con)
con.execute("SET duckherder_tasks_per_worker = 32")
con.execute("SELECT duckherder_register_or_replace_driver('{host}', {port})")
con.execute({sql!r})
"""


def numbers_file(path: Path, rows: int) -> Path:
    """A Parquet file with the numbers below `rows`, in many row groups."""
    plain_session().execute(f"COPY (FROM range({rows}) r(i)) TO '{path}' (ROW_GROUP_SIZE 2048)")
    return path


class BackgroundQuery:
    """A query on a thread of its own, cut into many tasks. `observer` may be used meanwhile."""

    def __init__(self, con: Connection, sql: str):
        self.con, self.sql = con, sql
        self.observer = con.cursor()
        self.answer: object = None
        self.error: duckdb.Error | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def fetch(self) -> object:
        return self.con.execute(self.sql).fetchall()

    def _run(self) -> None:
        try:
            distribute_everything(self.con)
            self.con.execute("SET duckherder_tasks_per_worker = 32")
            self.answer = self.fetch()
        except duckdb.Error as error:
            self.error = error

    def wait(self, seconds: float = 60) -> "BackgroundQuery":
        self._thread.join(seconds * PATIENCE)
        assert not self._thread.is_alive(), f"still running: {self.sql}"
        return self


def kill_running_session(cluster: Cluster, sql: str) -> None:
    """A process that runs the query on the workers of the cluster's driver is killed while one task runs."""
    assert cluster.driver
    script = SESSION.format(tests=str(Path(__file__).parent.parent), host=cluster.driver.host, port=cluster.driver.port,
                            sql=sql)
    session = subprocess.Popen([sys.executable, "-c", script], env=os.environ, preexec_fn=die_with_parent)
    try:
        wait_until(lambda: " 1 running tasks" in cluster.status(), 30, cluster.status)
    finally:
        session.kill()
        session.wait()
