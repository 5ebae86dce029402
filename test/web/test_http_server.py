"""What strangers, browsers and hostile clients can do to a node's HTTP server."""

import os
import signal
import socket
import time
import urllib.parse
from pathlib import Path

import pytest
from support.cluster import Cluster
from support.http_client import TIMEOUT_SECONDS, HttpClient, cluster_token
from support.waiting import PATIENCE, wait_until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory):
    with Cluster(tmp_path_factory.mktemp("http_server"), workers=0, with_driver=True) as cluster:
        yield cluster


@pytest.fixture
def stranger(cluster: Cluster) -> HttpClient:
    return HttpClient(cluster.pages)


PATHS = ["/", "/index.html", "/assets/app.js", "/metrics", "/api/v1/cluster", "/api/v1/queries", "/api/v1/events",
         "/api/v1/workers", "/api/v1/sessions", "/api/v1/queries/x", "/no/such/path", "//healthz",
         "/healthz/../metrics"]


@pytest.mark.parametrize("path", PATHS)
def test_a_stranger_gets_nothing(stranger: HttpClient, path: str) -> None:
    for method in ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"):
        answer = stranger.call(method, path)
        assert answer.status == 401, method
        assert "set-cookie" not in answer.headers


def test_a_browser_gets_the_log_in(stranger: HttpClient) -> None:
    answer = stranger.call("GET", "/", headers={"Accept": "text/html,*/*"})
    assert answer.status == 401 and "<form" in answer.body and "<script" not in answer.body
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def log_in(client: HttpClient, token: str, headers: dict[str, str] | None = None):
    return client.post("/login", urllib.parse.urlencode({"token": token}),
                       {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html", **(headers or {})})


def test_a_browser_logs_in_and_out(cluster: Cluster, stranger: HttpClient) -> None:
    answer = log_in(stranger, cluster_token())
    assert answer.status == 303 and answer.headers["Location"] == "/"
    cookie, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
    assert cluster_token() not in cookie
    browser = HttpClient(cluster.pages, cookie=f"other=1; {cookie}; more=2")
    assert browser.get("/api/v1/cluster").json["role"] == "node"
    assert "<script" in browser.get("/").body
    # what changes something needs a header that other sites' pages cannot send
    assert browser.sql("SELECT 1").status == 403
    assert browser.post("/api/v1/sql", "SELECT 1", {"X-Duckherder": "1"}).status == 200
    assert browser.post("/logout").status == 303
    assert browser.get("/api/v1/cluster").status == 401


def test_a_wrong_token_says_so(stranger: HttpClient) -> None:
    answer = log_in(stranger, "<script>alert(1)</script>")
    assert answer.status == 401 and "The token is wrong." in answer.body and "alert(1)" not in answer.body
    assert HttpClient(f"http://{stranger.host}:{stranger.port}", "wrong").get("/metrics").status == 401


def test_another_site_cannot_log_its_visitors_in(stranger: HttpClient) -> None:
    assert log_in(stranger, cluster_token(), {"Sec-Fetch-Site": "cross-site"}).status == 403


def test_answers_forbid_what_no_page_needs(node: HttpClient) -> None:
    for path in ("/", "/assets/app.js", "/api/v1/queries", "/metrics", "/no/such/path"):
        headers = node.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in headers


def exchange(client: HttpClient, data: bytes) -> bytes:
    """All that comes back until the server hangs up."""
    with socket.create_connection((client.host, client.port), timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall(data)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(("data", "status"), [
    (b"nonsense\r\n\r\n", 400),
    (b"\x00\x01\x02\r\n\r\n", 400),
    (b"GET\r\n\r\n", 400),
    (b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", 400),
    (REQUEST + b"no colon here\r\n\r\n", 400),
    (REQUEST + b"Name : x\r\n\r\n", 400),
    (REQUEST + b" folded: x\r\n\r\n", 400),
    (REQUEST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    (REQUEST + b"Content-Length: +1\r\n\r\n", 400),
    (REQUEST + b"Content-Length: 99999999\r\n\r\n", 413),
    (REQUEST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    (REQUEST + b"X: " + b"x" * 20000, 431),
    (REQUEST + b"X: y\r\n" * 5000 + b"\r\n", 431),
])
def test_what_is_no_request_is_refused(stranger: HttpClient, data: bytes, status: int) -> None:
    assert exchange(stranger, data).startswith(b"HTTP/1.1 %d " % status)
    assert stranger.get("/healthz").status == 200


def test_requests_that_come_together_are_answered_in_order(stranger: HttpClient) -> None:
    received = exchange(stranger, REQUEST + b"\r\n" + b"GET /readyz HTTP/1.1\r\n\r\n" +
                        REQUEST + b"Connection: close\r\n\r\n")
    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert received.index(b"alive") < received.index(b"ready: 0 workers") < received.rindex(b"alive")


def test_a_request_in_pieces_is_answered(stranger: HttpClient) -> None:
    with socket.create_connection((stranger.host, stranger.port), timeout=TIMEOUT_SECONDS) as connection:
        for byte in REQUEST + b"Connection: close\r\n\r\n":
            connection.sendall(bytes([byte]))
        assert connection.makefile("rb").read().endswith(b"alive\n")


def test_silent_and_slow_clients_keep_nobody_waiting(stranger: HttpClient) -> None:
    address = (stranger.host, stranger.port)
    silent = [socket.create_connection(address, timeout=TIMEOUT_SECONDS) for _ in range(1000)]
    slow = [socket.create_connection(address, timeout=TIMEOUT_SECONDS) for _ in range(100)]
    for connection in slow:
        connection.sendall(REQUEST + b"X-Slow: ")
    began = time.monotonic()
    assert stranger.get("/healthz").status == 200
    assert time.monotonic() - began < 2 * PATIENCE
    # what does not come as a whole in time is hung up on
    assert slow[0].recv(1000) == b""
    # those that were silent may still ask
    silent[-1].sendall(REQUEST + b"\r\n")
    assert silent[-1].recv(1000).startswith(b"HTTP/1.1 200 OK")
    for connection in silent + slow:
        connection.close()


def test_connections_beyond_the_limit_take_the_place_of_silent_ones(stranger: HttpClient) -> None:
    address = (stranger.host, stranger.port)
    silent = [socket.create_connection(address, timeout=TIMEOUT_SECONDS) for _ in range(2100)]
    assert stranger.get("/healthz").status == 200
    assert silent[0].recv(100) == b""
    for connection in silent:
        connection.close()


def test_a_client_that_reads_nothing_harms_nobody(node: HttpClient) -> None:
    connections = []
    for _ in range(20):
        connection = socket.create_connection((node.host, node.port), timeout=TIMEOUT_SECONDS)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        connection.sendall(f"GET /assets/dagre.js HTTP/1.1\r\nAuthorization: {node.headers['Authorization']}\r\n\r\n"
                           .encode())
        connections.append(connection)
    assert node.get("/healthz").status == 200
    for connection in connections:
        connection.close()


def test_pages_that_follow_are_limited(node: HttpClient) -> None:
    connections = []
    statuses = []
    for _ in range(33):
        connection = node.connect()
        connection.request("GET", "/api/v1/events", headers=node.headers)
        statuses.append(connection.getresponse().status)
        connections.append(connection)
    assert statuses == [200] * 32 + [503]
    assert node.get("/api/v1/cluster").status == 200
    for connection in connections:
        connection.close()

    def follows() -> bool:
        connection = node.connect()
        connection.request("GET", "/api/v1/events", headers=node.headers)
        status = connection.getresponse().status
        connection.close()
        return status == 200

    wait_until(follows, 10, lambda: "no place has become free")


def test_a_driver_that_ends_does_not_wait_for_pages(tmp_path: Path) -> None:
    with Cluster(tmp_path, workers=0, with_driver=True) as cluster:
        node = HttpClient(cluster.pages, cluster_token())
        connection = node.connect()
        connection.request("GET", "/api/v1/events", headers=node.headers)
        connection.getresponse()
        assert cluster.driver
        began = time.monotonic()
        os.kill(cluster.driver.pid, signal.SIGTERM)
        assert cluster.driver.process.wait(15 * PATIENCE) == 0
        assert time.monotonic() - began < 8 * PATIENCE
        connection.close()
