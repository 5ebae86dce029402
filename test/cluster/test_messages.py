"""Errors of what is set up wrongly: whose fault it is, which file, port or worker, and what to do."""

import contextlib
import http.server
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import duckdb
import pytest

from support import paths
from support.cluster import Cluster, run_binary
from support.pair import Pair
from support.process import NodeProcess
from support.session import bare_session, cluster_session, distribute_everything, plain_session

pytestmark = pytest.mark.timeout(120)

ROWS = 200_000


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """Two pairs of a certificate and its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: no certificate can be made")
    directory = tmp_path_factory.mktemp("pem")
    for name in ("one", "two"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                        "/CN=duckherder", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                        str(directory / f"{name}.key"), "-out", str(directory / f"{name}.cert")],
                       check=True, capture_output=True)
    return directory


@contextlib.contextmanager
def worker(directory: Path, *options: str):
    node = NodeProcess("node", [str(paths.require(paths.BINARY)), "worker", "--listen", "127.0.0.1:0", *options],
                       directory)
    try:
        yield node.wait_ready()
    finally:
        node.stop()


def refused(*arguments: str, environment: dict[str, str] | None = None) -> str:
    done = run_binary([*arguments], environment)
    assert done.returncode == 1, done
    return done.stderr


def test_port_that_is_taken(three_workers):
    port = three_workers.workers["worker-0"].port
    for command in ("driver", "worker"):
        error = refused(command, "--listen", f"127.0.0.1:{port}")
        assert f"another process listens at port {port} already" in error, error
    with bare_session() as con:
        for call in (f"duckherder_start_local_server({port}, 1)", f"duckherder_start_standalone_worker({port})"):
            with pytest.raises(duckdb.IOException, match=f"another process listens at port {port} already"):
                con.execute(f"SELECT {call}")


def test_host_that_is_not_here():
    error = refused("worker", "--listen", "192.0.2.7:0", "--insecure")
    assert "'192.0.2.7' is no address of this machine" in error, error


def test_pem_files_that_are_swapped(pem):
    cert, key = str(pem / "one.cert"), str(pem / "one.key")
    error = refused("worker", "--listen", "127.0.0.1:0", "--tls-cert", key, "--tls-key", cert)
    assert f"--tls-cert names '{key}', which holds a private key and no certificate" in error, error
    error = refused("driver", "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", cert)
    assert f"--tls-key names '{cert}', which holds a certificate and no private key" in error, error
    error = refused("status", "--tls-ca", key)
    assert f"--tls-ca names '{key}'" in error, error
    error = refused("worker", "--listen", "127.0.0.1:0", "--tls-cert", __file__, "--tls-key", key)
    assert f"--tls-cert names '{__file__}', which holds neither" in error, error
    error = refused("worker", "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", str(pem / "two.key"))
    assert "they have to belong together" in error, error


def test_pem_files_of_the_environment(pem, monkeypatch):
    monkeypatch.setenv("DUCKHERDER_TLS_CA", str(pem / "one.key"))
    with bare_session() as con, pytest.raises(duckdb.InvalidInputException, match="TLS_CA names '.*one.key'"):
        con.execute("SELECT duckherder_register_or_replace_driver('127.0.0.1', 1)")


def test_tls_against_none(pem, tmp_path, monkeypatch, three_workers):
    with worker(tmp_path, "--tls-cert", str(pem / "one.cert"), "--tls-key", str(pem / "one.key")) as node:
        with bare_session() as con, pytest.raises(duckdb.IOException, match=r"If it serves TLS, .* grpc\+tls://"):
            con.execute(f"SELECT duckherder_register_worker('w', 'grpc://127.0.0.1:{node.port}')")
        monkeypatch.setenv("DUCKHERDER_TLS_CA", str(pem / "two.cert"))
        with bare_session() as con, pytest.raises(duckdb.IOException, match="certificate is not trusted here"):
            con.execute(f"SELECT duckherder_register_worker('w', '127.0.0.1:{node.port}')")
        monkeypatch.setenv("DUCKHERDER_TLS_CA", str(pem / "one.cert"))
        with bare_session() as con:
            con.execute(f"SELECT duckherder_register_worker('w', '127.0.0.1:{node.port}')")
    plain = three_workers.workers["worker-0"]
    with bare_session() as con, pytest.raises(duckdb.IOException, match="seems to serve no TLS"):
        con.execute(f"SELECT duckherder_register_worker('w', 'grpc+tls://127.0.0.1:{plain.port}')")
    error = refused("status", "--driver", f"127.0.0.1:{plain.port}", "--tls-ca", str(pem / "one.cert"))
    assert "seems to serve no TLS" in error, error


def test_nobody_there_says_nothing_of_tls():
    error = refused("status", "--driver", "127.0.0.1:1")
    assert "cannot reach" in error and "TLS" not in error, error


def homeless(tmp_path: Path) -> dict[str, str]:
    """A user who has no token file."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    return {"HOME": str(home), "DUCKHERDER_TOKEN_FILE": ""}


def test_clients_make_no_token(three_workers, tmp_path, monkeypatch):
    environment = homeless(tmp_path)
    file = Path(environment["HOME"]) / ".duckherder" / "token"
    location = three_workers.workers["worker-0"].location
    error = refused("status", "--driver", location, environment=environment)
    assert f"There is no token file '{file}'" in error, error
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with bare_session() as con:
        for sql in (f"SELECT duckherder_register_worker('w', '{location}')",
                    f"SELECT duckherder_register_or_replace_driver('{location}')",
                    f"ATTACH '{location}' AS dh (TYPE duckherder)"):
            with pytest.raises(duckdb.IOException, match=re.escape(f"There is no token file '{file}'")):
                con.execute(sql)
        assert not file.parent.exists()
        # who serves makes one
        con.execute("SELECT duckherder_start_local_server(0, 1)")
        assert file.exists()
        with pytest.raises(duckdb.PermissionException, match=re.escape(f"this is the token in '{file}'")):
            con.execute(f"SELECT duckherder_register_worker('w', '{location}')")


def test_worker_whose_token_was_just_made(tmp_path, tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("driver"), workers=0, with_driver=True) as cluster:
        environment = homeless(tmp_path)
        error = refused("worker", "--listen", "127.0.0.1:0", "--driver", cluster.driver.location,
                        environment=environment)
        file = Path(environment["HOME"]) / ".duckherder" / "token"
        assert f"this is the token in '{file}', which was made just now because there was none" in error, error
        error = refused("worker", "--listen", "127.0.0.1:0", "--driver", cluster.driver.location,
                        environment=environment)
        assert f"this is the token in '{file}'" in error and "just now" not in error, error


@pytest.fixture
def session(three_workers):
    with cluster_session(three_workers) as con:
        distribute_everything(con)
        yield con


def damage(path: Path, at: float) -> None:
    """As a disk may, or one who writes the file anew while it is read: its size stays."""
    size = path.stat().st_size
    status = path.stat()
    with open(path, "r+b") as file:
        file.seek(int(size * at))
        file.write(os.urandom(2000))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("codec", ["snappy", "zstd", "uncompressed"])
def test_damaged_files_are_named(session, tmp_path, codec):
    for number in range(4):
        session.execute(f"COPY (SELECT i, hash(i) AS h, 'text ' || hash(i) AS s FROM range({ROWS}) r(i)) TO "
                        f"'{tmp_path}/f{number}.parquet' (FORMAT parquet, COMPRESSION {codec})")
    source = f"read_parquet('{tmp_path}/f*.parquet')"
    for at in (0.1, 0.5, 0.9):
        damage(tmp_path / "f2.parquet", at)
    with pytest.raises(duckdb.Error) as raised:
        session.execute(f"SELECT sum(i), max(h), max(s), count(DISTINCT s) FROM {source}").fetchall()
    assert "f2.parquet" in str(raised.value) and "(on worker worker-" in str(raised.value), raised.value


class GuardedFiles(http.server.SimpleHTTPRequestHandler):
    """Files for those who have the token only."""
    protocol_version = "HTTP/1.1"
    token = "open-sesame"
    refusal = 401

    def is_allowed(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.token}"

    def send_head(self):
        if not self.is_allowed():
            self.send_response(self.refusal)
            self.send_header("WWW-Authenticate", "Bearer")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"no" if self.command == "GET" else b"")
            return None
        return super().send_head()

    def do_GET(self):  # noqa: N802
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not part or not self.is_allowed():
            super().do_GET()
            return
        content = Path(self.translate_path(self.path)).read_bytes()
        begin, end = int(part[1]), min(int(part[2]), len(content) - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {begin}-{end}/{len(content)}")
        self.send_header("Content-Length", str(end - begin + 1))
        self.end_headers()
        self.wfile.write(content[begin:end + 1])

    def log_message(self, *_):
        pass


class OpenFiles(GuardedFiles):
    def is_allowed(self) -> bool:
        return True


@contextlib.contextmanager
def serving(handler: type[GuardedFiles], directory: Path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *rest: handler(*rest, directory=directory))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def guarded(tmp_path):
    with serving(GuardedFiles, tmp_path) as address:
        yield address


def test_secrets_of_the_session_stay_there(guarded, tmp_path):
    init = tmp_path / "init.sql"
    load = f"LOAD {paths.quoted(paths.HTTPFS_EXTENSION)};\n"
    init.write_text(load)
    secret = f"CREATE SECRET (TYPE http, BEARER_TOKEN '{GuardedFiles.token}')"
    with Cluster(tmp_path, workers=1, worker_options=["--init", str(init)]) as cluster, \
            cluster_session(cluster) as con:
        distribute_everything(con)
        con.execute(f"COPY (FROM range({ROWS})) TO '{tmp_path}/t.parquet'")
        con.execute(load + secret)
        sql = f"SELECT sum(range) FROM '{guarded}/t.parquet'"
        with pytest.raises(duckdb.HTTPException, match="workers do not have the session's, CREATE SECRET"):
            con.execute(sql)
        init.write_text(load + secret)
        cluster.add_worker()
        con.execute("SELECT duckherder_unregister_worker('worker-0')")
        con.execute(f"SELECT duckherder_register_worker('w', '{cluster.workers['worker-1'].location}')")
        assert con.execute(sql).fetchall() == [(ROWS * (ROWS - 1) // 2,)]


#: Why a worker does not have the extension that the session has loaded, as an --init file says it
WITHOUT_EXTENSION = {"nothing is installed": "SET GLOBAL custom_extension_repository = 'http://127.0.0.1:1'",
                     "nothing is installed by itself": "SET GLOBAL autoinstall_known_extensions = false",
                     "nothing is loaded by itself": "SET GLOBAL autoload_known_extensions = false"}


@pytest.mark.parametrize("why", WITHOUT_EXTENSION)
@pytest.mark.parametrize("with_driver", (True, False), ids=("driver", "registered"))
def test_an_extension_that_only_the_session_has(tmp_path, why: str, with_driver: bool):
    """The error says which one it is, and how the worker gets it; what it says helps."""
    init = tmp_path / "init.sql"
    init.write_text(WITHOUT_EXTENSION[why])
    with serving(OpenFiles, tmp_path) as address, plain_session() as plain, \
            Cluster(tmp_path, workers=2, with_driver=with_driver, worker_options=["--init", str(init)]) as cluster, \
            cluster_session(cluster) as ours:
        pair = Pair(plain, ours)
        distribute_everything(ours)
        pair.execute(f"LOAD {paths.quoted(paths.HTTPFS_EXTENSION)}")
        plain.execute(f"COPY (SELECT i, i % 7 AS g FROM range({ROWS}) r(i)) TO '{tmp_path}/t.parquet'")
        queries = [f"SELECT count(*), sum(i) FROM '{address}/t.parquet'",
                   f"SELECT g, count(*) FROM '{tmp_path}/t.parquet' a JOIN '{address}/t.parquet' b USING (i, g) "
                   "GROUP BY g",
                   f"CREATE OR REPLACE TABLE made AS SELECT g, max(i) FROM '{address}/t.parquet' GROUP BY g"]
        for sql in queries:
            with pytest.raises(duckdb.Error, match=r"duckherder_load_extension\('httpfs'\) loads it .* --init file"):
                ours.execute(sql)
        ours.execute(f"SELECT duckherder_load_extension({paths.quoted(paths.HTTPFS_EXTENSION)})")
        for sql in queries:
            pair.check(sql)
        pair.check("FROM made", ("DISTRIBUTED", "PARTIAL"))


def test_scans_that_do_not_say_how_many_rows(three_workers, tmp_path):
    with cluster_session(three_workers) as con:
        sql = f"SELECT count(*) FROM glob('{tmp_path}/*')"
        con.execute(sql)
        reason = con.execute("SELECT local_reason FROM duckherder_get_query_execution_stats() WHERE sql = ?",
                             [sql]).fetchone()
        assert reason and "GLOB does not say how many rows it has" in reason[0], reason
        con.execute("CREATE TABLE empty (i INTEGER)")
        sql = "SELECT count(*) FROM empty"
        con.execute(sql)
        reason = con.execute("SELECT local_reason FROM duckherder_get_query_execution_stats() WHERE sql = ?",
                             [sql]).fetchone()
        assert reason and "the largest scan has 0 rows, fewer than duckherder_min_rows" in reason[0], reason
