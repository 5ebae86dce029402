#!/usr/bin/env python3
"""What it costs to be watched: TPC-H with a page that follows, a scrape and a list of queries each second, and traces,
against a driver without any of it. CPU seconds of all processes, also of this one, which plays the watchers."""

import argparse
import contextlib
import http.server
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "bench")]

import report  # noqa: E402
from support import tpch  # noqa: E402
from support.cluster import Cluster, use_new_token  # noqa: E402
from support.http_client import HttpClient, cluster_token  # noqa: E402
from support.session import Connection, bare_session  # noqa: E402


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes traces and forgets them."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_) -> None:
        pass


@contextlib.contextmanager
def collector() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def cpu_seconds(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


class Side:
    def __init__(self, cluster: Cluster, data: Path):
        assert cluster.driver
        self.pids = [cluster.driver.pid, *(worker.pid for worker in cluster.workers.values())]
        self.session: Connection = bare_session()
        self.session.execute("SELECT duckherder_register_or_replace_driver(?, ?)",
                             [cluster.driver.host, cluster.driver.port])
        self.session.execute("SET duckherder_mode = 'always'")
        tpch.create_views(self.session, data)

    def round(self) -> float:
        """CPU seconds of all queries, one after another."""
        before = sum(map(cpu_seconds, self.pids)), time.process_time()
        for text in tpch.queries().values():
            self.session.execute(text).fetchall()
        return sum(map(cpu_seconds, self.pids)) - before[0] + time.process_time() - before[1]


class Watchers:
    """Those of a driver's pages, while they are told to."""

    def __init__(self, url: str):
        self.node = HttpClient(url, cluster_token())
        self.watching = threading.Event()
        for work in (self._follow, self._scrape):
            threading.Thread(target=work, daemon=True).start()

    def _follow(self) -> None:
        connection = self.node.connect()
        connection.request("GET", "/api/v1/events", headers=self.node.headers)
        response = connection.getresponse()
        with contextlib.suppress(OSError):
            while response.readline():
                pass

    def _scrape(self) -> None:
        with contextlib.suppress(OSError):
            while self.watching.wait():
                self.node.get("/metrics")
                self.node.get("/api/v1/queries", limit=50)
                time.sleep(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="of TPC-H (1)")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds of all queries on each side (5)")
    options = parser.parse_args()
    data = tpch.parquet_directory(options.scale, ROOT / "build" / "bench-data")
    with tempfile.TemporaryDirectory() as temporary, collector() as endpoint:
        directories = [Path(temporary) / name for name in ("watched", "alone")]
        use_new_token(Path(temporary))
        for directory in directories:
            directory.mkdir()
        with (Cluster(directories[0], workers=2, threads=1, with_driver=True,
                      driver_options=["--otlp-endpoint", endpoint],
                      worker_options=["--http", "127.0.0.1:0"]) as watched_cluster,
              Cluster(directories[1], workers=2, threads=1, with_driver=True,
                      driver_options=["--http", "off"]) as cluster):
            watched, alone = Side(watched_cluster, data), Side(cluster, data)
            watchers = Watchers(watched_cluster.pages)
            seconds: dict[str, list[float]] = {"watched": [], "alone": []}
            for number in range(options.rounds + 1):
                watchers.watching.set()
                with_watchers = watched.round()
                watchers.watching.clear()
                without = alone.round()
                # the first round reads the files
                if number > 0:
                    seconds["watched"].append(with_watchers)
                    seconds["alone"].append(without)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, values in seconds.items():
        print(f"{name}: {medians[name]:.2f} s ({', '.join(f'{value:.2f}' for value in values)})")
    print(f"ratio: {medians['watched'] / medians['alone']:.3f}\n\n{report.origin()}")


if __name__ == "__main__":
    main()
