"""How far a query at a driver is, on its client's progress bar."""

import re
import subprocess
from pathlib import Path

import pytest

from remote.conftest import attach
from support import paths
from support.cluster import Cluster
from support.session import bare_session, scalar
from support.waiting import PATIENCE

LONG = "sum(sqrt(ln(i + 2) * sin(i) * sin(i))) FROM dh.t, (SELECT 1 FROM range(100)) x"
#: Alone; with rows of the client, which makes the driver answer before the client goes on; and as a change
QUERIES = {"streamed": f"SELECT {LONG} HAVING count(*) > 0",
           "buffered": f"SELECT s > 0 FROM (SELECT {LONG.replace(' FROM', ' AS s FROM', 1)}) JOIN mine ON s <> mine.k",
           "change": f"CREATE TABLE dh.made AS SELECT {LONG}"}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", QUERIES)
def test_progress_bar_moves(tmp_path: Path, kind: str):
    with Cluster(tmp_path, workers=2, with_driver=True) as cluster:
        assert cluster.driver
        con = bare_session()
        attach(con, cluster)
        con.execute("CALL duckherder_execute('dh', 'SET GLOBAL duckherder_tasks_per_worker = 12')")
        con.execute("CREATE TABLE dh.t AS SELECT range AS i FROM range(2000000)")
        (tmp_path / "query.sql").write_text(
            ".mode csv\nSET enable_progress_bar = true; SET progress_bar_time = 50; CREATE TABLE mine AS SELECT 1 AS k;"
            f"ATTACH '{cluster.driver.host}:{cluster.driver.port}' AS dh (TYPE duckherder); {QUERIES[kind]};")
        command = f"{paths.SHELL} -dark-mode -init /dev/null < query.sql"
        done = subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, text=True,
                              timeout=100 * PATIENCE, cwd=tmp_path, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stdout[-2000:]
        ran = con.execute("SELECT execution_mode, query_duration_ms FROM duckherder_get_query_execution_stats(database "
                          ":= 'dh') WHERE sql LIKE '%ln(i + 2)%'").fetchall()
        assert [mode for mode, _ in ran] == ["DISTRIBUTED"], ran
        seen = {int(percent) for percent in re.findall(r"(\d+)%", done.stdout)}
        assert len({percent for percent in seen if 0 < percent < 100}) > 3, (ran, done.stdout[-2000:])
        if kind == "change":
            assert scalar(con, "SELECT count(*) FROM dh.made") == 1
        con.close()
