"""Clients of one driver that write at once, and a checker that counts: python test/remote/writers.py --minutes 5

Each client is an attached DuckDB of its own, on a thread of its own. What it was told of each transaction, committed or
not, is compared at the end with what is there, and every reader checks sums that no transaction changes.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.cluster import Cluster, use_new_token  # noqa: E402
from support.session import bare_session  # noqa: E402

ACCOUNTS = 64
START_BALANCE = 1000
CLAIMS = 1_000_000
TABLES = ["CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance BIGINT NOT NULL)",
          f"INSERT INTO accounts SELECT range, {START_BALANCE} FROM range({ACCOUNTS})",
          "CREATE TABLE transfers (writer INTEGER, number INTEGER, source INTEGER, target INTEGER, amount BIGINT, "
          "PRIMARY KEY (writer, number))",
          "CREATE TABLE claims (key INTEGER PRIMARY KEY, writer INTEGER NOT NULL)",
          "CREATE TABLE counter (n BIGINT)", "INSERT INTO counter VALUES (0)"]


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    for sql in TABLES:
        con.execute(sql)


@dataclass
class Told:
    """What a client was told; the unknown ones had no answer to their COMMIT, or none to anything."""
    transfers: set[int] = field(default_factory=set)
    unknown_transfers: set[int] = field(default_factory=set)
    claims: set[int] = field(default_factory=set)
    unknown_claims: set[int] = field(default_factory=set)
    increments: int = 0
    unknown_increments: int = 0
    counts: Counter = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


class Writer:
    """One client. `go_on` says when it is to end; a driver that is gone is waited for until then."""

    def __init__(self, number: int, address: str, go_on, seed: int):
        self.number, self.address, self.go_on = number, address, go_on
        self.random = random.Random(seed * 1000 + number)
        self.told = Told()
        self.next_transfer = 0
        self.con = bare_session()
        self.con.execute(f"ATTACH '{address}' AS dh (TYPE duckherder)")
        self.con.execute("USE dh")
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            while self.go_on():
                self.random.choices((self._transfer, self._claim, self._count, self._read), (5, 2, 1, 2))[0]()
        except BaseException as error:  # noqa: BLE001
            self.told.problems.append(f"writer {self.number}: {type(error).__name__}: {error}")
        finally:
            self.con.close()

    def _attempt(self, kind: str, statements: list[str], check=None) -> str:
        """'done', 'unknown', or 'nothing', of a transaction."""
        committing = False
        try:
            self.con.execute("BEGIN")
            for sql in statements:
                self.con.execute(sql)
            if check:
                check()
            committing = True
            self.con.execute("COMMIT")
            self.told.counts[f"{kind}: committed"] += 1
            return "done"
        except (duckdb.TransactionException, duckdb.ConstraintException) as error:
            if "is unknown" in str(error):
                # COMMIT had no answer
                self.told.counts[f"{kind}: driver lost"] += 1
                self._end()
                return "unknown"
            # a conflict with another client, or a key that another one has: told so, and nothing is done
            self.told.counts[f"{kind}: {type(error).__name__}"] += 1
        except (duckdb.IOException, duckdb.InvalidInputException, duckdb.InterruptException) as error:
            if not any(part in str(error) for part in ("cannot reach", "did not answer", "not known to the driver",
                                                       "lost", "broke off", "Interrupted", "unreachable")):
                raise
            self.told.counts[f"{kind}: driver lost"] += 1
            self._end()
            return "unknown" if committing else "nothing"
        self._end()
        return "nothing"

    def _end(self) -> None:
        try:
            self.con.execute("ROLLBACK")
        except duckdb.Error:
            pass  # it has ended by itself

    def _transfer(self) -> None:
        source, target = self.random.sample(range(ACCOUNTS), 2)
        amount = self.random.randint(1, 50)
        number = self.next_transfer
        self.next_transfer += 1
        state = self._attempt("transfer", [
            f"UPDATE accounts SET balance = balance - {amount} WHERE id = {source}",
            f"UPDATE accounts SET balance = balance + {amount} WHERE id = {target}",
            f"INSERT INTO transfers VALUES ({self.number}, {number}, {source}, {target}, {amount})"])
        if state == "done":
            self.told.transfers.add(number)
        elif state == "unknown":
            self.told.unknown_transfers.add(number)

    def _claim(self) -> None:
        # few keys are free at any time, so that writers meet
        key = int(time.monotonic() * 20) % CLAIMS
        if key in self.told.claims:
            return self._count()
        state = self._attempt("claim", [f"INSERT INTO claims VALUES ({key}, {self.number})"])
        if state == "done":
            self.told.claims.add(key)
        elif state == "unknown":
            self.told.unknown_claims.add(key)

    def _count(self) -> None:
        state = self._attempt("increment", ["UPDATE counter SET n = n + 1"])
        self.told.increments += state == "done"
        self.told.unknown_increments += state == "unknown"

    def _read(self) -> None:
        def check() -> None:
            sums = [self.con.execute("SELECT sum(balance), count(*) FROM accounts").fetchone() for _ in range(2)]
            expected = (ACCOUNTS * START_BALANCE, ACCOUNTS)
            if sums != [expected, expected]:
                self.told.problems.append(f"writer {self.number} read {sums}")
            moved, seen = [self.con.execute(sql).fetchall() for sql in (
                "SELECT id, balance FROM accounts ORDER BY id",
                f"SELECT id, {START_BALANCE} + coalesce((SELECT sum(amount) FROM transfers WHERE target = id), 0) - "
                "coalesce((SELECT sum(amount) FROM transfers WHERE source = id), 0) FROM accounts ORDER BY id")]
            if moved != seen:
                self.told.problems.append(f"writer {self.number}: balances are not those of the transfers")
        self._attempt("read", [], check)


def check(con: duckdb.DuckDBPyConnection, told: dict[int, Told]) -> list[str]:
    """What is there, against what the writers were told."""
    problems = [problem for each in told.values() for problem in each.problems]
    if con.execute("SELECT sum(balance) FROM accounts").fetchone() != (ACCOUNTS * START_BALANCE,):
        problems.append("money was made or lost")
    wrong = con.execute(
        f"SELECT count(*) FROM accounts WHERE balance <> {START_BALANCE} + coalesce((SELECT sum(amount) FROM transfers "
        "WHERE target = id), 0) - coalesce((SELECT sum(amount) FROM transfers WHERE source = id), 0)").fetchone()
    if wrong != (0,):
        problems.append(f"{wrong} balances are not those of the transfers")
    for name, sql, sure, unknown in (
            ("transfers", "SELECT number FROM transfers WHERE writer = ?", "transfers", "unknown_transfers"),
            ("claims", "SELECT key FROM claims WHERE writer = ?", "claims", "unknown_claims")):
        for number, each in told.items():
            there = {row[0] for row in con.execute(sql, [number]).fetchall()}
            if lost := getattr(each, sure) - there:
                problems.append(f"{len(lost)} {name} of writer {number} were acknowledged and are lost: {lost}")
            if made := there - getattr(each, sure) - getattr(each, unknown):
                problems.append(f"{len(made)} {name} of writer {number} are there and failed: {made}")
    (counted,) = con.execute("SELECT n FROM counter").fetchone()
    sure = sum(each.increments for each in told.values())
    most = sure + sum(each.unknown_increments for each in told.values())
    if not sure <= counted <= most:
        problems.append(f"the counter is {counted}, not between {sure} and {most}")
    return problems


class ForSeconds:
    """Says yes for so long, from when it is asked first: clients take a while to start."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.end: float | None = None

    def __call__(self) -> bool:
        if self.end is None:
            self.end = time.monotonic() + self.seconds
        return time.monotonic() < self.end


def run_writers(address: str, clients: int, go_on, seed: int = 1) -> dict[int, Told]:
    writers = [Writer(number, address, go_on, seed) for number in range(clients)]
    for writer in writers:
        writer.thread.start()
    for writer in writers:
        writer.thread.join()
    return {writer.number: writer.told for writer in writers}


def summary(told: dict[int, Told]) -> str:
    counts: Counter = sum((each.counts for each in told.values()), Counter())
    return "\n".join(f"{count:8} {name}" for name, count in sorted(counts.items()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        use_new_token(Path(directory))
        with Cluster(Path(directory), workers=arguments.workers, with_driver=True,
                     driver_options=["--database", f"{directory}/driver.duckdb"]) as cluster:
            assert cluster.driver
            address = f"{cluster.driver.host}:{cluster.driver.port}"
            con = bare_session()
            con.execute(f"ATTACH '{address}' AS dh (TYPE duckherder)")
            con.execute("USE dh")
            create_tables(con)
            told = run_writers(address, arguments.clients, ForSeconds(arguments.minutes * 60), arguments.seed)
            problems = check(con, told)
            con.close()
    print(f"{arguments.clients} clients, {arguments.minutes} minutes")
    print(summary(told))
    print("\n".join(problems) or "nothing was lost, made or seen half done")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
