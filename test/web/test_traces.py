"""Traces of queries, as a strict receiver of OTLP/HTTP gets them."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from adbc_driver_flightsql import dbapi as flight_sql
from support.cluster import BY_ROWS, Cluster, run_binary
from support.flight_sql import AUTHORIZATION
from support.http_client import HttpClient, cluster_token
from support.otlp import Collector, value
from support.process import NodeProcess
from support.session import bare_session
from support.waiting import wait_until

@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@contextlib.contextmanager
def traced_cluster(directory: Path, collector: Collector) -> Iterator[tuple[NodeProcess, HttpClient]]:
    with Cluster(directory, workers=2, with_driver=True,
                 driver_options=["--otlp-endpoint", collector.url]) as cluster:
        assert cluster.driver
        node = HttpClient(cluster.pages, cluster_token())
        assert node.sql(BY_ROWS).status == 200
        assert node.sql("CREATE TABLE numbers AS SELECT i, i % 7 AS k FROM range(300000) t(i)").status == 200
        yield cluster.driver, node


@contextlib.contextmanager
def traced(directory: Path, collector: Collector) -> Iterator[HttpClient]:
    with traced_cluster(directory, collector) as (_, node):
        yield node


def inputs_of(stage: dict, spans: dict[str, dict]) -> list[str]:
    return [spans[link["spanId"]]["name"].split()[1] for link in stage["links"]]


def part_bytes(parts: list[dict]) -> int:
    return sum(int(value(part, f"duckherder.{path}_bytes") or 0) for part in parts
               for path in ("inline", "local", "network"))


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
    assert {span["name"] for span in stages} == {f"stage {stage['stage_id']}" for stage in detail["stages"]} | {"plan"}
    plan, = [span for span in stages if span["name"] == "plan"]
    stages.remove(plan)
    assert plan["startTimeUnixNano"] == root["startTimeUnixNano"]
    tasks = [span for span in spans.values() if span["name"].startswith("task ")]
    assert len(tasks) == query["tasks"]
    for task in tasks:
        stage = spans[task["parentSpanId"]]
        assert stage["name"] == "stage " + task["name"].split()[1].split(".")[0]
        assert int(stage["startTimeUnixNano"]) <= int(task["startTimeUnixNano"])
        assert int(task["endTimeUnixNano"]) <= int(stage["endTimeUnixNano"]) <= int(root["endTimeUnixNano"]) + 10**6
        assert task["resource"]["service.name"]["stringValue"] == "duckherder-worker"
        assert task["resource"]["service.instance.id"]["stringValue"] == value(task, "duckherder.worker")
        parts = [span for span in spans.values() if span.get("parentSpanId") == task["spanId"]]
        reads = {part["name"] for part in parts} - {"prepare"}
        assert reads == {f"read stage {link}" for link in inputs_of(stage, spans)}
        for part in parts:
            assert int(task["startTimeUnixNano"]) <= int(part["startTimeUnixNano"])
            assert int(part["endTimeUnixNano"]) <= int(task["endTimeUnixNano"])
        assert part_bytes(parts) > 0 or not reads
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


def root_of(collector: Collector, identifier: str) -> dict:
    return next(entry for entry in collector.of_query(identifier) if entry["name"] == "query")


def test_calls_of_flight_sql_and_of_attached_sessions_bring_their_trace(tmp_path: Path, collector: Collector) -> None:
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    with traced_cluster(tmp_path, collector) as (driver, node):
        options = {AUTHORIZATION: f"Bearer {cluster_token()}",
                   "adbc.flight.sql.rpc.call_header.traceparent": f"00-{trace}-{span}-01"}
        with flight_sql.connect(f"grpc+tcp://{driver.host}:{driver.port}", db_kwargs=options) as con, \
                con.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM numbers -- by header")
            cursor.fetchall()
        with bare_session() as con:
            con.execute(f"ATTACH '{driver.host}:{driver.port}' AS dh (TYPE duckherder)")
            con.execute(f"SET duckherder_traceparent = '00-{trace}-{span}-01'")
            con.execute("SELECT count(*) FROM dh.numbers -- attached").fetchall()
            con.execute("RESET duckherder_traceparent")
            con.execute("SELECT count(*) FROM dh.numbers -- alone").fetchall()
        for text, expected in (("by header", (trace, span)), ("attached", (trace, span)), ("alone", None)):
            query = last_query(node, text)
            wait_until(lambda query=query: collector.of_query(query["query_id"]), 10, lambda: str(collector.problems))
            root = root_of(collector, query["query_id"])
            assert expected is None and root["traceId"] != trace or \
                (root["traceId"], root["parentSpanId"]) == expected


def test_a_session_sends_its_traces_itself(tmp_path: Path, collector: Collector) -> None:
    with traced_cluster(tmp_path, collector) as (driver, node), Collector() as own, bare_session() as con:
        con.execute("SELECT duckherder_register_or_replace_driver(?, ?)", [driver.host, driver.port])
        con.execute(BY_ROWS)
        con.execute("CREATE TABLE numbers AS SELECT i FROM range(100000) t(i)")
        said = con.execute("CALL duckherder_send_traces(endpoint := ?)", [own.url]).fetchone()
        assert said == (f"traces are sent to {own.url}",)
        assert con.execute("SELECT sum(i) FROM numbers -- told here").fetchone() == (4999950000,)
        query = con.execute("SELECT query_id FROM duckherder_get_query_history() WHERE contains(sql, '-- told' || ' "
                            "here')").fetchone()[0]
        wait_until(lambda: own.of_query(query), 10, lambda: str(own.problems))
        assert {span["name"] for span in own.of_query(query)} > {"query", "plan", "stage 0", "task 0.0", "prepare"}
        with pytest.raises(Exception, match="no endpoint for traces"):
            con.execute("CALL duckherder_send_traces(endpoint := 'localhost')")
        assert con.execute("CALL duckherder_send_traces()").fetchone() == ("traces are sent nowhere",)
        con.execute("SELECT max(i) FROM numbers -- told there").fetchall()
        wait_until(lambda: node.get("/api/v1/queries", search="told there").json["queries"], 20, lambda: "no report")
        other = last_query(node, "told there")["query_id"]
        wait_until(lambda: collector.of_query(other), 20, lambda: str(collector.problems))
        # each query is told by one of the two
        assert not collector.of_query(query) and not own.of_query(other)


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
