"""A driver with workers, and a session that has attached it, beside one with the same tables of its own."""

from collections.abc import Iterator

import pytest

from support.cluster import Cluster
from support.session import Connection, bare_session


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("served"), workers=2, with_driver=True) as cluster:
        yield cluster


def attach(con: Connection, cluster: Cluster, name: str = "dh", options: str = "") -> None:
    assert cluster.driver
    con.execute(f"ATTACH '{cluster.driver.host}:{cluster.driver.port}' AS {name} (TYPE duckherder{options})")


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
    rows = con.execute("SELECT 'VIEW', schema_name, view_name FROM duckdb_views() WHERE database_name = 'dh' AND "
                       "NOT internal UNION ALL SELECT 'TABLE', schema_name, table_name FROM duckdb_tables() WHERE "
                       "database_name = 'dh' ORDER BY 1 DESC, 3 DESC").fetchall()
    for kind, schema, name in rows:
        con.execute(f'DROP {kind} IF EXISTS dh."{schema}"."{name}" CASCADE')
