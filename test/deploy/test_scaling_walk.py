"""The short forms of test/deploy/scaling_walk.py; what it says at scale factor 10 is in docs/deploy.md."""

from pathlib import Path

import pytest
from support import paths, tpch
from support.cluster import Cluster
from support.compare import Result, fetch
from support.session import plain_session
from support.waiting import wait_until

from deploy.scaling_walk import Watcher, client_of, driver_options, from_zero, spot_notice

SECONDS = 120
SQL = tpch.queries()[9]
#: The first scan of the query
STAGE = 0


@pytest.fixture(scope="module")
def data() -> Path:
    return tpch.parquet_directory(0.01)


@pytest.fixture(scope="module")
def expected(data: Path) -> Result:
    with plain_session() as con:
        tpch.create_views(con, data)
        return fetch(con, SQL)


@pytest.mark.timeout(SECONDS)
def test_a_worker_that_gets_sigterm_while_it_runs_a_task(tmp_path, data, expected):
    """The task stands still until the driver knows that its worker drains."""
    paths.require(paths.FAULTY_WORKER)
    point = {"DUCKHERDER_FAULT_POINT": f"end {STAGE} {tmp_path}"}
    # a second attempt elsewhere would be faster
    options = driver_options(tmp_path, data, "SET GLOBAL duckherder_speculation = false")
    with Cluster(tmp_path, workers=3, threads=1, with_driver=True, driver_options=options,
                 worker_options=["--drain-timeout", "60"], faults=point) as cluster, client_of(cluster) as con:
        reached = tmp_path / "reached"

        def standing(watcher: Watcher, query_id: str) -> str:
            wait_until(reached.exists, 30, lambda: f"no task came to the point: {watcher.query(query_id)}")
            return reached.read_text().strip()

        story = str(spot_notice(cluster, con, SQL, expected, standing, (tmp_path / "go").touch))
        victim = reached.read_text().strip()
    assert f"{victim} has ended with 0" in story
    assert "DISTRIBUTED" in story and "1 after it" in story, story


@pytest.mark.timeout(SECONDS)
def test_a_query_waits_where_keda_looks_until_workers_start(tmp_path, data, expected):
    options = [*driver_options(tmp_path, data), "--wait-for-workers", "60"]
    with Cluster(tmp_path, workers=0, threads=1, with_driver=True, driver_options=options) as cluster, \
            client_of(cluster) as con:
        story = str(from_zero(cluster, con, SQL, expected))
    assert "queries.queued is 1" in story and "DISTRIBUTED" in story, story
