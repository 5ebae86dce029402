#!/usr/bin/env python3
"""TPC-H on a DuckLake in an S3 store that takes some milliseconds more for each request, cold: a client's time with a
driver and its workers over that with the driver alone. Every query finds nodes that were just started. Needs
scripts/fetch_toxiproxy.sh. With --requests it counts instead what the nodes ask the store for, without the delay."""

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
from support.compare import Result, assert_same, fetch  # noqa: E402
from support.s3 import RequestLog, S3Server  # noqa: E402
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


class Times:
    """Prints a row for each query: seconds with the driver alone and with workers, and their ratio."""

    def __init__(self, lake: Lake, workers: int):
        self.lake, self.workers = lake, workers
        self.seconds: list[tuple[float, float]] = []
        print("| query | alone ms | with workers ms | ratio |\n|---|---:|---:|---:|", flush=True)

    def run(self, number: int, expected: Result) -> None:
        seconds = []
        for workers in (0, self.workers):
            with self.lake.client(workers) as con:
                start = time.perf_counter()
                rows = fetch(con, tpch.queries()[number])
                seconds.append(time.perf_counter() - start)
                assert_same(expected, rows, f"TPC-H {number}", ordered=True)
        alone, distributed = seconds
        self.seconds.append((alone, distributed))
        print(f"| Q{number} | {alone * 1000:.0f} | {distributed * 1000:.0f} | {distributed / alone:.2f} |", flush=True)

    def sum_up(self) -> None:
        alone, distributed = map(sum, zip(*self.seconds))
        mean = math.exp(sum(math.log(with_workers / before) for before, with_workers in self.seconds) /
                        len(self.seconds))
        print(f"| all | {alone * 1000:.0f} | {distributed * 1000:.0f} | {distributed / alone:.2f}; geometric mean "
              f"{mean:.2f} |")


class Requests:
    """Prints a row for each query: HEAD and GET requests, and megabytes, alone and with workers."""

    def __init__(self, lake: Lake, workers: int, log: RequestLog):
        self.lake, self.workers, self.log = lake, workers, log
        self.totals = [0.0] * 6
        print("| query | alone HEAD | GET | MB | with workers HEAD | GET | MB |\n|---|---:|---:|---:|---:|---:|---:|",
              flush=True)

    def run(self, number: int, expected: Result) -> None:
        counts: list[float] = []
        for workers in (0, self.workers):
            with self.lake.client(workers) as con:
                self.log.take()
                assert_same(expected, fetch(con, tpch.queries()[number]), f"TPC-H {number}", ordered=True)
                requests = self.log.take()
            counts += [sum(one.method == "HEAD" for one in requests), sum(one.method == "GET" for one in requests),
                       sum(one.bytes for one in requests) / 1e6]
        self.totals = [total + one for total, one in zip(self.totals, counts)]
        self._print(f"Q{number}", counts)

    def sum_up(self) -> None:
        self._print("all", self.totals)

    @staticmethod
    def _print(name: str, counts: list[float]) -> None:
        print(f"| {name} | " + " | ".join(f"{one:.0f}" for one in counts) + " |", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--milliseconds", type=int, default=30, help="added to each round trip (30)")
    parser.add_argument("--queries", default="", help="for example 1,3,6-8 (all)")
    parser.add_argument("--requests", action="store_true", help="count requests instead of time")
    options = parser.parse_args()
    files = tpch.parquet_directory(options.scale, ROOT / "build" / "bench-data")
    plain = plain_session()
    tpch.create_views(plain, files)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        use_new_token(directory)
        server = stack.enter_context(S3Server(directory / "s3"))
        if options.requests:
            log = stack.enter_context(RequestLog(server.port))
            lake = Lake(directory, server, log.port)
        else:
            proxy = stack.enter_context(contextlib.closing(
                Toxiproxy(directory, [], "127.0.0.1", {"s3": f"127.0.0.1:{server.port}"})))
            lake = Lake(directory, server, proxy.ports["s3"])
        with lake.client(0) as con:
            for table in tpch.TABLES:
                con.execute(f"CREATE TABLE {table} AS FROM {paths.quoted(files / (table + '.parquet'))}")
        print(f"TPC-H SF{options.scale:g}, cold, a driver with {options.workers} workers and the driver alone" +
              ("" if options.requests else f", {options.milliseconds} ms per request") + "\n", flush=True)
        if options.requests:
            report: Requests | Times = Requests(lake, options.workers, log)
        else:
            proxy.add("s3", "latency", latency=options.milliseconds // 2)
            report = Times(lake, options.workers)
        for number in numbers(options.queries) if options.queries else range(1, 23):
            report.run(number, fetch(plain, tpch.queries()[number]))
        report.sum_up()
    return 0


if __name__ == "__main__":
    sys.exit(main())
