"""The 43 queries of ClickBench, over a native table by the embedded server and over Parquet by worker processes.

Many cut their result off where its order does not tell rows apart, so that several answers are right. Each query runs
twice: as it is, where the keys it orders by have to be plain DuckDB's; and with all columns of the result as further
keys, where everything has to.

DUCKHERDER_TEST_HITS_ROWS sets another number of rows than 100000.
"""

import os
from dataclasses import dataclass

import pytest

from support import clickbench
from support.compare import Result, assert_same, fetch, same_value
from support.pair import last_query
from support.session import cluster_session, distribute_everything, local_session, plain_session

ROWS = int(os.environ.get("DUCKHERDER_TEST_HITS_ROWS", "100000"))
QUERIES = tuple(range(1, 44))
QUERY_TIMEOUT_SECONDS = 120


@dataclass
class Expected:
    as_it_is: Result
    unique_sql: str
    unique: Result


@pytest.fixture(scope="module")
def data():
    return clickbench.parquet_directory(ROWS)


@pytest.fixture(scope="module")
def expected(data) -> dict[int, Expected]:
    result = {}
    with plain_session() as con:
        clickbench.create_sources(con, data, "VIEW")
        for number in QUERIES:
            as_it_is = fetch(con, clickbench.queries(ROWS)[number])
            sql = clickbench.unique_query(clickbench.queries(ROWS)[number], len(as_it_is.names))
            result[number] = Expected(as_it_is, sql, fetch(con, sql))
    return result


@pytest.fixture(scope="module")
def native(data):
    with local_session(3) as con:
        clickbench.create_sources(con, data, "TABLE")
        distribute_everything(con)
        yield con


@pytest.fixture(scope="module")
def processes(three_workers, data):
    with cluster_session(three_workers) as con:
        clickbench.create_sources(con, data, "VIEW")
        distribute_everything(con)
        yield con


def check(con, number: int, expected: dict[int, Expected]) -> None:
    sql = clickbench.queries(ROWS)[number]
    wanted = expected[number]
    actual = fetch(con, sql)
    row = last_query(con, sql)
    assert (actual.names, actual.types) == (wanted.as_it_is.names, wanted.as_it_is.types), sql
    assert len(actual.rows) == len(wanted.as_it_is.rows), sql
    for key in clickbench.order_keys(sql, actual.names):
        pairs = [(left[key], right[key]) for left, right in zip(wanted.as_it_is.rows, actual.rows)]
        assert all(same_value(left, right) for left, right in pairs), f"{sql}\n{pairs}"
    assert_same(wanted.unique, fetch(con, wanted.unique_sql), wanted.unique_sql, ordered=True)
    assert row["execution_mode"] == "DISTRIBUTED", row


@pytest.mark.timeout(QUERY_TIMEOUT_SECONDS)
@pytest.mark.parametrize("number", QUERIES)
def test_native_table(native, expected, number: int):
    check(native, number, expected)


@pytest.mark.timeout(QUERY_TIMEOUT_SECONDS)
@pytest.mark.parametrize("number", QUERIES)
def test_parquet_through_processes(processes, expected, number: int):
    check(processes, number, expected)


def test_each_query_has_rows(expected):
    """Or it would show nothing."""
    empty = [number for number, results in expected.items() if not results.as_it_is.rows]
    assert not empty
    zero = [number for number, results in expected.items() if results.as_it_is.rows in ([(0,)], [(None,)])]
    assert not zero
