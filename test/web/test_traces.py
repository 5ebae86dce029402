"""Traces of queries, as a strict receiver of OTLP/HTTP gets them."""

import contextlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cluster import BY_ROWS, Cluster, run_binary
from support.http_client import HttpClient, cluster_token
from support.waiting import wait_until

HEX = {"traceId": 32, "spanId": 16, "parentSpanId": 16}
KEYS = {"traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes",
        "links", "status"}


def checked_spans(body: bytes) -> list[dict]:
    """All spans of a request; an error for anything that the protocol's JSON form does not have."""
    message = json.loads(body)
    assert set(message) == {"resourceSpans"}
    spans = []
    for resource in message["resourceSpans"]:
        assert set(resource) == {"resource", "scopeSpans"}
        names = {attribute["key"] for attribute in resource["resource"]["attributes"]}
        assert names == {"service.name", "service.version"}
        for scope in resource["scopeSpans"]:
            assert set(scope) == {"scope", "spans"}
            spans += scope["spans"]
    for span in spans:
        assert set(span) <= KEYS, span
        for key, length in HEX.items():
            if key in span:
                assert re.fullmatch(f"[0-9a-f]{{{length}}}", span[key]) and int(span[key], 16), span
        assert 0 < int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
        assert isinstance(span["startTimeUnixNano"], str) and span["kind"] in (1, 2)
        for attribute in span["attributes"]:
            (kind, value), = attribute["value"].items()
            assert kind in ("stringValue", "intValue") and isinstance(value, str), attribute
            assert kind == "stringValue" or value.isdigit()
    return spans


class Collector:
    """Use as a context manager."""

    def __init__(self) -> None:
        self.spans: list[dict] = []
        self.problems: list[str] = []
        self.status = 200
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    assert self.path == "/v1/traces" and self.headers["Content-Type"] == "application/json"
                    if collector.status == 200:
                        collector.spans += checked_spans(body)
                except Exception as error:  # noqa: BLE001 the test has to see it
                    collector.problems.append(repr(error))
                self.send_response(collector.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self) -> "Collector":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        assert not self.problems

    def of_query(self, identifier: str) -> list[dict]:
        roots = [span for span in self.spans if value(span, "duckherder.query_id") == identifier]
        return [span for span in self.spans if roots and span["traceId"] == roots[0]["traceId"]]


def value(span: dict, key: str) -> str | None:
    for attribute in span["attributes"]:
        if attribute["key"] == key:
            return next(iter(attribute["value"].values()))
    return None


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@contextlib.contextmanager
def traced(directory: Path, collector: Collector) -> Iterator[HttpClient]:
    with Cluster(directory, workers=2, with_driver=True,
                 driver_options=["--otlp-endpoint", collector.url]) as cluster:
        node = HttpClient(cluster.pages, cluster_token())
        assert node.sql(BY_ROWS).status == 200
        assert node.sql("CREATE TABLE numbers AS SELECT i, i % 7 AS k FROM range(300000) t(i)").status == 200
        yield node


def last_query(node: HttpClient, search: str) -> dict:
    return node.get("/api/v1/queries", search=search, limit=1).json["queries"][0]


def test_a_query_is_a_tree_of_spans(tmp_path: Path, collector: Collector) -> None:
    with traced(tmp_path, collector) as node:
        assert node.sql("SELECT k, count(*) FROM numbers GROUP BY k -- 'secret'").status == 200
        query = last_query(node, "secret")
        wait_until(lambda: collector.of_query(query["query_id"]), 10, lambda: str(collector.problems))
        detail = node.get(f"/api/v1/queries/{query['query_id']}").json
    spans = {span["spanId"]: span for span in collector.of_query(query["query_id"])}
    root, = [span for span in spans.values() if "parentSpanId" not in span]
    assert root["name"] == "query" and root["status"] == {"code": 1} and value(root, "duckherder.mode") == "DISTRIBUTED"
    stages = [span for span in spans.values() if span.get("parentSpanId") == root["spanId"]]
    assert {span["name"] for span in stages} == {f"stage {stage['stage_id']}" for stage in detail["stages"]}
    tasks = [span for span in spans.values() if span["name"].startswith("task ")]
    assert len(tasks) == query["tasks"]
    for task in tasks:
        stage = spans[task["parentSpanId"]]
        assert stage["name"] == "stage " + task["name"].split()[1].split(".")[0]
        assert int(stage["startTimeUnixNano"]) <= int(task["startTimeUnixNano"])
        assert int(task["endTimeUnixNano"]) <= int(stage["endTimeUnixNano"]) <= int(root["endTimeUnixNano"]) + 10**6
    for stage in stages:
        assert all(link["spanId"] in spans for link in stage["links"])
    assert "secret" not in json.dumps(list(spans.values()))


def test_a_failed_query_and_one_of_a_traced_caller(tmp_path: Path, collector: Collector) -> None:
    with traced(tmp_path, collector) as node:
        assert node.sql("SELECT sum(CAST('word ' || i AS INTEGER)) FROM numbers").status == 400
        failed = last_query(node, "word")
        wait_until(lambda: collector.of_query(failed["query_id"]), 10, lambda: str(collector.problems))
        assert collector.of_query(failed["query_id"])[0]["status"] == {"code": 2}
        wrong = node.sql("SET GLOBAL duckherder_traceparent = 'nonsense'")
        assert wrong.status == 400 and "trace context" in wrong.error
        trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
        assert node.sql(f"SET GLOBAL duckherder_traceparent = '00-{trace}-{span}-01'").status == 200
        assert node.sql("SELECT count(*) FROM numbers -- traced").status == 200
        query = last_query(node, "-- traced")
        wait_until(lambda: collector.of_query(query["query_id"]), 10, lambda: str(collector.problems))
        root = next(entry for entry in collector.of_query(query["query_id"]) if entry["name"] == "query")
        assert (root["traceId"], root["parentSpanId"]) == (trace, span)


def test_a_collector_that_is_away_harms_nobody(tmp_path: Path) -> None:
    with Collector() as collector:
        collector.status = 503
        with Cluster(tmp_path, workers=1, with_driver=True,
                     driver_options=["--otlp-endpoint", collector.url + "/v1/traces"]) as cluster:
            assert cluster.driver
            node = HttpClient(cluster.pages, cluster_token())
            assert node.sql("CREATE TABLE numbers AS SELECT i FROM range(20000) t(i)").status == 200
            assert node.sql("SELECT count(*) FROM numbers").status == 200
            wait_until(lambda: "traces cannot be sent" in cluster.driver.log(), 10, cluster.driver.log)
            collector.status = 200
            assert node.sql("SELECT count(*) FROM numbers").status == 200
            wait_until(lambda: "traces reach the collector" in cluster.driver.log(), 10, cluster.driver.log)
            # the last ones are sent at the end
            before = len(collector.spans)
            assert node.sql("SELECT sum(i) FROM numbers").status == 200
            cluster.driver.stop()
            assert len(collector.spans) > before


def test_what_is_no_endpoint_is_an_error() -> None:
    for endpoint in ("https://127.0.0.1:4318", "127.0.0.1:4318", "http://"):
        done = run_binary(["driver", "--listen", "127.0.0.1:0", "--http", "off", "--otlp-endpoint", endpoint])
        assert done.returncode == 1 and "no endpoint for traces" in done.stderr, done
