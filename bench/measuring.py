"""Runs the queries on both sides by turns and puts the figures side by side."""

import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sides import Run, Side
from support.compare import Result, difference
from support.pair import one_line

#: A tiny query is repeated more often: its time is a few milliseconds
TINY_RUNS = 30
STATISTICS = "FROM duckherder_get_query_execution_stats() ORDER BY execution_start_time, query_id"


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def geometric_mean(values: Iterable[float]) -> float:
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms)) if logarithms else math.nan


@dataclass
class Measurement:
    name: str
    plain: list[Run] = field(default_factory=list)
    ours: list[Run] = field(default_factory=list)
    statistics: dict = field(default_factory=dict)
    #: What is wrong with the result; empty if it equals plain DuckDB's
    problem: str = ""

    @property
    def plain_ms(self) -> float:
        return median(run.seconds for run in self.plain) * 1000

    @property
    def ours_ms(self) -> float:
        return median(run.seconds for run in self.ours) * 1000

    @property
    def wall_ratio(self) -> float:
        return self.ours_ms / self.plain_ms

    @property
    def cpu_ratio(self) -> float:
        return median(run.cpu_seconds for run in self.ours) / median(run.cpu_seconds for run in self.plain)


def last_statistics(ours: Side, sql: str) -> dict:
    """Of the last run of the query, with what its tasks did together."""
    result = ours.result(STATISTICS)
    rows = [dict(zip(result.names, row)) for row in result.rows]
    mine = [row for row in rows if one_line(row["sql"]) == one_line(sql)]
    if not mine:
        return {"execution_mode": "NOT RECORDED"}
    tasks = ours.result("SELECT coalesce(sum(rows), 0), coalesce(sum(duration_ms), 0) FROM duckherder_tasks() "
                        f"WHERE query_id = '{mine[-1]['query_id']}'").rows[0]
    return {**mine[-1], "task_rows": int(tasks[0]), "task_ms": float(tasks[1])}


def compare(plain: Side, ours: Side, sql: str, comparable: Callable[[str, Result], str] | None) -> str:
    expected, actual = plain.result(sql), ours.result(sql)
    same = comparable(sql, expected) if comparable else sql
    if same != sql:
        expected, actual = plain.result(same), ours.result(same)
    return difference(expected, actual)


def measure(plain: Side, ours: Side, queries: dict[str, str], runs: int, say: Callable[[str], None],
            comparable: Callable[[str, Result], str] | None = None) -> list[Measurement]:
    """The first run of each query compares the results and warms up; it is not counted.

    `comparable` turns a query that has several right answers into one that has one, which is compared in its place.
    """
    measurements = {name: Measurement(name) for name in queries}
    for name, sql in queries.items():
        measurements[name].problem = compare(plain, ours, sql, comparable)
    for number in range(runs):
        say(f"run {number + 1} of {runs}")
        for position, (name, sql) in enumerate(queries.items()):
            # By turns who is first, so that neither gains by it
            sides = [(plain, measurements[name].plain), (ours, measurements[name].ours)]
            for side, results in sides if (position + number) % 2 else reversed(sides):
                results.append(side.run(sql))
    for name, sql in queries.items():
        measurements[name].statistics = last_statistics(ours, sql)
    return list(measurements.values())


def measure_fixed_cost(plain: Side, ours: Side) -> Measurement:
    """What a query costs that has next to nothing to do."""
    for side in (plain, ours):
        side.execute("CREATE OR REPLACE TABLE tiny AS SELECT 42 AS i")
    ours.execute("SET duckherder_mode = 'always'")
    sql = "SELECT count(*) FROM tiny WHERE i > 0"
    measurement = measure(plain, ours, {"tiny": sql}, TINY_RUNS, lambda text: None)[0]
    ours.execute("RESET duckherder_mode")
    return measurement
