"""src/web/openapi.json describes the API as it is: routes, roles, parameters, and each field of real answers."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from support.cluster import Cluster
from support.http_client import Answer, HttpClient, client_tokens, cluster_token
from support.paths import ROOT
from support.waiting import wait_until

DOCUMENT: dict[str, Any] = json.loads((ROOT / "src" / "web" / "openapi.json").read_text())
ROUTES = (ROOT / "src" / "web" / "routes.cpp").read_text()
#: Those that the server itself has, see src/transport/http/http_server.cpp
OWN_ROUTES = {("post", "/login"): None, ("post", "/logout"): "read"}
SERVED_DOCUMENT = "/api/v1/openapi.json"
JOIN = ("SELECT c.k, count(*) AS n FROM numbers a JOIN small c ON a.k = c.k WHERE c.name <> 'none' "
        "GROUP BY c.k ORDER BY c.k")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("openapi")
    options = [*client_tokens(directory, "read"), "--min-ready-workers", "2"]
    with Cluster(directory, workers=2, with_driver=True, driver_options=options) as cluster:
        node = HttpClient(cluster.pages, cluster_token())
        for statement in ("CREATE TABLE numbers AS SELECT i, i % 1000 AS k FROM range(200000) t(i)",
                          "CREATE TABLE small AS SELECT i AS k, 'name ' || i AS name FROM range(100) t(i)", JOIN,
                          "FROM range(3)"):
            assert node.sql(statement).status == 200, statement
        assert node.sql("SELECT sum(CAST('number ' || i AS INTEGER)) FROM numbers").status == 400
        yield cluster


def operations() -> dict[tuple[str, str], dict]:
    return {(method, path): operation for path, methods in DOCUMENT["paths"].items()
            for method, operation in methods.items()}


def resolved(part: dict) -> dict:
    while "$ref" in part:
        part = at(part["$ref"])
    return part


def at(reference: str) -> dict:
    part: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        part = part[step]
    return part


def nodes_of(part: Any) -> Iterator[dict]:
    if isinstance(part, dict):
        yield part
    for child in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from nodes_of(child)


def check(answer: Answer, method: str, path: str) -> Any:
    """The answer has a status, a type and fields that the document names for this operation, and no other."""
    response = resolved(operations()[(method, path)]["responses"][str(answer.status)])
    media = response["content"][answer.headers["Content-Type"]]
    if answer.headers["Content-Type"] != "application/json":
        return answer.body
    schema = {**media["schema"], "components": DOCUMENT["components"]}
    value = answer.json
    problems = [f"{list(error.instance_path)}: {error.message}"
                for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(value)]
    assert not problems, (path, problems)
    return value


def test_the_document_is_whole() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    parts = list(nodes_of(DOCUMENT))
    for part in parts:
        if "$ref" in part:
            assert at(part["$ref"]), part
    used = {part["$ref"] for part in parts if "$ref" in part}
    assert used == {f"#/components/{kind}/{name}" for kind in ("responses", "schemas")
                    for name in DOCUMENT["components"][kind]}
    identifiers = [operation["operationId"] for operation in operations().values()]
    assert len(set(identifiers)) == len(identifiers)
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    for (method, path), operation in operations().items():
        assert operation["summary"] and set(operation["tags"]) <= tags, path
        named = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path)), path
        for response in operation["responses"].values():
            assert resolved(response)["description"], (method, path)


def test_schemas_say_everything() -> None:
    """So that a field too many or too few in an answer is an error, and each field is explained."""
    for name, schema in DOCUMENT["components"]["schemas"].items():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
        for part in nodes_of(schema):
            if isinstance(part.get("properties"), dict):
                assert part["additionalProperties"] is False and part["required"] == list(part["properties"]), name
                for field, inner in part["properties"].items():
                    assert "$ref" in inner or inner["description"], f"{name}.{field}"
                    unit = re.search(r"_(us|ms|bytes)$", field)
                    words = {"us": "microseconds", "ms": "milliseconds", "bytes": "bytes"}
                    assert not unit or words[unit[1]] in inner["description"].lower() or \
                        field == "spilled_bytes" and "temporary" in inner["description"], f"{name}.{field}"


def test_routes_and_roles_are_those_of_the_source() -> None:
    found = re.findall(r'\{"(GET|POST)", "([^"]+)", (?:Role::(\w+)|std::nullopt),', ROUTES)
    assert len(found) == ROUTES.count('{"GET", "/') + ROUTES.count('{"POST", "/')
    expected = {(method.lower(), re.sub(r":(\w+)", r"{\1}", path)): role.lower() or None
                for method, path, role in found} | OWN_ROUTES
    expected.setdefault(("get", SERVED_DOCUMENT), "read")
    described = {}
    for key, operation in operations().items():
        roles = {role for way in operation["security"] for names in way.values() for role in names}
        assert len(roles) <= 1
        described[key] = roles.pop() if roles else None
        # What a cookie allows and changes something needs the header, too
        changes = key[0] == "post" and key not in OWN_ROUTES
        assert all(("ownPage" in way) == changes for way in operation["security"] if "cookie" in way), key
    assert described == expected


@pytest.mark.parametrize("role", ["node", "read"])
def test_answers_have_the_fields_of_the_document(node: HttpClient, reader: HttpClient, role: str) -> None:
    client = node if role == "node" else reader
    assert check(client.get("/api/v1/cluster"), "get", "/api/v1/cluster")["role"] == role
    workers = check(client.get("/api/v1/workers"), "get", "/api/v1/workers")["workers"]
    assert len(workers) == 2
    queries = check(client.get("/api/v1/queries"), "get", "/api/v1/queries")["queries"]
    assert {query["mode"] for query in queries} == {"DISTRIBUTED", "LOCAL"}
    assert {query["state"] for query in queries} == {"SUCCEEDED", "FAILED"}
    assert any(query["error"] for query in queries) == (role == "node")
    slowest = []
    for query in queries:
        whole = check(client.get(f"/api/v1/queries/{query['query_id']}"), "get", "/api/v1/queries/{id}")
        slowest += [stage["slowest"] for stage in whole["stages"]]
    assert any(slowest)
    assert check(client.sql("SELECT 1 AS one, NULL AS nothing"), "post", "/api/v1/sql")["rows"] == [["1", None]]
    for path in ("/metrics", "/", "/assets/app.js", "/assets/style.css", "/assets/icon.svg", "/healthz", "/readyz"):
        check(client.get(path), "get", path if "/assets/" not in path else "/assets/{name}")


def test_a_session_has_the_fields_of_the_document(node: HttpClient) -> None:
    """Each statement has a session of its own, so the list that one asks for has its own at most: it is asked for
    while a long one runs."""
    connection = node.connect()
    connection.request("POST", "/api/v1/sql", "SELECT sum(a.i * b.i % 7) FROM numbers a, numbers b, numbers c",
                       node.headers)
    wait_until(lambda: node.get("/api/v1/sessions").json["sessions"], 20, lambda: "no session is open")
    session = check(node.get("/api/v1/sessions"), "get", "/api/v1/sessions")["sessions"][0]
    assert session["protocol"] == "http"

    def running() -> list[dict]:
        return check(node.get("/api/v1/queries", state="RUNNING"), "get", "/api/v1/queries")["queries"]

    wait_until(lambda: running() and running()[0]["tasks_running"], 20, lambda: f"no task runs: {running()}")
    identifier = running()[0]["query_id"]
    check(node.get(f"/api/v1/queries/{identifier}"), "get", "/api/v1/queries/{id}")
    check(node.get("/api/v1/cluster"), "get", "/api/v1/cluster")
    path = "/api/v1/queries/{id}/kill"
    check(node.post(path.replace("{id}", identifier)), "post", path)
    assert connection.getresponse().status == 400
    connection.close()


def test_a_worker_is_drained(cluster: Cluster, node: HttpClient) -> None:
    worker = cluster.add_worker()
    listed = "/api/v1/workers"
    assert worker.name in [entry["id"] for entry in check(node.get(listed), "get", listed)["workers"]]
    path = "/api/v1/workers/{id}/forget"
    assert worker.name in check(node.post(path.replace("{id}", worker.name)), "post", path)["error"]
    path = "/api/v1/workers/{id}/drain"
    check(node.post(path.replace("{id}", worker.name)), "post", path)
    wait_until(lambda: not worker.alive, 20, worker.log)
    wait_until(lambda: len(check(node.get(listed), "get", listed)["workers"]) == 2, 20, cluster.status)


def test_events_carry_the_cluster(node: HttpClient) -> None:
    connection = node.connect()
    connection.request("GET", "/api/v1/events", headers=node.headers)
    response = connection.getresponse()
    kinds = operations()[("get", "/api/v1/events")]["responses"]["200"]["content"]
    assert response.headers["Content-Type"] in kinds
    lines = iter(lambda: response.readline().decode(), "\n")
    data = next(line for line in lines if line.startswith("data: "))
    schema = {"$ref": "#/components/schemas/Cluster", "components": DOCUMENT["components"]}
    jsonschema_rs.Draft202012Validator(schema).validate(json.loads(data.removeprefix("data: ")))
    connection.close()


@pytest.mark.parametrize(("caller", "method", "path", "values", "status"), [
    ("stranger", "get", "/api/v1/cluster", {}, 401),
    ("stranger", "post", "/api/v1/sql", {}, 401),
    ("wrong", "get", "/metrics", {}, 401),
    ("reader", "get", "/api/v1/sessions", {}, 403),
    ("reader", "post", "/api/v1/queries/{id}/kill", {"id": "x"}, 403),
    ("reader", "post", "/api/v1/sql", {"body": "CREATE TABLE of_reader (i INTEGER)"}, 403),
    ("node", "post", "/api/v1/queries/{id}/kill", {"id": "x"}, 404),
    ("node", "get", "/api/v1/queries/{id}", {"id": "x"}, 404),
    ("reader", "post", "/api/v1/workers/{id}/drain", {"id": "worker-0"}, 403),
    ("reader", "post", "/api/v1/workers/{id}/forget", {"id": "worker-0"}, 403),
    ("node", "post", "/api/v1/workers/{id}/drain", {"id": "x"}, 404),
    ("node", "post", "/api/v1/workers/{id}/forget", {"id": "x"}, 404),
    ("node", "get", "/assets/{name}", {"name": "x"}, 404),
    ("node", "post", "/api/v1/sql", {"body": "SELECT"}, 400),
    ("node", "get", "/api/v1/queries", {"query": "?sort=colour"}, 400),
    ("node", "get", "/api/v1/queries", {"query": "?limit=many"}, 400),
    ("node", "post", "/api/v1/sql", {"body": "x" * (2 << 20)}, 413),
])
def test_errors_are_those_of_the_document(cluster: Cluster, node: HttpClient, reader: HttpClient, caller: str,
                                          method: str, path: str, values: dict[str, str], status: int) -> None:
    client = {"node": node, "reader": reader, "stranger": HttpClient(cluster.pages),
              "wrong": HttpClient(cluster.pages, "wrong-token-0123456789")}[caller]
    body = values.get("body", "")
    asked = re.sub(r"\{(\w+)\}", lambda match: values[match[1]], path) + values.get("query", "")
    if len(body) > 1 << 20:
        # The server refuses it by its length, before it has come
        answer = client.call("POST", asked, "x", {"Content-Length": str(len(body))})
    else:
        answer = client.call(method.upper(), asked, body or None)
    assert answer.status == status
    assert check(answer, method, path)["error"]


def test_parameters_take_the_values_of_the_document(node: HttpClient) -> None:
    parameters = {entry["name"]: entry["schema"] for entry in operations()[("get", "/api/v1/queries")]["parameters"]}
    for name, schema in parameters.items():
        for value in (*schema.get("enum", ()), *filter(None, [schema.get("default"), schema.get("maximum")])):
            check(node.get("/api/v1/queries", **{name: value}), "get", "/api/v1/queries")
    everything = node.get("/api/v1/queries").json["queries"]
    assert node.get("/api/v1/queries", sort=parameters["sort"]["default"], order=parameters["order"]["default"],
                    limit=parameters["limit"]["default"]).json["queries"] == everything
    for query in everything:
        assert query["state"] in parameters["state"]["enum"] and query["mode"] in parameters["mode"]["enum"]


def test_the_document_is_served(reader: HttpClient) -> None:
    if f'"{SERVED_DOCUMENT}"' not in ROUTES:
        pytest.skip(f"there is no route {SERVED_DOCUMENT} yet")
    answer = reader.get(SERVED_DOCUMENT)
    assert check(answer, "get", SERVED_DOCUMENT) == DOCUMENT
