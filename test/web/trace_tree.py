#!/usr/bin/env python3
"""Draws the trace of a query as a tree, as docs/operations.md shows it.

usage: test/web/trace_tree.py [QUERY] [SCALE]

A driver with two workers runs the query of TPC-H (9, at scale factor 1) and sends its trace to a strict receiver.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support import paths, tpch  # noqa: E402
from support.cluster import BY_ROWS, Cluster, use_new_token  # noqa: E402
from support.http_client import HttpClient, cluster_token  # noqa: E402
from support.otlp import Collector, value  # noqa: E402
from support.waiting import wait_until  # noqa: E402

BAR = 40
TASKS_SHOWN = 2


def facts_of(span: dict) -> str:
    found = [("inline_bytes", "bytes with the request"),
             ("rows_out", "rows"), ("network_bytes", "bytes from others"), ("local_bytes", "bytes of its own")]
    texts = [f"{int(value(span, 'duckherder.' + key) or 0):,} {what}" for key, what in found
             if int(value(span, "duckherder." + key) or 0)]
    worker = value(span, "duckherder.worker")
    return ", ".join(([worker] if worker else []) + texts)


def draw(span: dict, children: dict[str, list[dict]], root: dict, depth: int = 0) -> list[str]:
    begin, end = int(root["startTimeUnixNano"]), int(root["endTimeUnixNano"])
    first, last = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    left = min(round((first - begin) / (end - begin) * BAR), BAR - 1)
    width = max(min(round((last - begin) / (end - begin) * BAR), BAR) - left, 1)
    bar = (" " * left + "█" * width).ljust(BAR)
    name = "  " * depth + span["name"]
    lines = [f"{name:24} {(last - first) / 1e6:8.1f} ms |{bar}| {facts_of(span)}".rstrip()]
    below = sorted(children.get(span["spanId"], []), key=lambda child: int(child["startTimeUnixNano"]))
    tasks = [child for child in below if child["name"].startswith("task ")]
    shown = sorted(tasks, key=lambda task: int(task["startTimeUnixNano"]) - int(task["endTimeUnixNano"]))[:TASKS_SHOWN]
    for child in below:
        if child not in tasks or child in shown:
            lines += draw(child, children, root, depth + 1)
    if len(tasks) > TASKS_SHOWN:
        lines.append("  " * (depth + 1) + f"and {len(tasks) - TASKS_SHOWN} tasks that took less")
    return lines


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    scale = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    data = tpch.parquet_directory(scale, paths.ROOT / "build" / "bench-data")
    with tempfile.TemporaryDirectory() as temporary, Collector() as collector:
        directory = Path(temporary)
        use_new_token(directory)
        spans = trace_of(directory, collector, data, number)
    children: dict[str, list[dict]] = {}
    for span in spans:
        children.setdefault(span.get("parentSpanId", ""), []).append(span)
    root, = children[""]
    print("\n".join(draw(root, children, root)))


def trace_of(directory: Path, collector: Collector, data: Path, number: int) -> list[dict]:
    with Cluster(directory, workers=2, threads=1, with_driver=True,
                 driver_options=["--otlp-endpoint", collector.url]) as cluster:
        node = HttpClient(cluster.pages, cluster_token())
        assert node.sql(BY_ROWS).status == 200
        for table in tpch.TABLES:
            assert node.sql(f"CREATE VIEW {table} AS FROM '{data}/{table}.parquet'").status == 200
        sql = tpch.queries()[number]
        for _ in range(2):
            # the first run reads the files
            assert node.sql(sql).status == 200
        query = node.get("/api/v1/queries", limit=1).json["queries"][0]["query_id"]
        wait_until(lambda: collector.of_query(query), 20, lambda: str(collector.problems))
        return collector.of_query(query)


if __name__ == "__main__":
    main()
