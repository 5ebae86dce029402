"""A driver with tokens of every role, and everything about it that a statement might touch."""

import os
import re
import secrets
from pathlib import Path

import duckdb

from security.watches import FileWatch, Listener
from support import paths
from support.cluster import Cluster
from support.session import bare_session
from support.waiting import wait_until

ROLES = ("read", "write", "admin")
#: In files and statements that clients must not see
SECRET = "canary-" + secrets.token_hex(8)
#: In a file that the driver was allowed to read
OPEN = "meadow-" + secrets.token_hex(8)

SETUP = """
CREATE TABLE t AS SELECT range AS i, 'row ' || range AS s FROM range(20);
CREATE TABLE doomed (i INTEGER);
CREATE SEQUENCE numbers;
CREATE VIEW inside AS FROM '{inside}/open.csv';
CREATE VIEW harmless AS SELECT i FROM t WHERE i < 5;
CREATE VIEW of_history AS SELECT sql FROM duckherder_get_query_history();
CREATE MACRO of_macro() AS TABLE SELECT sql FROM duckherder_get_query_history();
CREATE MACRO plus_one(x) AS x + 1;
"""

#: What a role must not move, as the owner sees it
STATE = """
SELECT 'settings' AS kind, md5(string_agg(name || value, ',' ORDER BY name)) AS state FROM duckdb_settings()
    WHERE scope = 'GLOBAL' AND name NOT IN ('duckdb_api', 'custom_user_agent')
UNION ALL SELECT 'secrets', string_agg(name, ',' ORDER BY 1) FROM duckdb_secrets()
UNION ALL SELECT 'nodes', string_agg(id || location, ',' ORDER BY 1) FROM duckherder_workers()
UNION ALL SELECT 'databases', string_agg(database_name, ',' ORDER BY 1) FROM duckdb_databases()
UNION ALL SELECT 'history', (count(*) > 0)::VARCHAR FROM duckherder_get_query_history() WHERE sql LIKE
    '%{secret}' || '{rest}%'
UNION ALL SELECT 'catalog', string_agg(sql || coalesce(comment, ''), ';' ORDER BY sql) FROM (
    SELECT sql, comment FROM duckdb_tables() UNION ALL SELECT sql, comment FROM duckdb_views() WHERE NOT internal
    UNION ALL SELECT index_name, NULL FROM duckdb_indexes() UNION ALL SELECT type_name, NULL FROM duckdb_types()
    WHERE NOT internal UNION ALL SELECT sequence_name || coalesce(last_value, 0), NULL FROM duckdb_sequences()
    UNION ALL SELECT schema_name, NULL FROM duckdb_schemas() WHERE NOT internal)
UNION ALL SELECT 'rows', md5(string_agg(i || s, ',' ORDER BY i, s)) FROM {table}
"""
#: Listing functions takes longer than all of it
MACROS = """
UNION ALL SELECT 'macros', string_agg(function_name || macro_definition, ';' ORDER BY function_name) FROM
    duckdb_functions() WHERE NOT internal
"""


class DriverWorld:
    """Use as a context manager."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.inside, self.outside = directory / "inside", directory / "outside"
        self.hidden = directory / "hidden"
        for path in (self.inside, self.outside, self.hidden):
            path.mkdir()
        for name, text in (("secret.csv", SECRET), ("secret.txt", SECRET), ("secret.json", f'{{"a": "{SECRET}"}}')):
            (self.outside / name).write_text(text + "\n")
        (self.inside / "open.csv").write_text(f"column\n{OPEN}\n")
        # a way out, if names were believed
        (self.inside / "link").symlink_to(self.outside / "secret.csv")
        self.tokens = {role: secrets.token_hex(16) for role in ROLES}
        self.files = {role: self._private(self.hidden / f"{role}.token", token) for role, token in self.tokens.items()}
        self.node_token = self._private(self.hidden / "node.token", secrets.token_hex(32))
        known = self._private(self.hidden / "clients", "".join(f"{role} {token}\n"
                                                              for role, token in self.tokens.items()))
        init = self._private(self.hidden / "init.sql", f"LOAD {paths.quoted(paths.HTTPFS_EXTENSION)};")
        self.listener = Listener()
        self._before = os.environ.get("DUCKHERDER_TOKEN_FILE")
        os.environ["DUCKHERDER_TOKEN_FILE"] = str(self.node_token)
        self.cluster = Cluster(directory, workers=1, with_driver=True, driver_options=[
            "--client-tokens", str(known), "--allow-path", str(self.inside), "--init", str(init)])

    @staticmethod
    def _private(path: Path, text: str) -> Path:
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def __enter__(self) -> "DriverWorld":
        self.cluster.__enter__()
        self._watch = FileWatch([self.outside, self.hidden])
        self._inside_watch = FileWatch([self.inside])
        self._files: set[str] = set()
        self.owner = bare_session()
        self.owner.execute(f"ATTACH '{self.address}' AS dh (TYPE duckherder)")
        self.reset()
        return self

    def __exit__(self, *_) -> None:
        self.owner.close()
        self.cluster.__exit__()
        self._watch.close()
        self._inside_watch.close()
        self.listener.close()
        if self._before is not None:
            os.environ["DUCKHERDER_TOKEN_FILE"] = self._before

    @property
    def address(self) -> str:
        assert self.cluster.driver
        return f"{self.cluster.driver.host}:{self.cluster.driver.port}"

    def ask(self, sql: str) -> list[tuple]:
        """As the cluster's owner."""
        return self.owner.execute("FROM duckherder_query('dh', $sql)", {"sql": sql}).fetchall()

    def run(self, sql: str) -> None:
        self.owner.execute("CALL duckherder_execute('dh', $sql)", {"sql": sql})

    def reset(self) -> None:
        """Everything as it was before anybody tried anything."""
        for kind, name in self.ask("SELECT 'VIEW', view_name FROM duckdb_views() WHERE NOT internal UNION ALL SELECT "
                                   "'TABLE', table_name FROM duckdb_tables() UNION ALL SELECT 'SEQUENCE', "
                                   "sequence_name FROM duckdb_sequences() UNION ALL SELECT 'TYPE', type_name FROM "
                                   "duckdb_types() WHERE NOT internal UNION ALL SELECT CASE function_type WHEN 'macro' "
                                   "THEN 'MACRO' ELSE 'MACRO TABLE' END, function_name FROM duckdb_functions() WHERE "
                                   "NOT internal UNION ALL SELECT 'SECRET', name FROM duckdb_secrets() UNION ALL "
                                   "SELECT 'SCHEMA', schema_name FROM duckdb_schemas() WHERE NOT internal AND "
                                   "schema_name <> 'main'"):
            self.run(f'DROP {kind} IF EXISTS "{name}"' + ("" if kind == "SECRET" else " CASCADE"))
        for (database,) in self.ask("SELECT database_name FROM duckdb_databases() WHERE NOT internal AND "
                                    "database_name <> 'memory'"):
            self.run(f'DETACH "{database}"')
        self.run("RESET GLOBAL duckherder_tasks_per_worker")
        for sql in filter(str.strip, SETUP.format(inside=self.inside).split(";")):
            self.run(sql)
        self._remember()

    def _remember(self) -> None:
        self.ask(f"SELECT '{SECRET}', sum(i) FROM t")
        wait_until(lambda: self.ask("SELECT count(*) FROM duckherder_workers()")[0][0] == 1, 30, lambda: "no worker")
        self._before_state = self.state(True)
        self.forget_files()
        self.listener.connections()

    def note_files(self) -> None:
        """What was touched until now is not that of what follows."""
        for name, watch in (("outside", self._watch), ("inside", self._inside_watch)):
            if watch.touched():
                self._files.add(name)

    def forget_files(self) -> None:
        """What was touched since they were noted last was not the driver."""
        self._watch.touched()
        self._inside_watch.touched()

    def state(self, with_macros: bool) -> dict[str, str]:
        has_table = self.ask("SELECT count(*) FROM duckdb_tables() WHERE table_name = 't'")[0][0] > 0
        # in two pieces: this statement is in the history, too
        sql = STATE.format(secret=SECRET[:12], rest=SECRET[12:],
                           table="t" if has_table else "(SELECT 0 AS i, 'gone' AS s)")
        result = dict(self.ask(sql + (MACROS if with_macros else "")))
        try:
            self.ask("FROM tpch_queries() LIMIT 0")
            result["extensions"] = "tpch"
        except duckdb.Error:
            result["extensions"] = ""
        return result

    def _undo(self, changed: set[str], sql: str) -> bool:
        """Puts back what one statement is known to change; that is much faster than making everything anew."""
        made = re.match(r"CREATE (?:OR REPLACE )?(TABLE|VIEW|SCHEMA|SEQUENCE|INDEX|TYPE|MACRO) made\b", sql)
        table_macro = made and made[1] == "MACRO" and "AS TABLE" in sql
        if "settings" in changed:
            self.run("RESET GLOBAL duckherder_tasks_per_worker")
        if "secrets" in changed:
            self.run("DROP SECRET IF EXISTS s")
        if "rows" in changed:
            self.run(SETUP.strip().split(";")[0].replace("CREATE", "CREATE OR REPLACE"))
        if "catalog" in changed or "macros" in changed:
            if made:
                self.run(f"DROP {made[1]}{' TABLE' if table_macro else ''} IF EXISTS made")
            elif "doomed" in sql:
                self.run("CREATE OR REPLACE TABLE doomed (i INTEGER)")
            elif "harmless" in sql:
                self.run("CREATE OR REPLACE VIEW harmless AS SELECT i FROM t WHERE i < 5")
            elif "numbers" in sql:
                self.run("CREATE OR REPLACE SEQUENCE numbers")
        if "history" in changed:
            self.ask(f"SELECT '{SECRET}', sum(i) FROM t")
        if "nodes" in changed:
            # a worker that was taken off the list comes back with its next sign of life
            wait_until(lambda: self.ask("SELECT count(*) FROM duckherder_workers()")[0][0] == 1, 30,
                       lambda: "no worker")
        return self._changed(self.state("macros" in changed)) == set()

    def _changed(self, state: dict[str, str]) -> set[str]:
        return {kind for kind, value in state.items() if value != self._before_state[kind]}

    def touched(self, with_macros: bool = False, sql: str = "") -> set[str]:
        """What was changed or opened since the last call, in words: names of what STATE lists, 'extensions', 'outside',
        'network', 'inside', 'the end of the node'. What was changed, by `sql` if it was one statement, is as before
        afterwards."""
        if not self.cluster.driver or not self.cluster.driver.alive:
            return {"the end of the node"}
        self.note_files()
        result, self._files = self._files, set()
        if self.listener.connections():
            result.add("network")
        changed = self._changed(self.state(with_macros))
        result |= changed
        if changed and not self._undo(changed, sql):
            self.reset()
        self.forget_files()
        return result
