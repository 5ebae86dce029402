"""The short form of test/chaos/rolling_restarts.py; what 500 queries gave is in docs/soak.md."""

import os
import subprocess
from pathlib import Path

import pytest

from chaos.rolling_restarts import Restarts
from support import paths
from support.background import numbers_file
from support.cluster import Cluster
from support.pair import Pair
from support.session import cluster_session, distribute_everything, plain_session
from support.waiting import PATIENCE, wait_until

SECONDS = 150
COMMAND = Path(__file__).parent / "rolling_restarts.py"


@pytest.mark.timeout(SECONDS + 20)
@pytest.mark.parametrize("options", ((), ("--registered",)), ids=("driver", "registered"))
def test_queries_while_workers_are_restarted_and_killed(tmp_path, options: tuple[str, ...]):
    command = [paths.PYTHON, str(COMMAND), "--queries", "40", "--workers", "3", "--seconds-apart", "0.5", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * PATIENCE, cwd=tmp_path,
                          env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 failed" in done.stdout, done.stdout


#: With the number of the round; each may have its effect once
STATEMENTS = {
    "insert": "INSERT INTO kept SELECT {0}, i % 7, count(*) FROM '{1}/t.parquet' GROUP BY ALL",
    "create_table_as": "CREATE TABLE made_{0} AS SELECT a.i FROM '{1}/t.parquet' a JOIN '{1}/t.parquet' b "
                       "ON a.i = b.i * 2",
    "execute": "EXECUTE question({0})",
    "feed": "SELECT count(*), sum(a.i) FROM read_csv('{1}/t.csv') a JOIN '{1}/t.parquet' b USING (i)",
}


@pytest.mark.timeout(SECONDS)
@pytest.mark.slow
@pytest.mark.parametrize("kind", STATEMENTS)
def test_statements_while_workers_are_restarted(tmp_path, kind: str):
    rounds = 8
    numbers_file(tmp_path / "t.parquet", 100_000)
    with plain_session() as plain, \
            Cluster(tmp_path, workers=3, with_driver=True, worker_options=["--drain-timeout", "20"]) as cluster, \
            cluster_session(cluster) as ours:
        pair = Pair(plain, ours)
        distribute_everything(ours)
        plain.execute(f"COPY (FROM '{tmp_path}/t.parquet') TO '{tmp_path}/t.csv'")
        pair.execute("CREATE TABLE kept (round INTEGER, g BIGINT, n BIGINT)",
                     f"PREPARE question AS SELECT i % 11 AS g, count(*) FROM '{tmp_path}/t.parquet' WHERE i % $1 = 0 "
                     "GROUP BY g")
        with Restarts(cluster, seconds_apart=0.2, kill_percent=0, seed=1) as restarts:
            for number in range(1, rounds + 1):
                pair.check(STATEMENTS[kind].format(number, tmp_path))
            wait_until(lambda: restarts.ended > 0 or restarts.problem, 20, lambda: "no worker was started again")
            # workers end with the thread that has started them again
            pair.check("SELECT round, count(*), sum(n) FROM kept GROUP BY round", ("DISTRIBUTED", "LOCAL"))
            if kind == "create_table_as":
                for number in range(1, rounds + 1):
                    pair.check(f"SELECT count(*), sum(i) FROM made_{number}")
        assert restarts.problem is None, restarts.problem
