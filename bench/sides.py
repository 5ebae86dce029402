"""The two sides of a benchmark, each in processes of its own, with their wall and CPU time."""

import contextlib
import multiprocessing
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, Self

from support.cluster import Cluster, use_new_token
from support.compare import Result, fetch
from support.process import die_with_parent
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
    #: Of all processes of the side
    cpu_seconds: float
    #: Of those among them that work for the session
    helper_cpu_seconds: float
    rows: int


class Child:
    """A process that runs a function of ours, which is given a pipe to this process. It ends when it is sent nothing;
    if an exception is under way, it is ended."""

    def __init__(self, name: str, serve: Callable[..., None], *arguments: object):
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_begin, args=(theirs, serve, arguments), name=name, daemon=True)
        self._process.start()
        theirs.close()
        assert self._process.pid
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_) -> None:
        if not error:
            with contextlib.suppress(OSError):
                self.send(None)
            self._process.join(STOP_TIMEOUT_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def send(self, message: object) -> None:
        self._pipe.send(message)

    def receive(self, during: str) -> Any:
        try:
            return self._pipe.recv()
        except EOFError:
            self._process.join(STOP_TIMEOUT_SECONDS)
            raise RuntimeError(f"{self.name} ended with {self._process.exitcode} in: {during}") from None


def _begin(pipe: Pipe, serve: Callable[..., None], arguments: tuple) -> None:
    """In the process."""
    die_with_parent()
    # Ctrl-C reaches all processes of a terminal; the one that measures then ends this one
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(pipe, *arguments)


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


class Side(Child):
    """One session in a process, and the processes that work for it."""

    def __init__(self, name: str, with_extension: bool, helper_pids: list[int]):
        super().__init__(name, _serve, with_extension)
        self.helper_pids = helper_pids

    @property
    def pids(self) -> list[int]:
        """Of all its processes."""
        return [self.pid, *self.helper_pids]

    def _ask(self, sql: str, wants_result: bool) -> tuple:
        self.send((sql, wants_result))
        answer = self.receive(sql)
        if isinstance(answer, str):
            raise RuntimeError(f"{self.name}: {answer}\nin: {sql}")
        return answer

    def execute(self, *statements: str) -> None:
        for sql in statements:
            self._ask(sql, False)

    def result(self, sql: str) -> Result:
        return self._ask(sql, True)[2]

    def _cpu(self) -> tuple[float, float]:
        """Of the session and of its helpers."""
        return cpu_seconds(self.pid), sum(map(cpu_seconds, self.helper_pids))

    def run(self, sql: str) -> Run:
        before = self._cpu()
        seconds, rows, _ = self._ask(sql, False)
        session, helpers = (after - earlier for after, earlier in zip(self._cpu(), before))
        return Run(seconds, session + helpers, helpers, rows)


def start_plain(stack: contextlib.ExitStack, threads: int) -> Side:
    plain = stack.enter_context(Side("plain DuckDB", False, []))
    plain.execute(f"SET threads = {threads}")
    return plain


def start_session(stack: contextlib.ExitStack, workers: int, threads: int = 1, embedded: bool = False,
                  worker_options: list[str] | None = None) -> Side:
    """A session with that many workers, each of so many threads, which it uses whether that pays or not."""
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="duckherder-bench-")))
    use_new_token(directory)
    cluster = stack.enter_context(Cluster(directory, workers=0 if embedded else workers, threads=threads,
                                          worker_options=worker_options))
    ours = stack.enter_context(Side("duckherder", True, [node.pid for node in cluster.workers.values()]))
    if embedded:
        ours.execute(f"SELECT duckherder_start_local_server(0, {workers})")
    else:
        # The session only finishes what the workers send
        ours.execute("SET threads = 1")
    for name, node in cluster.workers.items():
        ours.execute(f"SELECT duckherder_register_worker('{name}', '{node.location}')")
    return ours


def start_borrower(stack: contextlib.ExitStack, workers: int, threads: int) -> Side:
    """A session with the workers of a driver, which it uses where that is estimated to pay."""
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="duckherder-bench-")))
    use_new_token(directory)
    cluster = stack.enter_context(Cluster(directory, workers, threads, with_driver=True))
    assert cluster.driver
    ours = stack.enter_context(Side("duckherder", True, [node.pid for node in cluster.workers.values()]))
    ours.execute(f"SELECT duckherder_register_or_replace_driver('{cluster.driver.host}', {cluster.driver.port})")
    return ours


def start_sides(stack: contextlib.ExitStack, workers: int, threads: int = 1,
                embedded: bool = False) -> tuple[Side, Side]:
    """Plain DuckDB, and a session with that many workers, each of so many threads; both have as many threads in all."""
    return start_plain(stack, workers * threads), start_session(stack, workers, threads, embedded)
