"""The ways in which somebody with a token can talk to a driver. Each returns what came back as text, or raises."""

import contextlib
import os
import subprocess
from collections.abc import Callable

import pyarrow
import pyarrow.flight as flight
from adbc_driver_flightsql import dbapi

from security.driver_world import SETUP, DriverWorld
from support import paths
from support.flight_sql import AUTHORIZATION
from support.session import bare_session

CHANGED_CLIENT = paths.BUILD / "test" / "security" / "changed_client"
TIMEOUT_SECONDS = 30
#: Two UUIDs
TRANSACTION_BYTES = 72
Client = Callable[[str], str]


class Refused(Exception):
    """The node said no, in whatever words."""


def returns_rows(sql: str) -> bool:
    first = sql.split(None, 1)[0].upper()
    return " RETURNING " in sql or first in ("SELECT", "FROM", "WITH", "TABLE", "VALUES", "DESCRIBE", "SHOW", "PIVOT",
                                             "SUMMARIZE", "EXPLAIN", "UNPIVOT")


@contextlib.contextmanager
def attach_client(world: DriverWorld, role: str):
    """A stock DuckDB that has attached the driver: SQL text that is run there."""
    con = bare_session()
    try:
        con.execute(f"ATTACH '{world.address}' AS dh (TYPE duckherder, TOKEN '{world.tokens[role]}')")

        def run(sql: str) -> str:
            try:
                if returns_rows(sql):
                    return str(con.execute("FROM duckherder_query('dh', $sql)", {"sql": sql}).fetchall())
                return str(con.execute("CALL duckherder_execute('dh', $sql)", {"sql": sql}).fetchall())
            except Exception as error:
                raise Refused(str(error)) from error
        yield run
    finally:
        con.close()


@contextlib.contextmanager
def adbc_client(world: DriverWorld, role: str):
    """The stock ADBC driver for Flight SQL."""
    options = {AUTHORIZATION: f"Bearer {world.tokens[role]}"}
    with dbapi.connect(f"grpc+tcp://{world.address}", options, autocommit=True) as connection:
        def run(sql: str) -> str:
            try:
                with connection.cursor() as cursor:
                    cursor.execute(sql)
                    return str(cursor.fetchall()) if cursor.description else ""
            except Exception as error:
                raise Refused(str(error)) from error
        yield run


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def _text(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def packed(name: str, body: bytes) -> bytes:
    """A message of Flight SQL by hand."""
    return _text(1, b"type.googleapis.com/arrow.flight.protocol.sql." + name.encode()) + _text(2, body)


def flight_sql_command(name: str, sql: str, transaction: bytes = b"") -> bytes:
    return packed(name, _text(1, sql.encode()) + (_text(2, transaction) if transaction else b""))


class RawFlight:
    """Calls of Flight with messages that no driver of ours would send."""

    def __init__(self, world: DriverWorld, role: str):
        self._client = flight.FlightClient(f"grpc://{world.address}")
        self._options = flight.FlightCallOptions(
            timeout=TIMEOUT_SECONDS, headers=[(b"authorization", b"Bearer " + world.tokens[role].encode())])

    def begin(self) -> bytes:
        """The name of a new transaction."""
        answer = self._guarded(lambda: next(iter(self._client.do_action(
            flight.Action("BeginTransaction", packed("ActionBeginTransactionRequest", b"")), self._options))))
        # the last field of the last field
        return answer.body.to_pybytes()[-TRANSACTION_BYTES:]

    def schema(self, sql: str, transaction: bytes = b"") -> str:
        """Only asks what the statement would return."""
        descriptor = flight.FlightDescriptor.for_command(
            flight_sql_command("CommandStatementQuery", sql, transaction))
        return str(self._guarded(lambda: self._client.get_schema(descriptor, self._options).schema))

    def update(self, sql: str) -> str:
        descriptor = flight.FlightDescriptor.for_command(flight_sql_command("CommandStatementUpdate", sql))

        def put():
            writer, reader = self._client.do_put(descriptor, pyarrow.schema([]), self._options)
            with writer:
                writer.done_writing()
                answer = reader.read()
            return answer.to_pybytes() if answer else b""
        return str(self._guarded(put))

    def prepare(self, sql: str) -> str:
        return self.act("CreatePreparedStatement",
                        packed("ActionCreatePreparedStatementRequest", _text(1, sql.encode())))

    def act(self, name: str, body: bytes) -> str:
        return str(self._guarded(lambda: [result.body.to_pybytes() for result in
                                          self._client.do_action(flight.Action(name, body), self._options)]))

    def exchange(self, command: bytes) -> str:
        def talk():
            writer, reader = self._client.do_exchange(flight.FlightDescriptor.for_command(command), self._options)
            with writer:
                writer.write_metadata(b"anything")
                writer.done_writing()
                return str(reader.read_chunk())
        return str(self._guarded(talk))

    @staticmethod
    def _guarded(call):
        try:
            return call()
        except Exception as error:
            raise Refused(str(error)) from error

    def close(self) -> None:
        self._client.close()


@contextlib.contextmanager
def raw_client(world: DriverWorld, role: str):
    """Flight SQL by hand: rows by a schema alone, statements as updates."""
    raw = RawFlight(world, role)
    try:
        yield lambda sql: raw.schema(sql) if returns_rows(sql) else raw.update(sql)
    finally:
        raw.close()


@contextlib.contextmanager
def prepare_client(world: DriverWorld, role: str):
    """Only prepares, which must not do anything."""
    raw = RawFlight(world, role)
    try:
        yield raw.prepare
    finally:
        raw.close()


class ChangedClient:
    """Our own protocol, spoken by a client that says what it likes: test/security/changed_client.cpp."""

    def __init__(self, world: DriverWorld, role: str):
        self._world = world
        own = SETUP.split("CREATE VIEW")[0]
        self._process = subprocess.Popen(
            [str(paths.require(CHANGED_CLIENT)), f"grpc://{world.address}", str(world.files[role]), own],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
            cwd=world.directory, env=dict(os.environ))

    def send(self, kind: str, sql: str, writes: bool = False) -> str:
        # its own DuckDB makes the plan, and opens files for it
        self._world.note_files()
        answer = self._say(f"{kind}\t{int(writes)}\t{' '.join(sql.split())}")
        self._world.forget_files()
        if answer.startswith("ready"):
            answer = self._say("go")
        if not answer:
            raise RuntimeError(f"the changed client ended: {self._process.stderr.read()}")  # type: ignore[union-attr]
        if not answer.startswith("ok"):
            raise Refused(answer.strip())
        return answer.strip()

    def _say(self, line: str) -> str:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(TIMEOUT_SECONDS)
        self._process.stdout.close()  # type: ignore[union-attr]
        self._process.stderr.close()  # type: ignore[union-attr]


@contextlib.contextmanager
def changed_client(world: DriverWorld, role: str):
    """SQL text in our own protocol."""
    client = ChangedClient(world, role)
    try:
        yield lambda sql: client.send("sql", sql)
    finally:
        client.close()


CLIENTS = {"ATTACH": attach_client, "ADBC": adbc_client, "Flight SQL by hand": raw_client,
           "prepared only": prepare_client, "our protocol by hand": changed_client}
#: Those that only look at what a statement would return
LOOKERS = ("prepared only",)
