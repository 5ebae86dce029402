"""Runs a file in DuckDB's sqllogictest format in the stock Python package.

What our files need of it: statement ok/error, query with sort modes and labels, require, loop, foreach, several
connections (the last word of `statement` and `query`), <REGEX>: and <!REGEX>: values.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from support.session import Connection

SORT_MODES = ("nosort", "rowsort", "valuesort")
#: Of values that either side writes with a point or an exponent
RELATIVE_TOLERANCE = 1e-9
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")


@dataclass
class Command:
    line: int
    words: list[str]
    sql: str = ""
    expected: list[str] | None = None
    #: Of loop and foreach
    body: list["Command"] = field(default_factory=list)


def parse(text: str) -> list[Command]:
    lines = iter(enumerate(text.splitlines(), 1))
    return list(_parse_block(lines, inside=None))


def _parse_block(lines: Iterator[tuple[int, str]], inside: int | None) -> Iterator[Command]:
    for number, line in lines:
        words = line.split()
        if not words or line.startswith("#"):
            continue
        command = Command(number, words)
        if words[0] in ("loop", "foreach"):
            command.body = list(_parse_block(lines, inside=number))
        elif words[0] == "endloop":
            if inside is None:
                raise SyntaxError(f"line {number}: endloop without a loop")
            return
        elif words[0] in ("statement", "query"):
            _parse_sql(lines, command)
        elif words[0] != "require":
            raise SyntaxError(f"line {number}: {words[0]} is not known")
        yield command
    if inside is not None:
        raise SyntaxError(f"line {inside}: the loop has no endloop")


def _parse_sql(lines: Iterator[tuple[int, str]], command: Command) -> None:
    sql: list[str] = []
    for _, line in lines:
        if line == "----":
            command.expected = []
        elif not line.strip():
            break
        elif command.expected is None:
            sql.append(line)
        else:
            command.expected.append(line)
    command.sql = "\n".join(sql)


def as_text(value: object) -> str:
    """A value as DuckDB prints it; `(empty)` for the empty string."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(as_text, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"'{key}': {as_text(item)}" for key, item in value.items()) + "}"
    return str(value) or "(empty)"


def matches(expected: str, actual: str) -> bool:
    if expected.startswith("<REGEX>:"):
        return re.fullmatch(expected.removeprefix("<REGEX>:"), actual, re.DOTALL) is not None
    if expected.startswith("<!REGEX>:"):
        return re.fullmatch(expected.removeprefix("<!REGEX>:"), actual, re.DOTALL) is None
    if expected == actual:
        return True
    if actual in ("true", "false") and expected in ("1", "0"):
        return (actual == "true") == (expected == "1")
    if WHOLE_NUMBER.fullmatch(expected) and WHOLE_NUMBER.fullmatch(actual):
        return int(expected) == int(actual)
    try:
        left, right = float(expected), float(actual)
    except ValueError:
        return False
    return abs(left - right) <= RELATIVE_TOLERANCE * max(abs(left), abs(right))


class Runner:
    """One file. `connect(names)` opens the database with the required extensions; connections share it."""

    def __init__(self, connect: Callable[[list[str]], Connection], directory: Path):
        self._connect = connect
        self._directory = directory
        self._required: list[str] = []
        self._connections: dict[str, Connection] = {}
        self._labels: dict[str, list[list[str]]] = {}

    def run(self, text: str) -> int:
        """Returns how many statements and queries have run."""
        try:
            return self._run_all(parse(text), {})
        finally:
            for connection in reversed(self._connections.values()):
                connection.close()

    def _run_all(self, commands: list[Command], variables: dict[str, str]) -> int:
        count = 0
        for command in commands:
            kind = command.words[0]
            if kind == "require":
                if self._connections:
                    raise SyntaxError(f"line {command.line}: require comes first")
                self._required.append(command.words[1])
            elif kind in ("loop", "foreach"):
                for value in self._loop_values(command):
                    count += self._run_all(command.body, {**variables, command.words[1]: value})
            else:
                self._run_one(command, variables)
                count += 1
        return count

    @staticmethod
    def _loop_values(command: Command) -> list[str]:
        if command.words[0] == "foreach":
            return command.words[2:]
        begin, end = map(int, command.words[2:4])
        return [str(value) for value in range(begin, end)]

    def _connection(self, name: str) -> Connection:
        if not self._connections:
            self._connections[""] = self._connect(self._required)
        if name not in self._connections:
            self._connections[name] = self._connections[""].cursor()
        return self._connections[name]

    def _substitute(self, text: str, variables: dict[str, str]) -> str:
        for name, value in variables.items():
            text = text.replace("${" + name + "}", value)
        return text.replace("__TEST_DIR__", str(self._directory))

    def _run_one(self, command: Command, variables: dict[str, str]) -> None:
        sql = self._substitute(command.sql, variables)
        expected = [self._substitute(line, variables) for line in command.expected or []]
        place = f"line {command.line}" + (f" with {variables}" if variables else "") + f": {sql}"
        try:
            if command.words[0] == "statement":
                self._run_statement(command.words[1:], sql, expected)
            else:
                self._run_query(command.words[1:], sql, expected)
        except AssertionError as error:
            raise AssertionError(f"{place}\n{error}") from None
        except Exception as error:
            raise AssertionError(f"{place}\n{type(error).__name__}: {error}") from error

    def _run_statement(self, words: list[str], sql: str, expected: list[str]) -> None:
        connection = self._connection(words[1] if len(words) > 1 else "")
        if words[0] == "ok":
            connection.execute(sql).fetchall()
            return
        if words[0] != "error" or not expected:
            raise SyntaxError("a statement is `ok`, or `error` with a message")
        try:
            connection.execute(sql).fetchall()
        except Exception as error:  # noqa: BLE001 any class may be expected
            message = " ".join(str(error).split())
            wanted = " ".join(" ".join(expected).split())
            found = re.search(wanted[8:], message) if wanted.startswith("<REGEX>:") else wanted in message
            if not found:
                raise AssertionError(f"the error is {message}\ninstead of {wanted}") from None
        else:
            raise AssertionError(f"no error, expected: {expected}")

    def _run_query(self, words: list[str], sql: str, expected: list[str]) -> None:
        columns = len(words[0])
        sort = words[1] if len(words) > 1 and words[1] in SORT_MODES else "nosort"
        label = words[2] if len(words) > 2 else ""
        connection = self._connection(words[1] if len(words) > 1 and words[1] not in SORT_MODES else "")
        rows = [[as_text(value) for value in row] for row in connection.execute(sql).fetchall()]
        if rows and len(rows[0]) != columns:
            raise AssertionError(f"{len(rows[0])} columns instead of {columns}")
        rows = _sorted(rows, sort)
        if label and self._labels.setdefault(label, rows) != rows:
            raise AssertionError(f"the result differs from the earlier one with the label {label}")
        if label and not expected:
            return
        wanted = _sorted(_rows_of(expected, columns), sort)
        if len(wanted) != len(rows):
            raise AssertionError(f"{len(rows)} rows instead of {len(wanted)}: {rows[:20]}")
        for number, (left, right) in enumerate(zip(wanted, rows), 1):
            if len(left) != len(right) or not all(map(matches, left, right)):
                raise AssertionError(f"row {number} is {right} instead of {left}")


def _rows_of(expected: list[str], columns: int) -> list[list[str]]:
    """One row per line with tabs between the values, or one value per line."""
    if columns == 1 or any("\t" in line for line in expected):
        return [line.split("\t") for line in expected]
    return [expected[begin:begin + columns] for begin in range(0, len(expected), columns)]


def _sorted(rows: list[list[str]], sort: str) -> list[list[str]]:
    if sort == "rowsort":
        return sorted(rows)
    if sort == "valuesort":
        return [[value] for value in sorted(value for row in rows for value in row)]
    return rows
