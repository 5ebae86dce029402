"""TPC-H and TPC-DS through ATTACH: equal to plain DuckDB, run on the driver's workers."""

import pytest

from remote.conftest import attach
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
        quoted = sql.replace("'", "''").replace("'", "''")
        row = self.client.execute(
            f"FROM duckherder_query('dh', 'SELECT execution_mode, local_reason FROM "
            f"duckherder_get_query_execution_stats() WHERE sql = ''{quoted}'' ORDER BY execution_start_time "
            f"DESC LIMIT 1')").fetchone()
        assert row and row[0] in ("DISTRIBUTED", "PARTIAL"), row

    def close(self) -> None:
        self.client.close()
        self.plain.close()


@pytest.fixture(scope="module")
def tpch_suite(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("tpch"), workers=3, with_driver=True,
                 driver_options=["--init", str(every_query(tmp_path_factory))]) as cluster:
        suite = Suite(cluster, tpch, tpch.parquet_directory(TPCH_SCALE))
        yield suite
        suite.close()


@pytest.fixture(scope="module")
def tpcds_suite(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("tpcds"), workers=3, with_driver=True,
                 driver_options=["--init", str(every_query(tmp_path_factory))]) as cluster:
        suite = Suite(cluster, tpcds, tpcds.parquet_directory(TPCDS_SCALE))
        yield suite
        suite.close()


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
