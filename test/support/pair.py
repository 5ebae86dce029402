"""A session with workers beside a plain one: every query runs on both, and how it ran is asserted."""

from dataclasses import dataclass

from support.compare import FLOAT_TOLERANCE, Result, as_text, assert_same, describe, fetch
from support.session import Connection

STATISTICS = "FROM duckherder_get_query_execution_stats() ORDER BY execution_start_time, query_id"
ENDED = ("DONE", "FAILED", "CANCELLED")


def rows_as_dicts(con: Connection, sql: str) -> list[dict]:
    result = fetch(con, sql)
    return [dict(zip(result.names, row)) for row in result.rows]


def one_line(sql: str) -> str:
    return " ".join(sql.split()).rstrip("; ")


def last_query(con: Connection, sql: str) -> dict:
    """The statistics row of the last run of this query."""
    rows = rows_as_dicts(con, STATISTICS)
    mine = [row for row in rows if one_line(row["sql"]) == one_line(sql)]
    if not mine:
        recorded = "\n".join(one_line(row["sql"])[:200] for row in rows[-5:])
        raise AssertionError(f"not in the statistics: {one_line(sql)}\nthe last ones are:\n{recorded}")
    return mine[-1]


def plan_of(con: Connection, sql: str) -> str:
    """What EXPLAIN shows, its boxes included, in one line: words may stand on several lines of a box."""
    text = " ".join(row[1] for row in con.execute(f"EXPLAIN {sql}").fetchall())
    return " ".join(text.replace("│", " ").split())


def tasks_of(con: Connection, query_id: str) -> list[dict]:
    return rows_as_dicts(con, f"FROM duckherder_tasks() WHERE query_id = '{query_id}' ORDER BY stage_id, task_id")


def scan_tasks(con: Connection, sql: str) -> list[dict]:
    """The tasks of the first stage of the last run of this query."""
    tasks = tasks_of(con, last_query(con, sql)["query_id"])
    return [task for task in tasks if task["stage_id"] == 0]


def unfinished_tasks(con: Connection) -> list[dict]:
    return [task for task in rows_as_dicts(con, "FROM duckherder_tasks()") if task["state"] not in ENDED]


@dataclass
class Pair:
    plain: Connection
    ours: Connection

    def execute(self, *statements: str) -> None:
        """Data and settings for both."""
        for statement in statements:
            self.plain.execute(statement)
            self.ours.execute(statement)

    def results(self, sql: str) -> tuple[Result, Result]:
        return fetch(self.plain, sql), fetch(self.ours, sql)

    def check(self, sql: str, mode: str | tuple[str, ...] = "DISTRIBUTED", ordered: bool = False,
              tolerance: float = FLOAT_TOLERANCE) -> dict:
        """Runs the query on both; returns the row of its statistics."""
        expected, actual = self.results(sql)
        assert_same(expected, actual, sql, ordered, tolerance)
        return self._assert_mode(sql, mode)

    def _assert_mode(self, sql: str, mode: str | tuple[str, ...]) -> dict:
        row = last_query(self.ours, sql)
        modes = (mode,) if isinstance(mode, str) else mode
        assert row["execution_mode"] in modes, f"ran {row['execution_mode']} ({row['local_reason']}): {sql}"
        return row

    def check_exact(self, sql: str, mode: str | tuple[str, ...] = "DISTRIBUTED") -> dict:
        """For types that Python shows inexactly, or not at all: the values as DuckDB prints them."""
        expected, actual = describe(self.plain, sql), describe(self.ours, sql)
        assert (actual.names, actual.types) == (expected.names, expected.types), sql
        row = self._assert_mode(sql, mode)
        self.check(as_text(sql), mode)
        return row

    def failure(self, sql: str) -> tuple[Exception, Exception]:
        """The errors that both raise; it is an error if one of them does not."""
        errors = []
        for name, con in (("plain DuckDB", self.plain), ("duckherder", self.ours)):
            try:
                result = fetch(con, sql)
            except Exception as error:  # noqa: BLE001 the error is the result
                errors.append(error)
            else:
                raise AssertionError(f"{name} raises no error: {sql}\n{result}")
        return errors[0], errors[1]
