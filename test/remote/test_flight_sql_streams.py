"""Streams that do not come to their end, and transactions of connections: the stock ADBC driver and raw Flight."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.flight
import pytest
from adbc_driver_flightsql import dbapi

from support.cluster import Cluster
from support.cut_connection import CutConnection
from support.flight_sql import adbc_session, driver_uri, query, read_token, update
from support.process import die_with_parent
from support.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.timeout(180)

MODES = ("create", "append", "replace", "create_append")
SCHEMA = pyarrow.schema([("i", pyarrow.int64())])
CLIENT = Path(__file__).parent / "ingesting_client.py"
IDLE_SECONDS = 300


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("streams"), workers=1, with_driver=True,
                 driver_options=["--transaction-idle", str(IDLE_SECONDS)]) as cluster:
        yield cluster


@pytest.fixture
def token(token_file) -> str:
    return read_token(token_file)


@pytest.fixture
def client(served, token) -> Iterator[dbapi.Connection]:
    """What the test made is dropped."""
    with adbc_session(served, token) as connection:
        yield connection
        for (name,) in query(connection, "SELECT table_name FROM duckdb_tables() ORDER BY ALL"):
            update(connection, f'DROP TABLE IF EXISTS "{name}" CASCADE')


@contextlib.contextmanager
def transacting(served: Cluster, token: str) -> Iterator[dbapi.Connection]:
    with adbc_session(served, token, autocommit=False) as connection:
        yield connection


def batch(begin: int, rows: int = 1000) -> pyarrow.RecordBatch:
    return pyarrow.record_batch({"i": pyarrow.array(range(begin, begin + rows), pyarrow.int64())})


def reader_of(batches: Iterator[pyarrow.RecordBatch], schema: pyarrow.Schema = SCHEMA) -> pyarrow.RecordBatchReader:
    return pyarrow.RecordBatchReader.from_batches(schema, batches)


def raising(count: int) -> Iterator[pyarrow.RecordBatch]:
    for number in range(count):
        yield batch(number * 1000)
    raise RuntimeError("the source of the rows failed")


def has(connection: dbapi.Connection, table: str) -> list[tuple] | None:
    """Count and sum, None if it is not there."""
    if not query(connection, "SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [table]):
        return None
    return query(connection, f'SELECT count(*), sum(i)::BIGINT FROM "{table}"')


def sessions(connection: dbapi.Connection) -> list[tuple]:
    return query(connection, "SELECT session_id, state, transaction_start IS NOT NULL, last_statement FROM "
                             "duckherder_sessions() WHERE last_statement NOT LIKE '%duckherder_sessions%'")


def others_are_gone(connection: dbapi.Connection) -> None:
    wait_until(lambda: not sessions(connection), 30, lambda: f"there still are {sessions(connection)}")


# --- a stream without its end

@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("batches", [0, 1, 5, 40])
def test_a_reader_that_raises(client, mode: str, batches: int):
    if mode != "create":
        update(client, "CREATE TABLE t AS SELECT 7::BIGINT AS i")
    before = has(client, "t")
    with client.cursor() as cursor, pytest.raises(dbapi.Error, match="the source of the rows failed"):
        cursor.adbc_ingest("t", reader_of(raising(batches)), mode=mode)
    others_are_gone(client)
    assert has(client, "t") == before
    with client.cursor() as cursor:
        assert cursor.adbc_ingest("t", reader_of(iter([batch(0), batch(1000)])), mode=mode) == 2000
    assert has(client, "t") == [(2000, 1999000) if mode in ("create", "replace") else (2001, 1999007)]


def test_many_readers_that_raise(client):
    """The end of a stream and its break come over one connection, shortly after one another."""
    update(client, "CREATE TABLE t (i BIGINT)")
    for _ in range(100):
        with client.cursor() as cursor, pytest.raises(dbapi.Error, match="the source of the rows failed"):
            cursor.adbc_ingest("t", reader_of(raising(2)), mode="append")
    others_are_gone(client)
    assert has(client, "t") == [(0, None)]


@pytest.mark.parametrize("autocommit", [True, False])
@pytest.mark.parametrize("mode", MODES)
def test_a_batch_beyond_the_limit_of_messages(client, served, token, mode: str, autocommit: bool):
    schema = pyarrow.schema([("i", pyarrow.string())])
    large = [pyarrow.record_batch({"i": ["small"]}), pyarrow.record_batch({"i": ["x" * (20 << 20)]})]
    if mode != "create":
        update(client, "CREATE TABLE t AS SELECT 'old' AS i")
    with adbc_session(served, token, autocommit) as connection, connection.cursor() as cursor:
        with pytest.raises(dbapi.Error, match="larger than max"):
            cursor.adbc_ingest("t", reader_of(iter(large), schema), mode=mode)
        if not autocommit:
            connection.commit()
    others_are_gone(client)
    there = query(client, "SELECT table_name FROM duckdb_tables()")
    assert there == ([] if mode == "create" else [("t",)])
    assert mode == "create" or query(client, "FROM t") == [("old",)]


@contextlib.contextmanager
def sending(served: Cluster, token: str, table: str, mode: str, autocommit: bool) -> Iterator[subprocess.Popen]:
    """A client that is killed at the end."""
    environment = {**os.environ, "TOKEN": token, "AUTOCOMMIT": "on" if autocommit else "off"}
    program = subprocess.Popen([sys.executable, str(CLIENT), driver_uri(served), table, mode], env=environment,
                               stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
    try:
        assert program.stdout and program.stdout.readline() == "sent\n"
        yield program
    finally:
        program.kill()
        program.wait()


@pytest.mark.parametrize("autocommit", [True, False])
@pytest.mark.parametrize("mode", ["create_append", "replace"])
def test_a_client_that_is_killed(client, served, token, mode: str, autocommit: bool):
    update(client, "CREATE TABLE t AS SELECT 7::BIGINT AS i")
    with sending(served, token, "t", mode, autocommit):
        assert has(client, "t") == [(1, 7)]
    others_are_gone(client)
    assert has(client, "t") == [(1, 7)]
    update(client, "CHECKPOINT")


def test_a_client_that_cancels(client):
    update(client, "CREATE TABLE t AS SELECT 7::BIGINT AS i")
    sent, go_on = threading.Event(), threading.Event()

    def batches() -> Iterator[pyarrow.RecordBatch]:
        yield batch(0)
        yield batch(1000)
        sent.set()
        go_on.wait(60 * PATIENCE)
        yield batch(2000)

    errors = []
    with client.cursor() as cursor:
        def run() -> None:
            try:
                cursor.adbc_ingest("t", reader_of(batches()), mode="replace")
            except dbapi.Error as error:
                errors.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert sent.wait(60 * PATIENCE)
        cursor.adbc_cancel()
        go_on.set()
        thread.join(60 * PATIENCE)
    assert len(errors) == 1, errors
    others_are_gone(client)
    assert has(client, "t") == [(1, 7)]


# --- the same by Flight itself

def packed(command: str, *fields: tuple[int, bytes | int]) -> bytes:
    """A message of Flight SQL in its envelope."""
    url = f"type.googleapis.com/arrow.flight.protocol.sql.{command}".encode()
    return field_of(1, url) + field_of(2, b"".join(field_of(*entry) for entry in fields))


def field_of(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return bytes([number << 3, value])
    size, length = len(value), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + value


class RawClient:
    """Flight SQL by hand, so that what is sent can be cut anywhere."""

    def __init__(self, served: Cluster, token: str):
        assert served.driver
        self.connection = CutConnection(served.driver.host, served.driver.port)
        self.flight = pyarrow.flight.connect(self.connection.address)
        self.options = pyarrow.flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {token}".encode())],
                                                        timeout=60 * PATIENCE)

    def act(self, kind: str, body: bytes) -> bytes:
        results = list(self.flight.do_action(pyarrow.flight.Action(kind, body), self.options))
        return results[0].body.to_pybytes() if results else b""

    def handle_of(self, answer: bytes) -> bytes:
        """The first field of the message in an envelope; handles have less than 128 bytes."""
        body = answer[answer.index(b"Result") + len("Result"):]
        start = body.index(b"\x0a") + 2
        return body[start:start + body[start - 1]]

    def begin(self) -> bytes:
        return self.handle_of(self.act("BeginTransaction", packed("ActionBeginTransactionRequest")))

    def end(self, transaction: bytes, commit: bool) -> None:
        self.act("EndTransaction", packed("ActionEndTransactionRequest", (1, transaction), (2, 1 if commit else 2)))

    def prepare(self, sql: str, transaction: bytes | None = None) -> bytes:
        request = [(1, sql.encode())] + ([(2, transaction)] if transaction else [])
        return self.handle_of(self.act("CreatePreparedStatement",
                                       packed("ActionCreatePreparedStatementRequest", *request)))

    def put(self, command: bytes, batches: list[pyarrow.RecordBatch], finish: bool) -> None:
        """Without `finish` the connection is cut after the batches have arrived."""
        writer, reader = self.flight.do_put(pyarrow.flight.FlightDescriptor.for_command(command), SCHEMA, self.options)
        for entry in batches:
            writer.write_batch(entry)
        if finish:
            writer.done_writing()
            while reader.read() is not None:
                pass
            writer.close()
        else:
            writer.write_metadata(b"the last one")
            time.sleep(0.2)
            self.connection.cut()
            with contextlib.suppress(pyarrow.ArrowException, OSError):
                writer.close()


def ingestion(table: str, transaction: bytes | None = None) -> bytes:
    """Appends."""
    fields: list[tuple[int, bytes | int]] = [(1, field_of(1, 2) + field_of(2, 2)), (2, table.encode())]
    return packed("CommandStatementIngest", *fields, *([(6, transaction)] if transaction else []))


def test_raw_streams(client, served, token):
    update(client, "CREATE TABLE t (i BIGINT)")
    RawClient(served, token).put(ingestion("t"), [batch(0), batch(1000)], finish=True)
    assert has(client, "t") == [(2000, 1999000)]
    for batches in range(3):
        RawClient(served, token).put(ingestion("t"), [batch(0)] * batches, finish=False)
    others_are_gone(client)
    assert has(client, "t") == [(2000, 1999000)]


def test_parameters_that_break_off(client, served, token):
    update(client, "CREATE TABLE t (i BIGINT)")

    def command(raw: RawClient, transaction: bytes | None = None) -> bytes:
        handle = raw.prepare("INSERT INTO t VALUES (?)", transaction)
        return packed("CommandPreparedStatementUpdate", (1, handle))

    raw = RawClient(served, token)
    raw.put(command(raw), [batch(0, 3), batch(3, 3)], finish=True)
    assert has(client, "t") == [(6, 15)]
    raw = RawClient(served, token)
    raw.put(command(raw), [batch(0, 3), batch(3, 3)], finish=False)
    others_are_gone(client)
    assert has(client, "t") == [(6, 15)]


def test_a_transaction_with_a_broken_stream_cannot_be_committed(client, served, token):
    update(client, "CREATE TABLE t (i BIGINT)")
    raw, other = RawClient(served, token), RawClient(served, token)
    transaction = other.begin()
    handle = raw.prepare("INSERT INTO t VALUES (?)", transaction)
    raw.put(packed("CommandPreparedStatementUpdate", (1, handle)), [batch(0, 3)] * 3, finish=False)

    def refused() -> bool:
        try:
            other.prepare("SELECT 1", transaction)
        except pyarrow.ArrowInvalid as error:
            assert "rolled back when one of its statements failed" in str(error)
            return True
        return False

    wait_until(refused, 30, lambda: "the transaction goes on")
    with pytest.raises(pyarrow.ArrowInvalid, match="can only be ended by a rollback"):
        other.end(transaction, commit=True)
    other.end(transaction, commit=False)
    assert has(client, "t") == [(0, None)]


def test_an_ingestion_that_could_belong_to_two_transactions(client, served, token):
    update(client, "CREATE TABLE t (i BIGINT)")
    raw = RawClient(served, token)
    first, second = raw.begin(), raw.begin()
    with pytest.raises(pyarrow.ArrowInvalid, match="do not say to which transaction they belong"):
        raw.put(ingestion("t"), [batch(0)], finish=True)
    raw.put(ingestion("t", second), [batch(0)], finish=True)
    raw.end(first, commit=True)
    assert has(client, "t") == [(0, None)]
    raw.end(second, commit=True)
    assert has(client, "t") == [(1000, 499500)]


# --- a connection's transaction

@pytest.mark.parametrize("commits", [True, False])
@pytest.mark.parametrize("mode", MODES)
def test_an_ingestion_belongs_to_the_transaction(client, served, token, mode: str, commits: bool):
    if mode != "create":
        update(client, "CREATE TABLE t AS SELECT 7::BIGINT AS i")
    before = has(client, "t")
    with transacting(served, token) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE beside AS SELECT 1::BIGINT AS i")
        assert cursor.adbc_ingest("t", reader_of(iter([batch(0)])), mode=mode) == 1000
        inside = has(connection, "t")
        assert inside == [(1000, 499500) if mode in ("create", "replace") else (1001, 499507)]
        assert has(client, "t") == before
        connection.commit() if commits else connection.rollback()
        assert has(connection, "t") == (inside if commits else before)
    assert has(client, "t") == (inside if commits else before)
    assert has(client, "beside") == ([(1, 1)] if commits else None)


def test_an_ingestion_as_the_first_statement(client, served, token):
    with transacting(served, token) as connection, connection.cursor() as cursor:
        for number in range(3):
            cursor.adbc_ingest("t", reader_of(iter([batch(0)])), mode="create")
            assert has(client, "t") is None
            connection.rollback() if number < 2 else connection.commit()
    assert has(client, "t") == [(1000, 499500)]


def test_a_table_that_is_not_committed(client, served, token):
    with transacting(served, token) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (i BIGINT)")
        assert cursor.adbc_ingest("t", reader_of(iter([batch(0)])), mode="append") == 1000
        found = connection.adbc_get_objects(depth="tables", table_name_filter="t").read_all().to_pylist()
        assert [table["table_name"] for entry in found for schema in entry["catalog_db_schemas"] or []
                for table in schema["db_schema_tables"] or []] == ["t"]
        assert connection.adbc_get_table_schema("t") == SCHEMA
        assert cursor.adbc_ingest("temporary", reader_of(iter([batch(0)])), mode="create", temporary=True) == 1000
        assert query(connection, "SELECT count(*) FROM temporary") == [(1000,)]
        connection.rollback()
    assert has(client, "t") is None


def test_two_connections(client, served, token):
    update(client, "CREATE TABLE t (i BIGINT)")
    with transacting(served, token) as first, transacting(served, token) as second:
        for connection in (first, second, first):
            with connection.cursor() as cursor:
                cursor.adbc_ingest("t", reader_of(iter([batch(0, 10)])), mode="append")
        with client.cursor() as cursor:
            cursor.adbc_ingest("t", reader_of(iter([batch(0, 1)])), mode="append")
        counts = [query(connection, "SELECT count(*) FROM t")[0][0] for connection in (first, second, client)]
        assert counts == [20, 10, 1]
        second.rollback()
        first.commit()
    assert has(client, "t") == [(21, 90)]


def test_cookies_tell_clients_from_others(client, served, token):
    options = {"adbc.flight.sql.authorization_header": f"Bearer {token}",
               "adbc.flight.sql.rpc.with_cookie_middleware": "true"}
    with dbapi.connect(driver_uri(served), options, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("t", reader_of(iter([batch(0)])), mode="create")
        assert has(connection, "t") == [(1000, 499500)]
        assert has(client, "t") is None
        connection.rollback()
        cursor.adbc_ingest("t", reader_of(iter([batch(0)])), mode="create")
        connection.commit()
    assert has(client, "t") == [(1000, 499500)]


def test_a_failed_ingestion_leaves_the_transaction(client, served, token):
    """Nothing was changed yet."""
    with transacting(served, token) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t AS SELECT 7::BIGINT AS i")
        for mode in MODES:
            with pytest.raises(dbapi.Error, match="the source of the rows failed"):
                cursor.adbc_ingest("t", reader_of(raising(3)), mode=mode)
        with pytest.raises(dbapi.Error, match="already exists"):
            cursor.adbc_ingest("t", reader_of(iter([batch(0)])), mode="create")
        assert has(connection, "t") == [(1, 7)]
        connection.commit()
    assert has(client, "t") == [(1, 7)]


# --- a connection that goes

def test_a_connection_that_is_closed(client, served, token):
    update(client, "CREATE TABLE t AS SELECT range AS i FROM range(10)")
    connection = dbapi.connect(driver_uri(served), {"adbc.flight.sql.authorization_header": f"Bearer {token}"},
                               autocommit=False)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE t SET i = i + 1")
    assert len(sessions(client)) == 1
    connection.close()
    assert sessions(client) == []
    update(client, "UPDATE t SET i = i + 2")
    update(client, "CHECKPOINT")
    assert has(client, "t") == [(10, 65)]


def test_a_connection_that_is_lost(client, served, token):
    """Without a word, as that of a client that was killed."""
    update(client, "CREATE TABLE t AS SELECT range AS i FROM range(10)")
    raw = RawClient(served, token)
    transaction = raw.begin()
    command = packed("CommandStatementUpdate", (1, b"UPDATE t SET i = i + 1"), (2, transaction))
    raw.put(command, [], finish=True)
    [(_, state, in_transaction, statement)] = sessions(client)
    assert (state, in_transaction, statement) == ("in transaction", True, "UPDATE t SET i = i + 1")
    raw.connection.cut()
    begin = time.monotonic()
    others_are_gone(client)
    assert time.monotonic() - begin < 10 * PATIENCE < IDLE_SECONDS
    update(client, "UPDATE t SET i = i + 2")
    assert has(client, "t") == [(10, 65)]
    raw = RawClient(served, token)
    with pytest.raises(pyarrow.ArrowInvalid, match="nothing was committed"):
        raw.end(transaction, commit=True)


def test_an_error_names_who_holds(client, served, token):
    update(client, "CREATE TABLE t AS SELECT range AS i FROM range(10)")
    with transacting(served, token) as connection:
        query(connection, "UPDATE t SET i = i + 1")
        [(number, *_)] = sessions(client)
        with pytest.raises(dbapi.Error, match=rf"sessions have transactions open: session {number} \(Flight SQL of "
                                              r"ipv4:127.0.0.1:\d+, for \d+ s\)"):
            update(client, "UPDATE t SET i = i + 2")
        with pytest.raises(dbapi.Error, match=rf"session {number} \(Flight SQL"):
            update(client, "DROP TABLE t") or update(client, "CHECKPOINT")


def test_silence(tmp_path, token):
    """A client that is there but says nothing keeps a transaction for a bounded time."""
    with Cluster(tmp_path, workers=0, with_driver=True, driver_options=["--transaction-idle", "2"]) as cluster:
        with adbc_session(cluster, token) as client, transacting(cluster, token) as connection:
            update(client, "CREATE TABLE t AS SELECT 7::BIGINT AS i")
            query(connection, "INSERT INTO t VALUES (8)")
            others_are_gone(client)
            with pytest.raises(dbapi.Error, match="silent for 2 seconds"):
                query(connection, "FROM t")
            connection.rollback()
            assert query(connection, "FROM t") == [(7,)]


# --- batches by bytes

BATCHES = {
    "many columns": ("SELECT {} FROM range(6000) t(i)".format(", ".join(f"lpad(i::VARCHAR, 100, 'x') AS c{column}"
                                                                        for column in range(60))), 6000),
    "long texts": ("SELECT repeat(chr(97 + i::INTEGER % 26), 300000) AS s FROM range(500) t(i)", 500),
    "one long text": ("SELECT CASE WHEN i = 5000 THEN repeat('y', 12000000) ELSE 'x' END AS s FROM range(9000) t(i)",
                      9000),
    "lists": ("SELECT list_transform(range(1000), x -> 'element ' || x) AS l FROM range(4000) t(i)", 4000),
    "the same list": ("SELECT (SELECT list(repeat('z', 100)) FROM range(500)) AS l FROM range(3000) t(i)", 3000),
    "structs": ("SELECT {'a': [{'b': repeat('q', 5000)}], 'c': i} AS s, [i, i]::BIGINT[2] AS a FROM range(5000) t(i)",
                5000),
    "blobs": ("SELECT encode(repeat('b', 70000)) AS b, NULL AS n FROM range(700) t(i)", 700)}


@pytest.mark.parametrize("name", BATCHES)
def test_batches_fit_into_messages(client, name: str):
    sql, rows = BATCHES[name]
    with client.cursor() as cursor:
        cursor.execute(f"SELECT sum(hash(t::VARCHAR))::VARCHAR FROM ({sql}) t")
        [(digest,)] = cursor.fetchall()
        cursor.execute(f"SELECT *, row_number() OVER () AS number FROM ({sql})")
        table = cursor.fetch_arrow_table()
    assert table.num_rows == rows
    assert table["number"].to_pylist() == list(range(1, rows + 1))
    sizes = [entry.nbytes for entry in table.to_batches() if entry.num_rows > 1]
    assert max(sizes, default=0) <= 4 << 20, (name, max(sizes))
    with duckdb.connect() as con:
        con.register("answer", table.drop_columns(["number"]))
        assert con.execute("SELECT sum(hash(answer::VARCHAR))::VARCHAR FROM answer").fetchall() == [(digest,)]


def test_metadata_beyond_a_message(client):
    for number in range(12):
        columns = ", ".join(f'"column {column} of a table with many columns" INTEGER' for column in range(1500))
        update(client, f"CREATE TABLE wide{number} ({columns})")
    objects = client.adbc_get_objects(depth="all", table_name_filter="wide%").read_all().to_pylist()
    tables = [table for entry in objects for schema in entry["catalog_db_schemas"] or []
              for table in schema["db_schema_tables"] or []]
    assert [len(table["table_columns"]) for table in tables] == [1500] * 12


# --- speed

def best_of(count: int, run: Callable[[], object]) -> float:
    times = []
    for _ in range(count):
        begin = time.monotonic()
        run()
        times.append(time.monotonic() - begin)
    return min(times)


def test_ingestion_is_about_as_fast_as_reading(client):
    rows = pyarrow.table({"i": pyarrow.array(range(1000000), pyarrow.int64()),
                          "s": [f"text {i % 1000}" for i in range(1000000)]})
    with client.cursor() as cursor:
        ingesting = best_of(3, lambda: cursor.adbc_ingest("t", rows.to_reader(100000), mode="replace"))

        def read() -> None:
            cursor.execute("FROM t")
            assert cursor.fetch_arrow_table().num_rows == 1000000

        reading = best_of(3, read)
        cursor.execute("SELECT count(*), sum(i)::BIGINT, count(DISTINCT s) FROM t")
        assert cursor.fetchall() == [(1000000, 499999500000, 1000)]
    print(f"ingesting {ingesting:.2f} s, reading {reading:.2f} s")
    assert ingesting < 4 * reading + 0.5


# --- no statement

@pytest.mark.parametrize("text", ["", "   ", ";", "-- a comment", "/* and\n another */ -- one", ";;\n"])
def test_no_statement(client, text: str):
    # the driver does not send an empty text
    message = "There is no SQL statement in the text" if text else "SqlQuery|without a query"
    for run in (query, update):
        with pytest.raises(dbapi.Error, match=message):
            run(client, text)
