"""Whether two results are the same: names, types, values, and the order where the query gives one."""

import math
from dataclasses import dataclass

import duckdb

#: Only the last digits of floating-point sums may differ: tasks add up in another order
FLOAT_TOLERANCE = 1e-9


@dataclass
class Result:
    names: list[str]
    types: list[str]
    rows: list[tuple]

    def __str__(self) -> str:
        shown = "\n".join(str(row)[:500] for row in self.rows[:20])
        return f"{list(zip(self.names, self.types))} {len(self.rows)} rows\n{shown}"


def describe(con: duckdb.DuckDBPyConnection, sql: str) -> Result:
    """Runs the query and looks at no values: Python needs another package to show TIMESTAMP WITH TIME ZONE."""
    con.execute(sql)
    columns = con.description or []
    return Result([column[0] for column in columns], [str(column[1]) for column in columns], [])


def fetch(con: duckdb.DuckDBPyConnection, sql: str) -> Result:
    result = describe(con, sql)
    result.rows = con.fetchall()
    return result


def as_text(sql: str) -> str:
    """The query with each value as DuckDB prints it: Python's types lose months, nanoseconds and union tags.

    The casts are done in the session: the LIMIT, which limits nothing, keeps them out of the workers' part.
    """
    return f"SELECT COLUMNS(*)::VARCHAR FROM (FROM ({sql.strip().rstrip(';')}) LIMIT 1000000000)"


def same_value(expected: object, actual: object, tolerance: float = FLOAT_TOLERANCE) -> bool:
    if isinstance(expected, float) and isinstance(actual, float):
        if math.isnan(expected) or math.isnan(actual):
            return math.isnan(expected) and math.isnan(actual)
        return expected == actual or math.isclose(expected, actual, rel_tol=tolerance, abs_tol=tolerance * 1e-3)
    if type(expected) is not type(actual):
        return False
    if isinstance(expected, (list, tuple)):
        assert isinstance(actual, (list, tuple))
        return len(expected) == len(actual) and all(same_value(a, b, tolerance) for a, b in zip(expected, actual))
    if isinstance(expected, dict):
        assert isinstance(actual, dict)
        return list(map(repr, expected)) == list(map(repr, actual)) and \
            all(same_value(a, b, tolerance) for a, b in zip(expected.values(), actual.values()))
    return expected == actual


def _without_floats(value: object) -> str:
    """Equal for values that may be the same."""
    if isinstance(value, float):
        return "float" if math.isfinite(value) else str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_without_floats, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{_without_floats(item)}" for key, item in value.items()) + "}"
    return repr(value)


def _match(expected: list[tuple], actual: list[tuple], tolerance: float) -> tuple | None:
    """Rows that differ only in floats, as multisets; returns an expected row that has no partner."""
    left = sorted(expected, key=repr)
    right = sorted(actual, key=repr)
    if all(same_value(a, b, tolerance) for a, b in zip(left, right)):
        return None
    for row in left:
        partner = next((other for other in right if same_value(row, other, tolerance)), None)
        if partner is None:
            return row
        right.remove(partner)
    return None


def difference(expected: Result, actual: Result, ordered: bool = False, tolerance: float = FLOAT_TOLERANCE) -> str:
    """Empty if they are the same; `ordered`: the rows have to come in the same order."""
    if expected.names != actual.names:
        return f"names {actual.names} instead of {expected.names}"
    if expected.types != actual.types:
        return f"types {actual.types} instead of {expected.types}"
    if len(expected.rows) != len(actual.rows):
        return f"{len(actual.rows)} rows instead of {len(expected.rows)}"
    if ordered:
        for number, (left, right) in enumerate(zip(expected.rows, actual.rows)):
            if not same_value(left, right, tolerance):
                return f"row {number} is {str(right)[:1000]} instead of {str(left)[:1000]}"
        return ""
    groups: dict[str, tuple[list, list]] = {}
    for side, rows in enumerate((expected.rows, actual.rows)):
        for row in rows:
            groups.setdefault(_without_floats(row), ([], []))[side].append(row)
    for left, right in groups.values():
        if len(left) != len(right):
            some = (left or right)[0]
            return f"row {str(some)[:1000]} is there {len(right)} times instead of {len(left)}"
        missing = _match(left, right, tolerance)
        if missing is not None:
            return f"row {str(missing)[:1000]} is missing; there are {str(right[:3])[:1000]}"
    return ""


def assert_same(expected: Result, actual: Result, sql: str, ordered: bool = False,
                tolerance: float = FLOAT_TOLERANCE) -> None:
    problem = difference(expected, actual, ordered, tolerance)
    if problem:
        raise AssertionError(f"{problem}\nquery: {sql}\nplain DuckDB: {expected}\nduckherder: {actual}")
