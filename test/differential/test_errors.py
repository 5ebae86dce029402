"""Errors keep DuckDB's class and say where; the session goes on; nothing keeps running."""

import contextlib
import os
import re
import subprocess

import duckdb
import pytest

from support.cluster import Cluster
from support.pair import Pair, last_query, rows_as_dicts, unfinished_tasks
from support.session import bare_session, cluster_session, local_session, plain_session, register_workers, scalar
from support.versions import IS_NEXT_DUCKDB
from support.waiting import wait_until

ROWS = 3_000_000
BAD_ROW = 2_345_678
IDLE_SECONDS = 1.0


@pytest.fixture(scope="module")
def bad_parquet(tmp_path_factory):
    path = tmp_path_factory.mktemp("errors") / "numbers.parquet"
    with plain_session() as con:
        con.execute(f"COPY (SELECT i, i % 100 AS g, CASE WHEN i = {BAD_ROW} THEN 'twelve' ELSE i::VARCHAR END AS s "
                    f"FROM range({ROWS}) r(i)) TO '{path}' (ROW_GROUP_SIZE 122880)")
    return path


def _prepare(con, path) -> None:
    con.execute(f"CREATE VIEW numbers AS FROM '{path}'")
    con.execute(f"CREATE TABLE native AS FROM '{path}' WHERE i >= 2000000")


@pytest.fixture(scope="module")
def plain(bad_parquet):
    with plain_session() as con:
        _prepare(con, bad_parquet)
        yield con


@pytest.fixture(scope="module")
def local(plain, bad_parquet):
    with local_session(3) as con:
        _prepare(con, bad_parquet)
        yield Pair(plain, con)


@pytest.fixture(scope="module")
def processes(plain, bad_parquet, three_workers):
    with cluster_session(three_workers) as con:
        _prepare(con, bad_parquet)
        yield Pair(plain, con)


@pytest.fixture(params=("local", "processes"))
def pair(request) -> Pair:
    return request.getfixturevalue(request.param)


def running_on_workers(con) -> list[dict]:
    return rows_as_dicts(con, "FROM duckherder_workers() WHERE running_tasks > 0")


def assert_idle_and_usable(con) -> None:
    assert not unfinished_tasks(con)
    wait_until(lambda: not running_on_workers(con), IDLE_SECONDS, lambda: f"still busy: {running_on_workers(con)}")
    sql = "SELECT count(*), max(i) FROM numbers WHERE i < 1000000"
    assert con.execute(sql).fetchall() == [(1_000_000, 999_999)]
    assert last_query(con, sql)["execution_mode"] == "DISTRIBUTED"


def first_line(error: Exception) -> str:
    return str(error).split("\n")[0].strip()


#: The arguments of these have results in 2.0
NO_ERRORS = ("logarithm_of_zero", "root_of_a_negative") if IS_NEXT_DUCKDB else ()
FAILING = {
    "cast": "SELECT sum(s::INTEGER) FROM {table}",
    "cast_in_filter": "SELECT count(*) FROM {table} WHERE s::BIGINT > 5",
    "cast_above_a_shuffle": "SELECT sum(m::INTEGER) FROM "
                            "(SELECT g, max(s) AS m FROM {table} WHERE i = 2345678 GROUP BY g)",
    "logarithm_of_zero": "SELECT sum(ln(g)) FROM {table}",
    "root_of_a_negative": "SELECT max(sqrt(-1 - g)) FROM {table} WHERE i > 2900000",
    "integer_overflow": "SELECT max(i * 9223372036854775807) FROM {table}",
    "decimal_overflow": "SELECT max((i::DECIMAL(38, 30) * 100000000000)::DECIMAL(38, 30)) FROM {table}",
    "own_error": "SELECT max(CASE WHEN i = 2345678 THEN error('not this row') ELSE i END) FROM {table}",
    "two_rows_of_a_subquery": "SELECT count(*) FROM {table} WHERE i = (SELECT i FROM {table} WHERE g = 3)",
    "bad_json": "SELECT count(json_extract(s || '{{', '$.a')) FROM {table} WHERE i > 2999000",
    "string_to_date": "SELECT max(strptime(s, '%Y')) FROM {table} WHERE i = 2345678",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("table", ("numbers", "native"))
@pytest.mark.parametrize("name", [name for name in FAILING if name not in NO_ERRORS])
def test_error_of_the_query(pair, name: str, table: str):
    sql = FAILING[name].format(table=table)
    expected, actual = pair.failure(sql)
    assert type(actual) is type(expected), f"{actual!r} instead of {expected!r}"
    # The place may stand behind DuckDB's words, and which of several bad rows is met first is left to chance
    words, wanted = (re.sub(r"\d+", "N", first_line(error)) for error in (actual, expected))
    assert words.startswith(wanted[:60]), f"{actual}\ninstead of\n{expected}"
    assert_idle_and_usable(pair.ours)


@pytest.mark.timeout(60)
def test_error_says_where_it_happened(pair):
    _, error = pair.failure("SELECT sum(s::INTEGER) FROM numbers")
    workers = [row["id"] for row in rows_as_dicts(pair.ours, "FROM duckherder_workers()")]
    assert any(worker in str(error) for worker in workers), error


@pytest.mark.timeout(60)
def test_error_of_the_user_is_not_retried(pair):
    sql = "SELECT max(s::INTEGER) FROM numbers"
    pair.failure(sql)
    row = last_query(pair.ours, sql)
    assert row["retries"] == 0
    tasks = rows_as_dicts(pair.ours, f"FROM duckherder_tasks() WHERE query_id = '{row['query_id']}'")
    assert {task["attempt"] for task in tasks} == {0}
    assert any(task["state"] == "FAILED" for task in tasks)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("ieee", ("true", "false"))
def test_division_by_zero(pair, ieee: str):
    """No error: NULL, infinity or NaN, as the session's settings say. They have to reach the workers."""
    pair.execute(f"SET ieee_floating_point_ops = {ieee}")
    if IS_NEXT_DUCKDB:
        expected, actual = pair.failure("SELECT sum(i // g) FROM numbers")
        assert type(actual) is type(expected) and "Division by zero" in str(actual)
        pair.execute("SET error_on_division_by_zero = false")
    try:
        pair.check("SELECT count(i / g), count(i // g), count(i % g), max(i / (g + 1)) FROM numbers")
        pair.check("SELECT i / g AS q, i % g AS r FROM numbers WHERE i BETWEEN 100 AND 301")
        pair.check("SELECT g, sum(i / g) AS q FROM numbers GROUP BY g")
    finally:
        pair.execute("RESET ieee_floating_point_ops")
        if IS_NEXT_DUCKDB:
            pair.execute("RESET error_on_division_by_zero")


@pytest.mark.timeout(60)
def test_unreadable_parquet_file(pair, tmp_path):
    good, bad = tmp_path / "a.parquet", tmp_path / "b.parquet"
    # One column in one row group: what is met first is no matter of chance
    pair.plain.execute(f"COPY (SELECT i::VARCHAR AS s FROM range(300000) r(i)) TO '{good}' (ROW_GROUP_SIZE 300000)")
    content = bytearray(good.read_bytes())
    # Its footer can be read, so that the query starts; its pages cannot
    content[1000:len(content) // 2] = b"\xff" * (len(content) // 2 - 1000)
    bad.write_bytes(content)
    expected, actual = pair.failure(f"SELECT count(*), max(s) FROM read_parquet(['{good}', '{bad}'])")
    assert type(actual) is type(expected), f"{actual!r} instead of {expected!r}"
    assert_idle_and_usable(pair.ours)
    bad.write_bytes(b"this is no Parquet file at all")
    expected, actual = pair.failure(f"SELECT max(s) FROM read_parquet(['{good}', '{bad}'])")
    assert type(actual) is type(expected), f"{actual!r} instead of {expected!r}"
    assert "b.parquet" in str(actual)


@pytest.mark.timeout(60)
def test_parquet_file_that_is_gone(pair, tmp_path):
    pair.plain.execute(f"COPY (SELECT i FROM range(300000) r(i)) TO '{tmp_path}/a.parquet'")
    pair.execute(f"CREATE OR REPLACE VIEW gone AS FROM '{tmp_path}/*.parquet'")
    (tmp_path / "a.parquet").unlink()
    expected, actual = pair.failure("SELECT sum(i) FROM gone")
    assert type(actual) is type(expected), f"{actual!r} instead of {expected!r}"
    assert_idle_and_usable(pair.ours)


@pytest.mark.timeout(60)
def test_unreachable_worker_is_refused(three_workers, bad_parquet):
    with bare_session() as con:
        _prepare(con, bad_parquet)
        register_workers(con, three_workers)
        # Nobody listens on port 1; the address 192.0.2.1 belongs to nobody, so that connecting only waits
        for address in ("127.0.0.1:1", "192.0.2.1:9"):
            with pytest.raises(duckdb.IOException, match=re.escape(address)):
                con.execute(f"SELECT duckherder_register_worker('far', 'grpc://{address}')").fetchall()
        assert scalar(con, "SELECT duckherder_get_worker_count()") == len(three_workers.workers)
        assert_idle_and_usable(con)


@pytest.mark.timeout(120)
def test_worker_that_became_unreachable(tmp_path, bad_parquet):
    """The exact rows from the others, or an error; never fewer rows."""
    with Cluster(tmp_path, workers=2) as cluster, bare_session() as con:
        _prepare(con, bad_parquet)
        register_workers(con, cluster)
        cluster.workers["worker-1"].kill()
        assert con.execute("SELECT count(*), sum(i) FROM numbers").fetchall() == [(ROWS, ROWS * (ROWS - 1) // 2)]
        cluster.workers["worker-0"].kill()
        with pytest.raises(duckdb.IOException, match="worker-"):
            con.execute("SELECT count(*), min(i) FROM numbers").fetchall()
        assert not unfinished_tasks(con)
        con.execute("SET duckherder_mode = 'never'")
        assert scalar(con, "SELECT count(*) FROM numbers") == ROWS


@pytest.fixture
def small_disks(tmp_path):
    """Two file systems of 8 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    with contextlib.ExitStack() as mounted:
        paths = [tmp_path / f"small_disk_{number}" for number in range(2)]
        for path in paths:
            path.mkdir()
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(path)], capture_output=True,
                                  text=True)
            if done.returncode:
                pytest.skip(f"cannot mount a tmpfs here: {done.stderr.strip()}")
            mounted.callback(subprocess.run, ["umount", "-l", str(path)], check=True)
        yield paths


#: One each, or one for both: then DuckDB's own limit, the free space at the start, does not keep the disk from filling
@pytest.mark.parametrize("shared", (False, True), ids=("own_disk", "shared_disk"))
@pytest.mark.timeout(180)
def test_full_temporary_disk(small_disks, tmp_path, bad_parquet, shared: bool):
    with Cluster(tmp_path, workers=0) as cluster, bare_session() as con:
        for number in range(2):
            directory = small_disks[0 if shared else number] / str(number)
            cluster.add_worker(["--memory-limit", "120MB", "--temp-directory", str(directory)])
        _prepare(con, bad_parquet)
        register_workers(con, cluster)
        sql = "SELECT count(*) FROM (SELECT DISTINCT i, md5(s) || sha256(s) AS h FROM numbers)"
        with pytest.raises((duckdb.OutOfMemoryException, duckdb.IOException), match="worker-"):
            con.execute(sql).fetchall()
        assert_idle_and_usable(con)
        assert all(node.alive for node in cluster.workers.values())
        # What the query had put there is gone. (DuckDB keeps a file in which a write has failed.)
        files = [file for disk in small_disks for file in disk.rglob("*") if file.is_file()]
        used = sum(file.stat().st_size for file in files)
        assert shared or used < 1_000_000, f"{used} bytes are left in the temporary directory"
