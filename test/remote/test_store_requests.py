"""Who asks an S3 store for what: workers read the files, once and without asking what is known already; the driver and
the client get the rows that are left."""

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from remote.conftest import attach, last_run
from remote.test_lake import EVERY_QUERY, LOAD_LAKE
from support import paths, tpch
from support.cluster import Cluster
from support.compare import assert_same, fetch
from support.s3 import Request, RequestLog, S3Server
from support.session import Connection, bare_session, cluster_session, plain_session

pytestmark = pytest.mark.timeout(240)

SCALE = 0.1
WORKERS = 2
LOAD_HTTPFS = f"LOAD {paths.quoted(paths.HTTPFS_EXTENSION)};\n"


@dataclasses.dataclass
class Store:
    server: S3Server
    #: What is asked by the driver, or by a session that is one
    driver: RequestLog
    workers: RequestLog
    cluster: Cluster

    def forget(self) -> None:
        self.driver.take()
        self.workers.take()


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Iterator[Store]:
    directory = tmp_path_factory.mktemp("store")
    with S3Server(directory / "s3") as server, RequestLog(server.port) as driver, RequestLog(server.port) as workers:
        driver_init, worker_init = directory / "driver.sql", directory / "worker.sql"
        driver_init.write_text(LOAD_LAKE + LOAD_HTTPFS + server.secret_sql(driver.port) + ";\n" + EVERY_QUERY)
        worker_init.write_text(LOAD_HTTPFS + server.secret_sql(workers.port) + ";\n")
        options = ["--init", str(driver_init), "--lake", f"ducklake:{directory}/lake.ducklake", "--data-path",
                   "s3://bucket/lake"]
        with Cluster(directory, workers=WORKERS, with_driver=True, driver_options=options,
                     worker_options=["--init", str(worker_init)]) as cluster:
            con = bare_session()
            attach(con, cluster)
            files = tpch.parquet_directory(SCALE)
            for table in tpch.TABLES:
                con.execute(f"CREATE TABLE dh.{table} AS FROM {paths.quoted(files / (table + '.parquet'))}")
            con.close()
            yield Store(server, driver, workers, cluster)


@pytest.fixture
def client(store) -> Iterator[Connection]:
    con = bare_session()
    attach(con, store.cluster)
    con.execute("USE dh")
    yield con
    con.close()


@pytest.fixture(scope="module")
def plain() -> Iterator[Connection]:
    con = plain_session()
    tpch.create_views(con, tpch.parquet_directory(SCALE))
    yield con
    con.close()


def count(requests: list[Request], method: str) -> int:
    return sum(request.method == method for request in requests)


def test_workers_ask_a_lake_only_for_what_they_read(store, client, plain):
    """No request for a size, which the lake's catalog has, and none for a file that no scan reads."""
    store.forget()
    for number in (1, 3, 6, 18):
        sql = tpch.queries()[number]
        assert_same(fetch(plain, sql), fetch(client, sql), f"TPC-H {number}", ordered=True)
        assert last_run(client, sql)[0] == "DISTRIBUTED"
    driver, workers = store.driver.take(".parquet"), store.workers.take(".parquet")
    assert driver == [], "the driver reads no file"
    assert count(workers, "GET") == len(workers) > 0, [one for one in workers if one.method != "GET"]
    assert all(one.bytes > 0 for one in workers), "never a whole file"
    files = {one.path for one in workers}
    # for each file: customer, orders, lineitem
    assert len(files) == 3, files


def test_a_lake_read_before_is_not_read_again(store, client, plain):
    sql = "SELECT sum(l_quantity), max(l_comment) FROM lineitem"
    store.forget()
    assert_same(fetch(plain, sql), fetch(client, sql), sql)
    first = sum(one.bytes for one in store.workers.take(".parquet"))
    # which worker reads which part is the driver's to choose: in the end both have read all
    for _ in range(6):
        assert_same(fetch(plain, sql), fetch(client, sql), sql)
        again = sum(one.bytes for one in store.workers.take(".parquet"))
    assert first > 1_000_000, first
    assert again < first / 10, (first, again)


def test_one_task_asks_for_several_parts_at_a_time(store, client):
    """Two tasks, one for each worker of one thread, have four requests under way together."""
    client.execute("CREATE TABLE wide AS SELECT range AS i, hash(range) AS h FROM range(900000)")
    client.execute("CALL duckherder_execute('dh', 'SET GLOBAL duckherder_tasks_per_worker = 1')")
    together = threading.Barrier(4)
    met = threading.Event()

    def meet(request: Request) -> None:
        # not the footers
        if request.path.endswith(".parquet") and request.bytes > 200_000 and not met.is_set():
            together.wait(30)
            met.set()

    store.workers.on_request = meet
    try:
        sql = "SELECT max(h), count(*) FROM wide"
        assert client.execute(sql).fetchone()[1] == 900000
        assert last_run(client, sql)[0] == "DISTRIBUTED"
        assert met.is_set()
    finally:
        store.workers.on_request = None
        client.execute("CALL duckherder_execute('dh', 'RESET GLOBAL duckherder_tasks_per_worker')")


def test_deleted_rows_are_found_without_asking_for_sizes(store, client):
    client.execute("CREATE TABLE thinned AS SELECT range AS i FROM range(200000)")
    client.execute("DELETE FROM thinned WHERE i % 1000 = 0")
    store.forget()
    sql = "SELECT count(*), sum(i) FROM thinned"
    assert client.execute(sql).fetchone() == (199800, 19980000000)
    assert last_run(client, sql)[0] == "DISTRIBUTED"
    workers = store.workers.take(".parquet")
    assert len({one.path for one in workers}) >= 2, "the rows, and which of them are deleted"
    assert count(workers, "GET") == len(workers), [one for one in workers if one.method != "GET"]
    assert store.driver.take(".parquet") == []


class ByteCounter(RequestLog):
    """Counts what a server answers, whatever it speaks."""

    def __init__(self, target_port: int):
        super().__init__(target_port)
        self.answered = 0

    def _pass_on(self, client, server) -> None:
        try:
            while data := client.recv(65536):
                server.sendall(data)
            server.shutdown(2)
        except OSError:
            pass

    def _answer(self, server, client) -> None:
        try:
            while data := server.recv(65536):
                with self._lock:
                    self.answered += len(data)
                client.sendall(data)
        except OSError:
            pass


def test_the_client_gets_the_result_and_no_more(store, plain):
    """Bytes between client and driver are about those of the result, however much was read for it."""
    assert store.cluster.driver
    with ByteCounter(store.cluster.driver.port) as between:
        con = bare_session()
        con.execute(f"ATTACH '127.0.0.1:{between.port}' AS dh (TYPE duckherder)")
        con.execute("USE dh")
        con.execute("SELECT count(*) FROM region").fetchall()
        for sql, result_bytes in (
                ("SELECT l_returnflag, max(l_comment), sum(l_tax) FROM lineitem GROUP BY ALL", 200),
                ("SELECT l_orderkey, l_extendedprice::BIGINT AS p FROM lineitem WHERE l_linenumber = 1", 150000 * 16)):
            store.forget()
            before = between.answered
            assert_same(fetch(plain, sql), fetch(con, sql), sql)
            came = between.answered - before
            assert result_bytes <= came < 2 * result_bytes + 50_000, (sql, came)
            assert store.driver.take(".parquet") == []
        con.close()


@pytest.fixture
def session(store) -> Iterator[Connection]:
    """One that is the driver itself, with the driver's workers."""
    with cluster_session(store.cluster) as con:
        con.execute(LOAD_HTTPFS + store.server.secret_sql(store.driver.port))
        con.execute(EVERY_QUERY)
        con.execute("SET duckherder_require_distributed = true")
        yield con


def test_workers_do_not_ask_for_the_size_of_plain_files(store, session):
    session.execute("COPY (SELECT range AS i, range % 7 AS k, hash(range) AS h FROM range(300000)) TO "
                    "'s3://bucket/plain/one.parquet' (ROW_GROUP_SIZE 20480)")
    for part in range(4):
        session.execute(f"COPY (SELECT range + {part} * 50000 AS i, hash(range) AS h FROM range(50000)) TO "
                        f"'s3://bucket/plain/many-{part}.parquet' (ROW_GROUP_SIZE 20480)")
    for sql, expected in (
            ("SELECT count(*), sum(i), max(k) FROM 's3://bucket/plain/one.parquet'", (300000, 44999850000, 6)),
            ("SELECT count(*), sum(i) FROM 's3://bucket/plain/many-*.parquet'", (200000, 19999900000))):
        store.forget()
        assert session.execute(sql).fetchone() == expected
        workers = store.workers.take(".parquet")
        assert count(workers, "GET") == len(workers) > 0, [one for one in workers if one.method != "GET"]


@pytest.mark.parametrize("after", [0, 1, 4])
def test_a_file_that_changes_under_a_query_is_never_mixed(store, session, after):
    """It is replaced when workers have asked for so many parts of it: all rows are of one version, or there is an
    error that says so."""
    path = f"s3://bucket/plain/changing-{after}.parquet"
    other = plain_session()
    other.execute(f"LOAD {paths.quoted(paths.HTTPFS_EXTENSION)}")
    other.execute(store.server.secret_sql())

    def put(version: int, rows: int) -> None:
        rows_of_it = f"SELECT {version} AS version, range AS i, hash(range + {version}) AS h FROM range({rows})"
        other.execute(f"COPY ({rows_of_it}) TO '{path}' (ROW_GROUP_SIZE 20480)")

    def replace(request: Request) -> None:
        nonlocal asked
        if request.path.endswith(f"changing-{after}.parquet"):
            with lock:
                asked += 1
                if asked == after + 1:
                    put(2, 310000)

    put(1, 300000)
    asked, lock = 0, threading.Lock()
    sql = f"SELECT min(version), max(version), count(*), count(DISTINCT i), bit_xor(h) > 0 FROM '{path}'"
    store.workers.on_request = replace
    try:
        row = session.execute(sql).fetchone()
    except duckdb.Error as error:
        assert "ETag" in str(error) and path in str(error), error
    else:
        assert row in ((1, 1, 300000, 300000, True), (2, 2, 310000, 310000, True)), row
    finally:
        store.workers.on_request = None
    assert asked > after, "it was replaced while the query ran"
    assert session.execute(sql).fetchone() == (2, 2, 310000, 310000, True)
    other.close()
