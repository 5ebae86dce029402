"""Every kind of statement of DuckDB on an attached driver's database, beside the same in a plain DuckDB.

The statements are in statements/*.sql. After `--- KIND`, as docs/remote_database.md lists the kinds, they run one after
another in an empty database "dh", and in a plain DuckDB that has attached one of that name. Each has to give the same
result or the same error in both, unless the line before it says:

-- with tables       only after a kind: what follows `--- tables` at the begin of the file runs first
-- succeeds          in both, with results that may differ
-- refused: TEXT     only there, and it fails with an error that contains TEXT
-- there             only there; with `: ROWS` these are its rows

{dir} is an own, empty directory. {there} and {options} are what attaches the same database once more.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from support import paths
from support.compare import Result, difference, fetch
from support.session import bare_session

pytestmark = pytest.mark.timeout(120)

STATEMENTS = Path(__file__).parent / "statements"
DOCUMENT = paths.ROOT / "docs" / "remote_database.md"
NOT_IN_DUCKDB = "CREATE TRIGGER and other things that DuckDB has not"


@dataclass
class Statement:
    sql: str
    #: "", "succeeds", "refused" or "there"
    how: str = ""
    argument: str = ""


def read_kinds(path: Path) -> dict[str, list[Statement]]:
    kinds: dict[str, list[Statement]] = {}
    how, argument, lines = "", "", []
    for line in path.read_text().splitlines()[1:]:
        if line.startswith("--- "):
            kind = line[4:]
            kinds[kind] = []
        elif line == "-- with tables":
            kinds[kind] += kinds["tables"]
        elif line.startswith("-- "):
            how, _, argument = line[3:].partition(": ")
        elif line:
            lines.append(line.strip())
            if line.endswith(";"):
                kinds[kind].append(Statement(" ".join(lines)[:-1], how, argument))
                how, argument, lines = "", "", []
    assert not lines, lines
    del kinds["tables"]
    return kinds


KINDS = {kind: statements for path in sorted(STATEMENTS.glob("*.sql")) for kind, statements in read_kinds(path).items()}


@dataclass
class Failure:
    """The error's class and first line."""
    kind: str
    message: str


def outcome(con, sql: str) -> Result | Failure:
    try:
        return fetch(con, sql)
    except duckdb.Error as error:
        return Failure(type(error).__name__, str(error).split("\n")[0].split("!")[0])


def gives_an_order(sql: str) -> bool:
    """Whether ORDER BY stands outside of all parentheses."""
    while sql != (shorter := re.sub(r"\([^()]*\)", "", sql)):
        sql = shorter
    return "ORDER BY" in sql


class Sides:
    """The attached database and the plain one; the first of each pair of texts is for the attached one."""

    def __init__(self, there, plain, texts: dict[str, tuple[str, str]]):
        self.there, self.plain, self.texts = there, plain, texts

    def run(self, con, sql: str) -> Result | Failure:
        for name, values in self.texts.items():
            sql = sql.replace("{" + name + "}", values[con is self.plain])
        return outcome(con, sql)

    def problem(self, kind: str, statement: Statement) -> str:
        """Empty if the statement does what it is to do."""
        seen = self.run(self.there, statement.sql)
        wrong = f"{statement.sql}\n  there: {seen}\n  "
        if statement.how == "refused":
            refused = isinstance(seen, Failure) and statement.argument in seen.message
            return "" if refused else f"{wrong}expected an error: {statement.argument}"
        if statement.how == "there":
            rows = ast.literal_eval(statement.argument) if statement.argument else None
            fits = isinstance(seen, Result) and (rows is None or seen.rows == rows)
            return "" if fits else f"{wrong}expected: {rows}"
        expected = self.run(self.plain, statement.sql)
        wrong += f"plain: {expected}\n  "
        if statement.how == "succeeds":
            failed = isinstance(seen, Failure) or isinstance(expected, Failure)
            return wrong if failed else ""
        if isinstance(expected, Failure):
            there, here = self.texts["dir"]
            expected = Failure(expected.kind, expected.message.replace(here, there))
            if "syntax error" in expected.message and kind != NOT_IN_DUCKDB:
                return f"{wrong}a test that tests nothing"
        if isinstance(expected, Failure) or isinstance(seen, Failure):
            return "" if expected == seen else wrong
        found = difference(expected, seen, ordered=gives_an_order(statement.sql))
        return wrong + found if found else ""


@pytest.mark.parametrize("kind", list(KINDS))
def test_statements(client, served, tmp_path, kind: str):
    plain = bare_session()
    directories = tmp_path / "there", tmp_path / "here"
    for directory in directories:
        directory.mkdir()
    # as new a format as that of a driver in memory
    plain.execute(f"ATTACH '{tmp_path / 'plain.duckdb'}' AS dh (STORAGE_VERSION 'latest')")
    plain.execute("USE dh")
    address = f"{served.driver.host}:{served.driver.port}"
    sides = Sides(client, plain, {"dir": (str(directories[0]), str(directories[1])),
                                  "there": (address, str(tmp_path / "plain.duckdb")),
                                  "options": ("TYPE duckherder", "STORAGE_VERSION 'latest'")})
    problems = [found for statement in KINDS[kind] if (found := sides.problem(kind, statement))]
    if problems:
        pytest.fail("\n" + "\n".join(problems), pytrace=False)
    plain.close()


def test_texts_without_a_statement(client):
    for sql in ("", ";", "-- only a comment"):
        assert client.sql(sql) is None


def test_all_kinds_are_documented():
    section = DOCUMENT.read_text().split("\n## Statements\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1].strip().strip("`") for line in section.splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(KINDS)
