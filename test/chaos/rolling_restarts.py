"""Queries while all workers are started again, one after the other, and some of them are killed instead.

usage: rolling_restarts.py [--queries 500] [--workers 4] [--seconds-apart 2] [--kill-percent 25] [--registered]

Each worker ends by SIGTERM, or is killed, and is started again at its address with its id; the next one follows 0 to
--seconds-apart seconds later, until the queries are done. With --registered the session has registered the workers
itself, otherwise a driver keeps the list. Every query has to return the rows of plain DuckDB. Ends with 1 otherwise.
"""

import argparse
import random
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support import tpch  # noqa: E402
from support.cluster import Cluster, use_new_token  # noqa: E402
from support.compare import assert_same, fetch  # noqa: E402
from support.pair import last_query  # noqa: E402
from support.session import cluster_session, plain_session  # noqa: E402

SCALE = 0.05
#: Each of another shape: one stage, many, joins that shuffle, correlated subqueries
TPCH_QUERIES = (1, 3, 4, 5, 6, 9, 12, 13, 16, 18, 21, 22)


@dataclass
class Restarts:
    """Of the workers of a cluster, on a thread of its own."""
    cluster: Cluster
    seconds_apart: float
    kill_percent: int
    seed: int
    ended: int = 0
    killed: int = 0
    problem: BaseException | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Restarts":
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        generator = random.Random(self.seed)
        try:
            while True:
                for name in list(self.cluster.workers):
                    if self._stop.wait(generator.uniform(0, self.seconds_apart)):
                        return
                    self._restart(name, generator.randrange(100) < self.kill_percent)
        except BaseException as error:  # noqa: BLE001 said by whoever runs the queries
            self.problem = error

    def _restart(self, name: str, kill: bool) -> None:
        worker = self.cluster.workers[name]
        if kill:
            worker.kill()
            self.killed += 1
        else:
            worker.signal(signal.SIGTERM)
            worker.process.wait()
            self.ended += 1
        self.cluster.workers[name] = worker.start_again()


def run(options: argparse.Namespace, directory: Path) -> int:
    data = tpch.parquet_directory(SCALE)
    plain = plain_session()
    tpch.create_views(plain, data)
    queries = [tpch.queries()[number] for number in TPCH_QUERIES]
    expected = [fetch(plain, sql) for sql in queries]
    failed, retries, slowest = 0, 0, 0.0
    begin = time.monotonic()
    drain = ["--drain-timeout", "20"]
    with Cluster(directory, options.workers, with_driver=not options.registered, worker_options=drain) as cluster, \
            cluster_session(cluster) as con:
        tpch.create_views(con, data)
        con.execute("SET duckherder_mode = 'always'")
        with Restarts(cluster, options.seconds_apart, options.kill_percent, options.seed) as restarts:
            for number in range(options.queries):
                sql = queries[number % len(queries)]
                asked = time.monotonic()
                try:
                    assert_same(expected[number % len(queries)], fetch(con, sql), sql)
                    query = last_query(con, sql)
                    assert query["execution_mode"] != "LOCAL", query["local_reason"]
                    retries += query["retries"]
                except Exception as error:  # noqa: BLE001 counted
                    failed += 1
                    print(f"query {number} (TPC-H {TPCH_QUERIES[number % len(queries)]}): {error}", flush=True)
                slowest = max(slowest, time.monotonic() - asked)
        if restarts.problem:
            raise restarts.problem
    print(f"{options.queries} queries in {time.monotonic() - begin:.0f} s, {failed} failed; {restarts.ended} workers "
          f"ended in order, {restarts.killed} were killed; {retries} retries, the slowest query took {slowest:.1f} s")
    return 1 if failed or not restarts.ended else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seconds-apart", type=float, default=2)
    parser.add_argument("--kill-percent", type=int, default=25)
    parser.add_argument("--registered", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="duckherder-restarts-") as name:
        use_new_token(Path(name))
        return run(options, Path(name))


if __name__ == "__main__":
    sys.exit(main())
