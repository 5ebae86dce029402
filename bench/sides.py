"""The two sides of a benchmark, each in processes of its own, with their wall and CPU time."""

import contextlib
import multiprocessing
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from support.cluster import Cluster, use_new_token
from support.compare import Result, fetch
from support.session import bare_session, plain_session

START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 20
#: Of linux/posix-timers.h: the clock that counts what a process's threads have used, the ended ones included
CPUCLOCK_SCHED = 2


def cpu_seconds(pid: int) -> float:
    """User and system time of another process, in nanoseconds; /proc/PID/stat has only hundredths of a second."""
    return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)


@dataclass
class Run:
    seconds: float
    cpu_seconds: float
    rows: int


def _serve(pipe: Pipe, with_extension: bool) -> None:
    """In the process of the side: runs what it is sent until it is sent nothing."""
    con = bare_session() if with_extension else plain_session()
    con.execute("SET enable_progress_bar = false")
    while (request := pipe.recv()) is not None:
        sql, wants_result = request
        try:
            begin = time.perf_counter()
            result = fetch(con, sql)
            seconds = time.perf_counter() - begin
            pipe.send((seconds, len(result.rows), result if wants_result else None))
        except Exception as error:  # noqa: BLE001 it is the other process's to handle
            pipe.send(f"{type(error).__name__}: {error}")
    con.close()


class Side:
    """One session in a process, and the processes that work for it."""

    def __init__(self, name: str, with_extension: bool, helper_pids: list[int]):
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, with_extension), name=name, daemon=True)
        self._process.start()
        theirs.close()
        assert self._process.pid
        self.pids = [self._process.pid, *helper_pids]

    def __enter__(self) -> "Side":
        return self

    def __exit__(self, *_) -> None:
        try:
            self._pipe.send(None)
        except OSError:
            pass
        self._process.join(STOP_TIMEOUT_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _ask(self, sql: str, wants_result: bool) -> tuple:
        self._pipe.send((sql, wants_result))
        try:
            answer = self._pipe.recv()
        except EOFError:
            self._process.join(STOP_TIMEOUT_SECONDS)
            raise RuntimeError(f"{self.name} ended with {self._process.exitcode} in: {sql}") from None
        if isinstance(answer, str):
            raise RuntimeError(f"{self.name}: {answer}\nin: {sql}")
        return answer

    def execute(self, *statements: str) -> None:
        for sql in statements:
            self._ask(sql, False)

    def result(self, sql: str) -> Result:
        return self._ask(sql, True)[2]

    def _cpu(self) -> float:
        return sum(map(cpu_seconds, self.pids))

    def run(self, sql: str) -> Run:
        before = self._cpu()
        seconds, rows, _ = self._ask(sql, False)
        return Run(seconds, self._cpu() - before, rows)


def start_sides(stack: contextlib.ExitStack, workers: int, threads: int = 1,
                embedded: bool = False) -> tuple[Side, Side]:
    """Plain DuckDB, and a session with that many workers, each of so many threads; both have as many threads in all."""
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="duckherder-bench-")))
    use_new_token(directory)
    cluster = stack.enter_context(Cluster(directory, workers=0 if embedded else workers, threads=threads))
    plain = stack.enter_context(Side("plain DuckDB", False, []))
    ours = stack.enter_context(Side("duckherder", True, [node.pid for node in cluster.workers.values()]))
    plain.execute(f"SET threads = {workers * threads}")
    if embedded:
        ours.execute(f"SELECT duckherder_start_local_server(0, {workers})")
    else:
        # The session only finishes what the workers send
        ours.execute("SET threads = 1")
    for name, node in cluster.workers.items():
        ours.execute(f"SELECT duckherder_register_worker('{name}', '{node.location}')")
    return plain, ours
