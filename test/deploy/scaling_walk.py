"""What a spot notice costs, and what a query does that comes before the workers: two runs of a TPC-H query, as text.

usage: scaling_walk.py [--scale 10] [--query 9]

1. A driver with three workers, one of which gets SIGTERM while the query runs. It has to drain and to end with 0.
2. A driver that waits for workers (--wait-for-workers) and has none. The query has to wait, and to count where KEDA
   looks for it; then two workers start.

A client attaches the driver, and every query has to return the rows of plain DuckDB. The data are generated once, into
build/bench-data. Ends with 1 if anything is not so.
"""

import argparse
import contextlib
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb  # noqa: E402

from support import paths, tpch  # noqa: E402
from support.background import BackgroundQuery  # noqa: E402
from support.cluster import Cluster, use_new_token  # noqa: E402
from support.compare import Result, assert_same, fetch  # noqa: E402
from support.http_client import HttpClient, cluster_token  # noqa: E402
from support.session import Connection, bare_session, plain_session  # noqa: E402
from support.waiting import PATIENCE, wait_until  # noqa: E402

#: Where the chart lets KEDA look in /api/v1/cluster; test_chart.py compares them with the chart
KEDA_LOCATIONS = ("queries.queued", "queries.running")
SPOT_WORKERS = 3
WAIT_FOR_WORKERS_SECONDS = 300
LIMIT_SECONDS = 600
JOIN_SECONDS = 30


@dataclass(frozen=True)
class Task:
    """The last attempt of one; no worker has it before the first."""
    stage: int
    number: int
    worker: str
    state: str

    @property
    def name(self) -> tuple[int, int]:
        return self.stage, self.number


@dataclass
class Story:
    """What happened, in seconds since the query was asked, and what follows from it."""
    zero: float
    moments: list[tuple[float, str]] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)

    def at(self, when: float, what: str) -> None:
        self.moments.append((when - self.zero, what))

    def first(self, what: str) -> None:
        """Now, unless it has happened before."""
        if what not in (known for _, known in self.moments):
            self.at(time.time(), what)

    def __str__(self) -> str:
        moments = sorted(self.moments, key=lambda moment: moment[0])
        return "\n".join([*(f"  {seconds:6.2f} s  {what}" for seconds, what in moments),
                          *(f"  {fact}" for fact in self.facts)])


class Asked(BackgroundQuery):
    """A query as a client asks it, and when it was answered."""

    def __init__(self, con: Connection, sql: str):
        self.begin = time.time()
        self.end = 0.0
        super().__init__(con, sql)

    def _run(self) -> None:
        try:
            self.answer = fetch(self.con, self.sql)
        except duckdb.Error as error:
            self.error = error
        self.end = time.time()

    def check(self, expected: Result) -> str:
        """Waits for its end; what a story says about it."""
        self.wait(LIMIT_SECONDS)
        assert self.error is None and isinstance(self.answer, Result), self.error
        assert_same(expected, self.answer, self.sql, ordered=True)
        return f"the query has ended: {len(expected.rows)} rows, equal to plain DuckDB's"


class Watcher:
    """What the driver says of itself, by its API."""

    def __init__(self, cluster: Cluster):
        self._http = HttpClient(cluster.pages, cluster_token())

    def cluster(self) -> dict[str, Any]:
        return self._http.get("/api/v1/cluster").json

    def worker_states(self) -> dict[str, str]:
        return {worker["id"]: worker["state"] for worker in self._http.get("/api/v1/workers").json["workers"]}

    def query_in_state(self, state: str, limit: float) -> str:
        """The id of the only query, once it is in that state."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found[:] = self._http.get("/api/v1/queries", state=state).json["queries"]
            return bool(found)

        wait_until(look, limit, lambda: f"no query is {state}: {self._http.get('/api/v1/queries').body}")
        assert len(found) == 1, found
        return found[0]["query_id"]

    def newest_query(self) -> str:
        return self._http.get("/api/v1/queries").json["queries"][0]["query_id"]

    def query(self, query_id: str) -> tuple[dict[str, Any], list[Task]]:
        """The query, and its tasks."""
        document = self._http.get(f"/api/v1/queries/{query_id}").json
        rows = (dict(zip(document["tasks"]["columns"], row)) for row in document["tasks"]["rows"])
        return document["query"], [Task(row["stage_id"], row["task_id"], row["worker_id"], row["state"])
                                   for row in rows]


def driver_options(directory: Path, data: Path, *statements: str) -> list[str]:
    """Of a driver whose database has the tables of TPC-H, as views of files, and that leaves all work to workers."""
    init = directory / "driver.sql"
    views = [f"CREATE VIEW {table} AS FROM {paths.quoted(data / (table + '.parquet'))}" for table in tpch.TABLES]
    init.write_text(";\n".join(["SET GLOBAL duckherder_mode = 'always'", *statements, *views]) + ";\n")
    return ["--init", str(init)]


@contextlib.contextmanager
def client_of(cluster: Cluster) -> Iterator[Connection]:
    assert cluster.driver
    with bare_session() as con:
        con.execute(f"ATTACH '{cluster.driver.host}:{cluster.driver.port}' AS dh (TYPE duckherder)")
        con.execute("USE dh")
        yield con


def by_worker(tasks: list[Task]) -> str:
    names = sorted({task.worker for task in tasks if task.worker})
    counts = {name: sum(task.worker == name for task in tasks) for name in names}
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def told(query: dict[str, Any], tasks: list[Task]) -> str:
    """How the query ran, and why some tasks needed more than one attempt."""
    assert query["mode"] == "DISTRIBUTED", query
    assert {task.state for task in tasks} == {"DONE"}, tasks
    reasons = ", ".join(f"{reason} {count}" for reason, count in query["retries_by_reason"].items())
    return (f"{query['mode']}, {len(tasks)} tasks: {by_worker(tasks)}; "
            f"attempts after the first ones: {reasons or query['retries']}")


def notice_after(seconds: float) -> Callable[[Watcher, str], str]:
    """When the query has run for so long: for a worker that runs a task of it, and has done some."""
    def wait(watcher: Watcher, query_id: str) -> str:
        found: list[str] = []

        def look() -> bool:
            query, tasks = watcher.query(query_id)
            if query["state"] != "RUNNING":
                raise AssertionError(f"the query was too fast for a notice, choose a larger scale factor: {query}")
            done, running = ({task.worker for task in tasks if task.state == state} for state in ("DONE", "RUNNING"))
            found[:] = sorted(done & running)
            return bool(found) and query["duration_ms"] >= seconds * 1000

        wait_until(look, LIMIT_SECONDS, lambda: f"there was no time for a notice: {watcher.query(query_id)}")
        return found[0]

    return wait


def spot_notice(cluster: Cluster, con: Connection, sql: str, expected: Result,
                moment: Callable[[Watcher, str], str], go_on: Callable[[], object] = lambda: None) -> Story:
    """One worker gets SIGTERM while the query runs. `moment` waits for the time of it, and says for whom it is; `go_on`
    is called when the driver knows that the worker drains."""
    watcher = Watcher(cluster)
    asked = Asked(con, sql)
    story = Story(asked.begin)
    query_id = watcher.query_in_state("RUNNING", LIMIT_SECONDS)
    victim = moment(watcher, query_id)
    _, before = watcher.query(query_id)
    node = cluster.workers[victim]
    notice = time.time()
    node.signal(signal.SIGTERM)
    done, running = ([task for task in before if task.state == state] for state in ("DONE", "RUNNING"))
    story.at(notice, f"SIGTERM to {victim}; tasks done: {by_worker(done)}; tasks that run: {by_worker(running)}")
    wait_until(lambda: watcher.worker_states().get(victim) != "active", JOIN_SECONDS,
               lambda: f"the driver does not know that {victim} drains:\n{cluster.logs()}")
    story.at(time.time(), f"{victim} is {watcher.worker_states().get(victim, 'gone')} in the driver's list")
    _, known = watcher.query(query_id)
    go_on()
    code = node.process.wait(LIMIT_SECONDS * PATIENCE)
    story.at(time.time(), f"{victim} has ended with {code}")
    assert code == 0, node.log()
    said = asked.check(expected)
    story.at(asked.end, said)
    assert victim not in watcher.worker_states()
    query, tasks = watcher.query(query_id)
    story.facts += [told(query, tasks), handed_over(victim, before, known, query, tasks)]
    return story


def handed_over(victim: str, before: list[Task], known: list[Task], query: dict[str, Any], tasks: list[Task]) -> str:
    """What became of the tasks: from the query just before SIGTERM, when its driver knew of it, and at its end."""
    mine = {task.name for task in tasks if task.worker == victim}
    early = {task.name for task in before if task.worker == victim and task.state == "DONE"}
    given = {task.name for task in known if task.worker}
    assert mine <= given, f"{victim} was given tasks while it drained: {mine - given}"
    assert early <= mine, f"tasks were done again: {early - mine}"
    refused = query["retries_by_reason"].get("draining", 0)
    assert query["retries"] == refused, query
    later = {task.name for task in tasks} - given
    return (f"{victim}: {len(early)} tasks done before SIGTERM, {len(mine - early)} after it, {refused} refused and "
            f"done by others, who were given {len(later)} more tasks")


def located(document: dict[str, Any], location: str) -> object:
    """The value at a path, as KEDA's trigger metrics-api finds it."""
    value: Any = document
    for name in location.split("."):
        value = value[name]
    return value


def from_zero(cluster: Cluster, con: Connection, sql: str, expected: Result, workers: int = 2) -> Story:
    """A query comes, sees no worker and waits; then workers start."""
    watcher = Watcher(cluster)
    assert watcher.cluster()["workers"]["active"] == 0
    asked = Asked(con, sql)
    story = Story(asked.begin)
    query_id = watcher.query_in_state("QUEUED", LIMIT_SECONDS)
    now = watcher.cluster()
    seen = {location: located(now, location) for location in ("workers.active", *KEDA_LOCATIONS)}
    story.at(time.time(), "GET /api/v1/cluster: " + ", ".join(f"{name} is {value}" for name, value in seen.items()))
    assert seen == {"workers.active": 0, "queries.queued": 1, "queries.running": 0}, now
    names = [cluster.launch_worker() for _ in range(workers)]
    started = cluster.workers[names[0]].started

    def look() -> bool:
        for name in watcher.worker_states():
            story.first(f"{name} is in the driver's list")
        for task in watcher.query(query_id)[1]:
            if task.worker:
                story.first(f"{task.worker} has a task of the query")
        return asked.end > 0

    wait_until(look, LIMIT_SECONDS, lambda: f"the query has not ended:\n{cluster.logs()}")
    story.at(asked.end, asked.check(expected))
    for name in names:
        story.at(cluster.workers[name].started, f"{name} is started")
    story.facts.append(told(*watcher.query(query_id)))
    story.facts.append(f"{asked.end - started:.2f} s from the start of the first worker to the rows")
    after = {location: located(watcher.cluster(), location) for location in KEDA_LOCATIONS}
    assert set(after.values()) == {0}, after
    wait_until(lambda: watcher.cluster()["workers"]["active"] == workers, JOIN_SECONDS, cluster.status)
    again = Asked(con, sql)
    again.check(expected)
    _, tasks = watcher.query(watcher.newest_query())
    story.facts.append(f"the same query again, with {workers} workers from the beginning: {len(tasks)} tasks, "
                       f"{again.end - again.begin:.2f} s")
    return story


def fresh(base: Path, name: str) -> Path:
    directory = base / name
    directory.mkdir()
    return directory


def walk(scale: float, number: int, base: Path) -> None:
    data = tpch.parquet_directory(scale, paths.ROOT / "build" / "bench-data")
    sql = tpch.queries()[number]
    with plain_session() as plain:
        tpch.create_views(plain, data)
        begin = time.time()
        expected = fetch(plain, sql)
        seconds = time.time() - begin
    print(f"TPC-H SF{scale:g}, Q{number}; plain DuckDB: {len(expected.rows)} rows in {seconds:.2f} s\n\n"
          f"A spot notice for one of {SPOT_WORKERS} workers", flush=True)
    directory = fresh(base, "spot")
    with Cluster(directory, SPOT_WORKERS, threads=1, with_driver=True, driver_options=driver_options(directory, data),
                 worker_options=["--drain-timeout", "60"]) as cluster, client_of(cluster) as con:
        print(spot_notice(cluster, con, sql, expected, notice_after(seconds / 2)), flush=True)
    print("\nFrom no worker to two", flush=True)
    directory = fresh(base, "zero")
    waiting = [*driver_options(directory, data), "--wait-for-workers", str(WAIT_FOR_WORKERS_SECONDS)]
    with Cluster(directory, 0, threads=1, with_driver=True, driver_options=waiting) as cluster, \
            client_of(cluster) as con:
        print(from_zero(cluster, con, sql, expected), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=10, help="scale factor (10)")
    parser.add_argument("--query", type=int, default=9, help="number of the query (9)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="duckherder-scaling-") as name:
        use_new_token(Path(name))
        try:
            walk(options.scale, options.query, Path(name))
        except (AssertionError, RuntimeError, TimeoutError) as error:
            print(f"FAILED: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
