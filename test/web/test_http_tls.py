"""Pages, API and metrics by TLS, with the certificate of their node."""

import http.client
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.cluster import Cluster, run_binary
from support.http_client import cluster_token
from support.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.timeout(120)

SECONDS = 20 * PATIENCE
IDLE_CLIENTS = 200


@dataclass
class Pages:
    cluster: Cluster
    host: str
    port: int
    context: ssl.SSLContext

    def connect(self, context: ssl.SSLContext | None = None) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.host, self.port, context=context or self.context, timeout=SECONDS)

    def call(self, method: str, path: str, body: str | None = None,
             headers: dict[str, str] | None = None) -> tuple[int, http.client.HTTPMessage, str]:
        connection = self.connect()
        try:
            connection.request(method, path, body, headers or {"Authorization": f"Bearer {cluster_token()}"})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def plain_socket(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=SECONDS)


def make_certificate(directory: Path) -> tuple[Path, Path]:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: no certificate can be made")
    certificate, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=duckherder",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
                   check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = make_certificate(directory)
    tls = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    with Cluster(directory, workers=0, with_driver=True, environment={"DUCKHERDER_STATUS_TLS_CA": str(certificate)},
                 driver_options=[*tls, "--http", "https://127.0.0.1:0"]) as cluster:
        assert cluster.pages.startswith("https://127.0.0.1:"), cluster.pages
        port = int(cluster.pages.rpartition(":")[2])
        yield Pages(cluster, "127.0.0.1", port, ssl.create_default_context(cafile=str(certificate)))


def test_pages_api_metrics_and_log_in(pages: Pages) -> None:
    assert pages.call("GET", "/healthz", headers={"Accept": "*/*"})[0] == 200
    assert pages.call("GET", "/metrics", headers={"Accept": "*/*"})[0] == 401
    status, _, metrics = pages.call("GET", "/metrics")
    assert status == 200 and "duckherder_build_info" in metrics
    status, _, page = pages.call("GET", "/")
    assert status == 200 and "<html" in page
    status, headers, _ = pages.call("POST", "/login", f"token={cluster_token()}",
                                    {"Content-Type": "application/x-www-form-urlencoded"})
    cookie = headers["Set-Cookie"]
    assert status == 303 and "; Secure" in cookie and "; HttpOnly" in cookie
    assert pages.call("GET", "/api/v1/cluster", headers={"Cookie": cookie.partition(";")[0]})[0] == 200


def test_one_connection_takes_many_requests(pages: Pages) -> None:
    connection = pages.connect()
    for number in range(50):
        connection.request("POST", "/api/v1/sql", f"SELECT {number} AS n",
                           {"Authorization": f"Bearer {cluster_token()}"})
        answer = connection.getresponse()
        assert json.loads(answer.read())["rows"] == [[str(number)]]
    connection.close()


def test_large_answers_and_requests(pages: Pages) -> None:
    text = "x" * 100_000
    status, _, body = pages.call("POST", "/api/v1/sql?limit=10000",
                                 f"SELECT '{text}' AS t, repeat('y', 500) AS y FROM range(100)")
    rows = json.loads(body)["rows"]
    assert status == 200 and len(body) > 10_000_000 and len(rows) == 100 and rows[99] == [text, "y" * 500]


def test_events_go_on(pages: Pages) -> None:
    connection = pages.connect()
    connection.request("GET", "/api/v1/events", headers={"Authorization": f"Bearer {cluster_token()}"})
    answer = connection.getresponse()
    lines = [answer.readline().decode() for _ in range(8)]
    assert sum(line.startswith("data: ") for line in lines) >= 2, lines
    connection.close()


def test_a_client_that_hangs_up_ends_its_statement(pages: Pages) -> None:
    connection = pages.connect()
    connection.request("POST", "/api/v1/sql", "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * "
                       "b.range % 7 = 3 -- hung up", {"Authorization": f"Bearer {cluster_token()}"})

    def sessions() -> str:
        return pages.call("POST", "/api/v1/sql", "SELECT count(*) AS n FROM duckherder_sessions() WHERE "
                          "contains(last_statement, '-- hung' || ' up')")[2]

    wait_until(lambda: json.loads(sessions())["rows"] == [["1"]], SECONDS, sessions)
    connection.close()
    wait_until(lambda: json.loads(sessions())["rows"] == [["0"]], SECONDS, sessions)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_and_other_authorities_are_refused(pages: Pages) -> None:
    for context in (ssl.create_default_context(), old_context()):
        connection = pages.connect(context)
        with pytest.raises(ssl.SSLError):
            connection.connect()
    newest = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    newest.load_verify_locations(cadata=ssl.get_server_certificate((pages.host, pages.port)))
    newest.minimum_version = ssl.TLSVersion.TLSv1_3
    connection = pages.connect(newest)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()


def old_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def test_plain_http_is_told_what_to_do(pages: Pages) -> None:
    with pages.plain_socket() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while piece := client.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400") and b"This port speaks TLS: https" in answer


WRONG_BYTES = {"one": b"\x16", "no hello": b"\x16\x03\x01\x00\x05hello", "many": b"\x16" * 70_000,
               "any": bytes(range(256)) * 300}


@pytest.mark.parametrize("kind", WRONG_BYTES)
def test_what_is_no_handshake_ends_the_connection_alone(pages: Pages, kind: str) -> None:
    sent = WRONG_BYTES[kind]
    with pages.plain_socket() as client:
        try:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
        except OSError:
            pass
    assert pages.call("GET", "/healthz")[0] == 200


def test_silent_and_half_done_clients_block_nobody(pages: Pages) -> None:
    clients = [pages.plain_socket() for _ in range(IDLE_CLIENTS)]
    try:
        for client in clients[::2]:
            client.sendall(b"\x16\x03\x01")
        done = [pages.context.wrap_socket(pages.plain_socket(), server_hostname=pages.host) for _ in range(20)]
        for client in done:
            client.sendall(b"GET / HTT")
        outcomes: list[int] = []
        threads = [threading.Thread(target=lambda: outcomes.append(pages.call("GET", "/healthz")[0]))
                   for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
        assert outcomes == [200] * 10
        for client in done:
            client.close()
    finally:
        for client in clients:
            client.close()


def test_too_many_headers_are_refused_by_tls_too(pages: Pages) -> None:
    connection = pages.connect()
    try:
        connection.putrequest("GET", "/healthz")
        connection.putheader("X-Long", "x" * 200_000)
        connection.endheaders()
        assert connection.getresponse().status == 431
    except OSError:
        # the server closes while we still send, which can take its answer along
        pass
    finally:
        connection.close()
    assert pages.call("GET", "/healthz")[0] == 200


def test_which_addresses_are_served_by_tls(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    tls = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    done = run_binary(["driver", "--listen", "127.0.0.1:0", "--http", "https://127.0.0.1:0"])
    assert done.returncode == 2 and "--tls-cert" in done.stderr
    done = run_binary(["driver", "--listen", "127.0.0.1:0", *tls, "--http", "http://0.0.0.0:0"])
    assert done.returncode == 1 and "in the clear" in done.stderr
    wrong = tmp_path / "wrong.pem"
    wrong.write_text(key.read_text().replace("A", "B", 40))
    done = run_binary(["driver", "--listen", "127.0.0.1:0", "--tls-cert", str(certificate), "--tls-key", str(wrong),
                       "--http", "https://127.0.0.1:0"])
    assert done.returncode == 1 and done.stderr
    for address, url in (("127.0.0.1:0", "http://127.0.0.1"), ("0.0.0.0:0", "https://0.0.0.0")):
        with Cluster(tmp_path, workers=0, with_driver=True, environment={"DUCKHERDER_STATUS_TLS_CA": str(certificate)},
                     driver_options=[*tls, "--http", address]) as cluster:
            assert cluster.pages.startswith(url)
