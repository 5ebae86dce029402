"""The API, the health and the metrics of a driver over HTTP."""

import re
import threading
from pathlib import Path

import duckdb
import pytest
from support.cluster import Cluster, run_binary
from support.http_client import ROLE_TOKENS, HttpClient, client_tokens, cluster_token
from support.waiting import wait_until

TABLE = "CREATE TABLE numbers AS SELECT i, i % 7 AS k FROM range(300000) t(i)"
QUERY = "SELECT k, count(*) AS n, sum(i) AS s FROM numbers GROUP BY k ORDER BY k"
#: Runs until it is killed
ENDLESS = "SELECT sum(a.i * b.i % 7) FROM numbers a, numbers b, numbers c WHERE a.i + b.i <> c.i"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory):
    directory = tmp_path_factory.mktemp("http_api")
    options = [*client_tokens(directory, "read", "write", "admin"), "--min-ready-workers", "2"]
    with Cluster(directory, workers=2, with_driver=True, driver_options=options) as cluster:
        node = HttpClient(cluster.pages, cluster_token())
        assert node.sql(TABLE).status == 200
        yield cluster


@pytest.fixture
def writer(cluster: Cluster) -> HttpClient:
    return HttpClient(cluster.pages, ROLE_TOKENS["write"])


def last_query(client: HttpClient) -> dict:
    return client.get("/api/v1/queries", limit=1).json["queries"][0]


def test_rows_of_a_statement_are_those_of_plain_duckdb(node: HttpClient, plain: duckdb.DuckDBPyConnection) -> None:
    answer = node.sql(QUERY).json
    plain.execute(TABLE)
    expected = plain.execute(QUERY).fetchall()
    assert [column["name"] for column in answer["columns"]] == ["k", "n", "s"]
    assert [tuple(map(int, row)) for row in answer["rows"]] == expected
    assert not answer["truncated"]
    assert last_query(node)["mode"] == "DISTRIBUTED"


def test_a_long_result_is_cut(node: HttpClient) -> None:
    answer = node.post("/api/v1/sql?limit=10", "SELECT i, NULL AS nothing FROM numbers").json
    assert len(answer["rows"]) == 10 and answer["truncated"] and answer["rows"][0][1] is None
    wait_until(lambda: node.get("/api/v1/cluster").json["sessions"] == 0, 10, lambda: "the session stays open")


def test_a_wrong_statement_says_what_is_wrong(node: HttpClient) -> None:
    answer = node.sql("SELECT nothing FROM numbers")
    assert answer.status == 400 and "nothing" in answer.error


def test_the_facts_of_a_query_are_those_of_the_views(node: HttpClient) -> None:
    node.sql(QUERY)
    listed = last_query(node)
    detail = node.get(f"/api/v1/queries/{listed['query_id']}").json
    assert detail["query"].items() >= {key: value for key, value in listed.items() if key != "duration_ms"}.items()
    view = node.sql("SELECT stage_id, task_id, rows, bytes FROM duckherder_tasks() "
                    f"WHERE query_id = '{listed['query_id']}' ORDER BY ALL").json["rows"]
    columns = detail["tasks"]["columns"]
    tasks = [dict(zip(columns, row, strict=True)) for row in detail["tasks"]["rows"]]
    assert [(task["stage_id"], task["task_id"], task["bytes"]) for task in tasks] == \
        [(int(row[0]), int(row[1]), int(row[3])) for row in view]
    assert len(tasks) == listed["tasks"] == listed["tasks_done"] > 2
    for stage in detail["stages"]:
        own = [task for task in tasks if task["stage_id"] == stage["stage_id"]]
        assert stage["tasks"] == len(own)
        assert stage["bytes"] == sum(task["bytes"] for task in own)
        assert stage["busy_ms"] == pytest.approx(sum(task["duration_ms"] for task in own), abs=0.01)
        assert stage["slowest"]["duration_ms"] == max(task["duration_ms"] for task in own)
        assert all(task["start_ms"] + task["duration_ms"] <= detail["query"]["duration_ms"] + 1 for task in own)
        assert all(source < stage["stage_id"] for source in stage["inputs"])
    assert "AGGREGATE" in detail["stages"][-1]["description"]


def test_lists_are_filtered_sorted_and_paged(node: HttpClient) -> None:
    node.sql("SELECT 'needle' AS x, count(*) FROM numbers")
    node.sql("SELECT 'Needle' AS y, count(*) FROM numbers WHERE i % 2 = 0")
    found = node.get("/api/v1/queries", search="NEEDLE", sort="start", order="asc").json
    assert found["total"] == 2 and [query["sql"][8:14] for query in found["queries"]] == ["needle", "Needle"]
    second = node.get("/api/v1/queries", search="needle", order="asc", offset=1, limit=1).json
    assert second["total"] == 2 and [query["sql"][8:14] for query in second["queries"]] == ["Needle"]
    assert node.get("/api/v1/queries", search="needle", state="FAILED").json["total"] == 0
    assert node.get("/api/v1/queries", search="needle", mode="DISTRIBUTED").json["total"] == 2
    for sort in ("duration", "bytes", "tasks", "retries", "rows"):
        field = {"duration": "duration_ms", "bytes": "bytes_exchanged", "rows": "rows_scanned"}.get(sort, sort)
        values = [query[field] for query in node.get("/api/v1/queries", sort=sort).json["queries"]
                  if query["state"] != "RUNNING"]
        assert values == sorted(values, reverse=True), sort


@pytest.mark.parametrize(("path", "status", "words"), [
    ("/api/v1/queries?sort=colour", 400, "duration"),
    ("/api/v1/queries?limit=-1", 400, "whole number"),
    ("/api/v1/queries?offset=9999999999999999999999", 400, "whole number"),
    ("/api/v1/queries/nothing", 404, "no query 'nothing'"),
    ("/api/v2/queries", 404, "Not Found"),
    ("/assets/..%2f..%2fetc", 404, "not found"),
    ("/assets/nothing.js", 404, "there is no file"),
])
def test_bad_requests_say_what_is_wrong(node: HttpClient, path: str, status: int, words: str) -> None:
    answer = node.get(path)
    assert answer.status == status and words.lower() in answer.error.lower()


def test_a_query_that_runs_is_seen_and_killed(node: HttpClient) -> None:
    outcome: list = []
    thread = threading.Thread(target=lambda: outcome.append(node.sql(ENDLESS)))
    thread.start()

    def running() -> list[dict]:
        return node.get("/api/v1/queries", state="RUNNING", search="a.i * b.i").json["queries"]

    wait_until(lambda: running() and running()[0]["tasks_running"] > 0, 20,
               lambda: f"no task of it runs: {running()}")
    assert node.get("/api/v1/cluster").json["queries"]["running"] == 1
    identifier = running()[0]["query_id"]
    assert node.post(f"/api/v1/queries/{identifier}/kill").json == {"killed": True}
    thread.join(20)
    assert outcome and outcome[0].status == 400 and "killed" in outcome[0].error
    assert node.get(f"/api/v1/queries/{identifier}").json["query"]["state"] in ("FAILED", "CANCELLED")
    again = node.post(f"/api/v1/queries/{identifier}/kill")
    assert again.status == 404 and identifier in again.error


def test_a_query_ends_when_its_caller_hangs_up(node: HttpClient) -> None:
    connection = node.connect()
    connection.request("POST", "/api/v1/sql", ENDLESS.replace("% 7", "% 11"), node.headers)

    def states() -> set[str]:
        return {query["state"] for query in node.get("/api/v1/queries", search="% 11").json["queries"]}

    wait_until(lambda: states() == {"RUNNING"}, 20, lambda: f"it does not run: {states()}")
    connection.close()
    # one that is interrupted is cancelled; one whose rows nobody fetches any more counts as read to its end
    wait_until(lambda: states() <= {"CANCELLED", "SUCCEEDED"}, 20, lambda: f"it has not ended: {states()}")


def test_who_may_see_and_do_what(node: HttpClient, reader: HttpClient, writer: HttpClient) -> None:
    node.sql("SELECT 'secret text', count(*) FROM numbers")
    secret = node.get("/api/v1/queries", search="secret text").json["queries"][0]["query_id"]
    for client in (reader, writer):
        assert client.get("/api/v1/queries", search="secret text").json["total"] == 0
        seen = client.get(f"/api/v1/queries/{secret}")
        assert seen.status == 200 and "secret" not in seen.body and seen.json["query"]["sql"] is None
        assert "secret" not in client.get("/api/v1/queries", limit=1000).body
        assert client.post(f"/api/v1/queries/{secret}/kill").status == 403
        assert client.get("/api/v1/sessions").status == 403
        assert client.get("/metrics").status == 200
    assert reader.sql("SELECT count(*) FROM numbers").json["rows"] == [["300000"]]
    refused = reader.sql("CREATE TABLE of_reader (i INTEGER)")
    assert refused.status == 403 and "read" in refused.error
    assert reader.sql("FROM duckherder_get_query_history()").status == 403
    assert writer.sql("CREATE OR REPLACE TABLE of_writer (i INTEGER)").status == 200
    admin = HttpClient(f"http://{node.host}:{node.port}", ROLE_TOKENS["admin"])
    assert admin.get("/api/v1/queries", search="secret text").json["total"] >= 1
    assert admin.get("/api/v1/sessions").status == 200
    for client in (reader, writer, admin):
        assert client.sql("CALL duckherder_start_ui()").status == 403
    assert writer.post("/api/v1/workers/worker-0/drain").status == 403


SAMPLE = re.compile(r'^([a-z_]+)(\{[a-z_]+="(?:[^"\\]|\\.)*"(?:,[a-z_]+="(?:[^"\\]|\\.)*")*\})? (\S+)$')


def metrics(client: HttpClient) -> dict[str, float]:
    """Every line is a comment of a family, or a sample of the family that was described last."""
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    result: dict[str, float] = {}
    family = ""
    for line in answer.body.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            continue
        if line.startswith("# TYPE "):
            assert line.split(" ")[2:] in [[family, kind] for kind in ("counter", "gauge", "histogram")], line
            continue
        match = SAMPLE.match(line)
        assert match, line
        assert re.fullmatch(family + "(_bucket|_sum|_count)?", match[1]), line
        assert match[1] + (match[2] or "") not in result, line
        result[match[1] + (match[2] or "")] = float(match[3])
    return result


def test_metrics_count_what_happens(node: HttpClient) -> None:
    before = metrics(node)
    node.sql(QUERY)
    node.sql("SELECT 1")
    after = metrics(node)

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert grown('duckherder_queries_total{mode="DISTRIBUTED",state="SUCCEEDED"}') == 1
    assert grown('duckherder_query_duration_seconds_count{mode="DISTRIBUTED"}') == 1
    assert grown('duckherder_query_duration_seconds_bucket{mode="DISTRIBUTED",le="+Inf"}') == 1
    assert grown("duckherder_scanned_rows_total") == 300000
    assert grown('duckherder_tasks_total{state="DONE"}') == last_distributed_tasks(node)
    assert grown("duckherder_exchanged_bytes_total") > 0
    assert grown("process_cpu_seconds_total") > 0
    assert after['duckherder_workers{state="active"}'] == 2
    assert after['duckherder_worker_running_tasks{worker="worker-0"}'] == 0
    assert after["process_resident_memory_bytes"] > 10_000_000
    assert after["process_open_fds"] > 5
    buckets = [value for name, value in after.items() if name.startswith("duckherder_query_duration_seconds_bucket{mo"
                                                                         'de="DISTRIBUTED"')]
    assert buckets == sorted(buckets)


def last_distributed_tasks(node: HttpClient) -> int:
    return node.get("/api/v1/queries", mode="DISTRIBUTED", limit=1).json["queries"][0]["tasks"]


def test_health_and_readiness_are_for_everybody(cluster: Cluster, node: HttpClient) -> None:
    stranger = HttpClient(cluster.pages)
    assert stranger.get("/healthz").status == 200
    assert stranger.get("/readyz").status == 200
    worker = cluster.workers["worker-1"]
    worker.stop()
    wait_until(lambda: stranger.get("/readyz").status == 503, 20, lambda: "it is ready without a worker")
    assert stranger.get("/readyz").body == "not ready: 1 of 2 workers\n"
    cluster.workers["worker-1"] = worker.start_again()
    wait_until(lambda: stranger.get("/readyz").status == 200, 20, lambda: "it is not ready again")
    states = {entry["id"]: entry["state"] for entry in node.get("/api/v1/workers").json["workers"]}
    assert states == {"worker-0": "active", "worker-1": "active"}


def test_events_tell_of_changes(node: HttpClient) -> None:
    connection = node.connect()
    connection.request("GET", "/api/v1/events", headers=node.headers)
    response = connection.getresponse()
    assert response.headers["Content-Type"] == "text/event-stream"

    def changes() -> int:
        lines = [response.readline().decode() for _ in range(4)]
        assert lines[:2] == ["retry: 1000\n", "event: cluster\n"] and lines[3] == "\n", lines
        found = re.search(r'"changes":(\d+)', lines[2])
        assert found
        return int(found[1])

    first = changes()
    node.sql(QUERY)
    assert changes() > first
    connection.close()


def test_flags_that_cannot_work_are_errors(tmp_path: Path, cluster: Cluster) -> None:
    def start(*flags: str) -> str:
        done = run_binary(["driver", "--listen", "127.0.0.1:0", *flags])
        assert done.returncode in (1, 2), done.stdout
        return done.stderr

    port = cluster.pages.rsplit(":", 1)[1]
    assert "another process listens" in start("--http", f"127.0.0.1:{port}")
    assert "beyond this machine" in start("--http", "0.0.0.0:0")
    assert "--http" in start("--http", "nowhere:port")
    assert "--min-ready-workers" in start("--min-ready-workers", "many")


def test_pages_can_be_off(tmp_path: Path) -> None:
    with Cluster(tmp_path, workers=0, with_driver=True, driver_options=["--http", "off"]) as quiet:
        assert "ready" in quiet.status() or quiet.driver
        assert quiet.driver and "pages at" not in quiet.driver.log()
