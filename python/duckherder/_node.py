"""A process that serves as a driver or a worker until it is told to end."""

import json
import os
import select
import shutil
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LOOK_SECONDS = 1.0
#: A driver serves the database of this process, whose settings these are; a worker has a database of its own.
_SETTINGS_OF_DATABASE = ("threads", "memory_limit", "temp_directory")


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


def _serve(con: "DuckDBPyConnection", kind: str, parameters: dict[str, list[str]]) -> tuple[str, str | None]:
    from duckherder._extension import quoted

    lists = {name for name, in con.execute(
        "SELECT name FROM (SELECT unnest(parameters) AS name, unnest(parameter_types) AS type FROM duckdb_functions() "
        "WHERE function_name = ?) WHERE type LIKE '%[]'", [f"duckherder_serve_{kind}"]).fetchall()}
    texts = {}
    for name, values in parameters.items():
        if len(values) > 1 and name not in lists:
            raise ValueError(f"--{name.replace('_', '-')} is given twice")
        written = [quoted(value) for value in values]
        texts[name] = f"[{', '.join(written)}]" if name in lists else written[0]
    named = ", ".join(f"{name} := {text}" for name, text in texts.items())
    row = con.execute(f"CALL duckherder_serve_{kind}({named})").fetchone()
    if row is None:
        raise RuntimeError(f"duckherder_serve_{kind} has returned no row")
    return str(row[0]), str(row[1]) if row[1] is not None else None


def _still_listens(location: str) -> bool:
    """A driver may have told its worker to drain, which then ends without this process."""
    host, _, port = location.partition("://")[2].rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _LOOK_SECONDS).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        pass
    return True


def run_node(kind: str, database: str, parameters: dict[str, list[str]], ready_fd: int | None) -> int:
    """Serves until SIGTERM or SIGINT, or until a driver has let the worker drain. `parameters` are those of the
    function duckherder_serve_KIND, each with what was given for it."""
    from duckherder._extension import connect

    # Within another process a node writes no log unless it is asked to; this process is the node's own.
    parameters.setdefault("log_format", ["text"])
    config = {}
    if kind == "driver":
        config = {name: parameters.pop(name)[-1] for name in _SETTINGS_OF_DATABASE if name in parameters}
    con = connect(database, config=config)
    if kind == "driver" and "init" in parameters:
        con.execute(Path(parameters.pop("init")[-1]).read_text(encoding="utf-8"))
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
    while not stop.wait(_LOOK_SECONDS) and _still_listens(location):
        pass
    con.execute("CALL duckherder_stop_serving()")
    con.close()
    sys.stdout.flush()
    return 0
