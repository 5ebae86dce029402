"""The reviewed table of functions, src/engine/function_traits.def and what 2.0 adds to it, against the
functions that DuckDB has."""

import os
import re
import subprocess

import pytest

from support import paths
from support.session import Connection, bare_session, plain_session
from support.versions import IS_NEXT_DUCKDB

ROW = re.compile(r"^FUNCTIONS\((\w+), (\w+), ([A-Z_| ]+),\s*((?:\"[^\"]*\"\s*)+)\)", re.MULTILINE)
EXTENSIONS = (paths.TPCH_EXTENSION, paths.TPCDS_EXTENSION, paths.HTTPFS_EXTENSION, paths.DUCKLAKE_EXTENSION,
              paths.QUACK_EXTENSION, paths.POSTGRES_EXTENSION)
#: Of extensions that these tests do not have
OF_OTHER_EXTENSIONS = set("delta_scan iceberg_scan mysql_clear_cache mysql_execute mysql_query mysql_scan read_avro "
                          "read_xlsx sqlite_attach sqlite_query sqlite_scan st_read".split())
OF_THE_SHELL = set("check_peg_parser disable_peg_parser enable_peg_parser getenv sql_auto_complete".split())
#: In plans, but in no catalog of a session
WITHOUT_ENTRY = set("duckherder_gather duckherder_remote_scan duckherder_task_inputs duckherder_view_scan".split())


#: What only DuckDB 2.0 has stands in the second
TABLES = ("function_traits.def", "function_traits_2_0.def")


def reviewed(tables: tuple[str, ...] = TABLES) -> dict[tuple[str, str], tuple[str, str]]:
    """Kind and name, as duckdb_functions() has them: the reason and the powers."""
    table = {}
    text = "".join((paths.ROOT / "src/engine" / name).read_text() for name in tables)
    for kind, reason, powers, names in ROW.findall(text):
        for name in "".join(re.findall(r'"([^"]*)"', names)).split():
            assert (kind.lower(), name) not in table, f"{kind} {name} is there twice"
            table[(kind.lower(), name)] = (reason, powers.strip())
    assert len(table) > 900
    return table


def functions_of(con: Connection) -> set[tuple[str, str]]:
    return set(con.execute("SELECT DISTINCT function_type, lower(function_name) FROM duckdb_functions() "
                           "WHERE database_name = 'system'").fetchall())


def assert_reviewed(functions: set[tuple[str, str]]) -> None:
    if IS_NEXT_DUCKDB:
        # its window functions are entries of the catalog; a plan has them in windows only, as that of 1.5
        functions = {(kind, name.replace(" ", "_")) for kind, name in functions if kind != "window"}
    unknown = sorted(functions - set(reviewed()))
    assert not unknown, f"look at them, then add them to src/engine/function_traits.def: {unknown}"


def test_each_function_of_a_fresh_database_is_reviewed():
    with plain_session() as con:
        functions = functions_of(con)
    assert len(functions) > 900
    assert_reviewed(functions)


def test_each_function_of_the_shell_is_reviewed():
    sql = ".mode list\n.separator ' '\n.headers off\n" \
          "SELECT DISTINCT function_type, lower(function_name) FROM duckdb_functions() WHERE database_name = 'system';"
    shown = subprocess.run([str(paths.require(paths.STOCK_SHELL)), "-init", os.devnull, "-batch"], input=sql, text=True,
                           capture_output=True, timeout=60, check=True).stdout
    functions = {tuple(line.split(" ")) for line in shown.splitlines()}
    assert len(functions) > 900
    assert_reviewed(functions)


@pytest.fixture(scope="module")
def functions_of_extensions() -> set[tuple[str, str]]:
    with bare_session() as con:
        for extension in EXTENSIONS:
            con.execute(f"LOAD {paths.quoted(paths.require(extension))}")
        return functions_of(con)


def test_each_function_of_an_extension_is_reviewed(functions_of_extensions):
    assert_reviewed(functions_of_extensions)


def test_no_row_is_of_a_function_that_is_gone(functions_of_extensions):
    elsewhere = OF_OTHER_EXTENSIONS | OF_THE_SHELL | WITHOUT_ENTRY
    stale = sorted(row for row in set(reviewed(TABLES[:1])) - functions_of_extensions if row[1] not in elsewhere)
    assert not stale, f"DuckDB has no such function: {stale}"
