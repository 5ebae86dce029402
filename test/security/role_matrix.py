#!/usr/bin/env python3
"""Tries every power with every role by every protocol at a real driver, and looks at what was touched, not only at what
was answered. docs/security.md says what is granted.

    build/deps/venv/bin/python test/security/role_matrix.py [--show]
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from security.attempts import ATTEMPTS, WHEN_IT_RUNS  # noqa: E402
from security.clients import CLIENTS, LOOKERS, ChangedClient, RawFlight, Refused, returns_rows  # noqa: E402
from security.driver_world import OPEN, ROLES, SECRET, DriverWorld  # noqa: E402

RANK = {"read": 0, "write": 1, "admin": 2, "node": 3}
#: Plans and definitions of a changed client: kind, what it says of itself, text, the least role, effects
SENT = [
    ("plan", False, "SELECT sum(i) FROM t", "read", ()),
    ("plan", False, "SELECT list_transform([1, 2], lambda x: x + 1)", "read", ()),
    ("plan", True, "INSERT INTO t VALUES (200, 'x')", "write", ("rows",)),
    ("plan", False, "INSERT INTO t VALUES (200, 'x')", "write", ("rows",)),
    ("plan", False, "DELETE FROM t", "write", ("rows",)),
    ("plan", False, "UPDATE t SET s = 'y'", "write", ("rows",)),
    ("plan", False, "INSERT INTO t VALUES (200, 'x') RETURNING i", "write", ("rows",)),
    ("plan", False, "SELECT nextval('numbers')", "write", ("catalog",)),
    ("plan", False, "CREATE TABLE made AS SELECT 1 AS i", "write", ("catalog",)),
    ("plan", False, "COPY (SELECT 1 AS i) TO '{o}/made.parquet'", "node", ()),
    ("plan", False, "COPY (SELECT 1 AS i) TO '{i}/made.parquet'", "node", ()),
    ("plan", False, "SELECT content FROM read_text('{o}/secret.txt')", "node", ()),
    ("plan", False, "SELECT * FROM read_blob('{o}/secret.txt')", "node", ()),
    ("plan", False, "SELECT * FROM glob('{o}/*')", "node", ()),
    ("plan", False, "SELECT duckherder_register_worker('evil', 'grpc://127.0.0.1:1')", "node", ()),
    ("plan", False, "SELECT list_transform(['evil'], lambda x: duckherder_register_worker(x, 'grpc://127.0.0.1:1'))",
     "node", ()),
    ("plan", False, "SELECT duckherder_unregister_worker('worker-0')", "node", ()),
    ("plan", False, "SELECT duckherder_load_extension('tpch')", "node", ()),
    ("plan", False, "SELECT duckherder_clear_query_recorder_stats()", "node", ()),
    ("plan", False, "FROM duckherder_get_query_history()", "node", ()),
    ("plan", False, "FROM duckdb_secrets()", "node", ()),
    ("plan", False, "FROM duckdb_settings()", "node", ()),
    ("plan", False, "SELECT current_setting('s3_secret_access_key')", "node", ()),
    ("plan", False, "SET GLOBAL threads = 1", "node", ()),
    ("plan", False, "LOAD tpch", "node", ()),
    ("plan", False, "ATTACH '{o}/made.db'", "node", ()),
    ("plan", False, "DROP TABLE t", "node", ()),
    ("plan", False, "CREATE VIEW made AS SELECT 1 AS i", "node", ()),
    ("plan", False, "CHECKPOINT", "node", ()),
    ("bytes", False, "no plan at all", "nobody", ()),
    ("definition", True, "CREATE TABLE made (i INTEGER)", "write", ("catalog",)),
    ("definition", False, "CREATE TABLE made (i INTEGER)", "write", ("catalog",)),
    ("definition", False, "DROP TABLE doomed", "write", ("catalog",)),
    ("definition", False, "CREATE VIEW made AS SELECT i FROM t", "write", ("catalog",)),
    ("definition", False, "CREATE VIEW made AS SELECT content FROM read_text('{o}/secret.txt')", "node", ()),
    ("definition", False, "CREATE TEMP VIEW t AS SELECT content FROM read_text('{o}/secret.txt')", "node", ()),
    ("definition", False, "CREATE TABLE made (i VARCHAR DEFAULT (duckherder_stop_local_server()))", "node", ()),
    ("definition", False, "CREATE TABLE made (i VARCHAR CHECK (duckherder_stop_local_server() = i))", "node", ()),
    ("definition", False, "CREATE MACRO made() AS duckherder_stop_local_server()", "node", ()),
    ("definition", False, "ALTER DATABASE memory SET ALIAS TO elsewhere", "node", ()),
    ("describe", False, "SELECT * FROM read_csv('{o}/secret.csv')", "node", ()),
    ("describe", False, "SELECT * FROM read_csv('{o}/is not there.csv')", "node", ()),
    ("describe", False, "SELECT i FROM t", "read", ()),
    ("describe", False, "FROM repeat(duckherder_register_worker('evil', 'grpc://127.0.0.1:1'), 1)", "node", ()),
    ("catalog", False, "", "read", ()),
]
#: Calls of the node itself: action, the least role
ACTIONS = [("unregister_worker", "admin"), ("register_worker", "node"), ("heartbeat", "node"), ("admit_query", "node"),
           ("renew_leases", "node"), ("release_query", "node"), ("cancel_query", "admin"), ("renew_lease", "node"),
           ("load_extension", "admin"), ("shutdown", "nobody"), ("list_workers", "read")]


#: So many refusals are looked at together: what was touched by none of them need not be looked for in each
GROUP = 20


@dataclass
class Outcome:
    what: str
    problem: str | None


@dataclass
class Trial:
    """One attempt with one role by one protocol."""
    what: str
    granted: bool
    effects: frozenset[str]
    sql: str
    #: It only asks what would come
    looks: bool
    call: Callable[[], str]
    #: What it asks about is refused only when it is run: a description may come, without anything that is secret
    may_look: bool = False

    def run(self) -> tuple[str, str | None]:
        """What came, and why it was refused."""
        try:
            return self.call(), None
        except Refused as error:
            return "", str(error)

    def said(self, answer: str, refusal: str | None) -> str | None:
        """The problem with what it answered."""
        seen = answer + (refusal or "")
        if "INTERNAL" in seen or "FATAL" in seen:
            return f"an error of ours: {seen[:300]}"
        if self.granted:
            return f"is refused: {refusal[:300]}" if refusal is not None else None
        if SECRET in seen or OPEN in seen:
            return f"it shows what it must not: {seen[:200]}"
        return f"is answered: {answer[:200]}" if refusal is None and not self.may_look else None

    def did(self, touched: set[str]) -> str | None:
        """The problem with what it touched."""
        if not self.granted:
            return f"touches {sorted(touched)}" if touched else None
        # a worker that was taken off the list comes back with its next sign of life, perhaps before anybody looks
        missing = set() if self.looks else self.effects - touched - {"nodes"}
        if missing or touched - self.effects - {"inside"}:
            return f"touches {sorted(touched)}, not {sorted(self.effects)}"
        return None


def judged(world: DriverWorld, trials: list[Trial]) -> Iterator[Outcome]:
    """Those that are not granted have to be refused and touch nothing, the others to be answered and have effects."""
    refused = [trial for trial in trials if not trial.granted]
    for start in range(0, len(refused), GROUP):
        group = refused[start:start + GROUP]
        problems = [trial.said(*trial.run()) for trial in group]
        with_macros = any("MACRO" in trial.what for trial in group)
        if world.touched(with_macros):
            # who was it?
            for number, trial in enumerate(group):
                trial.run()
                problems[number] = trial.did(world.touched(True)) or problems[number]
        for trial, problem in zip(group, problems):
            yield Outcome(trial.what, problem)
        if not world.cluster.driver or not world.cluster.driver.alive:
            return
    for trial in trials:
        if trial.granted:
            problem = trial.said(*trial.run())
            touched = world.touched("MACRO" in trial.what, trial.sql)
            clean(world)
            yield Outcome(trial.what, problem or trial.did(touched))


def filled(world: DriverWorld, sql: str) -> str:
    for name, value in (("{o}", world.outside), ("{i}", world.inside), ("{h}", world.hidden),
                        ("{port}", world.listener.port)):
        sql = sql.replace(name, str(value))
    return sql


def clean(world: DriverWorld) -> None:
    for path in world.inside.glob("made*"):
        path.unlink()


def try_statements(world: DriverWorld, role: str, protocol: str) -> Iterator[Outcome]:
    with CLIENTS[protocol](world, role) as run:
        trials = []
        for attempt in ATTEMPTS:
            sql = filled(world, attempt.sql)
            looks = protocol in LOOKERS or (protocol == "Flight SQL by hand" and returns_rows(sql))
            if looks and attempt.power == WHEN_IT_RUNS:
                continue
            trials.append(Trial(f"{role} by {protocol}: {attempt.power}: {sql}", RANK[role] >= RANK[attempt.role],
                                attempt.effects, sql, looks, partial(run, sql), looks and role == "admin"))
        # connecting reads the files of tokens
        world.touched()
        yield from judged(world, trials)


def try_sent(world: DriverWorld, role: str) -> Iterator[Outcome]:
    client = ChangedClient(world, role)
    try:
        client.send("describe", "SELECT 1")
        world.touched()
        yield from judged(world, [
            Trial(f"{role} by a changed client: {kind} (writes: {writes}): {text}", RANK[role] >= RANK.get(least, 9),
                  frozenset(effects), text, kind == "describe", partial(client.send, kind, filled(world, text), writes))
            for kind, writes, text, least, effects in SENT])
    finally:
        client.close()


def try_actions(world: DriverWorld, role: str):
    raw = RawFlight(world, role)
    try:
        world.touched()
        for action, least in ACTIONS:
            granted = RANK[role] >= RANK.get(least, 9)
            # the bytes are none that it knows: who may is told so, and whoever may not is refused before
            try:
                answer = raw.act("duckherder." + action, b"")
            except Refused as error:
                answer = str(error)
            touched = world.touched()
            problem = f"touches {sorted(touched)}" if touched else None
            if ("needs the role" in answer) == granted:
                problem = f"granted: {granted}, answered: {answer[:200]}"
            yield Outcome(f"{role} by hand: the action {action}", problem)
        yield from judged(world, [Trial(f"{role} by hand: a task", False, frozenset(), "", True,
                                        partial(raw.exchange, b"duckherder.run_task"))])
    finally:
        raw.close()


def run_matrix(directory: Path, protocols: list[str] | None = None,
               roles: tuple[str, ...] = ROLES) -> Iterator[Outcome]:
    with DriverWorld(directory) as world:
        for role in roles:
            yield from try_sent(world, role)
            yield from try_actions(world, role)
            for protocol in protocols or list(CLIENTS):
                yield from try_statements(world, role, protocol)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--show", action="store_true", help="all attempts, not only those that went wrong")
    parser.add_argument("--role", choices=ROLES, action="append")
    parser.add_argument("--protocol", choices=list(CLIENTS), action="append")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as directory:
        for outcome in run_matrix(Path(directory), options.protocol, tuple(options.role or ROLES)):
            counts["wrong" if outcome.problem else "right"] += 1
            if outcome.problem or options.show:
                print(f"{'WRONG' if outcome.problem else 'right'}  {outcome.what}\n       {outcome.problem or ''}",
                      flush=True)
    print(dict(counts), sum(counts.values()), "attempts")
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
