"""Strangers, and people who may do less than they try: refused with a clear error, and the node keeps serving."""

import base64
import datetime
import os
import re
import resource
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from support import paths
from support.cluster import Cluster, run_binary
from support.pair import rows_as_dicts
from support.process import NodeProcess
from support.session import bare_session, cluster_session, distribute_everything, scalar
from support.waiting import PATIENCE, wait_until

CONNECTIONS = 10_000
DAY = datetime.timedelta(days=1)
ROWS = 100_000
TABLE = f"CREATE TABLE t AS SELECT i FROM range({ROWS}) r(i)"
QUERY = "SELECT sum(i) FROM t WHERE hash(i) % 2 < 2"
FETCH_OUTPUT = paths.BUILD / "test" / "cluster" / "fetch_output"


class Authority:
    """Certificates made by openssl."""

    def __init__(self, directory: Path, name: str):
        if not shutil.which("openssl"):
            pytest.skip("openssl is not installed: no certificate can be made")
        self.directory = directory / name
        self.directory.mkdir()
        self.certificate = self.directory / "ca.pem"
        self._key = self.directory / "ca.key"
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout",
                      self._key, "-out", self.certificate)
        (self.directory / "index").touch()
        (self.directory / "ca.conf").write_text(
            f"[ca]\ndefault_ca = own\n[own]\ndatabase = {self.directory}/index\nnew_certs_dir = {self.directory}\n"
            "rand_serial = yes\ndefault_md = sha256\npolicy = any\ncopy_extensions = copy\n"
            "unique_subject = no\n[any]\ncommonName = supplied\n")

    def issue(self, name: str, days: int = 2) -> tuple[Path, Path]:
        """A certificate for 127.0.0.1 and its key; with negative days it has expired."""
        key, request, certificate = (self.directory / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-addext",
                      "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", request)
        now = datetime.datetime.now(datetime.timezone.utc)
        begin, end = (f"{time:%Y%m%d%H%M%SZ}" for time in (now - 9 * DAY, now + days * DAY))
        self._openssl("ca", "-batch", "-notext", "-config", self.directory / "ca.conf", "-cert", self.certificate,
                      "-keyfile", self._key, "-startdate", begin, "-enddate", end, "-in", request, "-out", certificate)
        return certificate, key

    @staticmethod
    def _openssl(*words) -> None:
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


@dataclass
class TlsCluster:
    """A driver and a worker that ask for certificates of their authority."""
    authority: Authority
    driver: NodeProcess
    worker: NodeProcess
    client: tuple[Path, Path]


@pytest.fixture(scope="module")
def mutual(tmp_path_factory) -> Iterator[TlsCluster]:
    directory = tmp_path_factory.mktemp("mutual")
    authority = Authority(directory, "ours")
    certificate, key = authority.issue("node")
    tls = ["--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", authority.certificate]
    binary = paths.require(paths.BINARY)

    def start(*words) -> NodeProcess:
        return NodeProcess(words[0], [str(word) for word in (binary, *words, "--listen", "127.0.0.1:0", *tls)],
                           directory).wait_ready()
    driver = start("driver")
    try:
        worker = start("worker", "--id", "alpha", "--driver", f"127.0.0.1:{driver.port}", "--tls-ca",
                       authority.certificate)
        try:
            yield TlsCluster(authority, driver, worker, authority.issue("client"))
        finally:
            worker.stop()
    finally:
        driver.stop()


def use_certificates(monkeypatch: pytest.MonkeyPatch, authority: Path, client: tuple[Path, Path] | None) -> None:
    monkeypatch.setenv("DUCKHERDER_TLS_CA", str(authority))
    for name, path in zip(("DUCKHERDER_TLS_CERT", "DUCKHERDER_TLS_KEY"), client or ("", "")):
        monkeypatch.setenv(name, str(path))


def ask(con) -> None:
    con.execute("SET duckherder_require_distributed = true; SET duckherder_mode = 'always'")
    con.execute(TABLE)
    assert scalar(con, QUERY) == ROWS * (ROWS - 1) // 2


def borrow(con, driver: NodeProcess) -> None:
    con.execute(f"SELECT duckherder_register_or_replace_driver('127.0.0.1', {driver.port})")


def expect_served(mutual: TlsCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    use_certificates(monkeypatch, mutual.authority.certificate, mutual.client)
    with bare_session() as con:
        borrow(con, mutual.driver)
        ask(con)


@pytest.mark.timeout(120)
def test_certificates_on_both_sides(mutual, monkeypatch, tmp_path):
    expect_served(mutual, monkeypatch)
    others = Authority(tmp_path, "others")
    refused = {
        "no certificate": (mutual.authority.certificate, None),
        "of another authority": (mutual.authority.certificate, others.issue("client")),
        "that has expired": (mutual.authority.certificate, mutual.authority.issue("late", days=-1)),
        "another authority for the node": (others.certificate, mutual.client),
    }
    for what, (authority, client) in refused.items():
        use_certificates(monkeypatch, authority, client)
        with bare_session() as con, pytest.raises(duckdb.IOException, match="cannot reach driver at"):
            borrow(con, mutual.driver)
            pytest.fail(f"served: {what}")
    expect_served(mutual, monkeypatch)
    status = ["status", "--driver", f"127.0.0.1:{mutual.driver.port}", "--tls-ca", str(mutual.authority.certificate)]
    assert run_binary(status).returncode == 1
    shown = run_binary([*status, "--tls-cert", str(mutual.client[0]), "--tls-key", str(mutual.client[1])])
    assert "alpha" in shown.stdout, shown.stderr


@pytest.mark.timeout(60)
def test_a_node_with_an_expired_certificate_is_not_believed(tmp_path, monkeypatch):
    authority = Authority(tmp_path, "ours")
    certificate, key = authority.issue("node", days=-1)
    node = NodeProcess("driver", [str(paths.BINARY), "driver", "--listen", "127.0.0.1:0", "--tls-cert",
                                  str(certificate), "--tls-key", str(key)], tmp_path).wait_ready()
    try:
        use_certificates(monkeypatch, authority.certificate, None)
        with bare_session() as con, pytest.raises(duckdb.IOException, match="cannot reach driver at"):
            borrow(con, node)
    finally:
        node.stop()


@pytest.mark.timeout(60)
def test_plain_and_encrypted_do_not_mix(mutual, monkeypatch):
    for name in ("DUCKHERDER_TLS_CA", "DUCKHERDER_TLS_CERT", "DUCKHERDER_TLS_KEY"):
        monkeypatch.delenv(name, raising=False)
    with bare_session() as con, pytest.raises(duckdb.IOException, match="cannot reach driver at"):
        borrow(con, mutual.driver)
    expect_served(mutual, monkeypatch)


def secret_file(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def roles(tmp_path_factory) -> Iterator[tuple[Cluster, dict[str, Path], dict[str, str]]]:
    """A cluster whose nodes know tokens for three roles; their files, and they themselves."""
    directory = tmp_path_factory.mktemp("roles")
    tokens = {role: secrets.token_hex(16) for role in ("read", "write", "admin")}
    known = secret_file(directory / "clients", "# people\n\n" + "".join(f"{role} {token}\n"
                                                                      for role, token in tokens.items()))
    files = {role: secret_file(directory / role, token) for role, token in tokens.items()}
    with Cluster(directory, workers=0, with_driver=True, driver_options=["--client-tokens", str(known)]) as cluster:
        cluster.add_worker(["--client-tokens", str(known)])
        yield cluster, files, tokens


@pytest.mark.timeout(60)
def test_roles(roles, monkeypatch):
    cluster, files, _ = roles
    driver = f"{cluster.driver.host}:{cluster.driver.port}"
    worker = cluster.workers["worker-0"]
    own_token = os.environ["DUCKHERDER_TOKEN_FILE"]
    for role, file in files.items():
        # everybody may look
        assert "worker-0" in run_binary(["status", "--driver", driver, "--token-file", str(file)]).stdout
        monkeypatch.setenv("DUCKHERDER_TOKEN_FILE", str(file))
        with bare_session() as con:
            con.execute(f"SELECT duckherder_register_worker('w', '{worker.location}')")
            load = f"SELECT duckherder_load_extension('{paths.TPCH_EXTENSION}')"
            if role == "admin":
                con.execute(load)
            else:
                with pytest.raises(duckdb.PermissionException, match=f"needs the role 'admin'.* role '{role}'"):
                    con.execute(load)
            # a fragment sent straight to a worker
            con.execute("SET duckherder_mode = 'always'")
            con.execute(TABLE)
            with pytest.raises(duckdb.PermissionException, match=f"Running a task needs the role 'node'.*'{role}'"):
                con.execute(QUERY).fetchall()
        # nor can it be a worker
        joining = run_binary(["worker", "--driver", driver, "--token-file", str(file), "--id", "stranger"])
        assert joining.returncode == 1 and "needs the role 'node'" in joining.stderr, joining
    monkeypatch.setenv("DUCKHERDER_TOKEN_FILE", own_token)
    with cluster_session(cluster) as con:
        ask(con)


@pytest.mark.timeout(60)
def test_token_files_that_are_none(tmp_path):
    def start(text: str) -> subprocess.CompletedProcess:
        path = secret_file(tmp_path / "tokens", text)
        return run_binary(["driver", "--listen", "127.0.0.1:0", "--client-tokens", str(path)])
    for text in ("owner secret-token\n", "read\n", "read secret-token more\n", "node secret-token\n"):
        done = start("# first line\n" + text)
        assert done.returncode == 1 and "Line 2 of the token file" in done.stderr, done
        assert "secret-token" not in done.stderr
    (tmp_path / "tokens").chmod(0o640)
    done = start("read x\n")
    assert done.returncode == 1 and "chmod 600" in done.stderr, done


@pytest.fixture
def lone(tmp_path) -> Iterator[Cluster]:
    with Cluster(tmp_path, workers=1) as cluster:
        yield cluster


def expect_query(cluster: Cluster) -> None:
    with cluster_session(cluster) as con:
        ask(con)


@pytest.mark.timeout(60)
def test_wrong_tokens_are_logged(lone, tmp_path, monkeypatch):
    worker = lone.workers["worker-0"]
    right = Path(os.environ["DUCKHERDER_TOKEN_FILE"]).read_text().strip()
    with monkeypatch.context() as patch:
        patch.setenv("DUCKHERDER_TOKEN_FILE", str(secret_file(tmp_path / "wrong", "a-wrong-token")))
        for _ in range(3):
            with bare_session() as con, pytest.raises(duckdb.PermissionException, match="refused the token"):
                con.execute(f"SELECT duckherder_register_worker('w', '{worker.location}')")
    log = worker.log()
    assert "refused a call from ipv4:127.0.0.1: its token is wrong (1 failures)" in log
    # one line for all of them, in this short time
    assert log.count("refused a call") == 1
    assert right not in log and "a-wrong-token" not in log
    expect_query(lone)


@pytest.mark.timeout(120)
def test_many_connections(lone):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(CONNECTIONS, hard - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 500)), hard))
    sockets: list[socket.socket] = []
    worker = lone.workers["worker-0"]
    try:
        for _ in range(count):
            one = socket.socket()
            sockets.append(one)
            one.settimeout(10 * PATIENCE)
            one.connect((worker.host, worker.port))
        expect_query(lone)
    finally:
        for one in sockets:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    expect_query(lone)


def fetch_output(worker: NodeProcess, *, query: str, stage: int, task: int, attempt: int = 0, partition: int = 0,
                 count: int = 1, types: str = "BIGINT") -> tuple[int, str]:
    """How many rows a client with the cluster's token gets when it asks for an output itself, and the error."""
    words = (worker.location, query, stage, task, attempt, partition, count, *types.split())
    done = subprocess.run([str(paths.require(FETCH_OUTPUT)), *map(str, words)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=20 * PATIENCE)
    first, _, error = done.stdout.partition("\n")
    assert first.endswith(" rows") and done.returncode == bool(error), done
    return int(first.split()[0]), error


@pytest.mark.timeout(120)
def test_replayed_tickets(lone):
    """Who has the token reads what is there, and nothing else: not what was, and not what never was."""
    worker = lone.workers["worker-0"]
    with cluster_session(lone) as con:
        distribute_everything(con)
        con.execute(f"CREATE TABLE t AS SELECT i FROM range({20 * ROWS}) r(i)")
        # its result is read to its end below: until then its outputs stay
        rows = con.execute("SELECT i FROM t WHERE hash(i) % 2 < 2")
        observer = con.cursor()
        done = "FROM duckherder_tasks() WHERE state = 'DONE' AND rows > 0"
        wait_until(lambda: rows_as_dicts(observer, done), 30, lambda: str(rows_as_dicts(observer, done)))
        task = rows_as_dicts(observer, done)[0]
        right = {"query": task["query_id"], "stage": task["stage_id"], "task": task["task_id"],
                 "attempt": task["attempt"]}
        assert fetch_output(worker, **right) == (task["rows"], "")
        missing = "IO Error: Worker worker-0 does not have the output of attempt"
        for changed, problem in (
                ({"query": secrets.token_hex(16)}, missing), ({"query": ""}, missing),
                ({"stage": task["stage_id"] + 7}, missing), ({"task": 4711}, missing),
                ({"attempt": task["attempt"] + 1}, missing), ({"attempt": 2**32 - 1}, missing),
                ({"partition": 1}, "Partitions 1 to 2 of an output with 1 partitions"),
                ({"partition": 2**32 - 1, "count": 2}, "of an output with 1 partitions"),
                ({"count": 2**32 - 1}, "of an output with 1 partitions"),
                ({"types": "VARCHAR"}, "has the types (BIGINT), its consumer expects (VARCHAR)"),
                ({"types": "BIGINT BIGINT"}, "has the types (BIGINT), its consumer expects (BIGINT, BIGINT)")):
            got, error = fetch_output(worker, **{**right, **changed})
            assert got == 0 and problem in error, (changed, got, error)
        # the query that was asked for does not notice
        assert len(rows.fetchall()) == 20 * ROWS
        wait_until(lambda: fetch_output(worker, **right)[0] == 0, 30, lambda: "its outputs are still there")
        got, error = fetch_output(worker, **right)
        assert got == 0 and missing in error, error
    expect_query(lone)


def crash(directory: Path, options: list[str]) -> tuple[bool, list[Path]]:
    """Whether a worker that aborts dumps core, and the files that it leaves."""
    directory.mkdir()
    with Cluster(directory, workers=0) as cluster:
        worker = cluster.add_worker(options)
        runs_in = directory / "worker-0.world"
        before = set(runs_in.iterdir())
        resource.prlimit(worker.pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        worker.signal(signal.SIGABRT)
        ended = os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
        assert ended.si_status == signal.SIGABRT
        return ended.si_code == os.CLD_DUMPED, [path for path in runs_in.iterdir() if path not in before]


@pytest.mark.timeout(120)
def test_the_token_is_in_no_core_dump(tmp_path):
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard != resource.RLIM_INFINITY and not os.access("/proc/1/mem", os.R_OK):
        pytest.skip("core dumps are forbidden here, and only root can allow them")
    dumped, left = crash(tmp_path / "closed", [])
    assert not dumped and not left
    if "ASAN_OPTIONS" in os.environ or not re.match(r"[\w.%]+$", Path("/proc/sys/kernel/core_pattern").read_text()):
        # AddressSanitizer itself keeps its programs from dumping; what goes elsewhere is not ours to look at
        return
    # the proof that there would be something to find
    dumped, left = crash(tmp_path / "open", ["--core-dumps"])
    token = Path(os.environ["DUCKHERDER_TOKEN_FILE"]).read_text().strip().encode()
    assert dumped and any(token in path.read_bytes() for path in left)
    for path in left:
        path.unlink()


#: A session of a user who looks closely: its trace and whatever else it says are in what the process prints
CURIOUS_SESSION = """
import sys
sys.path.insert(0, {tests!r})
from support.session import bare_session, distribute_everything
con = bare_session()
distribute_everything(con)
con.execute("CALL enable_logging(level = 'trace')")
con.execute("SET duckherder_trace = true")
con.execute("SELECT duckherder_register_or_replace_driver('127.0.0.1', {port})")
con.execute("CREATE TABLE t AS SELECT i FROM range(100000) r(i)")
print(con.execute("SELECT sum(i) FROM t").fetchall())
for view in ("duckdb_logs", "duckdb_settings()"):
    print(con.execute("SELECT seen::VARCHAR FROM " + view + " seen").fetchall())
try:
    con.execute("SELECT duckherder_register_worker('w', 'grpc://127.0.0.1:{port}')")
except Exception as error:
    print(error)
"""


@pytest.mark.timeout(120)
def test_secrets_are_nowhere(tmp_path):
    """Tokens, and those of CREATE SECRET, are in no log, view, history or file of a node or a session."""
    secret = "hidden" + secrets.token_hex(12)
    token = Path(os.environ["DUCKHERDER_TOKEN_FILE"]).read_text().strip()
    init = secret_file(tmp_path / "init.sql", f"CREATE SECRET s (TYPE http, BEARER_TOKEN '{secret}');")
    temp = tmp_path / "temp"

    def expect_clean(what: str, text: str | bytes) -> None:
        data = text if isinstance(text, bytes) else text.encode()
        for hidden in (secret, token):
            assert hidden.encode() not in data, what
            assert base64.b64encode(hidden.encode()).rstrip(b"=") not in data, what
    with Cluster(tmp_path, workers=0, with_driver=True) as cluster:
        worker = cluster.add_worker(["--init", str(init), "--temp-directory", str(temp), "--memory-limit", "150MB"])
        with cluster_session(cluster) as con:
            distribute_everything(con)
            con.execute(TABLE)
            con.execute(f"CREATE SECRET mine (TYPE http, BEARER_TOKEN '{secret}')")
            con.execute(QUERY).fetchall()
            for view in ("duckherder_get_query_history", "duckherder_get_query_execution_stats", "duckherder_tasks",
                         "duckherder_workers", "duckdb_secrets"):
                expect_clean(view, str(rows_as_dicts(con, f"FROM {view}()")))
            con.execute(f"COPY (SELECT i, repeat(chr(97 + (i % 26)::INT), 60) || i AS pad FROM range(3000000) r(i)) "
                        f"TO '{tmp_path / 'big.parquet'}'")
            # more than the worker may have in memory: what it spills is on its disk as long as the result is open
            rows = con.execute(f"SELECT i, pad FROM '{tmp_path / 'big.parquet'}' WHERE hash(i) % 2 < 2")
            spilled = [path for path in temp.rglob("*") if path.is_file() and path.stat().st_size > 0]
            assert spilled, "nothing was spilled"
            for path in spilled:
                expect_clean(str(path), path.read_bytes())
            assert rows.fetchone()
        script = CURIOUS_SESSION.format(tests=str(Path(__file__).parent.parent), port=cluster.driver.port)
        session = subprocess.run([paths.PYTHON, "-c", script], stdin=subprocess.DEVNULL, capture_output=True,
                                 timeout=60 * PATIENCE)
        assert session.returncode == 0 and b"[PIPELINE TASKS]" in session.stderr, session
        expect_clean("a session's output", session.stdout + session.stderr)
        for node in (cluster.driver, worker):
            expect_clean(f"command line of the {node.name}", Path(f"/proc/{node.pid}/cmdline").read_bytes())
        expect_clean("status", cluster.status())
    for path in tmp_path.glob("*.log"):
        expect_clean(path.name, path.read_bytes())
