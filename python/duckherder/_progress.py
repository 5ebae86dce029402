"""How far the running query of a connection is, as one line that is written again and again."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_INTERVAL_SECONDS = 0.2
_BAR_WIDTH = 30
_RUNNING = """
    SELECT sum(tasks)::BIGINT, sum(tasks_done)::BIGINT, sum(tasks_running)::BIGINT, sum(rows_scanned)::BIGINT
    FROM duckherder_queries() WHERE state = 'RUNNING' AND session IS NULL
"""


def _line(tasks: int, done: int, running: int, rows: int) -> str:
    filled = _BAR_WIDTH * done // max(tasks, 1)
    bar = "█" * filled + "░" * (_BAR_WIDTH - filled)
    return f"{bar} {done} of {tasks} tasks, {running} running, {rows:,} rows scanned"


class _Watch(threading.Thread):
    def __init__(self, con: "DuckDBPyConnection", file: TextIO):
        super().__init__(name="duckherder-progress", daemon=True)
        self._con = con
        self._file = file
        self._width = 0
        self.ended = threading.Event()

    def run(self) -> None:
        # What is shown is a help: no error of it may end the query that is watched.
        try:
            while not self.ended.wait(_INTERVAL_SECONDS):
                row = self._con.execute(_RUNNING).fetchone()
                if row and row[0]:
                    self._write(_line(*(int(value or 0) for value in row)))
        except Exception:
            pass
        if self._width:
            self._write("")
            self._file.write("\r")
            self._file.flush()

    def _write(self, line: str) -> None:
        self._file.write("\r" + line.ljust(self._width))
        self._file.flush()
        self._width = len(line)


@contextmanager
def progress(con: "DuckDBPyConnection", file: TextIO | None = None) -> Iterator[None]:
    """Shows how many tasks of the distributed queries of this database are done, as long as the block runs.

        with duckherder.progress(con):
            con.sql("SELECT …").show()

    con: a connection with the extension; a cursor of it looks every 0.2 s, from a thread of its own.
    file: where the line goes, and is written again with a carriage return; standard error by default, as notebooks
    show it too. Nothing is written for queries that are faster, or that no worker takes part in.
    """
    watch = _Watch(con.cursor(), file if file is not None else sys.stderr)
    watch.start()
    try:
        yield
    finally:
        watch.ended.set()
        watch.join()
        watch._con.close()
