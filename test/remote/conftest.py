"""A driver with workers, and a session that has attached it, beside one with the same tables of its own."""

from collections.abc import Iterator

import pytest

from support.cluster import Cluster
from support.session import Connection, bare_session, scalar


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("served"), workers=2, with_driver=True) as cluster:
        yield cluster


def attach(con: Connection, cluster: Cluster, name: str = "dh", options: str = "") -> None:
    assert cluster.driver
    con.execute(f"ATTACH '{cluster.driver.host}:{cluster.driver.port}' AS {name} (TYPE duckherder{options})")


def last_run(con: Connection, sql: str) -> tuple[str, str | None]:
    """How the driver of `dh` ran a statement last: execution_mode and partition_strategy."""
    quoted = sql.replace("'", "''").replace("'", "''")
    row = con.execute(f"FROM duckherder_query('dh', 'SELECT execution_mode, partition_strategy FROM "
                      f"duckherder_get_query_execution_stats() WHERE sql = ''{quoted}'' ORDER BY execution_start_time "
                      f"DESC LIMIT 1')").fetchone()
    assert row, sql
    return row


@pytest.fixture
def client(served) -> Iterator[Connection]:
    """Its default database is the driver's; what the test made there is dropped."""
    con = bare_session()
    try:
        attach(con, served)
        con.execute("USE dh")
        yield con
        con.execute("ROLLBACK") if in_transaction(con) else None
        clear(con)
    finally:
        con.close()


def in_transaction(con: Connection) -> bool:
    try:
        con.execute("BEGIN")
    except Exception:  # noqa: BLE001
        return True
    con.execute("ROLLBACK")
    return False


def clear(con: Connection) -> None:
    """Drops whatever is in the driver's database."""
    # from outside: a schema of the database's own name would be meant by it
    con.execute("USE memory")
    for kind, name in (("VIEW", "view"), ("TABLE", "table"), ("SEQUENCE", "sequence"), ("TYPE", "type"),
                       ("MACRO", "function")):
        where = "" if kind == "SEQUENCE" else "AND NOT internal"
        entries = con.execute(f"SELECT DISTINCT schema_name, {name}_name FROM duckdb_{name}s() WHERE "
                              f"database_name = 'dh' {where}").fetchall()
        for schema, entry in entries:
            table_macro = kind == "MACRO" and scalar(
                con, "SELECT max(function_type = 'table_macro') FROM duckdb_functions() WHERE database_name = 'dh' AND "
                     f"function_name = '{entry}'")
            con.execute(f'DROP {kind} {"TABLE" if table_macro else ""} IF EXISTS dh."{schema}"."{entry}" CASCADE')
    for (schema,) in con.execute("SELECT schema_name FROM duckdb_schemas() WHERE database_name = 'dh' AND "
                                 "schema_name <> 'main' AND NOT internal").fetchall():
        con.execute(f'DROP SCHEMA dh."{schema}" CASCADE')
