"""The 99 queries of TPC-DS, over native tables by the embedded server and over Parquet by worker processes.

DUCKHERDER_TEST_TPCDS_SCALE sets another scale factor than 0.1.
"""

import os

import pytest

from support import tpcds
from support.compare import Result, assert_same, fetch
from support.pair import last_query
from support.session import cluster_session, distribute_everything, local_session, plain_session
from support.versions import IS_NEXT_DUCKDB

SCALE = float(os.environ.get("DUCKHERDER_TEST_TPCDS_SCALE", "0.1"))
QUERIES = tuple(range(1, 100))
QUERY_TIMEOUT_SECONDS = 120
#: 2.0 makes a UNION of each ROLLUP, and here a window above needs its order
ENDS_IN_THE_SESSION = (67, 70, 86) if IS_NEXT_DUCKDB else ()


@pytest.fixture(scope="module")
def data():
    return tpcds.parquet_directory(SCALE)


@pytest.fixture(scope="module")
def expected(data) -> dict[int, Result]:
    with plain_session() as con:
        tpcds.create_sources(con, data, "VIEW")
        return {number: fetch(con, tpcds.queries()[number]) for number in QUERIES}


@pytest.fixture(scope="module", params=(2, 3))
def native(data, request):
    with local_session(request.param) as con:
        tpcds.create_sources(con, data, "TABLE")
        distribute_everything(con)
        yield con


@pytest.fixture(scope="module")
def processes(three_workers, data):
    with cluster_session(three_workers) as con:
        tpcds.create_sources(con, data, "VIEW")
        distribute_everything(con)
        yield con


def check(con, number: int, expected: dict[int, Result]) -> None:
    sql = tpcds.queries()[number]
    # Some order by columns that do not tell all their rows apart
    assert_same(expected[number], fetch(con, sql), f"TPC-DS {number}")
    row = last_query(con, sql)
    if number in ENDS_IN_THE_SESSION and row["execution_mode"] == "PARTIAL":
        assert row["local_reason"] == "UNION of these inputs runs in the session"
        return
    assert row["execution_mode"] == "DISTRIBUTED", row


@pytest.mark.timeout(QUERY_TIMEOUT_SECONDS)
@pytest.mark.parametrize("number", QUERIES)
def test_native_tables(native, expected, number: int):
    check(native, number, expected)


@pytest.mark.timeout(QUERY_TIMEOUT_SECONDS)
@pytest.mark.parametrize("number", QUERIES)
def test_parquet_through_processes(processes, expected, number: int):
    check(processes, number, expected)
