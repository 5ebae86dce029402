"""Clients that run streams of TPC-H queries at the same time, in processes of their own."""

import random
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from sides import Child
from support.compare import fetch
from support.session import Connection, bare_session, plain_session
from support.suites import SUITES

SUITE = SUITES["tpch"]
LOCAL_RUNS = "SELECT count(*) FROM duckherder_get_query_execution_stats() WHERE execution_mode = 'LOCAL'"
#: Names of queries, one after another
Stream = list[str]


@dataclass
class Setup:
    """What a process of clients needs."""

    data: Path
    queries: dict[str, str]
    #: How many rows each query has in plain DuckDB
    rows: dict[str, int]
    #: On a connection of the process, before its clients start
    statements: list[str]
    with_extension: bool


@dataclass
class Outcome:
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    #: Of sessions with workers: queries that ran without them
    local: int = 0

    def add(self, other: "Outcome") -> None:
        self.seconds += other.seconds
        self.errors += other.errors
        self.local += other.local


def _run_stream(con: Connection, setup: Setup, stream: Stream, outcome: Outcome) -> None:
    for name in stream:
        begin = time.perf_counter()
        try:
            rows = len(fetch(con, setup.queries[name]).rows)
            outcome.seconds.append(time.perf_counter() - begin)
            if rows != setup.rows[name]:
                outcome.errors.append(f"{name}: {rows} rows instead of {setup.rows[name]}")
        except Exception as error:  # noqa: BLE001 it is counted
            outcome.errors.append(f"{name}: {type(error).__name__}: {error}")


def _serve(pipe: Pipe, setup: Setup, streams: list[Stream]) -> None:
    """In the process: a client on a thread of its own for each stream, which all start when it is told to."""
    con = bare_session() if setup.with_extension else plain_session()
    con.execute("SET enable_progress_bar = false")
    SUITE.create_sources(con, setup.data, "VIEW")
    for sql in setup.statements:
        con.execute(sql)
    # Connections, libraries and caches are ready before the time runs
    fetch(con, setup.queries["Q6"])
    if setup.with_extension:
        con.execute("SELECT duckherder_clear_query_recorder_stats()")
    outcomes = [Outcome() for _ in streams]
    threads = [threading.Thread(target=_run_stream, args=(con.cursor(), setup, stream, outcome), daemon=True)
               for stream, outcome in zip(streams, outcomes)]
    pipe.send("ready")
    pipe.recv()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = Outcome()
    for outcome in outcomes:
        total.add(outcome)
    if setup.with_extension:
        total.local = fetch(con, LOCAL_RUNS).rows[0][0]
    pipe.send(total)
    # Its CPU time is read before it ends
    pipe.recv()
    con.close()


class Clients(Child):
    """A process with a client for each stream. It says when it is ready, runs all streams once it is sent something,
    and answers with their outcome."""

    def __init__(self, setup: Setup, streams: list[Stream]):
        super().__init__("clients", _serve, setup, streams)


def make_streams(names: list[str], clients: int, count: int, seed: int) -> list[Stream]:
    """For each client: the same on both sides, and in every run with this seed."""
    result: list[Stream] = []
    for client in range(clients):
        order = random.Random(f"{seed} {client}")
        result.append([name for _ in range(count) for name in order.sample(names, len(names))])
    return result
