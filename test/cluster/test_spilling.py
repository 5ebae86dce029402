"""Two large sides of a join that no worker could hold: they spill, and stay near their memory limits."""

import os
import re
from pathlib import Path

import pytest

from support.cluster import Cluster
from support.pair import Pair
from support.process import peak_mb
from support.session import cluster_session, distribute_everything, plain_session

LIMIT_MB = 200
# So much freed memory is kept by AddressSanitizer, to notice who still uses it
KEPT_MB = 256 if "ASAN_OPTIONS" in os.environ else 0
# In memory more than 400 MB on each side, twice what a worker may use, and more than a third of that three times
ROWS = 4500000
SIDE = "SELECT hash(i + {seed}) % {rows} AS k, repeat(chr(97 + (i % 26)::INT), 60) || i AS pad FROM range({rows}) r(i)"


@pytest.mark.timeout(300)
def test_a_join_larger_than_memory(tmp_path):
    with plain_session() as plain, Cluster(tmp_path, workers=0) as cluster:
        for _ in range(3):
            cluster.launch_worker(["--memory-limit", f"{LIMIT_MB}MB"])
        for worker in cluster.workers.values():
            worker.wait_ready()
        with cluster_session(cluster) as ours:
            distribute_everything(ours)
            ours.execute("SET duckherder_broadcast_limit = 0; SET duckherder_dynamic_filters = false")
            pair = Pair(plain, ours)
            for seed, name in enumerate(("a", "b")):
                path = tmp_path / f"{name}.parquet"
                plain.execute(f"COPY ({SIDE.format(seed=seed, rows=ROWS)}) TO '{path}'")
                pair.execute(f"CREATE VIEW {name} AS FROM '{path}'")
            pair.check("SELECT count(*), sum(length(a.pad) + length(b.pad)), min(a.pad || b.pad), max(a.pad || b.pad) "
                       "FROM a JOIN b USING (k)")
            analyzed = "\n".join(row[1] for row in ours.execute(
                "EXPLAIN ANALYZE SELECT count(*), max(a.pad || b.pad) FROM a JOIN b USING (k)").fetchall())
            assert re.search(r"spilled: [1-9][\d.]* [MG]", analyzed), analyzed
            peaks = {name: peak_mb(worker.pid) for name, worker in cluster.workers.items()}
            print(f"peak memory in MB: {peaks}")
            assert all(peak < 2 * LIMIT_MB + KEPT_MB for peak in peaks.values()), peaks
