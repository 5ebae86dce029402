"""The 22 queries of TPC-H: worker processes on Parquet, the embedded server on native tables; equal to plain DuckDB.

DUCKHERDER_TEST_SCALE=0.1 runs them at scale factor 0.1 instead of 1.
"""

import os

import pytest

from support import tpch
from support.compare import Result, assert_same, fetch
from support.pair import last_query
from support.session import bare_session, cluster_session, plain_session, start_local_server

SCALE = float(os.environ.get("DUCKHERDER_TEST_SCALE", "1"))
QUERIES = tuple(range(1, 23))
WORKER_COUNTS = (1, 2, 3, 5)
QUERY_TIMEOUT_SECONDS = 120


@pytest.fixture(scope="module")
def data():
    return tpch.parquet_directory(SCALE)


@pytest.fixture(scope="module")
def expected(data) -> dict[int, Result]:
    with plain_session() as con:
        tpch.create_views(con, data)
        return {number: fetch(con, tpch.queries()[number]) for number in QUERIES}


def check(con, number: int, expected: dict[int, Result]) -> dict:
    sql = tpch.queries()[number]
    # All of them order their result, and none leaves ties at these scale factors
    assert_same(expected[number], fetch(con, sql), f"TPC-H {number}", ordered=True)
    row = last_query(con, sql)
    # Nothing but the final merge is left to the session
    assert row["execution_mode"] == "DISTRIBUTED", row
    return row


@pytest.fixture(scope="module")
def parquet_session(three_workers, data):
    with cluster_session(three_workers) as con:
        tpch.create_views(con, data)
        yield con


@pytest.mark.timeout(QUERY_TIMEOUT_SECONDS)
@pytest.mark.parametrize("number", QUERIES)
def test_parquet_through_three_worker_processes(parquet_session, expected, number: int):
    check(parquet_session, number, expected)


@pytest.mark.timeout(QUERY_TIMEOUT_SECONDS)
@pytest.mark.parametrize("number", QUERIES)
def test_parquet_with_every_join_shuffled(parquet_session, expected, number: int):
    """No build side is small enough to be copied."""
    parquet_session.execute("SET duckherder_broadcast_limit = 0")
    try:
        sql = tpch.queries()[number]
        assert_same(expected[number], fetch(parquet_session, sql), f"TPC-H {number}", ordered=True)
        assert last_query(parquet_session, sql)["execution_mode"] == "DISTRIBUTED"
    finally:
        parquet_session.execute("RESET duckherder_broadcast_limit")


@pytest.fixture(scope="module")
def native_database(data):
    con = bare_session()
    tpch.create_tables(con, data)
    yield con
    con.close()


@pytest.fixture(scope="module", params=WORKER_COUNTS)
def native_session(native_database, request):
    start_local_server(native_database, request.param)
    yield native_database
    native_database.execute("SELECT duckherder_stop_local_server()")


@pytest.mark.timeout(QUERY_TIMEOUT_SECONDS)
@pytest.mark.parametrize("number", QUERIES)
def test_native_tables_through_the_embedded_server(native_session, expected, number: int):
    check(native_session, number, expected)


@pytest.mark.timeout(QUERY_TIMEOUT_SECONDS)
@pytest.mark.parametrize("number", (1, 3, 6, 13, 18))
def test_native_tables_through_worker_processes(native_database, three_workers, expected, number: int):
    """The session feeds its tables to workers elsewhere."""
    for name, node in three_workers.workers.items():
        native_database.execute(f"SELECT duckherder_register_worker('remote-{name}', '{node.location}')")
    try:
        check(native_database, number, expected)
    finally:
        for name in three_workers.workers:
            native_database.execute(f"SELECT duckherder_unregister_worker('remote-{name}')")


def test_generated_data_is_complete(data):
    with plain_session() as con:
        tpch.create_views(con, data)
        for table in tpch.TABLES:
            assert con.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > 0, table
        row = con.execute("SELECT count(*) FROM orders").fetchone()
        assert row and row[0] == int(1_500_000 * SCALE)
