"""The stock ADBC driver for Flight SQL at a driver: nothing of ours runs in the client."""

import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.compute
import pyarrow.flight
import pytest
from adbc_driver_flightsql import dbapi
from adbc_driver_manager import DatabaseOptions

from remote.test_attach import TYPES
from remote.test_suites import TPCH_SCALE, every_query
from support import tpch
from support.cluster import Cluster
from support.compare import assert_same
from support.flight_sql import (AUTHORIZATION, adbc_session, arrow_result, driver_uri, plain_arrow_result, query,
                                read_token, update)
from support.session import Connection, plain_session
from support.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.timeout(120)

CLIENT_TOKENS = {"read": "a" * 40, "write": "b" * 40}


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Cluster]:
    tokens = tmp_path_factory.mktemp("tokens") / "client-tokens"
    tokens.touch(mode=0o600)
    tokens.write_text("".join(f"{role} {token}\n" for role, token in CLIENT_TOKENS.items()))
    options = ["--init", str(every_query(tmp_path_factory)), "--client-tokens", str(tokens),
               "--allow-path", str(tpch.parquet_directory(TPCH_SCALE))]
    with Cluster(tmp_path_factory.mktemp("flight_sql"), workers=2, with_driver=True,
                 driver_options=options) as cluster:
        yield cluster


@pytest.fixture
def client(served, token_file) -> Iterator[dbapi.Connection]:
    """What the test made is dropped."""
    with adbc_session(served, read_token(token_file)) as connection:
        yield connection
        made = query(connection, "SELECT 'VIEW', view_name FROM duckdb_views() WHERE NOT internal AND schema_name = "
                                 "'main' UNION ALL SELECT 'TABLE', table_name FROM duckdb_tables() ORDER BY 1 DESC, 2")
        for kind, name in made:
            update(connection, f'DROP {kind} IF EXISTS "{name}" CASCADE')


@pytest.fixture(scope="module")
def tpch_views(served, token_file) -> Connection:
    plain = plain_session()
    directory = tpch.parquet_directory(TPCH_SCALE)
    tpch.create_sources(plain, directory, "VIEW")
    with adbc_session(served, read_token(token_file)) as connection:
        update(connection, "CREATE SCHEMA tpch")
        for table in tpch.TABLES:
            update(connection, f"CREATE VIEW tpch.{table} AS FROM '{directory / (table + '.parquet')}'")
    return plain


@pytest.mark.parametrize("number", range(1, 23))
def test_tpch(served, token_file, tpch_views, number: int):
    sql = tpch.queries()[number]
    with adbc_session(served, read_token(token_file), autocommit=False) as connection:
        query(connection, "USE tpch")
        expected = plain_arrow_result(tpch_views, sql)
        assert_same(expected, arrow_result(connection, sql), f"TPC-H {number}", ordered=True)
        rows = query(connection, "SELECT execution_mode, local_reason FROM duckherder_get_query_execution_stats() "
                                 "WHERE sql = ? ORDER BY execution_start_time DESC LIMIT 1", [sql])
        assert rows and rows[0][0] in ("DISTRIBUTED", "PARTIAL"), rows


@pytest.mark.parametrize("kind", TYPES)
def test_every_type(client, kind: str):
    plain = plain_session()
    plain.execute("SET TimeZone = 'UTC'")
    first, second = TYPES[kind]
    for run in (plain.execute, lambda sql: update(client, sql)):
        run(f"CREATE TABLE t (id INTEGER, v {kind})")
        run(f"INSERT INTO t VALUES (1, {first}), (2, {second}), (3, NULL)")
    sql = "FROM t ORDER BY id"
    expected = None
    try:
        expected = as_printed(plain.execute(sql).to_arrow_table())
    except duckdb.Error as error:
        print(f"{kind} has no form in Arrow: {error}")
    with client.cursor() as cursor:
        if expected is None:
            with pytest.raises(dbapi.Error):
                cursor.execute(sql)
                cursor.fetch_arrow_table()
        else:
            cursor.execute(sql)
            assert as_printed(cursor.fetch_arrow_table()) == expected


def as_printed(table: pyarrow.Table) -> list[str]:
    """Python has no values for some of Arrow's."""
    return [f"{field}: {column.combine_chunks()}" for field, column in zip(table.schema, table.columns)]


def test_results(client):
    assert query(client, "SELECT 1 AS i, 'ä' AS s, NULL AS n") == [(1, "ä", None)]
    assert query(client, "SELECT 1 WHERE false") == []
    with client.cursor() as cursor:
        cursor.execute("SELECT range AS i, repeat('x', 100) AS s FROM range(300000)")
        table = cursor.fetch_arrow_table()
    assert table.num_rows == 300000
    assert pyarrow.compute.sum(table["i"]).as_py() == 300000 * 299999 // 2


def test_statements(client):
    with client.cursor() as cursor:
        # nobody reads the rows of these
        cursor.execute("CREATE TABLE t (i INTEGER PRIMARY KEY, s VARCHAR)")
        cursor.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
        assert cursor.rowcount == 2
        cursor.execute("UPDATE t SET s = 'c' RETURNING i")
        assert sorted(cursor.fetchall()) == [(1,), (2,)]
    assert update(client, "DELETE FROM t WHERE i = 1") == 1
    assert update(client, "DELETE FROM t WHERE i = 1") == 0
    assert query(client, "FROM t") == [(2, "c")]


@pytest.mark.parametrize("sql, message", [
    ("SELECT nothing FROM nowhere", "Table with name nowhere does not exist"), ("SELEC 1", "syntax error"),
    ("SELECT 'x'::INTEGER", "Could not convert string 'x' to INT32"),
    ("SELECT 1; SELECT 2", "One SQL statement|multiple"),
    ("SELECT error('of the user') FROM range(10)", "of the user"), ("BEGIN", "that of the client")])
def test_errors(client, sql: str, message: str):
    with pytest.raises(dbapi.Error, match=message):
        query(client, sql)
    assert query(client, "SELECT 42") == [(42,)]


def test_parameters(client):
    update(client, "CREATE TABLE t (i INTEGER, s VARCHAR, d DATE)")
    with client.cursor() as cursor:
        cursor.executemany("INSERT INTO t VALUES (?, ?, '2000-01-01'::DATE + ?::INTEGER)",
                           [(i, None if i % 10 == 0 else f"s{i}", i) for i in range(100)])
        assert cursor.rowcount == 100
    assert query(client, "SELECT count(*), count(s), sum(i), max(d)::VARCHAR FROM t") == \
        [(100, 90, 4950, "2000-04-09")]
    assert query(client, "SELECT s FROM t WHERE i = ?", [5]) == [("s5",)]
    assert query(client, "SELECT i FROM t WHERE s = $2 AND i > $1 ", [5, "s7"]) == [(7,)]
    assert query(client, "SELECT ?", ["text"]) == [("text",)]
    with client.cursor() as cursor:
        # all or nothing
        with pytest.raises(dbapi.Error, match="Could not convert"):
            cursor.executemany("INSERT INTO t (s, i) VALUES ('more', ?)", [("1",), ("x",)])
    assert query(client, "SELECT count(*) FROM t WHERE s = 'more'") == [(0,)]
    with pytest.raises(dbapi.Error, match="2 parameters, but 1 values"):
        query(client, "SELECT ? + ?", [1])


def test_bulk_ingest(client):
    rows = pyarrow.table({"i": pyarrow.array(range(10000), pyarrow.int32()), "s": [f"s{i}" for i in range(10000)],
                          "l": [[{"a": i}] if i % 2 else None for i in range(10000)]})
    with client.cursor() as cursor:
        assert cursor.adbc_ingest("t", rows, mode="create") == 10000
        with pytest.raises(dbapi.Error, match="already exists"):
            cursor.adbc_ingest("t", rows, mode="create")
        assert cursor.adbc_ingest("t", rows.slice(100, 5), mode="append") == 5
        assert cursor.adbc_ingest("t", rows.slice(0, 1), mode="create_append") == 1
        with pytest.raises(dbapi.Error, match="does not exist"):
            cursor.adbc_ingest("u", rows, mode="append")
    assert query(client, "SELECT count(*), sum(i), count(DISTINCT s), sum(l[1].a) FROM t") == \
        [(10006, 49995000 + 510, 10000, 25000000 + 101 + 103)]
    with client.cursor() as cursor:
        assert cursor.adbc_ingest("t", rows.select(["s"]).slice(0, 3), mode="replace") == 3
    assert query(client, "FROM t") == [("s0",), ("s1",), ("s2",)]


def test_transactions(client, served, token_file):
    update(client, "CREATE TABLE t (i INTEGER)")
    with adbc_session(served, read_token(token_file), autocommit=False) as other:
        with other.cursor() as cursor:
            cursor.execute("INSERT INTO t VALUES (1)")
            assert query(other, "FROM t") == [(1,)]
            assert query(client, "FROM t") == []
            other.rollback()
            assert query(other, "FROM t") == []
            cursor.execute("INSERT INTO t VALUES (2)")
            cursor.executemany("INSERT INTO t VALUES (?)", [(3,), (4,)])
            other.commit()
            assert query(client, "FROM t ORDER BY i") == [(2,), (3,), (4,)]
            # a statement may begin while rows of the one before it are not read
            cursor.execute("FROM range(100000)")
            assert cursor.fetchone() == (0,)
            assert query(other, "SELECT count(*) FROM t") == [(3,)]
    # a connection that ends does not commit
    with adbc_session(served, read_token(token_file), autocommit=False) as other:
        query(other, "INSERT INTO t VALUES (5)")
    assert query(client, "SELECT count(*) FROM t") == [(3,)]


def test_what_is_there(client, served):
    update(client, "CREATE TABLE orders (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL)")
    update(client, "CREATE TABLE lines (id INTEGER REFERENCES orders (id), amount DECIMAL(10, 2))")
    update(client, "CREATE VIEW big AS SELECT * FROM lines WHERE amount > 100")
    objects = client.adbc_get_objects(depth="all").read_all().to_pylist()
    database = next(entry for entry in objects if entry["catalog_name"] == "memory")
    schema = next(entry for entry in database["catalog_db_schemas"] if entry["db_schema_name"] == "main")
    tables = {table["table_name"]: table for table in schema["db_schema_tables"]}
    assert {name: table["table_type"] for name, table in tables.items()} == \
        {"orders": "TABLE", "lines": "TABLE", "big": "VIEW"}
    columns = {column["column_name"]: column for column in tables["lines"]["table_columns"]}
    assert list(columns) == ["id", "amount"]
    assert client.adbc_get_table_schema("lines") == \
        pyarrow.schema([("id", pyarrow.int32()), ("amount", pyarrow.decimal128(10, 2))])
    assert client.adbc_get_table_types() == ["TABLE", "VIEW"]
    found = client.adbc_get_objects(depth="tables", table_name_filter="l%").read_all().to_pylist()
    names = [table["table_name"] for entry in found for schema in entry["catalog_db_schemas"] or []
             for table in schema["db_schema_tables"] or []]
    assert [name for name in names if name in tables] == ["lines"]
    info = client.adbc_get_info()
    assert info["vendor_name"] == "Duckherder"
    assert "1.5.5" in info["vendor_version"]


def test_columns_are_described_as_duckdb_does(client):
    kinds = ["TINYINT", "INTEGER", "UBIGINT", "HUGEINT", "DECIMAL(18, 3)", "DOUBLE", "VARCHAR", "BLOB", "DATE", "TIME",
             "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE", "INTERVAL", "UUID", "INTEGER[]", "BOOLEAN",
             "STRUCT(a INTEGER, b VARCHAR[])", "ENUM('a', 'b')", "MAP(VARCHAR, INTEGER)", "BIT", "INTEGER[3]"]
    columns = ", ".join(f'"c {number}" {kind}{" NOT NULL" if number % 3 == 0 else ""}'
                        for number, kind in enumerate(kinds))
    update(client, f"CREATE TABLE t ({columns}, k INTEGER PRIMARY KEY DEFAULT 42, d DATE DEFAULT current_date, "
                   "g INTEGER GENERATED ALWAYS AS (k + 1))")
    update(client, "COMMENT ON COLUMN t.\"c 3\" IS 'its comment'")
    update(client, 'CREATE VIEW v AS SELECT "c 1", k FROM t')
    expected = query(client, """
        SELECT c.table_name, c.column_name, c.ordinal_position::INTEGER, c.data_type, c.is_nullable, d.comment::VARCHAR,
               c.column_default
        FROM information_schema.columns c
        JOIN duckdb_columns() d ON c.table_name = d.table_name AND c.column_name = d.column_name
        WHERE c.table_schema = 'main' AND c.table_catalog = 'memory' ORDER BY 1, 3""")
    objects = client.adbc_get_objects(depth="all", catalog_filter="memory").read_all().to_pylist()
    told = sorted((table["table_name"], column["column_name"], column["ordinal_position"], column["xdbc_type_name"])
                  for entry in objects for schema in entry["catalog_db_schemas"]
                  if schema["db_schema_name"] == "main"
                  for table in schema["db_schema_tables"] for column in table["table_columns"])
    assert told == sorted(row[:4] for row in expected)
    assert len(told) == len(kinds) + 5
    # what the driver's objects have no place for
    for name in ("t", "v"):
        told = [(name, field.name, number, field.metadata[b"ARROW:FLIGHT:SQL:TYPE_NAME"].decode(),
                 "YES" if field.nullable else "NO", decoded(field, b"ARROW:FLIGHT:SQL:REMARKS"),
                 decoded(field, b"XDBC_COLUMN_DEF"))
                for number, field in enumerate(client.adbc_get_table_schema(name), 1)]
        assert told == [row for row in expected if row[0] == name]


def decoded(field: pyarrow.Field, key: bytes) -> str | None:
    return field.metadata[key].decode() if key in field.metadata else None


def message(field: int, text: str) -> bytes:
    """A field of a protobuf message."""
    return bytes([field << 3 | 2, len(text)]) + text.encode()


def ask(served: Cluster, token: str, command: str, body: bytes = b"") -> pyarrow.Table:
    """What the ADBC driver has no function for."""
    url = f"type.googleapis.com/arrow.flight.protocol.sql.{command}".encode()
    packed = bytes([10, len(url)]) + url + bytes([18, len(body)]) + body
    options = pyarrow.flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {token}".encode())],
                                               timeout=60 * PATIENCE)
    assert served.driver
    with pyarrow.flight.connect((served.driver.host, served.driver.port)) as client:
        descriptor = pyarrow.flight.FlightDescriptor.for_command(packed)
        info = client.get_flight_info(descriptor, options)
        table = client.do_get(info.endpoints[0].ticket, options).read_all()
        assert table.schema == info.schema == client.get_schema(descriptor, options).schema
        return table


def test_keys_and_types(client, served, token_file):
    token = read_token(token_file)
    update(client, "CREATE TABLE parents (a INTEGER, b INTEGER, PRIMARY KEY (b, a))")
    update(client, "CREATE TABLE children (x INTEGER, y INTEGER, FOREIGN KEY (x, y) REFERENCES parents (b, a))")
    keys = ask(served, token, "CommandGetPrimaryKeys", message(3, "parents")).to_pylist()
    assert [(key["column_name"], key["key_sequence"]) for key in keys] == [("b", 1), ("a", 2)]
    expected = [("parents", "b", "children", "x", 1, 3), ("parents", "a", "children", "y", 2, 3)]
    for command, body in (("CommandGetExportedKeys", message(3, "parents")),
                          ("CommandGetImportedKeys", message(1, "memory") + message(3, "children")),
                          ("CommandGetCrossReference", message(3, "parents") + message(6, "children"))):
        keys = ask(served, token, command, body).to_pylist()
        assert [(key["pk_table_name"], key["pk_column_name"], key["fk_table_name"], key["fk_column_name"],
                 key["key_sequence"], key["update_rule"]) for key in keys] == expected, command
    assert ask(served, token, "CommandGetImportedKeys", message(3, "parents")).num_rows == 0
    types = {row["type_name"]: row["data_type"] for row in ask(served, token, "CommandGetXdbcTypeInfo").to_pylist()}
    assert (types["INTEGER"], types["DECIMAL"], types["VARCHAR"], types["TIMESTAMP"]) == (4, 3, 12, 93)
    assert ask(served, token, "CommandGetXdbcTypeInfo", bytes([8, 91]))["type_name"].to_pylist() == ["DATE"]
    infos = {row["info_name"]: row["value"] for row in ask(served, token, "CommandGetSqlInfo").to_pylist()}
    assert (infos[0], infos[3], infos[8], infos[504], infos[517]) == ("Duckherder", False, 1, '"', [])
    # transactions by the protocol's calls, ingestions belong to them; what JDBC calls transactions there are not
    assert (infos[10], infos[11], infos[562], infos[563], infos[564]) == (True, True, 0, False, 1)
    assert ask(served, CLIENT_TOKENS["read"], "CommandGetSqlInfo", bytes([8, 3]))["value"].to_pylist() == [True]
    with pytest.raises(pyarrow.ArrowNotImplementedError, match="CommandStatementSubstraitPlan is not supported"):
        ask(served, token, "CommandStatementSubstraitPlan")
    with pytest.raises(pyarrow.ArrowInvalid, match="protobuf message"):
        ask(served, token, "CommandGetTables", b"\x0a\x7f")


def test_tokens(served, token_file):
    for options in ({}, {AUTHORIZATION: "Bearer wrong"}, {AUTHORIZATION: "Basic d3Jvbmc6d3Jvbmc="},
                    {"username": "me", "password": "wrong"}):
        with pytest.raises(dbapi.Error, match="the token is missing or wrong|[Uu]nauthenticated"):
            with dbapi.connect(driver_uri(served), options, autocommit=True) as connection:
                query(connection, "SELECT 1")
    login = {DatabaseOptions.USERNAME.value: "anybody", DatabaseOptions.PASSWORD.value: read_token(token_file)}
    with dbapi.connect(driver_uri(served), login, autocommit=True) as connection:
        assert query(connection, "SELECT 42") == [(42,)]


def test_roles(client, served):
    update(client, "CREATE TABLE t (i INTEGER)")
    with adbc_session(served, CLIENT_TOKENS["write"]) as writer, adbc_session(served, CLIENT_TOKENS["read"]) as reader:
        assert update(writer, "INSERT INTO t VALUES (1)") == 1
        assert query(reader, "FROM t") == [(1,)]
        for sql in ("INSERT INTO t VALUES (2)", "CREATE TABLE u (i INTEGER)", "DROP TABLE t"):
            with pytest.raises(dbapi.Error, match="needs the role"):
                update(reader, sql)
    assert query(client, "FROM t") == [(1,)]


def test_cancel(client, served, token_file):
    """A client that gives a statement up ends it at the driver, too."""
    slow = "SELECT count(*) FROM range(100000000) a(x), range(1000) b(y) WHERE hash(x + y) = 1"
    ended = threading.Event()
    with client.cursor() as cursor:
        def run():
            try:
                cursor.execute(slow)
                cursor.fetchall()
            except dbapi.Error:
                ended.set()

        def cancelled() -> bool:
            # again and again: it ends the call that runs, which may be one before the last
            cursor.adbc_cancel()
            return ended.is_set()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        with adbc_session(served, read_token(token_file)) as observer:
            def running() -> bool:
                return served.driver is not None and busy(served.driver.pid)
            wait_until(running, 30 * PATIENCE, lambda: "the statement does not run")
            wait_until(cancelled, 30 * PATIENCE, lambda: "the client does not give up")
            thread.join(30 * PATIENCE)
            wait_until(lambda: not running(), 30 * PATIENCE, lambda: "the statement still runs")
            assert query(observer, "SELECT 42") == [(42,)]


def busy(pid: int) -> bool:
    """Whether one of its threads runs right now."""
    states = []
    for path in Path(f"/proc/{pid}/task").iterdir():
        try:
            states.append((path / "stat").read_text().rsplit(")", 1)[1].split()[0])
        except FileNotFoundError:
            continue
    return "R" in states
