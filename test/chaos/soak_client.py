"""A client of the soak: a session of stock Python that does what each line of stdin says, and prints how it went.

usage: soak_client.py HOST PORT MIX_FILE SETTINGS_JSON

Rows are compared here: `outcome` is rows, wrong (with `problem`), or error (with `class` and `message`).
"""

import json
import pickle
import re
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb  # noqa: E402

from chaos.soak_mix import Item, create_sources  # noqa: E402
from support.compare import difference, fetch  # noqa: E402
from support.pair import rows_as_dicts  # noqa: E402
from support.session import Connection, bare_session, scalar  # noqa: E402

READ_ROWS = 10
KILL_POLL_SECONDS = 0.01
INTERRUPT_AGAIN_SECONDS = 0.1
#: DuckDB's words around an error that comes while a result is read
WRAPPED = re.compile(r"Attempting to execute an unsuccessful or closed pending query result\nError: ([\w ]+?) Error: (.*)",
                     re.DOTALL)


def told(error: duckdb.Error) -> dict:
    wrapped = WRAPPED.search(str(error))
    error_class, message = type(error).__name__, str(error)
    if wrapped:
        kind = wrapped[1] if wrapped[1] == "IO" else wrapped[1].title().replace(" ", "")
        error_class, message = f"{kind}Exception", wrapped[2]
    return {"outcome": "error", "class": error_class, "message": message}


class Client:
    def __init__(self, host: str, port: str, mix_file: Path, settings: dict[str, str]):
        scales, csv, self.expected = pickle.loads(mix_file.read_bytes())
        self.con = bare_session()
        self.con.execute("SET threads = 2")
        create_sources(self.con, scales, csv)
        for name, value in settings.items():
            self.con.execute(f"SET GLOBAL {name} = '{value}'")
        self.con.execute(f"SELECT duckherder_register_or_replace_driver('{host}', {port})")

    def do(self, item: Item, number: int) -> dict:
        # found again in the statistics, where only this one has the number
        sql = f"{item.sql.strip().rstrip(';')}\n-- {number}"
        self.con.execute(f"USE memory.{item.schema}")
        begin = time.monotonic()
        answer = self._read_some(item, sql) if item.kind == "close" else self._run(item, sql)
        answer["seconds"] = time.monotonic() - begin
        return answer | self._record(number)

    def _run(self, item: Item, sql: str) -> dict:
        with self.con.cursor() as con:
            con.execute(f"USE memory.{item.schema}")
            done = threading.Event()
            helper = threading.Thread(target=self._cancel, args=(item, con, sql, done))
            helper.start()
            try:
                rows = fetch(con, sql)
            except duckdb.Error as error:
                return told(error)
            finally:
                done.set()
                helper.join()
        expected = self.expected.get((item.schema, item.name))
        if expected is None:
            return {"outcome": "rows"}
        if expected.rows is None:
            return {"outcome": "wrong", "problem": f"{len(rows.rows)} rows instead of a {expected.error_class}"}
        problem = difference(expected.rows, rows, expected.ordered)
        return {"outcome": "wrong", "problem": problem} if problem else {"outcome": "rows"}

    def _cancel(self, item: Item, con: Connection, sql: str, done: threading.Event) -> None:
        if item.kind == "run" or done.wait(item.delay):
            return
        if item.kind == "interrupt":
            # DuckDB forgets one that comes before the query has begun
            con.interrupt()
            while not done.wait(INTERRUPT_AGAIN_SECONDS):
                con.interrupt()
            return
        with self.con.cursor() as observer:
            while not done.wait(KILL_POLL_SECONDS):
                rows = observer.execute("SELECT query_id FROM duckherder_get_query_history() WHERE sql = ?"
                                        " AND state IN ('QUEUED', 'RUNNING')", [sql]).fetchall()
                if rows:
                    scalar(observer, f"SELECT duckherder_kill('{rows[0][0]}')")
                    return

    def _read_some(self, item: Item, sql: str) -> dict:
        """Closes its result with most rows unread."""
        con = self.con.cursor()
        try:
            con.execute(f"USE memory.{item.schema}")
            con.execute(sql)
            con.fetchmany(READ_ROWS)
            return {"outcome": "closed"}
        except duckdb.Error as error:
            return told(error)
        finally:
            con.close()

    def _record(self, number: int) -> dict:
        rows = rows_as_dicts(self.con, "SELECT execution_mode, retries FROM duckherder_get_query_execution_stats()"
                                       f" WHERE ends_with(sql, '-- {number}')")
        return rows[0] if rows else {"execution_mode": None, "retries": 0}


def main() -> None:
    host, port, mix_file, settings = sys.argv[1:]
    client = Client(host, port, Path(mix_file), json.loads(settings))
    print("ready", flush=True)
    for line in sys.stdin:
        item = json.loads(line)
        number = item.pop("number")
        print(json.dumps(client.do(Item(**item), number)), flush=True)


main()
