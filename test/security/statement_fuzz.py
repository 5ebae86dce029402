#!/usr/bin/env python3
"""Makes statements by a seed, with what clients may not call in odd places, runs them with a role's token, and compares
the driver's verdict with what was really touched. A statement with such a call has to be refused, wherever it stands,
and touches nothing; one without is not refused for want of a role, if the role may run statements of its kind.

    build/deps/venv/bin/python test/security/statement_fuzz.py [--seed N] [--statements N]
"""

import argparse
import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from security.clients import CLIENTS, Refused  # noqa: E402
from security.driver_world import SECRET, DriverWorld  # noqa: E402

DEPTH = 4
#: So many are looked at together
GROUP = 20
#: Texts of one value that read and change nothing but the database
HARMLESS = ("'x'", "upper('x')", "(SELECT max(s) FROM t)", "version()", "current_database()",
            "(SELECT 'row' FROM harmless LIMIT 1)", "plus_one(1)::VARCHAR",
            "(SELECT max(table_name) FROM duckdb_tables())")
#: And those that no client below admin may call
FORBIDDEN = (
    "(SELECT max(content) FROM read_text('{o}/secret.txt'))",
    "(SELECT max(file) FROM glob('{o}/*'))",
    "(SELECT max(column0) FROM '{o}/secret.csv')",
    "(SELECT max(content)::VARCHAR FROM read_blob(['{o}/secret.txt']))",
    "(SELECT max(sql) FROM duckherder_get_query_history())",
    "(SELECT max(sql) FROM of_history)",
    "(SELECT max(sql) FROM of_macro())",
    "(SELECT max(name) FROM duckdb_secrets())",
    "(SELECT max(value) FROM duckdb_settings())",
    "current_setting('s3_secret_access_key')",
    "duckherder_register_worker('evil', 'grpc://127.0.0.1:1')",
    "duckherder_clear_query_recorder_stats()",
    "duckherder_load_extension('tpch')",
    "main.duckherder_stop_local_server()",
    "system.main.duckherder_unregister_worker('worker-0')",
    "('worker-0').duckherder_unregister_worker()",
    "json_serialize_plan('FROM ''{o}/secret.csv''')::VARCHAR",
    "(FROM query('SELECT ''x'''))",
    "(SELECT 'x' FROM enable_logging())",
)
#: {E}: an expression, {T}: something to read from
EXPRESSIONS = (
    "(SELECT {E})", "list_transform([1], lambda x: {E})[1]", "list_filter(['x'], lambda x: x = {E})::VARCHAR",
    "list_reduce(['x', 'y'], lambda a, b: {E})", "CASE WHEN 1 = 2 THEN {E} ELSE 'x' END", "coalesce('x', {E})",
    "(WITH c AS (SELECT {E} AS v) SELECT v FROM c)", "(SELECT max(v) FROM (VALUES ({E})) x(v))", "try({E})",
    "(SELECT 'x' UNION ALL SELECT {E} LIMIT 1)", "struct_pack(a := {E}).a", "[{E}][1]", "({E} || '')",
    "(SELECT max(v) FROM {T} q(v))", "(SELECT string_agg({E}, ',' ORDER BY {E}) FILTER (WHERE {E} <> '') FROM t)",
    "(SELECT max({E}) OVER (PARTITION BY {E} ORDER BY {E}) LIMIT 1)", "CAST({E} AS VARCHAR)", "({E} IN ({E}))::VARCHAR",
    "(SELECT s FROM t WHERE EXISTS (SELECT {E}) LIMIT 1)", "({E} BETWEEN 'a' AND {E})::VARCHAR",
    "(WITH RECURSIVE r AS (SELECT 'x' AS v UNION SELECT {E} FROM r) SELECT max(v) FROM r)", "concat({E}, {E})",
    "(SELECT any_value(COLUMNS(lambda c: c = 's')) || {E} FROM t)", "(SELECT * REPLACE ({E} AS s) FROM t LIMIT 1).s",
)
TABLES = (
    "(SELECT {E} AS v)", "repeat({E}, 1)", "(FROM {T} q(v))", "unnest([{E}])", "(VALUES ({E}))",
    "(PIVOT (SELECT {E} AS v, 1 AS k) ON k IN (1) USING max(v))", "(SELECT s FROM t UNION BY NAME SELECT {E} AS s)",
    "(SELECT q.v FROM (SELECT 1) o, LATERAL (SELECT {E}) q(v))", "(SELECT s FROM t JOIN {T} q(v) ON s = v)",
    "(SELECT DISTINCT ON ({E}) s FROM t)", "(SELECT s FROM t ORDER BY {E})", "(SELECT s FROM t LIMIT length({E}))",
    "(SELECT s FROM t GROUP BY s HAVING max(s) <> {E})", "(SELECT s FROM t QUALIFY {E} = max(s) OVER ())",
    "(SELECT s FROM t ASOF JOIN (SELECT {E} AS v) q ON s >= v)",
    "(SELECT s FROM t GROUP BY GROUPING SETS ((s), ({E}, s)))",
)
QUERIES = (
    "SELECT {E}", "FROM {T} q(v)", "SELECT i FROM t WHERE s = {E}", "SELECT i FROM t ORDER BY {E}",
    "EXPLAIN SELECT {E}", "EXPLAIN ANALYZE SELECT {E}", "SELECT i FROM t LIMIT length({E})",
    "WITH c AS MATERIALIZED (SELECT {E}) FROM c",
    "DESCRIBE SELECT {E}", "SUMMARIZE SELECT {E} AS v", "SELECT * FROM t UNION ALL SELECT 1, {E}",
)
CHANGES = (
    "INSERT INTO t VALUES (1, {E})", "INSERT INTO t SELECT 1, {E}", "INSERT INTO t BY NAME SELECT 7 AS i, {E} AS s",
    "INSERT INTO t VALUES (1, 'x') RETURNING {E}", "UPDATE t SET s = {E}",
    "UPDATE t SET s = 'x' FROM {T} q(v) WHERE s = v",
    "DELETE FROM t WHERE s = {E}", "DELETE FROM t USING {T} q(v) WHERE s = v RETURNING {E}",
    "MERGE INTO t USING (SELECT 1 AS i, {E} AS v) u USING (i) WHEN MATCHED THEN UPDATE SET s = {E}",
    "MERGE INTO t USING {T} u(v) ON s = v WHEN NOT MATCHED AND {E} = '' THEN INSERT VALUES (1, {E})",
    "CREATE TABLE made AS SELECT {E} AS v", "CREATE TABLE made (i INTEGER, v VARCHAR DEFAULT ({E}))",
    "CREATE TABLE made (v VARCHAR CHECK (v <> {E}))", "CREATE TABLE made (i INTEGER, v VARCHAR AS ({E}))",
    "CREATE VIEW made AS SELECT {E} AS v", "CREATE TEMP VIEW made AS FROM {T} q(v)", "CREATE MACRO made(x) AS {E} || x",
    "CREATE MACRO made(x := {E}) AS x", "CREATE MACRO made() AS TABLE FROM {T} q(v)", "CREATE INDEX made ON t (({E}))",
    "CREATE TYPE made AS ENUM (SELECT {E})", "ALTER TABLE doomed ADD COLUMN v VARCHAR DEFAULT ({E})",
    "ALTER TABLE doomed ALTER i TYPE VARCHAR USING ({E})", "ALTER TABLE doomed ALTER i SET DEFAULT length({E})",
    "EXPLAIN ANALYZE INSERT INTO t SELECT 1, {E}",
)


@dataclass
class Statement:
    sql: str
    forbidden: bool
    changes: bool


class Generator:
    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def _fill(self, template: str, payload: str, depth: int) -> str:
        """One of the places gets the payload, the others something harmless."""
        parts = template
        places = parts.count("{E}") + parts.count("{T}")
        chosen = self.random.randrange(places)
        out, number = "", 0
        while parts:
            at = min((position for position in (parts.find("{E}"), parts.find("{T}")) if position >= 0), default=-1)
            if at < 0:
                break
            inner = payload if number == chosen else self.random.choice(HARMLESS)
            limit = depth if number == chosen else 0
            make = self._expression if parts[at:at + 3] == "{E}" else self._table
            out += parts[:at] + make(inner, limit)
            parts = parts[at + 3:]
            number += 1
        return out + parts

    def _expression(self, payload: str, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.3:
            return payload
        return self._fill(self.random.choice(EXPRESSIONS), payload, depth - 1)

    def _table(self, payload: str, depth: int) -> str:
        template = self.random.choice(TABLES) if depth > 0 else TABLES[0]
        return self._fill(template, payload, depth - 1)

    def statement(self) -> Statement:
        forbidden = self.random.random() < 0.7
        changes = self.random.random() < 0.5
        payload = self.random.choice(FORBIDDEN if forbidden else HARMLESS)
        template = self.random.choice(CHANGES if changes else QUERIES)
        return Statement(self._fill(template, payload, DEPTH), forbidden, changes)


def problem_of(world: DriverWorld, role: str, statement: Statement, run) -> str | None:
    sql = statement.sql.replace("{o}", str(world.outside))
    try:
        answer, refusal = run(sql), ""
    except Refused as error:
        answer, refusal = "", str(error)
    if not world.cluster.driver or not world.cluster.driver.alive:
        return "it ends the driver"
    if "INTERNAL" in refusal or "FATAL" in refusal or SECRET in answer:
        return f"{answer}{refusal}"[:300]
    may = not statement.forbidden and (role == "write" or not statement.changes)
    if not may and not refusal:
        return f"it is answered: {answer[:200]}"
    if may and "needs the role" in refusal:
        return f"it is refused: {refusal[:200]}"
    return None


def touched_by(world: DriverWorld, statements: list[str]) -> list[str]:
    """The problem with statements that should have touched nothing."""
    touched = world.touched(any("MACRO" in sql for sql in statements)) if statements else set()
    return [f"one of these touches {sorted(touched)}:\n    " + "\n    ".join(statements)] if touched else []


def run_fuzz(directory: Path, seed: int, statements: int, protocols: tuple[str, ...] = ("ATTACH", "ADBC"),
             roles: tuple[str, ...] = ("read", "write")) -> list[str]:
    """The problems that were found; `statements` for each role and protocol."""
    problems = []
    with DriverWorld(directory) as world:
        for role in roles:
            for protocol in protocols:
                generator = Generator(seed)
                with CLIENTS[protocol](world, role) as run:
                    world.touched()
                    refused: list[str] = []
                    for number in range(statements):
                        statement = generator.statement()
                        may_change = statement.changes and not statement.forbidden and role == "write"
                        if may_change or len(refused) == GROUP:
                            problems.extend(touched_by(world, refused))
                            refused = []
                        refused.append(statement.sql)
                        problem = problem_of(world, role, statement, run)
                        if problem:
                            problems.append(f"{role} by {protocol}, seed {seed}, {number}: {statement.sql}\n"
                                            f"    {problem}")
                        if not world.cluster.driver or not world.cluster.driver.alive:
                            return problems
                        if may_change:
                            world.touched(True)
                            refused = []
                    problems.extend(touched_by(world, refused))
                seed += 1
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--statements", type=int, default=500, help="for each role and protocol")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        problems = run_fuzz(Path(directory), options.seed, options.statements)
    print("\n".join(problems))
    print(f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
