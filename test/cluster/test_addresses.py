"""One form of addresses, in every function, flag and option that takes one."""

import pytest

from support.cluster import Cluster, run_binary
from support.process import NodeProcess
from support import paths
from support.session import bare_session, scalar

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("addresses"), workers=1, with_driver=True) as cluster:
        yield cluster


def forms(port: int) -> list[str]:
    return [f"127.0.0.1:{port}", f"grpc://127.0.0.1:{port}", f"grpc://127.0.0.1:{port}/", f"{port}",
            f"localhost:{port}", f"[127.0.0.1]:{port}"]


def test_driver_of_a_session(served):
    port = served.driver.port
    calls = [f"'{form}'" for form in forms(port)]
    calls += [f"'{host}', {port}" for host in ("127.0.0.1", "grpc://127.0.0.1", "localhost", f"127.0.0.1:{port}",
                                               f"grpc://127.0.0.1:{port}")]
    for call in calls:
        with bare_session() as con:
            answer = scalar(con, f"SELECT duckherder_register_or_replace_driver({call})")
            assert str(answer).endswith(f":{port}") and "grpc" not in str(answer), answer
            assert scalar(con, "SELECT duckherder_get_worker_count()") == 1


def test_worker_of_a_session(served):
    port = served.workers["worker-0"].port
    for call in [f"'{form}'" for form in forms(port)] + [f"'127.0.0.1', {port}", f"'grpc://127.0.0.1', {port}"]:
        with bare_session() as con:
            con.execute(f"SELECT duckherder_register_worker('w', {call})")
            location = scalar(con, "SELECT location FROM duckherder_workers()")
            assert location in (f"grpc://127.0.0.1:{port}", f"grpc://localhost:{port}")
            con.execute("SET duckherder_mode = 'always'")
            con.execute("CREATE TABLE t AS FROM range(1000)")
            assert con.execute("SELECT sum(range) FROM t").fetchall() == [(499500,)]


def test_attach(served):
    port = served.driver.port
    for form in forms(port):
        with bare_session() as con:
            con.execute(f"ATTACH '{form}' AS dh (TYPE duckherder)")
            assert con.execute("FROM duckherder_query('dh', 'SELECT 42')").fetchall() == [(42,)]
    for host, option in (("127.0.0.1", f", server_port {port}"), ("grpc://127.0.0.1", f", server_port '{port}'"),
                         (f"grpc://127.0.0.1:{port}", ""), (f"127.0.0.1:{port}", f", server_port {port}")):
        with bare_session() as con:
            con.execute(f"ATTACH DATABASE 'x' AS dh (TYPE duckherder, server_host '{host}'{option})")
            assert con.execute("FROM duckherder_query('dh', 'SELECT 42')").fetchall() == [(42,)]


def test_attach_finds_the_secret_in_every_form(served, token_file, monkeypatch, tmp_path):
    token, port = token_file.read_text().strip(), served.driver.port
    wrong = tmp_path / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("0" * 64)
    monkeypatch.setenv("DUCKHERDER_TOKEN_FILE", str(wrong))
    for scope in (f"127.0.0.1:{port}", "127.0.0.1"):
        for form in (f"127.0.0.1:{port}", f"grpc://127.0.0.1:{port}", str(port)):
            with bare_session() as con:
                con.execute(f"CREATE SECRET (TYPE duckherder, TOKEN '{token}', SCOPE '{scope}')")
                con.execute(f"ATTACH '{form}' AS dh (TYPE duckherder)")
                assert con.execute("FROM duckherder_query('dh', 'SELECT 42')").fetchall() == [(42,)]


def test_flags(served, tmp_path):
    port = served.driver.port
    for form in forms(port):
        done = run_binary(["status", "--driver", form])
        assert done.returncode == 0 and "worker-0" in done.stdout, done
    binary = str(paths.require(paths.BINARY))
    worker = NodeProcess("worker", [binary, "worker", "--listen", "grpc://127.0.0.1:0", "--id", "another", "--driver",
                                    f"grpc://localhost:{port}", "--advertise", "grpc://localhost", "--drain-timeout",
                                    "0"], tmp_path)
    try:
        worker.wait_ready()
        assert f"grpc://localhost:{worker.port}" in run_binary(["status", "--driver", str(port)]).stdout
        # the port alone, which is free when the worker has ended
    finally:
        worker.stop()
    again = NodeProcess("again", [binary, "worker", "--listen", str(worker.port)], tmp_path)
    try:
        again.wait_ready()
        assert (again.host, again.port) == ("127.0.0.1", worker.port)
    finally:
        again.stop()


@pytest.mark.parametrize("call", [
    "duckherder_register_or_replace_driver('127.0.0.1:1', 2)", "duckherder_register_or_replace_driver('1', 2)",
    "duckherder_register_or_replace_driver('http://h', 2)", "duckherder_register_worker('w', 'flight://h:1')",
    "duckherder_register_worker('w', ':1')", "duckherder_register_worker('w', 'h:99999')"])
def test_what_is_none(call):
    with bare_session() as con, pytest.raises(Exception, match="is no address of a node|beside it stands the port"):
        con.execute(f"SELECT {call}")
