"""Connections of stock clients at one driver that do things in a random order, and a model of what must be there:
python test/remote/interleavings.py --count 200

Three connections of the ADBC driver without autocommit run statements, ingest rows (whole, from readers that raise,
from clients that are killed, with batches that are too large; in all modes), commit, roll back, and are closed without
either. A fourth client commits each statement, by ADBC or with --jdbc by JDBC. What each of them sees is compared with
the model after each step. A seed repeats an interleaving: --first SEED --count 1.
"""

import argparse
import collections
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow
from adbc_driver_flightsql import dbapi

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.cluster import Cluster, use_new_token  # noqa: E402
from support.flight_sql import adbc_session, driver_uri, query, read_token, update  # noqa: E402
from support.process import die_with_parent  # noqa: E402

CONNECTIONS = 3
STEPS = 14
MODES = ("create", "append", "replace", "create_append")
SHARED = "shared"
SCHEMA = pyarrow.schema([("i", pyarrow.int64())])
CLIENT = Path(__file__).parent / "ingesting_client.py"

#: Values by how often they are there
Rows = collections.Counter
Tables = dict[str, Rows]


class Difference(Exception):
    """What is there is not what must be there."""


class Model:
    """Snapshots: a transaction sees what was committed when its first statement ran, and what it has changed itself.

    Each connection changes its own tables, so that there are no conflicts, and appends to the shared one.
    """

    def __init__(self) -> None:
        self.committed: Tables = {SHARED: Rows()}
        self.seen: dict[int, Tables] = {}
        self.added: dict[int, Rows] = {}

    def begin(self, number: int) -> Tables:
        if number not in self.seen:
            self.seen[number] = {name: Rows(rows) for name, rows in self.committed.items()}
            self.added[number] = Rows()
        return self.seen[number]

    def commit(self, number: int) -> None:
        seen = self.seen.pop(number, None)
        if seen is None:
            return
        for name in own_tables(number):
            self.committed.pop(name, None)
            if name in seen:
                self.committed[name] = seen[name]
        self.committed[SHARED] += self.added.pop(number)

    def rollback(self, number: int) -> None:
        self.seen.pop(number, None)
        self.added.pop(number, None)


def own_tables(number: int) -> list[str]:
    return [f"own{number}a", f"own{number}b"]


def batches_of(values: list[int]):
    for begin in range(0, len(values), 100):
        yield pyarrow.record_batch({"i": pyarrow.array(values[begin:begin + 100], pyarrow.int64())})


def raising(values: list[int]):
    yield from batches_of(values)
    raise RuntimeError("the source of the rows failed")


class AdbcStatements:
    """A client that commits each of its statements."""

    def __init__(self, served: Cluster, token: str):
        self._connection = dbapi.connect(driver_uri(served), options_of(token), autocommit=True)

    def run(self, sql: str) -> None:
        update(self._connection, sql)

    def values(self, sql: str) -> list[int]:
        return [value for (value,) in query(self._connection, sql)]

    def close(self) -> None:
        self._connection.close()


def options_of(token: str) -> dict[str, str]:
    return {"adbc.flight.sql.authorization_header": f"Bearer {token}"}


class Interleaving:
    def __init__(self, served: Cluster, token: str, statements, seed: int):
        self.served, self.token, self.statements = served, token, statements
        self.random = random.Random(seed)
        self.model = Model()
        self.steps: list[str] = []
        self.connections: dict[int, dbapi.Connection] = {}
        self.next_value = 0

    def run(self) -> collections.Counter:
        self._clear()
        self.statements.run(f"CREATE TABLE {SHARED} (i BIGINT)")
        kinds: collections.Counter = collections.Counter()
        try:
            for number in range(CONNECTIONS):
                self._open(number)
            for _ in range(STEPS):
                kinds[self._step()] += 1
                self._check_committed()
            for number in range(CONNECTIONS):
                self._close(number)
            self._check_committed()
        finally:
            for connection in self.connections.values():
                connection.close()
        return kinds

    def _clear(self) -> None:
        names = self.statements.values("SELECT count(*) FROM duckdb_tables()")
        if names != [0]:
            for number in range(CONNECTIONS):
                for table in own_tables(number):
                    self.statements.run(f"DROP TABLE IF EXISTS {table}")
            self.statements.run(f"DROP TABLE IF EXISTS {SHARED}")

    def _open(self, number: int) -> None:
        self.connections[number] = dbapi.connect(driver_uri(self.served), options_of(self.token), autocommit=False)

    def _close(self, number: int) -> None:
        self.connections.pop(number).close()
        self.model.rollback(number)

    def _values(self, count: int) -> list[int]:
        self.next_value += count
        return list(range(self.next_value - count, self.next_value))

    def _step(self) -> str:
        number = self.random.randrange(CONNECTIONS)
        kind = self.random.choices(["statement", "ingest", "look", "commit", "rollback", "close", "other", "killed"],
                                   [20, 34, 14, 12, 8, 6, 6, 2])[0]
        self.steps.append(f"{number} {kind}")
        getattr(self, f"_{kind}_step")(number)
        return kind

    def _statement_step(self, number: int) -> None:
        table = self.random.choice([*own_tables(number), SHARED])
        seen = self.model.begin(number)
        connection = self.connections[number]
        if table not in seen:
            self._expect(connection, f"CREATE TABLE {table} (i BIGINT)", None)
            seen[table] = Rows()
            return
        kind = self.random.choice(["insert", "parameters"] if table == SHARED else
                                  ["insert", "parameters", "delete", "drop", "wrong"])
        values = self._values(self.random.choice([1, 3]))
        self.steps.append(f"  {kind} {table} {values}")
        if kind == "insert":
            self._expect(connection, f"INSERT INTO {table} VALUES {', '.join(f'({value})' for value in values)}", None)
        elif kind == "parameters":
            with connection.cursor() as cursor:
                cursor.executemany(f"INSERT INTO {table} VALUES (?)", [(value,) for value in values])
        elif kind == "delete":
            self._expect(connection, f"DELETE FROM {table} WHERE i % 2 = 0", None)
            seen[table] = Rows({value: count for value, count in seen[table].items() if value % 2})
        elif kind == "drop":
            self._expect(connection, f"DROP TABLE {table}", None)
            del seen[table]
        else:
            self._expect(connection, f"INSERT INTO {table} SELECT nothing", "nothing")
        if kind in ("insert", "parameters"):
            self._add(number, table, values)

    def _add(self, number: int, table: str, values: list[int]) -> None:
        self.model.seen[number][table].update(values)
        if table == SHARED:
            self.model.added[number].update(values)

    def _ingest_step(self, number: int) -> None:
        table = self.random.choice([*own_tables(number), *own_tables(number), SHARED])
        mode = self.random.choice(["append", "create_append"] if table == SHARED else MODES)
        ending = self.random.choices(["whole", "raised", "too large"], [6, 3, 1])[0]
        values = self._values(self.random.choice([1, 250, 3000]))
        self.steps.append(f"  {ending} {mode} {table} {len(values)} from {values[0]}")
        seen = self._begun(number)
        source = {"whole": batches_of, "raised": raising, "too large": self._too_large}[ending](values)
        expected = {"whole": None, "raised": "source of the rows failed", "too large": "larger than max"}[ending]
        if not expected and mode == "create" and table in seen:
            expected = "already exists"
        elif not expected and mode == "append" and table not in seen:
            expected = "does not exist"
        with self.connections[number].cursor() as cursor:
            try:
                cursor.adbc_ingest(table, pyarrow.RecordBatchReader.from_batches(SCHEMA, source), mode=mode)
            except dbapi.Error as error:
                if not expected or expected not in str(error):
                    raise Difference(f"the ingestion says {error}, not {expected}") from None
                return
        if expected:
            raise Difference(f"the ingestion succeeded instead of: {expected}")
        if mode == "replace" or table not in seen:
            seen[table] = Rows()
        self._add(number, table, values)

    def _too_large(self, values: list[int]):
        yield from batches_of(values)
        yield pyarrow.record_batch({"i": pyarrow.array(range(3 << 20), pyarrow.int64())})

    def _begun(self, number: int) -> Tables:
        """An ingestion that breaks off does not begin a transaction, so that a statement has to."""
        if number not in self.model.seen:
            query(self.connections[number], f"SELECT count(*) FROM {SHARED}")
        return self.model.begin(number)

    def _look_step(self, number: int) -> None:
        seen = self.model.begin(number)
        names = [SHARED, *(name for other in range(CONNECTIONS) for name in own_tables(other))]
        for name in self.random.sample(names, 3):
            self._compare(name, seen.get(name), lambda sql: [row[0] for row in query(self.connections[number], sql)])

    def _commit_step(self, number: int) -> None:
        self.connections[number].commit()
        self.model.commit(number)

    def _rollback_step(self, number: int) -> None:
        self.connections[number].rollback()
        self.model.rollback(number)

    def _close_step(self, number: int) -> None:
        self._close(number)
        self._open(number)

    def _other_step(self, _: int) -> None:
        """By the client that commits each statement."""
        values = self._values(2)
        self.statements.run(f"INSERT INTO {SHARED} VALUES ({values[0]}), ({values[1]})")
        self.model.committed[SHARED].update(values)

    def _killed_step(self, number: int) -> None:
        autocommit = self.random.random() < 0.5
        # killed clients are there for a moment, and would be in the way of one another
        new = f"none_of_it{self._values(1)[0]}"
        table = new if not autocommit else self.random.choice([SHARED, new])
        mode = "append" if table == SHARED else "create_append"
        environment = {**os.environ, "TOKEN": self.token, "AUTOCOMMIT": "on" if autocommit else "off"}
        with subprocess.Popen([sys.executable, str(CLIENT), driver_uri(self.served), table, mode], env=environment,
                              stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent) as program:
            assert program.stdout and program.stdout.readline() == "sent\n"
            program.kill()

    def _expect(self, connection: dbapi.Connection, sql: str, error: str | None) -> None:
        try:
            update(connection, sql)
        except dbapi.Error as failure:
            if not error or error not in str(failure):
                raise Difference(f"{sql} says {failure}") from None
            return
        if error:
            raise Difference(f"{sql} succeeded")

    def _check_committed(self) -> None:
        if self.statements.values("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'none%'") != [0]:
            raise Difference("something of a killed client is there")
        names = [SHARED, *(name for other in range(CONNECTIONS) for name in own_tables(other))]
        for name in names:
            self._compare(name, self.model.committed.get(name), self.statements.values)

    def _compare(self, name: str, expected: Rows | None, values) -> None:
        """By one row for all values: some clients take long for many."""
        there = values(f"SELECT count(*) FROM duckdb_tables() WHERE table_name = '{name}'") == [1]
        if there != (expected is not None):
            raise Difference(f"the table {name} is {'there' if there else 'missing'}")
        if expected is None:
            return
        rows = list(expected.elements())
        digest = sum((value + 1) * (value % 1009 + 1) for value in rows)
        found = values(f"SELECT count(*) FROM {name} UNION ALL SELECT coalesce(sum((i + 1) * (i % 1009 + 1)), "
                       f"0)::BIGINT FROM {name}")
        if sorted(found) != sorted([len(rows), digest]):
            raise Difference(f"{name} has count and digest {found}, not {[len(rows), digest]}")


def run_interleaving(served: Cluster, token: str, statements, seed: int) -> collections.Counter:
    interleaving = Interleaving(served, token, statements, seed)
    try:
        return interleaving.run()
    except Exception as error:
        raise Difference(f"seed {seed}: {error}\n" + "\n".join(interleaving.steps)) from error


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--jdbc", action="store_true", help="the client that commits each statement is JDBC's")
    arguments = parser.parse_args()
    begin = time.monotonic()
    failed = 0
    kinds: collections.Counter = collections.Counter()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        token = read_token(use_new_token(directory))
        with Cluster(directory, workers=1, with_driver=True) as cluster:
            statements = AdbcStatements(cluster, token)
            if arguments.jdbc:
                from support.jdbc import JdbcStatements
                statements = JdbcStatements(directory, cluster, token)
            for seed in range(arguments.first, arguments.first + arguments.count):
                try:
                    kinds += run_interleaving(cluster, token, statements, seed)
                except Difference as difference:
                    failed += 1
                    print(difference, flush=True)
            statements.close()
    print(f"{arguments.count} interleavings, {failed} with a difference, {sum(kinds.values())} steps in "
          f"{time.monotonic() - begin:.0f} s: {dict(kinds)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
