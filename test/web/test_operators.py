"""The command line for operators, the pages of a session, and what a driver learns of sessions elsewhere."""

import json
import re
import subprocess
import threading
from pathlib import Path

import pytest
from support.cluster import BY_ROWS, Cluster, run_binary
from support.http_client import HttpClient, cluster_token
from support.session import Connection, bare_session
from support.waiting import wait_until

TABLE = "CREATE TABLE numbers AS SELECT i, i % 7 AS k FROM range(300000) t(i)"
QUERY = "SELECT k, count(*) AS n FROM numbers GROUP BY k ORDER BY k"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory):
    with Cluster(tmp_path_factory.mktemp("operators"), workers=2, with_driver=True) as cluster:
        run(cluster, "sql", TABLE)
        yield cluster


def call(cluster: Cluster, command: str, *words: str) -> subprocess.CompletedProcess[str]:
    assert cluster.driver
    return run_binary([command, *words, "--driver", f"{cluster.driver.host}:{cluster.driver.port}"])


def run(cluster: Cluster, command: str, *words: str) -> str:
    done = call(cluster, command, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(cluster: Cluster, command: str, *words: str) -> list[dict]:
    return [json.loads(line) for line in run(cluster, command, *words, "--json").splitlines()]


def test_sql_shows_rows_as_table_and_json(cluster: Cluster) -> None:
    assert run(cluster, "sql", "SELECT 1 AS one, 'ä' AS text, NULL AS nothing").splitlines() == \
        ["ONE  TEXT  NOTHING", "  1  ä"]
    assert rows(cluster, "sql", "SELECT 1 AS one, 1.5::DOUBLE AS half, true AS yes, NULL AS nothing, [1] AS list") == \
        [{"one": 1, "half": 1.5, "yes": True, "nothing": None, "list": "[1]"}]
    assert len(rows(cluster, "sql", "SELECT i FROM numbers")) == 300000
    assert cluster.driver
    address = f"{cluster.driver.host}:{cluster.driver.port}"
    for words in (["--driver", address, "SELECT 1 AS one"], [f"--driver={address}", "--json", "SELECT 1 AS one"]):
        assert "1" in run_binary(["sql", *words]).stdout, words
    for words in ([], ["--driver"], ["--driver", address]):
        missing = run_binary(["sql", *words])
        assert missing.returncode == 2 and "the STATEMENT is missing" in missing.stderr, missing
    failed = call(cluster, "sql", "SELECT nothing FROM numbers")
    assert failed.returncode == 1 and "nothing" in failed.stderr


def test_queries_and_one_of_them(cluster: Cluster) -> None:
    run(cluster, "sql", QUERY)
    latest = rows(cluster, "queries", "--limit", "1")[0]
    assert latest["sql"] == QUERY and latest["mode"] == "DISTRIBUTED" and latest["state"] == "SUCCEEDED"
    facts, *stages = rows(cluster, "query", latest["query_id"])
    assert facts["query_id"] == latest["query_id"] and facts["rows_scanned"] == 300000
    assert [stage["stage"] for stage in stages] == list(range(facts["num_stages"]))
    assert sum(stage["tasks"] for stage in stages) == facts["tasks"]
    assert "busy_ms" in run(cluster, "query", latest["query_id"]).lower()
    assert all(query["state"] == "FAILED" for query in rows(cluster, "queries", "--state", "failed"))
    missing = call(cluster, "query", "nothing")
    assert missing.returncode == 1 and "no query 'nothing'" in missing.stderr


def test_kill_ends_a_query(cluster: Cluster) -> None:
    endless = "SELECT sum(a.i * b.i % 7) FROM numbers a, numbers b, numbers c WHERE a.i + b.i <> c.i"
    outcome: list = []
    thread = threading.Thread(target=lambda: outcome.append(call(cluster, "sql", endless)))
    thread.start()
    wait_until(lambda: rows(cluster, "queries", "--state", "RUNNING"), 20, lambda: "it does not run")
    running = rows(cluster, "queries", "--state", "RUNNING")[0]
    assert running["query_id"] in run(cluster, "top", "--count", "1")
    assert run(cluster, "kill", running["query_id"]) == f"killed {running['query_id']}\n"
    thread.join(20)
    assert outcome[0].returncode == 1 and "killed" in outcome[0].stderr
    again = call(cluster, "kill", running["query_id"])
    assert again.returncode == 1 and running["query_id"] in again.stderr


def test_views_of_nodes_and_sessions(cluster: Cluster) -> None:
    assert {worker["id"] for worker in rows(cluster, "workers")} == {"worker-0", "worker-1"}
    assert rows(cluster, "sessions")[-1]["last_statement"].startswith("FROM duckherder_sessions")
    status = json.loads(run(cluster, "status", "--json"))
    assert {worker["state"] for worker in status["workers"]} == {"active"}


@pytest.mark.parametrize(("words", "message"), [
    (["kill"], "the ID is missing"), (["query", "--json"], "the ID is missing"), (["sql"], "the STATEMENT is missing"),
    (["drain"], "the WORKER is missing"), (["queries", "--limit", "many"], "--limit"),
    (["queries", "--colour"], "--colour"),
])
def test_what_is_typed_wrong_is_named(words: list[str], message: str) -> None:
    done = run_binary(words)
    assert done.returncode == 2 and message in done.stderr


@pytest.mark.parametrize("command", ["queries", "query", "kill", "workers", "drain", "forget", "sessions", "sql",
                                     "top"])
def test_each_command_has_help(command: str) -> None:
    done = run_binary([command, "--help"])
    assert done.returncode == 0 and f"duckherder {command}" in done.stdout and "--driver" in done.stdout


def test_drain_and_forget(tmp_path: Path) -> None:
    options = ["--http", "127.0.0.1:0"]
    with Cluster(tmp_path, workers=2, with_driver=True, worker_options=options) as cluster:
        first, second = cluster.workers["worker-0"], cluster.workers["worker-1"]
        metrics = HttpClient(first.log().split("metrics at ")[1].strip(), cluster_token())
        assert metrics.get("/readyz").status == 200
        assert 'duckherder_worker_active{worker="worker-0"} 1' in metrics.get("/metrics").body
        assert HttpClient(f"http://{metrics.host}:{metrics.port}").get("/metrics").status == 401
        assert run(cluster, "drain", "worker-0") == "draining worker-0\n"
        assert first.process.wait(20) == 0
        wait_until(lambda: [worker["id"] for worker in rows(cluster, "workers")] == ["worker-1"], 20,
                   lambda: cluster.status())
        refused = call(cluster, "forget", "worker-1")
        assert refused.returncode == 1 and "drain it" in refused.stderr
        unknown = call(cluster, "drain", "worker-7")
        assert unknown.returncode == 1 and "worker-7" in unknown.stderr
        second.kill()
        wait_until(lambda: rows(cluster, "workers")[0]["state"] == "lost", 20, lambda: cluster.status())
        assert run(cluster, "forget", "worker-1") == "forgot worker-1\n"
        assert rows(cluster, "workers") == []


def test_drain_over_http(tmp_path: Path) -> None:
    with Cluster(tmp_path, workers=1, with_driver=True) as cluster:
        node = HttpClient(cluster.pages, cluster_token())
        assert node.post("/api/v1/workers/nobody/drain").status == 404
        assert "drain it" in node.post("/api/v1/workers/worker-0/forget").error
        assert node.post("/api/v1/workers/worker-0/drain").json == {"done": True}
        assert cluster.workers["worker-0"].process.wait(20) == 0


def test_shells_complete_what_the_program_takes(tmp_path: Path) -> None:
    done = run_binary(["completion", "bash"])
    script = tmp_path / "completion"
    script.write_text(done.stdout)

    def complete(*words: str) -> list[str]:
        ask = f"source {script}; COMP_WORDS=({' '.join(repr(word) for word in words)}); " \
              "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _duckherder; printf '%s\\n' \"${COMPREPLY[@]}\""
        return subprocess.run(["bash", "-ec", ask], capture_output=True, text=True, check=True,
                              cwd=tmp_path).stdout.split()

    assert complete("duckherder", "que") == ["queries", "query"]
    assert complete("duckherder", "worker", "--thr") == ["--threads"]
    assert complete("duckherder", "driver", "--token-file", "comp") == ["completion"]
    assert complete("duckherder", "kill", "--thr") == []
    for shell in ("zsh", "fish"):
        other = run_binary(["completion", shell]).stdout
        assert "queries" in other and "slow" in other and "--" in other
    wrong = run_binary(["completion", "tcsh"])
    assert wrong.returncode == 2 and "bash, zsh or fish" in wrong.stderr


def test_the_manual_page_has_every_command_and_flag() -> None:
    page = run_binary(["man"]).stdout
    assert page.startswith(".TH DUCKHERDER 1")
    text = page.replace("\\-", "-")
    for command in ("driver", "worker", "status", "queries", "kill", "completion", "man"):
        assert f".SS duckherder {command}" in text
        assert f"duckherder {command}" in run_binary(["--help"]).stdout
    for flag in set(re.findall(r"^ *(--[a-z-]+)", run_binary(["driver", "--help"]).stdout, re.M)):
        assert f"\\fB{flag}\\fR" in text, flag


@pytest.fixture
def session(cluster: Cluster):
    with bare_session() as con:
        assert cluster.driver
        con.execute("SELECT duckherder_register_or_replace_driver(?, ?)", [cluster.driver.host, cluster.driver.port])
        con.execute(BY_ROWS)
        con.execute(TABLE)
        yield con


def test_a_driver_shows_queries_of_sessions_that_borrow_its_workers(cluster: Cluster, node: HttpClient,
                                                                   session: Connection) -> None:
    before = node.get("/metrics").body
    session.execute(QUERY + " -- borrowed").fetchall()

    def reported() -> list[dict]:
        return node.get("/api/v1/queries", search="-- borrowed").json["queries"]

    wait_until(lambda: reported() and reported()[0]["state"] == "SUCCEEDED", 20,
               lambda: f"it is not there: {reported()}")
    query = reported()[0]
    own = session.execute("SELECT query_id, num_stages, num_tasks_generated, bytes_exchanged FROM "
                          "duckherder_get_query_execution_stats() WHERE contains(sql, 'borrowed')").fetchone()
    assert own == (query["query_id"], query["stages"], query["tasks"], query["bytes_exchanged"])
    assert query["session"].partition(":")[2].isdigit() and query["rows_scanned"] == 300000
    detail = node.get(f"/api/v1/queries/{query['query_id']}").json
    assert detail["stages"] == [] and detail["tasks"]["rows"] == []
    refused = node.post(f"/api/v1/queries/{query['query_id']}/kill")
    assert refused.status == 404 and query["query_id"] in refused.error
    # the driver's own views and file of the history are about its own queries
    assert rows(cluster, "sql", "SELECT count(*) AS n FROM duckherder_get_query_history() WHERE contains(sql, "
                                "'-- ' || 'borrowed')") == [{"n": 0}]

    def scanned(text: str) -> float:
        return float(text.split("\nduckherder_scanned_rows_total ")[1].split("\n")[0])

    assert scanned(node.get("/metrics").body) - scanned(before) == 300000


ENDLESS = "SELECT sum(a.i * b.i % 7) FROM numbers a, numbers b, numbers c WHERE a.i + b.i <> c.i"


@pytest.mark.parametrize("way", ["page", "command"])
def test_a_driver_ends_a_query_of_a_session_that_borrows_its_workers(cluster: Cluster, node: HttpClient,
                                                                     session: Connection, way: str) -> None:
    outcome: list[str] = []

    def run_endless() -> None:
        with pytest.raises(Exception) as error:
            session.execute(f"{ENDLESS} -- {way}").fetchall()
        outcome.append(str(error.value))

    thread = threading.Thread(target=run_endless)
    thread.start()

    def reported() -> list[dict]:
        return [query for query in node.get("/api/v1/queries", search=f"-- {way}").json["queries"]
                if query["state"] == "RUNNING"]

    wait_until(lambda: bool(reported()), 20, lambda: "it is not there")
    identifier = reported()[0]["query_id"]
    if way == "page":
        assert node.post(f"/api/v1/queries/{identifier}/kill").json == {"killed": True}
    else:
        assert run(cluster, "kill", identifier) == f"killed {identifier}\n"
    thread.join(20)
    assert "killed at the driver" in outcome[0]


def test_a_driver_shows_running_queries_of_sessions(node: HttpClient, session: Connection) -> None:
    endless = "SELECT sum(a.i * b.i % 13) FROM numbers a, numbers b, numbers c WHERE a.i + b.i <> c.i"
    failures: list[str] = []

    def run_it() -> None:
        try:
            session.execute(endless)
        except Exception as error:  # noqa: BLE001 whatever ends it is looked at below
            failures.append(str(error))

    thread = threading.Thread(target=run_it)
    thread.start()

    def states() -> list[str]:
        return [query["state"] for query in node.get("/api/v1/queries", search="% 13").json["queries"]]

    wait_until(lambda: states() == ["RUNNING"], 20, lambda: f"it is not seen: {states()}")
    session.interrupt()
    thread.join(20)
    assert failures and "nterrupt" in failures[0]
    wait_until(lambda: states() == ["CANCELLED"], 20, lambda: f"its end is not seen: {states()}")


def test_a_session_serves_its_pages(cluster: Cluster, session: Connection) -> None:
    url = session.execute("CALL duckherder_start_ui(port := 0)").fetchone()[0]
    stranger, node = HttpClient(url), HttpClient(url, cluster_token())
    assert stranger.get("/").status == 401 and stranger.get("/healthz").status == 200
    facts = node.get("/api/v1/cluster").json
    assert facts["node"] == "session" and facts["workers"]["active"] == 2
    session.execute(QUERY).fetchall()
    query = node.get("/api/v1/queries", limit=1).json["queries"][0]
    assert query["sql"] == QUERY and query["mode"] == "DISTRIBUTED" and query["session"] is None
    assert len(node.get(f"/api/v1/queries/{query['query_id']}").json["stages"]) == query["stages"]
    assert node.sql("SELECT count(*) FROM numbers").json["rows"] == [["300000"]]
    with pytest.raises(Exception, match="already"):
        session.execute("CALL duckherder_start_ui()")
    assert session.execute("EXPLAIN CALL duckherder_stop_ui()").fetchall() and stranger.get("/healthz").status == 200
    assert session.execute("CALL duckherder_stop_ui()").fetchone() == ("stopped",)
    with pytest.raises(OSError):
        stranger.get("/healthz")
    assert session.execute("CALL duckherder_stop_ui()").fetchone() == ("this process has no pages",)


def test_a_session_that_ends_takes_its_pages_along(cluster: Cluster) -> None:
    with bare_session() as con:
        url = con.execute("CALL duckherder_start_ui()").fetchone()[0]
        connection = HttpClient(url, cluster_token()).connect()
        connection.request("GET", "/api/v1/events", headers=HttpClient(url, cluster_token()).headers)
        assert connection.getresponse().status == 200
    with pytest.raises(OSError):
        HttpClient(url).get("/healthz")
