"""Sessions of the stock Python package: plain ones, and ones with the extension and workers."""

import contextlib
from collections.abc import Iterator

import duckdb

from support import paths
from support.cluster import BY_ROWS, Cluster
from support.versions import share_duckdb

Connection = duckdb.DuckDBPyConnection


def plain_session(threads: int | None = None) -> Connection:
    """What every answer is compared with."""
    con = duckdb.connect(":memory:")
    if threads:
        con.execute(f"SET threads = {threads}")
    return con


def bare_session(database: str = ":memory:") -> Connection:
    """The extension is loaded; nobody takes tasks yet."""
    share_duckdb()
    con = duckdb.connect(database, config={"allow_unsigned_extensions": "true"})
    con.execute(f"LOAD {paths.quoted(paths.require(paths.EXTENSION))}")
    return con


def scalar(con: Connection, sql: str) -> object:
    row = con.execute(sql).fetchone()
    assert row is not None, sql
    return row[0]


def start_local_server(con: Connection, workers: int) -> str:
    return str(scalar(con, f"SELECT duckherder_start_local_server(0, {workers})"))


def register_workers(con: Connection, cluster: Cluster) -> None:
    for name, node in cluster.workers.items():
        con.execute(f"SELECT duckherder_register_worker('{name}', '{node.location}')")


def distribute_everything(con: Connection) -> None:
    """Tests look at small tables: cut even those into many tasks."""
    con.execute("SET duckherder_mode = 'always'")
    con.execute("SET duckherder_min_rows = 1")
    con.execute("SET duckherder_min_task_bytes = 1")


@contextlib.contextmanager
def local_session(workers: int) -> Iterator[Connection]:
    """A session with the embedded server."""
    con = bare_session()
    try:
        start_local_server(con, workers)
        yield con
        con.execute("SELECT duckherder_stop_local_server()")
    finally:
        con.close()


@contextlib.contextmanager
def cluster_session(cluster: Cluster) -> Iterator[Connection]:
    """A session that is the driver of the cluster's worker processes, or borrows those of its driver; mode auto uses
    them from duckherder_min_rows rows on."""
    con = bare_session()
    try:
        if cluster.driver:
            con.execute(f"SELECT duckherder_register_or_replace_driver('{cluster.driver.host}', {cluster.driver.port})")
            con.execute(BY_ROWS)
        else:
            register_workers(con, cluster)
        yield con
    finally:
        con.close()
