#!/usr/bin/env python3
"""Writes the pictures of the pages that the README and the docs show: docs/pages/*.png.

usage: test/web/screenshots.py [DIRECTORY]

A driver and three workers run some queries of TPC-H at scale factor 1 from Parquet; the pictures show what is there
then.
"""

import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support import paths, tpch  # noqa: E402
from support.browser import Browser  # noqa: E402
from support.cluster import Cluster, use_new_token  # noqa: E402
from support.http_client import HttpClient, cluster_token  # noqa: E402

SIZE = (1200, 900)
CHART_SECONDS = 12
QUERIES = [1, 3, 5, 6, 9, 10, 12, 18, 21]


def run_queries(node: HttpClient, data: Path) -> str:
    """The id of the last one."""
    for table in tpch.TABLES:
        assert node.sql(f"CREATE VIEW {table} AS FROM '{data}/{table}.parquet'").status == 200
    texts = tpch.queries()
    for number in QUERIES:
        answer = node.sql(texts[number])
        assert answer.status == 200, answer.body
    return node.get("/api/v1/queries", mode="DISTRIBUTED", search="l_quantity").json["queries"][0]["query_id"]


def take(browser: Browser, url: str, route: str | None, path: Path, heading: str) -> None:
    """Without a route: the page that is open."""
    if route is not None:
        browser.open(f"{url}/#/{route}")
    browser.wait_for(f"document.querySelector('h1')?.innerText.startsWith({heading!r})")
    browser.wait_for("!document.body.innerText.includes('Loading')")
    browser.screenshot(path)
    print(path)


def main(target: Path) -> None:
    data = tpch.parquet_directory(1, paths.ROOT / "build" / "bench-data")
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        use_new_token(directory)
        with (Cluster(directory, workers=3, threads=1, with_driver=True) as cluster,
              Browser(directory) as browser):
            node = HttpClient(cluster.pages, cluster_token())
            last = run_queries(node, data)
            browser.set_size(*SIZE)
            browser.open(cluster.pages)
            browser.click("input[name=token]")
            browser.type(cluster_token())
            browser.press("Enter")
            browser.wait_for("document.querySelector('.connection .pulse')")
            endless = "SELECT count(*) FROM lineitem a JOIN lineitem b ON (a.l_orderkey * b.l_orderkey) % 7919 = 1"
            running = threading.Thread(target=node.sql, args=(endless,), daemon=True)
            running.start()
            browser.wait_for("document.body.innerText.includes('No query runs now') === false", 20)
            # the charts begin when the page does
            browser.evaluate(f"window.wanted = Date.now() + {CHART_SECONDS * 1000}; 0")
            browser.wait_for("Date.now() > window.wanted", 2 * CHART_SECONDS)
            take(browser, cluster.pages, None, target / "cluster.png", "Cluster")
            for query in node.get("/api/v1/queries", state="RUNNING").json["queries"]:
                node.post(f"/api/v1/queries/{query['query_id']}/kill")
            running.join(20)
            take(browser, cluster.pages, "queries", target / "queries.png", "Queries")
            browser.set_size(SIZE[0], 1700)
            take(browser, cluster.pages, f"query/{last}", target / "query.png", "Query")
            browser.set_dark(True)
            take(browser, cluster.pages, f"query/{last}", target / "query-dark.png", "Query")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else paths.ROOT / "docs" / "pages")
