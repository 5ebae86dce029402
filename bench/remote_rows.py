#!/usr/bin/env python3
"""How fast rows come from a driver to a client that has attached it, beside DuckDB's own Quack, and the stock ADBC
driver for Flight SQL at the same driver: the same table, each server a process of its own on loopback, taking turns."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "test")]

import duckdb  # noqa: E402
from adbc_driver_flightsql import dbapi  # noqa: E402

from support import paths  # noqa: E402
from support.cluster import Cluster, use_new_token  # noqa: E402
from support.flight_sql import adbc_session, read_token  # noqa: E402
from support.process import die_with_parent  # noqa: E402
from support.session import bare_session  # noqa: E402

TABLE = "SELECT range AS i, range * 2 AS j, (range % 1000)::DOUBLE AS d, 'name ' || (range % 100) AS s FROM range({})"
TOKEN = "0123456789abcdef"
QUACK_SERVER = """
import duckdb, sys
con = duckdb.connect(config={{"allow_unsigned_extensions": "true"}})
con.execute("SET enable_progress_bar = false")
for extension in {extensions}:
    con.execute(f"LOAD '{{extension}}'")
con.execute({create!r})
port = {port}
con.execute(f"CALL quack_serve('quack:localhost:{{port}}', token => '{token}', disable_ssl => true)").fetchall()
print("ready", flush=True)
sys.stdin.read()
"""


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Side:
    def __init__(self, name: str, load: Callable[[], object], server: int):
        self.name, self.load, self.server = name, load, server
        self.walls: list[float] = []
        self.cpus: list[float] = []

    def run(self) -> None:
        before = cpu_seconds(os.getpid()) + cpu_seconds(self.server)
        start = time.perf_counter()
        self.load()
        self.walls.append(time.perf_counter() - start)
        self.cpus.append(cpu_seconds(os.getpid()) + cpu_seconds(self.server) - before)


def load_from(con: duckdb.DuckDBPyConnection, source: str) -> Callable[[], object]:
    return lambda: con.execute(f"CREATE OR REPLACE TEMP TABLE here AS FROM {source}")


def load_by_adbc(con: duckdb.DuckDBPyConnection, cursor: dbapi.Cursor) -> None:
    cursor.execute("FROM t")
    con.register("batches", cursor.fetch_record_batch())
    con.execute("CREATE OR REPLACE TEMP TABLE here AS FROM batches")


def quack_session() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    for extension in (paths.HTTPFS_EXTENSION, paths.QUACK_EXTENSION):
        con.execute(f"LOAD {paths.quoted(extension)}")
    return con


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quack-port", type=int, default=19494)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        token = read_token(use_new_token(Path(directory)))
        server = QUACK_SERVER.format(extensions=[str(paths.HTTPFS_EXTENSION), str(paths.QUACK_EXTENSION)],
                                     create="CREATE TABLE t AS " + TABLE.format(options.rows),
                                     port=options.quack_port, token=TOKEN)
        quack = subprocess.Popen([paths.PYTHON, "-c", server], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 text=True, preexec_fn=die_with_parent)
        try:
            assert quack.stdout and quack.stdout.readline().strip() == "ready"
            with (Cluster(Path(directory), workers=0, with_driver=True) as cluster,
                  adbc_session(cluster, token) as adbc):
                ours = bare_session()
                assert cluster.driver
                ours.execute(f"ATTACH '{cluster.driver.host}:{cluster.driver.port}' AS dh (TYPE duckherder)")
                ours.execute("CREATE TABLE dh.t AS " + TABLE.format(options.rows))
                theirs = (f"quack_query('quack:localhost:{options.quack_port}', 'FROM t', token => '{TOKEN}', "
                          "disable_ssl => true)")
                plain = duckdb.connect()
                sides = [Side("ATTACH (TYPE duckherder)", load_from(ours, "dh.t"), cluster.driver.pid),
                         Side("Quack", load_from(quack_session(), theirs), quack.pid),
                         Side("ADBC, Flight SQL of the same driver", lambda: load_by_adbc(plain, adbc.cursor()),
                              cluster.driver.pid)]
                for _ in range(options.runs):
                    for side in sides:
                        side.run()
                print(f"{options.rows} rows of 4 columns into a temporary table, medians of {options.runs} runs:\n")
                print("| server | wall s | million rows/s | CPU s, both processes |\n|---|---:|---:|---:|")
                for side in sides:
                    wall = statistics.median(side.walls)
                    print(f"| {side.name} | {wall:.2f} | {options.rows / wall / 1e6:.1f} | "
                          f"{statistics.median(side.cpus):.2f} |")
                ours.close()
        finally:
            quack.kill()
            quack.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
