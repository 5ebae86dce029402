"""Drivers and workers that are served by stock Python processes and shells, by CALL duckherder_serve_…"""

import contextlib
import signal
import subprocess
from pathlib import Path

import duckdb
import pytest

from support import paths, tpch
from support.background import BackgroundQuery, numbers_file
from support.cluster import Cluster, run_status
from support.compare import assert_same, fetch
from support.pair import rows_as_dicts
from support.process import NodeProcess
from support.serving import SCRIPT, ShellProcess, python_process
from support.session import Connection, bare_session, distribute_everything, plain_session, scalar
from support.waiting import wait_until

READY_SECONDS = 15
#: Each has a join, an aggregate or both; 2 and 21 have subqueries
QUERIES = (1, 2, 3, 5, 6, 9, 12, 13, 18, 21)
SERVE_DRIVER = "CALL duckherder_serve_driver(listen := '127.0.0.1:0')"


def serve(con: Connection, node: str, **parameters: object) -> dict[str, str]:
    """Its one row"""
    values = ", ".join(f"{name} := {value if isinstance(value, bool) else repr(value)}"
                       for name, value in {"listen": "127.0.0.1:0", **parameters}.items())
    rows = rows_as_dicts(con, f"CALL duckherder_serve_{node}({values})")
    assert len(rows) == 1 and list(rows[0]) == ["location", "http", "id"], rows
    return rows[0]


def stop_serving(con: Connection) -> list[dict]:
    return rows_as_dicts(con, "CALL duckherder_stop_serving()")


def refused(con: Connection, sql: str, *texts: str, kind: type[Exception] = duckdb.InvalidInputException) -> None:
    with pytest.raises(kind) as error:
        con.execute(sql).fetchall()
    assert all(text in str(error.value) for text in texts), error.value
    assert "--" not in str(error.value)


def active(address: str) -> int:
    return sum(" active " in line for line in run_status(address).splitlines())


def wait_for_workers(address: str, count: int) -> None:
    wait_until(lambda: active(address) == count, READY_SECONDS, lambda: run_status(address))


@contextlib.contextmanager
def ending(*nodes: NodeProcess):
    """Each ends by itself, with nodes that it still serves."""
    try:
        yield
    finally:
        codes = {node.name: node.stop() for node in reversed(nodes) if node.alive}
        logs = "\n".join(node.log() for node in nodes)
    assert set(codes.values()) <= {0}, f"{codes}\n{logs}"
    assert "Traceback" not in logs, logs


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A Python process is the driver; a Python process, a shell and the program are its workers."""
    directory = tmp_path_factory.mktemp("mixed")
    data = tpch.parquet_directory(0.01)
    tables = [f"CREATE TABLE {table} AS FROM {paths.quoted(data / (table + '.parquet'))}" for table in tpch.TABLES]
    settings = [f"SET GLOBAL {setting}" for setting in ("duckherder_mode = 'always'", "duckherder_min_rows = 1",
                                                        "duckherder_min_task_bytes = 1")]
    driver = python_process("driver", directory, [*tables, *settings, SERVE_DRIVER])
    address = f"{driver.host}:{driver.port}"
    worker = python_process("python", directory,
                            [f"CALL duckherder_serve_worker(driver := '{address}', id := 'python', threads := 1)"])
    program = NodeProcess("program", [str(paths.BINARY), "worker", "--driver", address, "--id", "program", "--threads",
                                      "1", "--listen", "127.0.0.1:0"], directory)
    shell = ShellProcess(directory, [f"CALL duckherder_serve_worker(driver := '{address}', id := 'shell', "
                                     "threads := 1)"])
    try:
        with ending(driver, worker, program.wait_ready()):
            wait_for_workers(address, 3)
            yield address
            assert shell.end() == 0, shell.log()
            wait_for_workers(address, 2)
    finally:
        if shell.process.poll() is None:
            shell.end()


@pytest.fixture(scope="module")
def tpch_tables():
    with plain_session() as con:
        tpch.create_tables(con, tpch.parquet_directory(0.01))
        yield con


@pytest.mark.timeout(120)
def test_an_attached_driver_of_a_python_process(mixed, tpch_tables):
    with bare_session() as con:
        con.execute(f"ATTACH '{mixed}' AS dh (TYPE duckherder)")
        con.execute("USE dh")
        for number in QUERIES:
            sql = tpch.queries()[number]
            assert_same(fetch(tpch_tables, sql), fetch(con, sql), sql)
        history = rows_as_dicts(con, "FROM duckherder_get_query_execution_stats(database := 'dh') "
                                     "WHERE sql NOT LIKE 'CREATE TABLE%'")
        assert {row["execution_mode"] for row in history} == {"DISTRIBUTED"}, history
        used = "SELECT DISTINCT worker_id FROM duckherder_tasks(database := 'dh')"
        assert {row[0] for row in con.execute(used).fetchall()} == {"python", "shell", "program"}


@pytest.mark.timeout(120)
def test_workers_borrowed_of_a_python_process(mixed, tpch_tables):
    with bare_session() as con:
        con.execute(f"SELECT duckherder_register_or_replace_driver('{mixed}')")
        distribute_everything(con)
        tpch.create_views(con, tpch.parquet_directory(0.01))
        for number in QUERIES:
            sql = tpch.queries()[number]
            assert_same(fetch(tpch_tables, sql), fetch(con, sql), sql)
        history = rows_as_dicts(con, "FROM duckherder_get_query_execution_stats()")
        assert {row["execution_mode"] for row in history} == {"DISTRIBUTED"}, history
        assert {row[0] for row in con.execute("SELECT DISTINCT worker_id FROM duckherder_tasks()").fetchall()} == \
            {"python", "shell", "program"}


@pytest.mark.timeout(60)
def test_one_process_is_a_whole_cluster(tmp_path):
    with bare_session() as con:
        driver = serve(con, "driver")
        assert driver["location"].startswith("grpc://127.0.0.1:") and driver["http"].startswith("http://127.0.0.1:")
        assert driver["id"] is None
        workers = [serve(con, "worker", driver=driver["location"], id=f"w{number}", threads=1, memory_limit="700MB",
                         temp_directory=str(tmp_path), http="127.0.0.1:0" if number else "off") for number in range(2)]
        assert [worker["id"] for worker in workers] == ["w0", "w1"]
        assert workers[0]["http"] is None and workers[1]["http"].startswith("http://127.0.0.1:")
        assert len(list(tmp_path.iterdir())) == 2
        seen = rows_as_dicts(con, "SELECT id, location, state, threads, memory_limit FROM duckherder_workers()")
        assert seen == [{"id": worker["id"], "location": worker["location"], "state": "active", "threads": 1,
                         "memory_limit": 700_000_000} for worker in workers]
        distribute_everything(con)
        con.execute("CREATE TABLE t AS SELECT i, i % 5 AS g FROM range(300000) r(i)")
        sql = "SELECT g, count(*), sum(i) FROM t GROUP BY g ORDER BY g"
        assert con.execute(sql).fetchall() == \
            [(g, 60000, sum(range(g, 300000, 5))) for g in range(5)]
        assert rows_as_dicts(con, "FROM duckherder_get_query_execution_stats()")[-1]["num_workers_used"] == 2
        assert stop_serving(con) == [
            *({"node": "worker", "location": worker["location"], "http": worker["http"], "id": worker["id"]}
              for worker in workers),
            {"node": "driver", "location": driver["location"], "http": driver["http"], "id": None}]
        assert not list(tmp_path.iterdir()) and stop_serving(con) == []
        assert scalar(con, "SELECT duckherder_get_worker_count()") == 0
        # and again
        again = serve(con, "driver")
        serve(con, "worker", driver=again["location"])
        assert con.execute(sql).fetchall()[0] == (0, 60000, sum(range(0, 300000, 5)))


@pytest.mark.timeout(60)
def test_a_worker_without_a_driver(tmp_path):
    """Sessions register it by themselves. Its init file is its own, and not the session's."""
    (tmp_path / "init.sql").write_text("SET GLOBAL threads = 3; CREATE MACRO of_worker() AS 1;")
    with bare_session() as owner, bare_session() as con:
        worker = serve(owner, "worker", init=str(tmp_path / "init.sql"))
        refused(owner, "SELECT of_worker()", "of_worker", kind=duckdb.CatalogException)
        assert worker["id"].startswith("worker-")
        con.execute(f"SELECT duckherder_register_worker('theirs', '{worker['location']}')").fetchall()
        con.execute("CREATE TABLE t AS SELECT i FROM range(100000) r(i)")
        assert scalar(con, "SELECT sum(i) FROM t") == 4999950000
        assert scalar(con, "SELECT DISTINCT worker_id FROM duckherder_tasks()") == "theirs"
        assert scalar(con, "SELECT threads FROM duckherder_workers()") == 3


WRONG = {
    "worker(threads := 'many')": ("threads is 'many'",),
    "worker(listen := 'nonsense:x')": ("listen", "nonsense:x"),
    "worker(listen := '0.0.0.0:0')": ("TLS (tls_cert and tls_key)", "insecure"),
    "worker(tls_cert := '/dev/null')": ("tls_cert names '/dev/null'",),
    "worker(core_dumps := true)": ("core_dumps is for the program",),
    "worker(lease_timeout := 1)": ("lease_timeout is '1'",),
    "worker(log_format := 'xml')": ("log_format is 'xml'",),
    "driver(database := 'x.duckdb')": ("database is for the program", "serves the database of its connection"),
    "driver(lake := 'ducklake:x')": ("lake is for the program", "ATTACH the lake"),
    "driver(history := 'off')": ("history is for the program",),
    "driver(init := 'x.sql')": ("init is for the program",),
    "driver(memory_limit := '1GB')": ("memory_limit is for the program", "SET memory_limit"),
    "driver(max_queries := 0)": ("max_queries is '0'",),
    "driver(allow_path := ['/'])": ("allow_path", "needs client_tokens"),
    "driver(log_slow_queries := 1)": ("log_slow_queries needs a log",),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("call", WRONG)
def test_wrong_parameters(call: str):
    with bare_session() as con:
        refused(con, f"CALL duckherder_serve_{call}", *WRONG[call])
        assert stop_serving(con) == []


@pytest.mark.timeout(60)
def test_parameters_that_nobody_knows():
    with bare_session() as con:
        for call in ("driver(dirver := 1)", "worker(help := true)", "worker(database := 'x')"):
            refused(con, f"CALL duckherder_serve_{call}", "Invalid named parameter", kind=duckdb.BinderException)
        refused(con, "CALL duckherder_serve_worker(id := NULL)", "id is NULL", kind=duckdb.BinderException)
        refused(con, "CALL duckherder_serve_driver(allow_path := ['/', NULL])", "allow_path", "NULL",
                kind=duckdb.BinderException)
        # what is off is as if it were not there, also where it could not be on
        con.execute("CALL duckherder_serve_worker(core_dumps := false, insecure := false)")


@pytest.mark.timeout(60)
def test_each_flag_of_the_program_is_a_parameter():
    with bare_session() as con:
        for node in ("driver", "worker"):
            shown = subprocess.run([str(paths.BINARY), node, "--help"], capture_output=True, text=True, timeout=30,
                                   check=True).stdout
            flags = {line.split()[0][2:].replace("-", "_") for line in shown.splitlines() if line.startswith("  --")}
            parameters = scalar(con, "SELECT parameters FROM duckdb_functions() WHERE function_name = "
                                     f"'duckherder_serve_{node}'")
            assert set(parameters) == flags - {"help"}


@pytest.mark.timeout(60)
def test_flags_from_a_file_and_the_log(tmp_path):
    """The environment of the process is not asked."""
    (tmp_path / "driver.conf").write_text("listen = 127.0.0.1:0   # a free one\nhttp = off\n")
    (tmp_path / "wrong.conf").write_text("database = x.duckdb\n")
    log = tmp_path / "log"
    with bare_session() as con, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUCKHERDER_DRIVER_MAX_QUERIES", "none")
        with pytest.raises(duckdb.InvalidInputException, match="Line 1 of"):
            con.execute(f"CALL duckherder_serve_driver(config := '{tmp_path / 'wrong.conf'}')")
        (location, url, _), = con.execute(f"CALL duckherder_serve_driver(config := '{tmp_path / 'driver.conf'}', "
                                          f"log_file := '{log}', log_format := 'json')").fetchall()
        assert url is None
        serve(con, "worker", driver=location, id="logged")
        wait_until(lambda: '"event":"worker_joined"' in log.read_text(), READY_SECONDS, log.read_text)
        stop_serving(con)


@pytest.mark.timeout(60)
def test_one_driver_for_a_database(tmp_path):
    with bare_session() as con, bare_session(str(tmp_path / "other.duckdb")) as other:
        first = serve(con, "driver")
        refused(con, SERVE_DRIVER, first["location"], "duckherder_stop_serving()")
        refused(con, "SELECT duckherder_start_local_server(0, 1)", first["location"])
        # another database is another driver
        second = serve(other, "driver")
        for driver, name in ((first, "memory"), (second, "other")):
            with bare_session() as client:
                client.execute(f"ATTACH '{driver['location']}' AS dh (TYPE duckherder)")
                asked = "FROM duckherder_query('dh', 'SELECT current_database()')"
                assert scalar(client, asked) == name
        stop_serving(con)
        con.execute("SELECT duckherder_start_local_server(0, 1)")
        refused(con, SERVE_DRIVER, "A local server is running already")


@pytest.mark.timeout(60)
def test_a_driver_that_does_not_answer():
    with bare_session() as con:
        refused(con, "CALL duckherder_serve_worker(driver := '127.0.0.1:1', driver_timeout := 1)",
                "cannot reach driver at grpc://127.0.0.1:1", "1 s (driver_timeout)", kind=duckdb.IOException)
        query = BackgroundQuery(con, "CALL duckherder_serve_worker(driver := '127.0.0.1:1')")
        # it may not have begun yet
        wait_until(lambda: con.interrupt() or query.error, READY_SECONDS, lambda: "it goes on")
        assert isinstance(query.error, duckdb.InterruptException), query.error
        assert stop_serving(con.cursor()) == []


@pytest.mark.timeout(60)
def test_a_worker_that_is_there_before_its_driver(tmp_path):
    with Cluster(tmp_path, workers=0, with_driver=True) as cluster, bare_session() as con:
        address = f"{cluster.driver.host}:{cluster.driver.port}"
        cluster.driver.stop()
        query = BackgroundQuery(con.cursor(), f"CALL duckherder_serve_worker(driver := '{address}', id := 'early')")
        cluster.restart_driver()
        assert query.wait().error is None, query.error
        assert "early" in cluster.status()


@pytest.mark.timeout(60)
def test_the_same_id_is_refused():
    with bare_session() as con:
        driver = serve(con, "driver")
        serve(con, "worker", driver=driver["location"], id="w")
        refused(con, f"CALL duckherder_serve_worker(driver := '{driver['location']}', id := 'w')",
                "There is a worker w already")
        assert len(stop_serving(con)) == 2


@pytest.mark.timeout(60)
def test_another_token_is_refused(tmp_path):
    (tmp_path / "token").touch(mode=0o600)
    (tmp_path / "token").write_text("0" * 64 + "\n")
    with bare_session() as con:
        driver = serve(con, "driver")
        refused(con, f"CALL duckherder_serve_worker(driver := '{driver['location']}', token_file := "
                     f"'{tmp_path / 'token'}')", "token", kind=duckdb.PermissionException)
        refused(con, "CALL duckherder_serve_worker(token_file := '/none')", "/none", kind=duckdb.IOException)


#: What a client of any role may not do
FORBIDDEN = (SERVE_DRIVER, "CALL duckherder_serve_worker()", "CALL duckherder_stop_serving()",
             "SELECT * FROM duckherder_serve_worker(id := 'x')")


@pytest.mark.timeout(60)
def test_clients_may_not_serve(tmp_path):
    (tmp_path / "tokens").touch(mode=0o600)
    (tmp_path / "tokens").write_text("".join(f"{role} {role}-token\n" for role in ("read", "write", "admin")))
    with bare_session() as con:
        con.execute("CREATE TABLE t AS SELECT 42 AS i")
        driver = serve(con, "driver", client_tokens=str(tmp_path / "tokens"))
        # as the program's driver, it is locked down then
        refused(con, "SET threads = 1", "lock", kind=duckdb.Error)
        for role in ("read", "write", "admin"):
            with bare_session() as client:
                client.execute(f"ATTACH '{driver['location']}' AS dh (TYPE duckherder, TOKEN '{role}-token')")
                assert scalar(client, "SELECT i FROM dh.t") == 42
                for sql in FORBIDDEN:
                    refused(client, f"FROM duckherder_query('dh', {paths.quoted(sql)})", kind=duckdb.Error)
        assert len(stop_serving(con)) == 1


@pytest.mark.timeout(120)
def test_stop_serving_drains(tmp_path):
    """Tasks that run are finished, and what they have made stays until the query has read it."""
    table = numbers_file(tmp_path / "t.parquet", 100_000)
    with bare_session() as owner, bare_session() as con:
        driver = serve(owner, "driver")
        workers = [serve(owner, "worker", driver=driver["location"], id=f"w{number}", threads=1) for number in range(2)]
        con.execute(f"SELECT duckherder_register_or_replace_driver('{driver['location']}')")
        sql = f"SELECT sum(length(sha256(repeat(md5(i::VARCHAR), 200)))), count(*) FROM '{table}'"
        query = BackgroundQuery(con.cursor(), sql)
        wait_until(lambda: scalar(con, "SELECT count(*) FROM duckherder_tasks() WHERE state = 'DONE'") >= 2, 30,
                   lambda: str(query.error))
        # another session takes over what is left
        rest = bare_session()
        serve(rest, "worker", driver=driver["location"], id="rest")
        stopping = BackgroundQuery(owner.cursor(), "CALL duckherder_stop_serving()")
        assert query.wait().error is None, query.error
        assert query.answer == plain_session().execute(sql).fetchall()
        assert stopping.wait().error is None, stopping.error
        assert [row[1] for row in stopping.answer] == [*(worker["location"] for worker in workers), driver["location"]]
        tasks = rows_as_dicts(con, "FROM duckherder_tasks()")
        assert {task["state"] for task in tasks} == {"DONE"}, tasks
        # what they had made was not made again
        assert {"w0", "w1"} <= {task["worker_id"] for task in tasks if task["attempt"] == 0}, tasks
        rest.close()


@pytest.mark.timeout(60)
def test_a_worker_ends_when_its_driver_lets_it_drain():
    with bare_session() as con:
        driver = serve(con, "driver")
        for name in ("first", "second"):
            serve(con, "worker", driver=driver["location"], id=name)
        con.execute("SELECT duckherder_drain_worker('first')").fetchall()
        wait_until(lambda: scalar(con, "SELECT string_agg(id) FROM duckherder_workers()") == "second", READY_SECONDS,
                   lambda: "it is still there")
        assert [row["id"] for row in stop_serving(con)] == ["second", None]


@pytest.mark.timeout(90)
def test_a_python_process_with_a_worker_is_killed(tmp_path):
    with Cluster(tmp_path, workers=1, with_driver=True) as cluster, bare_session() as con:
        address = f"{cluster.driver.host}:{cluster.driver.port}"
        call = f"CALL duckherder_serve_worker(driver := '{address}', threads := 1, temp_directory := '{tmp_path}')"
        victim = python_process("victim", tmp_path, [call])
        wait_for_workers(address, 2)
        con.execute(f"SELECT duckherder_register_or_replace_driver('{address}')")
        table = numbers_file(tmp_path / "t.parquet", 100_000)
        sql = f"SELECT sum(length(sha256(repeat(md5(i::VARCHAR), 200)))), count(*) FROM '{table}'"
        query = BackgroundQuery(con.cursor(), sql)
        wait_until(lambda: scalar(con, "SELECT count(*) FROM duckherder_tasks() WHERE state = 'DONE'") >= 2, 30,
                   lambda: str(query.error))
        victim.kill()
        assert query.wait().error is None, query.error
        assert query.answer == plain_session().execute(sql).fetchall()
        wait_for_workers(address, 1)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("ends", ("", "CALL duckherder_stop_serving()"), ids=("serving", "stopped"))
def test_a_process_ends_with_what_it_serves(tmp_path, ends: str):
    """It keeps quiet meanwhile, and its exit code is 0; a client has a session open."""
    driver = python_process("whole", tmp_path, ["CREATE TABLE t AS SELECT 42 AS i", SERVE_DRIVER], ends)
    address = f"{driver.host}:{driver.port}"
    worker = python_process("worker", tmp_path, [f"CALL duckherder_serve_worker(driver := '{address}')"], ends)
    wait_for_workers(address, 1)
    with bare_session() as client:
        client.execute(f"ATTACH '{address}' AS dh (TYPE duckherder)")
        assert scalar(client, "SELECT i FROM dh.t") == 42
        client.execute("BEGIN")
        assert scalar(client, "SELECT i FROM dh.t") == 42
        for node, kind in ((worker, "worker"), (driver, "driver")):
            assert node.stop() == 0, node.log()
            lines = node.log().splitlines()
            assert lines[0].startswith("listening on grpc://") and len(lines) == (2 if ends else 1), lines
            assert not ends or f"[('{kind}', " in lines[1]


@pytest.mark.timeout(60)
def test_a_connection_is_closed_while_its_driver_has_clients(tmp_path):
    """Their sessions keep the database open; it ends with the last of them."""
    path = tmp_path / "t.duckdb"
    owner = bare_session(str(path))
    owner.execute("CREATE TABLE t AS SELECT 42 AS i")
    driver = serve(owner, "driver")
    with bare_session() as client:
        client.execute(f"ATTACH '{driver['location']}' AS dh (TYPE duckherder)")
        client.execute("BEGIN")
        assert scalar(client, "SELECT i FROM dh.t") == 42
        owner.close()
        assert scalar(client, "SELECT i FROM dh.t") == 42
        client.execute("COMMIT")
    address = driver["location"].removeprefix("grpc://")

    def gone() -> bool:
        with contextlib.suppress(RuntimeError):
            run_status(address)
            return False
        return True

    wait_until(gone, READY_SECONDS, lambda: "the driver is still there")


@pytest.mark.timeout(60)
def test_signals_stay_the_process_own(tmp_path):
    """SIGTERM ends a Python process that does not care about it, as it would without nodes."""
    script = SCRIPT.replace("signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})", "")
    script = script.replace("signal.sigwait({signal.SIGTERM})", "signal.pause()")
    command = [paths.PYTHON, "-c", script, str(paths.EXTENSION), "CALL duckherder_serve_worker()"]
    node = NodeProcess("plain", command, tmp_path).wait_ready()
    assert node.stop() == -signal.SIGTERM
    assert Path(tmp_path / "plain.log").read_text().count("\n") == 1
