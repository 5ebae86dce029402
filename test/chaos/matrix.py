"""The fault matrix: each fault in each kind of stage of TPC-H queries, with retries and without.

usage: matrix.py [--scale 1] [--queries 1,9,18,21] [--faults NAME,...] [--stages NAME,...] [--record FILE]

Each case has a driver, three workers and a session, all processes of their own. A task of the chosen stage stops, the
fault is done to its worker (or to the driver, or the session), the task goes on. The query then has to end within its
limit with the rows of plain DuckDB, or, without retries, with an error that names a worker; and nothing may be left
on the workers. Ends with 1 if a case fails.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chaos.faults import FAULTS, Fault  # noqa: E402
from chaos.netlab import NetLab, Unavailable  # noqa: E402
from chaos.nodes import WORKERS, Answer, Environment, Nodes, Point  # noqa: E402
from support import paths, tpch  # noqa: E402
from support.cluster import use_new_token  # noqa: E402
from support.compare import Result, difference, fetch  # noqa: E402
from support.session import plain_session  # noqa: E402

STAGES = ("leaf", "shuffle", "root", "between")
QUERIES = (1, 9, 18, 21)
#: Errors of the place, as users get them; an InternalException is none of them
PLACE_ERRORS = ("IOException", "ConnectionException", "OutOfMemoryException", "HTTPException")


@dataclass
class Query:
    number: int
    sql: str
    expected: Result
    points: dict[str, Point]
    undisturbed: Answer


@dataclass
class Outcome:
    text: str
    failed: bool
    seconds: float


def points_of(answer: Answer) -> dict[str, Point]:
    """Where a task stops for each kind of stage, from an undisturbed run."""
    stages: dict[int, list[dict]] = {}
    for task in answer.tasks:
        if task["state"] == "DONE":
            stages.setdefault(task["stage_id"], []).append(task)

    def weight(stage: int, what: str) -> int:
        return sum(task[what] or 0 for task in stages[stage])

    scans = [stage for stage, tasks in stages.items() if tasks[0]["row_start"] is not None]
    others = [stage for stage in stages if stage not in scans] or scans
    leaf = max(scans, key=lambda stage: weight(stage, "rows"))
    # the last stage is there for the root
    shuffle = max(others[:-1] or others, key=lambda stage: weight(stage, "bytes"))
    return {"leaf": Point("end", leaf), "shuffle": Point("end", shuffle), "root": Point("end", max(stages)),
            "between": Point("begin", shuffle)}


def settings_of(environment: Environment, retries: int) -> dict[str, str]:
    return {"duckherder_mode": "always", "duckherder_task_retries": str(retries), **environment.settings}


def prepare(number: int, data: Path, environment: Environment, directory: Path, limit: float = 60) -> Query:
    sql = tpch.queries()[number]
    with plain_session() as con:
        tpch.create_views(con, data)
        expected = fetch(con, sql)
    directory.mkdir()
    with Nodes(directory, environment, None, paths.BINARY) as nodes:
        nodes.start_client(sql, data, settings_of(environment, 0))
        answer = nodes.answer(limit)
    check_rows(answer, expected)
    return Query(number, sql, expected, points_of(answer), answer)


def check_rows(answer: Answer, expected: Result) -> None:
    if answer.rows is None:
        raise AssertionError(f"{answer.error_class}: {answer.error}")
    if problem := difference(expected, answer.rows, ordered=True):
        raise AssertionError(f"WRONG ROWS: {problem}")
    if answer.execution_mode != "DISTRIBUTED":
        raise AssertionError(f"the query ran {answer.execution_mode}")


def check_error(answer: Answer) -> None:
    if answer.error_class not in PLACE_ERRORS or "worker" not in (answer.error or "").lower():
        raise AssertionError(f"no clear error: {answer.error_class}: {answer.error}")


def judge(fault: Fault, query: Query, retries: int, answer: Answer) -> str:
    allowed = "rows" if retries > 0 else fault.without_retries
    if answer.error is not None and allowed in ("error", "either"):
        check_error(answer)
        return "error"
    check_rows(answer, query.expected)
    if allowed == "error":
        raise AssertionError("there is no error, although nothing was retried")
    return f"rows, {answer.retries} retries" if answer.retries else "rows"


def run_case(fault: Fault, environment: Environment, stage: str, query: Query, retries: int, data: Path,
             directory: Path) -> Outcome:
    directory.mkdir()
    begin = time.monotonic()
    nodes = Nodes(directory, environment, query.points[stage], paths.FAULTY_WORKER)
    try:
        with nodes:
            nodes.start_client(query.sql, data, settings_of(environment, retries))
            end_fault = fault.inject(nodes, nodes.wait_reached())
            injected = time.monotonic()
            nodes.go()
            if fault.ends_client:
                text = "clean"
            else:
                text = judge(fault, query, retries, nodes.answer(fault.limit_seconds))
            seconds = time.monotonic() - injected
            end_fault()
            nodes.check_memory()
            left = nodes.check_nothing_left()
            return Outcome(text if not fault.ends_client else f"clean after {left:.1f} s", False, seconds)
    except (AssertionError, RuntimeError, TimeoutError, subprocess.TimeoutExpired) as error:
        print(f"{error}\n{nodes.logs()}", file=sys.stderr, flush=True)
        return Outcome(f"FAILED: {str(error).splitlines()[0][:150]}", True, time.monotonic() - begin)
    except Exception:
        traceback.print_exc()
        return Outcome("FAILED: the case broke off", True, time.monotonic() - begin)


@contextlib.contextmanager
def network() -> Iterator[NetLab | None]:
    try:
        lab = NetLab(WORKERS).__enter__()
    except Unavailable as problem:
        print(f"cases that need a network of their own are skipped: {problem}", flush=True)
        yield None
        return
    try:
        yield lab
    finally:
        lab.__exit__()


def table(results: dict[tuple[str, str, int, int], Outcome], queries: list[int]) -> str:
    lines = ["| fault | stage | retries | " + " | ".join(f"Q{number}" for number in queries) + " |",
             "|---|---|---|" + "---|" * len(queries)]
    rows = dict.fromkeys((fault, stage, retries) for fault, stage, retries, _ in results)
    for fault, stage, retries in rows:
        cells = []
        for number in queries:
            outcome = results.get((fault, stage, retries, number))
            cells.append(f"{outcome.text} ({outcome.seconds:.1f} s)" if outcome else "skipped")
        lines.append(f"| {fault} | {stage} | {'on' if retries else 'off'} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--scale", type=float, default=1)
    arguments.add_argument("--queries", default=",".join(map(str, QUERIES)))
    arguments.add_argument("--faults", default=",".join(FAULTS))
    arguments.add_argument("--stages", default=",".join(STAGES))
    arguments.add_argument("--retries", default="3,0")
    arguments.add_argument("--record", type=Path)
    chosen = arguments.parse_args()
    faults = [FAULTS[name] for name in chosen.faults.split(",")]
    numbers = [int(number) for number in chosen.queries.split(",")]
    results: dict[tuple[str, str, int, int], Outcome] = {}
    with tempfile.TemporaryDirectory(prefix="duckherder-chaos-") as name, network() as lab:
        base = Path(name)
        use_new_token(base)
        data = tpch.parquet_directory(chosen.scale)
        for number, fault in enumerate(faults):
            if fault.needs_network and lab is None:
                continue
            try:
                environment = fault.environment(lab)
                queries = [prepare(query, data, environment, base / f"undisturbed-{number}-{query}")
                           for query in numbers]
            except Unavailable as problem:
                print(f"{fault.name}: skipped: {problem}", flush=True)
                continue
            for stage in chosen.stages.split(","):
                for retries in map(int, chosen.retries.split(",")):
                    for query in queries:
                        where = base / f"case-{len(results)}"
                        outcome = run_case(fault, environment, stage, query, retries, data, where)
                        results[fault.name, stage, retries, query.number] = outcome
                        print(f"{fault.name} | {stage} | retries {retries} | Q{query.number} | {outcome.text} "
                              f"| {outcome.seconds:.1f} s", flush=True)
    failures = [key for key, outcome in results.items() if outcome.failed]
    print(f"{len(results)} cases, {len(failures)} failed")
    if chosen.record:
        chosen.record.write_text(table(results, numbers) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
