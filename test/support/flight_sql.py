"""Connections of the stock ADBC driver for Flight SQL to a cluster's driver."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow
from adbc_driver_flightsql import dbapi

from support.cluster import Cluster
from support.compare import Result, fetch

AUTHORIZATION = "adbc.flight.sql.authorization_header"


def driver_uri(cluster: Cluster) -> str:
    assert cluster.driver
    return f"grpc+tcp://{cluster.driver.host}:{cluster.driver.port}"


@contextlib.contextmanager
def adbc_session(cluster: Cluster, token: str, autocommit: bool = True) -> Iterator[dbapi.Connection]:
    with dbapi.connect(driver_uri(cluster), {AUTHORIZATION: f"Bearer {token}"}, autocommit=autocommit) as connection:
        yield connection


def read_token(path: Path) -> str:
    return path.read_text().strip()


def query(connection: dbapi.Connection, sql: str, parameters: list | None = None) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def update(connection: dbapi.Connection, sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_sql_query(sql)
        return cursor.adbc_statement.execute_update()


def arrow_result(connection: dbapi.Connection, sql: str) -> Result:
    """Its types are those that DuckDB gives to Arrow's."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return from_arrow(cursor.fetch_arrow_table())


def plain_arrow_result(con: duckdb.DuckDBPyConnection, sql: str) -> Result:
    """What DuckDB itself hands to other programs as Arrow."""
    return from_arrow(con.execute(sql).to_arrow_table())


def from_arrow(table: pyarrow.Table) -> Result:
    with duckdb.connect() as con:
        con.register("answer", table)
        return fetch(con, "FROM answer")
