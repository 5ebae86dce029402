#!/usr/bin/env python3
"""TPC-H on a DuckLake in an S3 store that takes some milliseconds more for each request, cold: a client's time with a
driver and its workers over that with the driver alone. Every query finds nodes that were just started. Needs
scripts/fetch_toxiproxy.sh."""

import argparse
import contextlib
import math
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "test")]

from chaos.proxies import Toxiproxy  # noqa: E402
from support import paths, tpch  # noqa: E402
from support.cluster import Cluster, use_new_token  # noqa: E402
from support.compare import assert_same, fetch  # noqa: E402
from support.s3 import S3Server  # noqa: E402
from support.session import bare_session, plain_session  # noqa: E402
from support.suites import numbers  # noqa: E402


class Lake:
    def __init__(self, directory: Path, server: S3Server, port: int):
        self.directory = directory
        self.worker_init = directory / "worker.sql"
        self.worker_init.write_text(f"LOAD {paths.quoted(paths.HTTPFS_EXTENSION)};\n{server.secret_sql(port)};\n")
        self.driver_init = directory / "driver.sql"
        self.driver_init.write_text(f"LOAD {paths.quoted(paths.DUCKLAKE_EXTENSION)};\n" + self.worker_init.read_text())

    @contextlib.contextmanager
    def client(self, workers: int):
        options = ["--init", str(self.driver_init), "--lake", f"ducklake:{self.directory}/catalog.ducklake",
                   "--data-path", "s3://bucket/lake"]
        with tempfile.TemporaryDirectory() as logs, \
                Cluster(Path(logs), workers=0, with_driver=True, driver_options=options) as cluster:
            for _ in range(workers):
                cluster.add_worker(["--init", str(self.worker_init)])
            con = bare_session()
            assert cluster.driver
            con.execute(f"ATTACH '{cluster.driver.host}:{cluster.driver.port}' AS dh (TYPE duckherder)")
            con.execute("USE dh")
            yield con
            con.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--milliseconds", type=int, default=30, help="added to each round trip (30)")
    parser.add_argument("--queries", default="", help="for example 1,3,6-8 (all)")
    options = parser.parse_args()
    files = tpch.parquet_directory(options.scale, ROOT / "build" / "bench-data")
    plain = plain_session()
    tpch.create_views(plain, files)
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        use_new_token(directory)
        with S3Server(directory / "s3") as server:
            proxy = Toxiproxy(directory, [], "127.0.0.1", {"s3": f"127.0.0.1:{server.port}"})
            try:
                lake = Lake(directory, server, proxy.ports["s3"])
                with lake.client(0) as con:
                    for table in tpch.TABLES:
                        con.execute(f"CREATE TABLE {table} AS FROM {paths.quoted(files / (table + '.parquet'))}")
                proxy.add("s3", "latency", latency=options.milliseconds // 2)
                print(f"TPC-H SF{options.scale:g}, {options.milliseconds} ms per request, cold: driver with "
                      f"{options.workers} workers over the driver alone\n", flush=True)
                print("| query | alone ms | with workers ms | ratio |\n|---|---:|---:|---:|", flush=True)
                totals = [0.0, 0.0]
                for number in numbers(options.queries) if options.queries else range(1, 23):
                    sql = tpch.queries()[number]
                    expected = fetch(plain, sql)
                    seconds = []
                    for workers in (0, options.workers):
                        with lake.client(workers) as con:
                            start = time.perf_counter()
                            rows = fetch(con, sql)
                            seconds.append(time.perf_counter() - start)
                            assert_same(expected, rows, f"TPC-H {number}", ordered=True)
                    ratios.append(seconds[1] / seconds[0])
                    totals = [total + one for total, one in zip(totals, seconds)]
                    print(f"| Q{number} | {seconds[0] * 1000:.0f} | {seconds[1] * 1000:.0f} | {ratios[-1]:.2f} |",
                          flush=True)
                mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
                print(f"| all | {totals[0] * 1000:.0f} | {totals[1] * 1000:.0f} | {totals[1] / totals[0]:.2f}; "
                      f"geometric mean {mean:.2f} |")
            finally:
                proxy.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
