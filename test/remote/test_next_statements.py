"""Statements that DuckDB has since 2.0, by a client that has attached a driver."""

import duckdb
import pytest

from support.versions import IS_NEXT_DUCKDB

pytestmark = pytest.mark.skipif(not IS_NEXT_DUCKDB, reason="DuckDB 1.5 has no such statements")


def test_tables_with_triggers_are_not_written_without_them(client):
    """The client binds the statement, and does not know of the trigger."""
    client.execute("CREATE TABLE t (i INTEGER)")
    client.execute("CREATE TABLE log (i INTEGER)")
    client.execute("INSERT INTO t VALUES (1)")
    client.execute("SELECT * FROM duckherder_query('dh', 'CREATE TRIGGER tr AFTER INSERT ON t FOR EACH STATEMENT "
                   "INSERT INTO log VALUES (1)')").fetchall()
    for sql in ("INSERT INTO t VALUES (2)", "UPDATE t SET i = 3", "DELETE FROM t"):
        with pytest.raises(duckdb.Error, match='The table "t" has triggers'):
            client.execute(sql)
    assert client.execute("FROM t").fetchall() == [(1,)]
