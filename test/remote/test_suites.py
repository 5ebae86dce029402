"""TPC-H and TPC-DS through ATTACH: equal to plain DuckDB, run on the driver's workers."""

import contextlib
from collections.abc import Iterator

import pytest

from remote.conftest import attach, last_run
from support import tpcds, tpch
from support.cluster import Cluster
from support.compare import assert_same, fetch
from support.session import bare_session, plain_session

TPCH_SCALE = 0.1
TPCDS_SCALE = 0.1


class Suite:
    """A driver that has a suite's tables as views over files, a client that has attached it, and plain DuckDB."""

    def __init__(self, cluster: Cluster, suite, directory):
        self.plain = plain_session()
        self.client = bare_session()
        attach(self.client, cluster)
        self.client.execute("USE dh")
        for con in (self.plain, self.client):
            suite.create_sources(con, directory, "VIEW")

    def check(self, sql: str, name: str, ordered: bool) -> None:
        assert_same(fetch(self.plain, sql), fetch(self.client, sql), name, ordered)
        assert last_run(self.client, sql)[0] == "DISTRIBUTED"

    def close(self) -> None:
        self.client.close()
        self.plain.close()


@contextlib.contextmanager
def served_suite(tmp_path_factory, name: str, suite, directory) -> Iterator[Suite]:
    with Cluster(tmp_path_factory.mktemp(name), workers=3, with_driver=True,
                 driver_options=["--init", str(every_query(tmp_path_factory))]) as cluster:
        result = Suite(cluster, suite, directory)
        yield result
        result.close()


@pytest.fixture(scope="module")
def tpch_suite(tmp_path_factory):
    with served_suite(tmp_path_factory, "tpch", tpch, tpch.parquet_directory(TPCH_SCALE)) as suite:
        yield suite


@pytest.fixture(scope="module")
def tpcds_suite(tmp_path_factory):
    with served_suite(tmp_path_factory, "tpcds", tpcds, tpcds.parquet_directory(TPCDS_SCALE)) as suite:
        yield suite


def every_query(tmp_path_factory):
    """Settings of a driver that distributes small tables too."""
    path = tmp_path_factory.mktemp("init") / "init.sql"
    path.write_text("SET GLOBAL duckherder_mode = 'always';\nSET GLOBAL duckherder_min_rows = 1;\n")
    return path


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", range(1, 23))
def test_tpch(tpch_suite, number: int):
    tpch_suite.check(tpch.queries()[number], f"TPC-H {number}", ordered=True)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", range(1, 100))
def test_tpcds(tpcds_suite, number: int):
    tpcds_suite.check(tpcds.queries()[number], f"TPC-DS {number}", ordered=False)
