"""A process with a plain session and one with workers: runs what it is asked to on both and compares.

It is a process of its own because a bug may end or hang it. Started by runner.py, which talks to it over a socket.
"""

import contextlib
import datetime
import sys
import threading
import time
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent)]

import duckdb  # noqa: E402

from schema import Schema  # noqa: E402
from support.compare import Result, describe, difference  # noqa: E402
from support.session import Connection, bare_session, distribute_everything, plain_session, scalar  # noqa: E402
from support.session import start_local_server  # noqa: E402

#: Queries that take plain DuckDB longer, or return more rows, tell little for the time they cost
PLAIN_SECONDS = 4.0
MAX_ROWS = 50_000
#: Standard deviations add up in another order
TOLERANCE = 1e-7

#: Queries set them; none is left from the query before
DRAWN_SETTINGS = ("duckherder_tasks_per_worker", "duckherder_broadcast_limit", "duckherder_dynamic_filters")

SAME, BOTH_FAILED = "same", "both failed"
#: Not comparable
SKIPPED = SLOW, LARGE, UNDETERMINED, PLAIN_CRASH = (
    "slow in plain DuckDB", "many rows", "plain DuckDB disagrees with itself", "plain DuckDB crashes")
#: How often plain DuckDB is asked again, when it may be its own crash or its own random answer
PLAIN_RUNS = 200
WHOSE_CRASH_SECONDS, WHOSE_ANSWER_SECONDS = 20.0, 2.0
#: What is reported
PROBLEMS = DIFFERENT, WE_FAILED, PLAIN_FAILED, OTHER_ERROR, HANG, CRASH, STUCK, LEFTOVERS = (
    "different result", "only Duckherder fails", "only plain DuckDB fails", "another class of error", "hang", "crash",
    "stuck", "tasks are left over")


class _Utc(datetime.tzinfo):
    def utcoffset(self, _): return datetime.timedelta(0)
    def dst(self, _): return datetime.timedelta(0)
    def tzname(self, _): return "UTC"
    def fromutc(self, value): return value
    def localize(self, value): return value.replace(tzinfo=datetime.timezone.utc)
    def __repr__(self): return "UTC"


def provide_time_zones() -> None:
    """DuckDB gives TIMESTAMP WITH TIME ZONE to Python only if pytz is there; UTC is enough to compare with."""
    utc = _Utc()
    module = types.ModuleType("pytz")
    setattr(module, "timezone", lambda _: utc)
    setattr(module, "UTC", utc)
    sys.modules["pytz"] = module


@dataclass
class Setup:
    schema: Schema
    directory: Path
    #: Embedded ones, if no locations of worker processes are given
    workers: int = 3
    locations: tuple[str, ...] = ()


@dataclass
class Question:
    sql: str
    ordered: bool = False
    #: Of the session with workers
    settings: tuple[str, ...] = ()
    #: After which a query with workers is interrupted
    seconds: float = 30.0
    #: Plain DuckDB runs it many times, and nobody else does
    only_plain: bool = False


@dataclass
class Outcome:
    status: str
    detail: str = ""
    mode: str = ""
    reason: str = ""
    retries: int = 0
    seconds: float = 0.0
    plain_seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def is_problem(self) -> bool:
        return self.status in PROBLEMS


@contextlib.contextmanager
def interrupted_after(con: Connection, seconds: float):
    timer = threading.Timer(seconds, con.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def answer(con: Connection, sql: str, seconds: float) -> Result | duckdb.Error:
    with interrupted_after(con, seconds):
        try:
            result = describe(con, sql)
            result.rows = con.fetchmany(MAX_ROWS + 1)
            return result
        except duckdb.Error as error:
            return error


class Lab:
    def __init__(self, setup: Setup):
        provide_time_zones()
        self.plain = plain_session(threads=2)
        self.ours = bare_session()
        self.ours.execute("SET threads = 2")
        if setup.locations:
            for number, location in enumerate(setup.locations):
                self.ours.execute(f"SELECT duckherder_register_worker('worker-{number}', '{location}')")
        else:
            start_local_server(self.ours, setup.workers)
        distribute_everything(self.ours)
        setup.directory.mkdir(parents=True, exist_ok=True)
        for statement in setup.schema.file_statements(setup.directory):
            self.plain.execute(statement)
        for statement in setup.schema.session_statements(setup.directory):
            self.plain.execute(statement)
            self.ours.execute(statement)

    def ask(self, question: Question) -> Outcome:
        if question.only_plain:
            list(self._plain_answers(question, WHOSE_CRASH_SECONDS))
            return Outcome(SAME)
        for name in DRAWN_SETTINGS:
            self.ours.execute(f"RESET {name}")
        distribute_everything(self.ours)
        for statement in question.settings:
            self.ours.execute(statement)
        begin = time.monotonic()
        expected = answer(self.plain, question.sql, PLAIN_SECONDS)
        plain_seconds = time.monotonic() - begin
        if isinstance(expected, duckdb.InterruptException):
            return Outcome(SLOW)
        if isinstance(expected, Result) and len(expected.rows) > MAX_ROWS:
            return Outcome(LARGE)
        self.ours.execute("SELECT duckherder_clear_query_recorder_stats()").fetchall()
        begin = time.monotonic()
        actual = answer(self.ours, question.sql, question.seconds)
        outcome = self._judge(question, expected, actual)
        outcome.seconds, outcome.plain_seconds = time.monotonic() - begin, plain_seconds
        if row := self.ours.execute("SELECT execution_mode, local_reason, retries "
                                    "FROM duckherder_get_query_execution_stats() "
                                    "ORDER BY execution_start_time DESC LIMIT 1").fetchone():
            outcome.mode, outcome.reason, outcome.retries = row[0], row[1] or "", row[2] or 0
        comparable = outcome.status in (DIFFERENT, WE_FAILED, PLAIN_FAILED, OTHER_ERROR)
        if comparable and self._undetermined(question, expected):
            outcome.status = UNDETERMINED
        left = scalar(self.ours, "SELECT count(*) FROM duckherder_tasks() WHERE state IN ('QUEUED', 'RUNNING')")
        if left and not outcome.is_problem:
            outcome.status, outcome.detail = LEFTOVERS, f"{left} tasks run although the query has ended"
        return outcome

    @staticmethod
    def _judge(question: Question, expected: Result | duckdb.Error, actual: Result | duckdb.Error) -> Outcome:
        if isinstance(actual, duckdb.InterruptException):
            return Outcome(HANG, f"no result within {question.seconds} s")
        if isinstance(expected, Result) and isinstance(actual, Result):
            problem = difference(expected, actual, question.ordered, TOLERANCE)
            return Outcome(DIFFERENT, problem) if problem else Outcome(SAME)
        if isinstance(expected, Result):
            return Outcome(WE_FAILED, f"{type(actual).__name__}: {actual}")
        if isinstance(actual, Result):
            return Outcome(PLAIN_FAILED, f"{type(expected).__name__}: {expected}")
        if type(expected) is not type(actual):
            return Outcome(OTHER_ERROR, f"{type(actual).__name__}: {actual}\ninstead of {type(expected).__name__}: "
                                        f"{expected}")
        return Outcome(BOTH_FAILED, f"{type(expected).__name__}: {expected}")

    def _plain_answers(self, question: Question, seconds: float) -> Iterator[Result | duckdb.Error]:
        end = time.monotonic() + seconds
        for _ in range(PLAIN_RUNS):
            if time.monotonic() > end:
                return
            yield answer(self.plain, question.sql, PLAIN_SECONDS)

    def _undetermined(self, question: Question, expected: Result | duckdb.Error) -> bool:
        """Whether plain DuckDB itself answers otherwise: again, with one thread, or without its optimizer."""
        if any(self._judge(question, expected, again).status not in (SAME, BOTH_FAILED, HANG)
               for again in self._plain_answers(question, WHOSE_ANSWER_SECONDS)):
            return True
        for change, back in (("SET threads = 1", "SET threads = 2"), ("SET threads = 5", "SET threads = 2"),
                             ("PRAGMA disable_optimizer", "PRAGMA enable_optimizer")):
            self.plain.execute(change)
            try:
                again = answer(self.plain, question.sql, 4 * PLAIN_SECONDS)
            finally:
                self.plain.execute(back)
            if isinstance(again, duckdb.InterruptException):
                continue
            if self._judge(question, expected, again).status not in (SAME, BOTH_FAILED):
                return True
        return False

    def close(self) -> None:
        self.ours.close()
        self.plain.close()


def serve(pipe: Pipe) -> None:
    lab: Lab | None = None
    while True:
        try:
            message = pipe.recv()
        except EOFError:
            return
        try:
            if isinstance(message, Setup):
                if lab:
                    lab.close()
                lab = Lab(message)
                pipe.send("")
            else:
                assert lab
                pipe.send(lab.ask(message))
        except Exception as error:  # noqa: BLE001 whoever asked is told
            pipe.send(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    # Pickled by the names that the other side knows
    import lab as named
    named.serve(Pipe(int(sys.argv[1])))
