"""The metrics of a driver as Prometheus reads them, and what deploy/ has for it: configuration, rules, dashboard.

Prometheus and promtool come from the machine (Debian: the package prometheus). DUCKHERDER_PROMETHEUS names a directory
with both, where they are not in the PATH."""

import json
import os
import re
import shutil
import socket
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cluster import Cluster
from support.http_client import ROLE_TOKENS, HttpClient, client_tokens, cluster_token
from support.paths import ROOT
from support.process import STOP_TIMEOUT_SECONDS, die_with_parent
from support.waiting import PATIENCE, wait_until

PROMETHEUS_FILES = ROOT / "deploy" / "prometheus"
RULES = PROMETHEUS_FILES / "duckherder_rules.yml"
RULE_TESTS = PROMETHEUS_FILES / "duckherder_rules_test.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "duckherder.json"
API_DOCUMENT = ROOT / "docs" / "api.md"
READER = ROLE_TOKENS["read"]
QUERY = "SELECT i % 7 AS k, count(*) FROM numbers GROUP BY k ORDER BY k"
WRONG_QUERY = "SELECT sum(CAST('number ' || i AS INTEGER)) FROM numbers"
#: Counters of queries begin to exist with their first query
SETTLE_QUERIES = (QUERY, WRONG_QUERY)
METRICS = re.compile(r"^metrics at (http://\S+)$", re.MULTILINE)
#: A driver and two workers
NODES = 3
START_SECONDS = 15.0
SCRAPE_SECONDS = 15.0


def program(name: str) -> str:
    found = shutil.which(name, path=os.environ.get("DUCKHERDER_PROMETHEUS"))
    if not found:
        # A skipped test is easily overlooked, a warning stands at the end of the run
        missing = f"there is no {name}: install Debian's package prometheus, or set DUCKHERDER_PROMETHEUS"
        warnings.warn(f"WHAT PROMETHEUS READS IS NOT TESTED: {missing}", stacklevel=2)
        pytest.skip(missing)
    return found


def promtool(*arguments: str, text: str | None = None) -> str:
    """What it says; an error if it found something."""
    done = subprocess.run([program("promtool"), *arguments], input=text, capture_output=True, text=True,
                          timeout=60 * PATIENCE)
    said = done.stdout + done.stderr
    if done.returncode:
        raise AssertionError(said)
    return said


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("prometheus")
    options = client_tokens(directory, "read")
    with Cluster(directory, workers=2, with_driver=True, driver_options=options,
                 worker_options=[*options, "--http", "127.0.0.1:0"]) as cluster:
        node = HttpClient(cluster.pages, cluster_token())
        assert node.sql("CREATE TABLE numbers AS SELECT i FROM range(100000) t(i)").status == 200
        # one stays in the session, for the metric of why
        assert node.sql("CREATE TABLE few AS SELECT 1 AS i").status == 200
        assert node.sql("SELECT sum(i) FROM few").status == 200
        assert [node.sql(query).status for query in SETTLE_QUERIES] == [200, 400]
        yield cluster


def worker_pages(cluster: Cluster) -> list[str]:
    """Where the metrics of the workers are; they say so after they have begun to listen for nodes."""
    pages = []
    for worker in cluster.workers.values():
        wait_until(lambda: METRICS.search(worker.log()), START_SECONDS, worker.log)
        found = METRICS.search(worker.log())
        assert found
        pages.append(found[1])
    return pages


@pytest.fixture
def scrapes(cluster: Cluster) -> list[str]:
    """What the driver and a worker answer."""
    return [HttpClient(url, READER).get("/metrics").body for url in (cluster.pages, worker_pages(cluster)[0])]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def replace_once(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)


def example_configuration(directory: Path, driver: str, workers: list[str]) -> Path:
    """The files of deploy/prometheus with other targets, a token, and intervals for which a test can wait."""
    shutil.copytree(PROMETHEUS_FILES, directory, dirs_exist_ok=True)
    path = directory / "prometheus.yml"
    replace_once(path, ('"127.0.0.1:8816"', json.dumps(driver.removeprefix("http://"))),
                 ("scrape_interval: 15s", "scrape_interval: 500ms"),
                 ("evaluation_interval: 15s", "evaluation_interval: 500ms"))
    listed = "".join(f"    - {worker.removeprefix('http://')}\n" for worker in workers)
    replace_once(directory / "duckherder_workers.yml", ("    - 127.0.0.1:8817\n", listed))
    token = directory / "duckherder.token"
    token.touch(mode=0o600)
    token.write_text(READER + "\n")
    return path


class Prometheus:
    """Use as a context manager; it ends its process."""

    def __init__(self, directory: Path, cluster: Cluster):
        self.log = directory / "prometheus.log"
        configuration = example_configuration(directory, cluster.pages, worker_pages(cluster))
        port = free_port()
        command = [program("prometheus"), f"--config.file={configuration}", f"--storage.tsdb.path={directory / 'data'}",
                   f"--web.listen-address=127.0.0.1:{port}"]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory,
                                            preexec_fn=die_with_parent)
        self.client = HttpClient(f"http://127.0.0.1:{port}")

    def __enter__(self) -> "Prometheus":
        try:
            wait_until(self._ready, START_SECONDS, self.log.read_text)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_TIMEOUT_SECONDS)

    def _ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.client.get("/-/ready").status == 200
        except ConnectionRefusedError:
            return False

    def query(self, expression: str) -> list[dict]:
        answer = self.client.get("/api/v1/query", query=expression)
        assert answer.status == 200, f"{expression}: {answer.body}"
        return answer.json["data"]["result"]

    def value(self, expression: str) -> float:
        """0 if there is nothing yet."""
        return sum(float(sample["value"][1]) for sample in self.query(expression))


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Prometheus]:
    with Prometheus(tmp_path_factory.mktemp("prometheus_server"), cluster) as server:
        # Rates need two samples
        wait_until(lambda: server.value("count(count_over_time(up[1m]) >= 2)") == NODES, SCRAPE_SECONDS,
                   server.log.read_text)
        yield server


def test_prometheus_reads_the_driver(prometheus: Prometheus, node: HttpClient) -> None:
    targets = prometheus.client.get("/api/v1/targets").json["data"]["activeTargets"]
    assert [(target["health"], target["lastError"]) for target in targets] == [("up", "")] * NODES
    assert prometheus.value('up{job="duckherder"} == 1') == 1
    assert prometheus.value('up{job="duckherder-workers"} == 1') == 2
    assert prometheus.value('duckherder_worker_active{job="duckherder-workers"}') == 2
    assert prometheus.value('duckherder_workers{state="active"}') == 2
    counted = 'duckherder_queries_total{job="duckherder",mode="DISTRIBUTED",state="SUCCEEDED"}'
    before = prometheus.value(counted)
    for _ in range(3):
        assert node.sql(QUERY).status == 200
    wait_until(lambda: prometheus.value(counted) == before + 3, SCRAPE_SECONDS,
               lambda: f"it was {before}, is {prometheus.value(counted)}")


def test_prometheus_evaluates_the_rules(prometheus: Prometheus) -> None:
    def groups() -> list[dict]:
        return prometheus.client.get("/api/v1/rules").json["data"]["groups"]

    wait_until(lambda: all(rule["health"] != "unknown" for group in groups() for rule in group["rules"]),
               SCRAPE_SECONDS, lambda: str(groups()))
    problems = [(rule["name"], rule["lastError"]) for group in groups() for rule in group["rules"]
                if rule["health"] != "ok"]
    assert not problems
    assert len(groups()) == 2
    # The cluster is well, but for a query that failed on purpose
    firing = {alert["labels"]["alertname"] for alert in prometheus.client.get("/api/v1/alerts").json["data"]["alerts"]
              if alert["state"] == "firing"}
    assert not firing


def test_a_wrong_token_is_seen_as_a_driver_that_is_down(cluster: Cluster, tmp_path: Path) -> None:
    with Prometheus(tmp_path, cluster) as server:
        wait_until(lambda: server.value('up{job="duckherder"}') == 1, SCRAPE_SECONDS, server.log.read_text)
        # It is read for each scrape: a token can be changed without a restart
        (tmp_path / "duckherder.token").write_text("not-a-token-of-this-driver\n")
        wait_until(lambda: len(server.query("up == 0")) == NODES, SCRAPE_SECONDS, server.log.read_text)
        targets = server.client.get("/api/v1/targets").json["data"]["activeTargets"]
        assert all("401" in target["lastError"] for target in targets), targets


def dashboard_expressions() -> list[str]:
    """Of the panels, with values in place of the variables."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    targets = [target for panel in panels for target in panel.get("targets", [])]
    assert len(targets) > 25
    return [with_values(target["expr"]) for target in targets]


def with_values(expression: str) -> str:
    for variable, value in (("$job", "duckherder"), ("$instance", ".*"), ("$__rate_interval", "1m")):
        expression = expression.replace(variable, value)
    assert "$" not in expression, expression
    return expression


def test_every_panel_of_the_dashboard_has_data(prometheus: Prometheus, node: HttpClient) -> None:
    def empty() -> list[str]:
        # A rate is one of queries between two scrapes
        assert node.sql(QUERY).status == 200
        return [expression for expression in dashboard_expressions() if not prometheus.query(expression)]

    wait_until(lambda: not empty(), SCRAPE_SECONDS, lambda: str(empty()))
    for annotation in json.loads(DASHBOARD.read_text())["annotations"]["list"]:
        prometheus.query(with_values(annotation.get("expr", "up")))


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    # Grafana 10 and later
    assert dashboard["schemaVersion"] >= 38 and dashboard["uid"] == "duckherder" and dashboard["id"] is None
    identifiers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(identifiers)) == len(identifiers)
    variables = {variable["name"]: variable["type"] for variable in dashboard["templating"]["list"]}
    assert variables == {"datasource": "datasource", "job": "query", "instance": "query"}
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["title"] and panel["description"], panel
        references = [target["refId"] for target in panel["targets"]]
        assert references and len(set(references)) == len(references), panel["title"]
        for source in (panel, *panel["targets"]):
            assert source["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]


def rule_expressions() -> list[str]:
    """Those of the rules' file, which is read without a library for YAML: promtool checks that it is right."""
    text = re.sub(r"^ *#.*\n", "", RULES.read_text(), flags=re.MULTILINE)
    found = re.findall(r"^ {8}expr: (?:>-\n((?: {10}.*\n)+)|(.*)\n)", text, re.MULTILINE)
    assert len(found) == text.count("expr:")
    return [folded or plain for folded, plain in found]


def names_in(expression: str) -> set[str]:
    without_labels = re.sub(r"\{[^}]*\}", "", expression)
    return set(re.findall(r"(?<![\w:])(?:[a-z_]*:)?(?:duckherder|process)_[a-z0-9_]+(?::[a-z0-9_]+)?", without_labels))


def families(scrape: str) -> dict[str, str]:
    """The types of the metrics by name."""
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", scrape, re.MULTILINE))


#: What nobody looks at would not be worth its scrape: these are for people who ask for them
NOT_SHOWN = {"process_virtual_memory_bytes", "duckherder_worker_active"}


def test_rules_and_dashboard_name_only_what_exists(scrapes: list[str]) -> None:
    scrape = "\n".join(scrapes)
    known = set(re.findall(r"^([a-z_]+)[{ ]", scrape, re.MULTILINE))
    recorded = set(re.findall(r"^ +- record: (\S+)$", RULES.read_text(), re.MULTILINE))
    used = {name for expression in rule_expressions() for name in names_in(expression)}
    assert recorded <= used, "recorded, but not used by an alert"
    assert used - recorded <= known
    shown = {name for expression in dashboard_expressions() for name in names_in(expression)}
    assert shown <= known
    without_suffix = {re.sub("_(bucket|sum|count)$", "", name) for name in shown}
    assert set(families(scrape)) - without_suffix == NOT_SHOWN


def test_labels_in_rules_and_dashboard_exist(scrapes: list[str]) -> None:
    labels: dict[str, set[str]] = {}
    for name, text in re.findall(r"^([a-z_]+)(\{.*\})? ", "\n".join(scrapes), re.MULTILINE):
        labels.setdefault(name, {"job", "instance"}).update(re.findall(r'(\w+)="', text))
    for expression in (*rule_expressions(), *dashboard_expressions()):
        for name, selector in re.findall(r"([\w:]+)\{([^}]*)\}", expression):
            if name != "up" and ":" not in name:
                assert set(re.findall(r"(\w+)\s*=", selector)) <= labels[name], expression


def test_every_metric_is_explained(scrapes: list[str]) -> None:
    listed = re.findall(r"^\| `((?:duckherder|process)_[a-z_]+)` \| (\w+) \|", API_DOCUMENT.read_text(), re.MULTILINE)
    assert dict(listed) == families("\n".join(scrapes))


def test_promtool_accepts_the_metrics(scrapes: list[str]) -> None:
    for scrape in scrapes:
        promtool("check", "metrics", text=scrape)


def test_promtool_accepts_rules_and_configuration(tmp_path: Path) -> None:
    promtool("check", "rules", str(RULES))
    promtool("check", "config", str(example_configuration(tmp_path, "127.0.0.1:1", ["127.0.0.1:2"])))


def test_rules_do_what_their_tests_say() -> None:
    promtool("test", "rules", str(RULE_TESTS))


def test_every_alert_has_a_test_and_says_what_to_do() -> None:
    text = RULES.read_text()
    alerts = re.findall(r"^ +- alert: (\w+)$", text, re.MULTILINE)
    assert len(set(alerts)) == len(alerts) > 8
    assert set(re.findall(r'alertname="(\w+)", alertstate="firing"', RULE_TESTS.read_text())) == set(alerts)
    for part in text.split("- alert: ")[1:]:
        assert re.search(r"severity: (critical|warning)\n", part), part
        description = re.search(r"description: >-\n((?: {12}.*\n)+)", part)
        assert "summary: " in part and description and len(description[1]) > 200, part


def test_rule_tests_notice_a_wrong_rule(tmp_path: Path) -> None:
    shutil.copy(RULE_TESTS, tmp_path)
    right = RULES.read_text()
    wrong = re.sub("unless duckherder_worker_heartbeat_age_seconds.*", "", right)
    assert wrong != right
    (tmp_path / RULES.name).write_text(wrong)
    with pytest.raises(AssertionError, match="DuckherderWorkerMemoryHigh"):
        promtool("test", "rules", str(tmp_path / RULE_TESTS.name))
