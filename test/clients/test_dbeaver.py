"""What DBeaver and other tools ask by JDBC about a database, its tables and their rows. DuckDB's own driver is asked
about a plain DuckDB, about one that borrows a driver's workers and about a driver's database that is attached, and the
driver for Flight SQL about that database. All have the same tables, and all have to answer as the plain one."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import paths, shop
from support.clients_page import blocks, here
from support.cluster import BY_ROWS, Cluster
from support.flight_sql import read_token
from support.jdbc import DUCKDB_JAR, JAR, jdbc_url, missing_tools, run

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(paths.BUILD.name != "release", reason="DuckDB's JDBC driver is for the release build"),
    pytest.mark.skipif(missing_tools(), reason="there is no java, javac or mvn on this machine")]

Answers = dict[str, object]
Rows = list[dict[str, str | None]]
NAME = "JdbcQuestions"
UNSIGNED = "allow_unsigned_extensions=true"
RUNS = "SELECT sql, execution_mode FROM duckherder_get_query_execution_stats()"
#: The statements of the data editor, by how they begin
DATA = ("SELECT x.*", "SELECT count(*)", "SELECT id, region", "SELECT l_returnflag")
#: The extension has functions of its own, and says so in no order
FUNCTIONS = ("getNumericFunctions", "getStringFunctions", "getSystemFunctions", "getTimeDateFunctions")
#: By java.sql.Types, where the driver for Flight SQL follows Arrow's types and DuckDB's own one says something else
TYPES = {"HUGEINT": "3", "BLOB": "-3", "INTERVAL": "2000", "JSON": "12", "UUID": "12", "VARCHAR[]": "2003",
         "ENUM('web', 'shop', 'phone')": "12", "STRUCT(x DOUBLE, y DOUBLE)": "2000"}
#: What a tool has to know to write a statement
SETTINGS = ("getIdentifierQuoteString", "getCatalogSeparator", "isCatalogAtStart", "isReadOnly", "supportsGroupBy",
            "supportsColumnAliasing", "supportsOuterJoins", "supportsUnion", "supportsUnionAll",
            "supportsCatalogsInDataManipulation", "supportsSchemasInDataManipulation",
            "supportsCatalogsInTableDefinitions", "supportsSchemasInTableDefinitions",
            "supportsCorrelatedSubqueries", "supportsStoredProcedures", "supportsSubqueriesInExists")


class Asker:
    """The Java program with the questions."""

    def __init__(self, directory: Path):
        self.directory = directory
        run(["javac", "-d", str(directory), str(Path(__file__).parent / f"{NAME}.java")], directory)

    def ask(self, jar: Path, url: str, catalog: str, statements: list[str], properties: list[str],
            afterwards: str = "SELECT 1") -> Answers:
        first = self.directory / "first.sql"
        first.write_text("".join(statement + ";\n" for statement in statements))
        output = run(["java", "--add-opens=java.base/java.nio=ALL-UNNAMED", "-Xmx512m", f"-Dafterwards={afterwards}",
                      "-cp", f"{self.directory}:{paths.require(jar)}", NAME, url, catalog, str(first), *properties],
                     self.directory)
        lines = [json.loads(line) for line in output.splitlines() if line.startswith('{"question"')]
        answers = {line["question"]: line["answer"] for line in lines}
        assert len(answers) == len(lines) > 200
        return answers

    def ask_duckdb(self, catalog: str, statements: list[str], afterwards: str = "SELECT 1") -> Answers:
        return self.ask(DUCKDB_JAR, "jdbc:duckdb:", catalog, statements, [UNSIGNED], afterwards)


@pytest.fixture(scope="module")
def asker(tmp_path_factory: pytest.TempPathFactory) -> Asker:
    return Asker(tmp_path_factory.mktemp("questions"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with shop.served(tmp_path_factory.mktemp("dbeaver"), workers=2) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def plain(asker) -> Answers:
    return asker.ask_duckdb("memory", shop.tables())


@pytest.fixture(scope="module")
def by_flight_sql(asker, served, token_file) -> Answers:
    properties = ["useEncryption=false", "user=me", f"password={read_token(token_file)}"]
    return asker.ask(JAR, jdbc_url(served), "memory", [], properties, RUNS)


def bootstrap(cluster: Cluster) -> list[str]:
    """What the page lets DBeaver run first: LOAD, what makes it borrow workers, what attaches a driver's database."""
    assert cluster.driver
    code = [code for language, code in blocks("Java, DBeaver and other tools") if language == "sql"]
    return here(code[0], f"{cluster.driver.host}:{cluster.driver.port}").rstrip().rstrip(";").split(";\n")


def rows_of(answers: Answers, question: str) -> Rows:
    rows = answers[question]
    assert isinstance(rows, list), rows
    return rows


def check_runs(answers: Answers) -> None:
    """The statements over data ran on workers."""
    runs = {start: row["execution_mode"] for row in rows_of(answers, "afterwards") for start in DATA
            if (row["sql"] or "").startswith(start)}
    assert runs == dict.fromkeys(DATA, "DISTRIBUTED")


def check_same(expected: Answers, answers: Answers) -> None:
    assert list(answers) == list(expected)
    check_runs(answers)
    for question, answer in expected.items():
        if question.removeprefix("setting ") in FUNCTIONS:
            more = set(str(answers[question]).split(",")) ^ set(str(answer).split(","))
            assert all(name.startswith("duckherder_") for name in more), question
        elif question == "functions":
            # Variants of one function are in no order either.
            told = rows_of(answers, question)
            others = [row for row in told if not str(row["FUNCTION_NAME"]).startswith("duckherder_")]
            assert len(others) < len(told)
            assert sorted(map(str, others)) == sorted(map(str, rows_of(expected, question)))
        elif question != "afterwards":
            assert answers[question] == answer, question


def test_borrowed_workers(asker, served, plain):
    load, borrow, _ = bootstrap(served)
    check_same(plain, asker.ask_duckdb("memory", [load, borrow, BY_ROWS, *shop.tables()], RUNS))


def test_attached_database(asker, served):
    plain = asker.ask_duckdb("dh", ["ATTACH ':memory:' AS dh", "USE dh", *shop.tables(), "USE memory"])
    load, _, attach = bootstrap(served)
    check_same(plain, asker.ask_duckdb("dh", [load, attach], f"FROM duckherder_query('dh', '{RUNS}')"))


def only(rows: Rows, *columns: str) -> list[tuple[str | None, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]


TABLE = ("TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE")


@pytest.mark.parametrize("question", ["tables", "tables of a schema", "tables by pattern", "views", "base tables",
                                      "no such type"])
def test_tables_by_flight_sql(plain, by_flight_sql, question: str):
    told = only(rows_of(by_flight_sql, question), *TABLE)
    assert sorted(told) == sorted(only(rows_of(plain, question), *TABLE))
    # The protocol sorts by names, JDBC by types first.
    assert told == sorted(told, key=lambda row: row[:3])


def test_catalogs_by_flight_sql(plain, by_flight_sql):
    assert by_flight_sql["catalogs"] == [row for row in rows_of(plain, "catalogs") if row["TABLE_CAT"] == "memory"]
    assert by_flight_sql["all schemas"] == [row for row in rows_of(plain, "all schemas")
                                            if row["TABLE_CATALOG"] == "memory"]
    for question in ("schemas", "schemas by pattern"):
        assert rows_of(plain, question) and by_flight_sql[question] == plain[question]
    kinds = only(rows_of(by_flight_sql, "table types"), "TABLE_TYPE")
    assert kinds == [kind for kind in only(rows_of(plain, "table types"), "TABLE_TYPE") if kind in kinds]
    assert set(kinds) == set(only(rows_of(by_flight_sql, "tables"), "TABLE_TYPE"))


@pytest.mark.parametrize("question", ["columns", "columns by pattern"])
def test_columns_by_flight_sql(plain, by_flight_sql, question: str):
    same = ("TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "COLUMN_NAME", "ORDINAL_POSITION", "TYPE_NAME", "NULLABLE",
            "IS_NULLABLE", "REMARKS")
    told, expected = rows_of(by_flight_sql, question), rows_of(plain, question)
    assert sorted(only(told, *same), key=str) == sorted(only(expected, *same), key=str) and told
    kinds = dict(only(told, "TYPE_NAME", "DATA_TYPE"))
    assert kinds == {**dict(only(expected, "TYPE_NAME", "DATA_TYPE")),
                     **{name: number for name, number in TYPES.items() if name in kinds}}
    numbers = ("COLUMN_NAME", "COLUMN_SIZE", "DECIMAL_DIGITS")
    assert [row for row in only(told, *numbers) if row[0] == "amount"] == \
        [row for row in only(expected, *numbers) if row[0] == "amount"] != []


def test_keys_by_flight_sql(plain, by_flight_sql):
    found = [question for question in plain if re.match("(primary key|imported keys|exported keys|keys) ", question)]
    filled = [question for question in found if plain[question]]
    assert len(found) == 28 and len(filled) == 8
    for question in found:
        # The name of a key and when it is checked: DuckDB's driver does not know the one, Flight SQL not the other.
        expected, told = ([{column: value for column, value in row.items()
                            if column not in ("PK_NAME", "DEFERRABILITY")} for row in rows_of(answers, question)]
                          for answers in (plain, by_flight_sql))
        assert told == expected, question


def test_definitions_by_flight_sql(plain, by_flight_sql):
    def without_quotes(answer: object) -> str:
        """The drivers write lists in different ways."""
        return re.sub(r'[\s\\"]', "", json.dumps(answer))

    found = [question for question in plain if question.startswith("definition")]
    assert len([question for question in found if plain[question]]) == 8
    for question in [*found, "sequences"]:
        assert by_flight_sql[question] == plain[question], question
    for question in ("foreign keys", "constraints", "types of its own"):
        assert plain[question] and without_quotes(by_flight_sql[question]) == without_quotes(plain[question]), question


def test_settings_by_flight_sql(plain, by_flight_sql):
    names = [f"setting {name}" for name in SETTINGS]
    assert {name: by_flight_sql[name] for name in names} == {name: plain[name] for name in names}
    assert by_flight_sql["setting getDatabaseProductVersion"] == f"DuckDB {plain['setting getDatabaseProductVersion']}"


def test_statements_by_flight_sql(plain, by_flight_sql):
    check_runs(by_flight_sql)
    pages = [[{column: value for column, value in row.items() if column != "how"} for row in rows_of(answers, "page")]
             for answers in (plain, by_flight_sql)]
    assert pages[0] == pages[1] and len(pages[0]) == 200
    for question in ("number of rows", "filter", "chart", "explained", "changed to 12.50", "after 12.50",
                     "changed to 6.29", "after 6.29"):
        assert by_flight_sql[question] == plain[question], question
    assert "Violates foreign key constraint" in str(plain["refused"])
    assert str(plain["refused"]).split(": ", 1)[1].split(". If")[0] in str(by_flight_sql["refused"])


def test_what_the_driver_for_flight_sql_does_not_ask(plain, by_flight_sql):
    """docs/clients.md says so. A later version of it may."""
    for question in ("functions", "types", "user-defined types", "indexes of main.sales"):
        assert by_flight_sql[question] == [] != plain[question], question


@pytest.mark.xfail(strict=True, reason="the JDBC driver shows the numbers of values that come with a dictionary")
def test_enums_by_flight_sql(plain, by_flight_sql):
    assert only(rows_of(by_flight_sql, "an ENUM"), "text") == only(rows_of(plain, "an ENUM"), "text")
    assert by_flight_sql["an ENUM"] == plain["an ENUM"]
