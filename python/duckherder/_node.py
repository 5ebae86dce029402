"""A process that serves as a driver or a worker until it is told to end."""

import json
import os
import select
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LOOK_SECONDS = 1.0


def end_with_parent(parent: int, removes: list[Path]) -> None:
    """From now on this process ends when the process `parent`, which has its standard input, does, and then removes
    those directories. Nothing is waited for: whoever needed it is gone."""
    def watch() -> None:
        # The parent's end closes the pipe at once, unless a fork of it holds the pipe open: so it is asked for, too.
        while os.getppid() == parent:
            if select.select([0], [], [], _LOOK_SECONDS)[0] and not os.read(0, 1):
                break
        for directory in removes:
            shutil.rmtree(directory, ignore_errors=True)
        os._exit(0)

    threading.Thread(target=watch, name="duckherder-parent", daemon=True).start()


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _serve(con: "DuckDBPyConnection", kind: str, parameters: dict[str, str]) -> tuple[str, str | None]:
    named = ", ".join(f"{name} := {_literal(value)}" for name, value in parameters.items())
    row = con.execute(f"CALL duckherder_serve_{kind}({named})").fetchone()
    if row is None:
        raise RuntimeError(f"duckherder_serve_{kind} has returned no row")
    return str(row[0]), str(row[1]) if row[1] is not None else None


def run_node(kind: str, database: str, parameters: dict[str, str], ready_fd: int | None) -> int:
    """Serves until SIGTERM or SIGINT. `parameters` are those of the function duckherder_serve_KIND."""
    from duckherder._extension import connect

    con = connect(database)
    location, pages = _serve(con, kind, parameters)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if ready_fd is not None:
        with open(ready_fd, "w", encoding="utf-8") as told:
            json.dump({"location": location, "pages": pages}, told)
    print(f"listening on {location}", flush=True)
    if pages:
        print(f"pages at {pages}", flush=True)
    stop.wait()
    con.execute("CALL duckherder_stop_serving()")
    con.close()
    sys.stdout.flush()
    return 0
