"""COPY TO directories of an object store, or of a disk that all nodes share: the workers write the files."""

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from support import paths
from support.background import BackgroundQuery
from support.cluster import Cluster
from support.compare import assert_same, fetch
from support.pair import last_query, tasks_of
from support.s3 import S3Server
from support.session import Connection, bare_session, distribute_everything
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)

ROWS = 300_000
KEPT = "SELECT count(*), sum(i), min(s), max(s), sum(k), count(n) FROM read_parquet('{}/**/*.parquet')"


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("source")
    con = duckdb.connect()
    con.execute("COPY (SELECT range AS i, 'x' || range AS s, range % 7 AS k, CASE WHEN range % 5 = 0 THEN NULL ELSE "
                f"range / 3 END AS n FROM range({ROWS})) TO '{directory}/a.parquet' (ROW_GROUP_SIZE 20000)")
    con.close()
    return directory / "a.parquet"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster"), workers=2, with_driver=True) as cluster:
        yield cluster


def session(cluster: Cluster) -> Connection:
    assert cluster.driver
    con = bare_session()
    distribute_everything(con)
    con.execute("SELECT duckherder_register_or_replace_driver($1, $2)", [cluster.driver.host, cluster.driver.port])
    return con


@pytest.fixture
def ours(cluster, tmp_path) -> Iterator[Connection]:
    con = session(cluster)
    con.execute(f"SET duckherder_shared_paths = '/nowhere, {tmp_path}'")
    yield con
    con.close()


def files_in(directory: Path) -> set[str]:
    return {str(path) for path in directory.glob("**/*") if path.is_file()}


def assert_workers_wrote(con: Connection, sql: str, workers: int = 2) -> None:
    row = last_query(con, sql)
    assert row["execution_mode"] == "DISTRIBUTED", row
    assert len({task["worker_id"] for task in tasks_of(con, row["query_id"])}) == workers
    assert "COPY_TO_FILE" in stages(con, sql)


@pytest.mark.parametrize("options, files", (("PER_THREAD_OUTPUT", 2), ("FILE_SIZE_BYTES '100GB'", 2),
                                            ("PARTITION_BY (k)", 7), ("PARTITION_BY (k), WRITE_PARTITION_COLUMNS", 7)))
def test_options(ours, plain, source, tmp_path, options, files):
    for con, name in ((ours, "ours"), (plain, "plain")):
        sql = f"COPY (FROM '{source}') TO '{tmp_path}/{name}' (FORMAT parquet, {options})"
        assert con.execute(sql).fetchall() == [(ROWS,)]
    assert_workers_wrote(ours, sql.replace("/plain'", "/ours'"))
    assert len(files_in(tmp_path / "ours")) == files
    assert_same(fetch(plain, KEPT.format(tmp_path / "plain")), fetch(plain, KEPT.format(tmp_path / "ours")), options)
    # the directories of a partitioned result are those of DuckDB
    directories = [{path.relative_to(tmp_path / name).parent for path in (tmp_path / name).glob("**/*.parquet")}
                   for name in ("ours", "plain")]
    assert directories[0] == directories[1]


def test_what_it_returns(ours, plain, source, tmp_path):
    sql = f"COPY (FROM '{source}') TO '{tmp_path}/list' (FORMAT parquet, PER_THREAD_OUTPUT, RETURN_FILES)"
    ((count, files),) = ours.execute(sql).fetchall()
    assert count == ROWS and set(files) == files_in(tmp_path / "list") and len(files) == 2
    sql = f"COPY (FROM '{source}') TO '{tmp_path}/stats' (FORMAT parquet, PARTITION_BY (k), RETURN_STATS)"
    theirs = plain.execute(sql.replace("/stats'", "/plain'"))
    names = [column[0] for column in theirs.description]
    expected = {row[-1]["k"]: row for row in theirs.fetchall()}
    result = ours.execute(sql)
    assert [column[0] for column in result.description] == names
    rows = result.fetchall()
    assert {row[0] for row in rows} == files_in(tmp_path / "stats")
    for row in rows:
        assert row[1] == expected[row[-1]["k"]][1] and Path(row[0]).stat().st_size == row[2]
    assert len(rows) == len(expected) == 7


def test_csv_and_shuffled_rows(ours, plain, source, tmp_path):
    for con, name in ((ours, "ours"), (plain, "plain")):
        sql = (f"COPY (SELECT i % 50000 AS g, max(s) AS s, count(*) AS c FROM '{source}' GROUP BY g) "
               f"TO '{tmp_path}/{name}' (FORMAT csv, HEADER, DELIMITER ';', PER_THREAD_OUTPUT)")
        assert con.execute(sql).fetchall() == [(50_000,)]
    assert_workers_wrote(ours, sql.replace("/plain'", "/ours'"))
    read = "SELECT count(*), sum(g), max(s), sum(c) FROM read_csv('{}/*.csv', delim = ';', header = true)"
    assert_same(fetch(plain, read.format(tmp_path / "plain")), fetch(plain, read.format(tmp_path / "ours")), read)


@pytest.mark.parametrize("options", ("PER_THREAD_OUTPUT", "FILE_SIZE_BYTES '100GB'", "PARTITION_BY (k)"))
def test_no_rows(ours, plain, source, tmp_path, options):
    for con, name in ((ours, "ours"), (plain, "plain")):
        sql = (f"COPY (FROM '{source}' WHERE i % 3 = 5) TO '{tmp_path}/{name}' "
               f"(FORMAT parquet, {options}, RETURN_FILES)")
        ((count, files),) = con.execute(sql).fetchall()
        assert count == 0
        assert [name.rpartition("/")[2] for name in files] == [Path(name).name for name in files_in(tmp_path / name)]
    assert len(files_in(tmp_path / "ours")) == len(files_in(tmp_path / "plain"))


def test_directory_that_is_not_empty(ours, plain, source, tmp_path):
    def copy(options: str) -> str:
        return f"COPY (FROM '{source}') TO '{tmp_path}/out' (FORMAT parquet, PER_THREAD_OUTPUT{options})"

    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.parquet").write_text("old")
    errors = []
    for con in (ours, plain):
        with pytest.raises(duckdb.IOException) as error:
            con.execute(copy(""))
        errors.append(str(error.value))
    assert errors[0] == errors[1] and "is not empty" in errors[0]
    ours.execute(copy(", OVERWRITE_OR_IGNORE"))
    assert len(files_in(tmp_path / "out")) == 3
    ours.execute(copy(", APPEND"))
    assert_workers_wrote(ours, copy(", APPEND"))
    assert len(files_in(tmp_path / "out")) == 5
    ours.execute(copy(", OVERWRITE"))
    assert len(files_in(tmp_path / "out")) == 2
    assert_workers_wrote(ours, copy(", OVERWRITE"))
    assert fetch(plain, KEPT.format(tmp_path / "out")).rows[0][0] == ROWS


def test_what_stays_in_the_session(ours, plain, source, tmp_path):
    """One file, names that the user chose, and disks that may be another one at each worker."""
    for number, options in enumerate(("FORMAT parquet", "FORMAT parquet, PER_THREAD_OUTPUT, FILENAME_PATTERN 'f_{i}'")):
        sql = f"COPY (FROM '{source}') TO '{tmp_path}/{number}' ({options})"
        assert ours.execute(sql).fetchall() == [(ROWS,)]
        assert "COPY_TO_FILE" not in stages(ours, sql), options
    ours.execute("RESET duckherder_shared_paths")
    sql = f"COPY (FROM '{source}') TO '{tmp_path}/local' (FORMAT parquet, PER_THREAD_OUTPUT)"
    assert ours.execute(sql).fetchall() == [(ROWS,)]
    assert "COPY_TO_FILE" not in stages(ours, sql)
    with pytest.raises(duckdb.InvalidInputException, match="list of absolute paths"):
        ours.execute("SET duckherder_shared_paths = 'relative/path'")


def stages(con: Connection, sql: str) -> str:
    """What EXPLAIN shows below the session's part."""
    return con.execute(f"EXPLAIN {sql}").fetchall()[0][1].partition("─ stage ")[2]


def test_prepared(ours, plain, source, tmp_path):
    ours.execute(f"PREPARE p AS COPY (FROM '{source}' WHERE k < $1) TO '{tmp_path}/out' "
                 "(FORMAT parquet, PER_THREAD_OUTPUT, OVERWRITE_OR_IGNORE)")
    for k in (1, 2):
        ours.execute(f"EXECUTE p({k})")
    expected = plain.execute(f"SELECT count(*) FILTER (k < 1) + count(*) FILTER (k < 2) FROM '{source}'").fetchall()
    assert plain.execute(f"SELECT count(*) FROM '{tmp_path}/out/*.parquet'").fetchall() == expected


def test_error_of_the_user(ours, source, tmp_path):
    with pytest.raises(duckdb.ConversionException):
        ours.execute(f"COPY (SELECT s::INTEGER AS s FROM '{source}') TO '{tmp_path}/out' "
                     "(FORMAT parquet, PER_THREAD_OUTPUT)")
    assert ours.execute("SELECT 1").fetchall() == [(1,)]


def test_worker_killed_while_it_writes(plain, tmp_path, tmp_path_factory):
    """What its attempts left is removed: whoever reads the directory gets each row once."""
    big = tmp_path / "big.parquet"
    rows = 6_000_000
    plain.execute(f"COPY (SELECT range AS i, 'text ' || range * 7 AS s FROM range({rows})) TO '{big}'")
    with Cluster(tmp_path_factory.mktemp("three"), workers=3, with_driver=True) as cluster:
        con = session(cluster)
        con.execute(f"SET duckherder_shared_paths = '{tmp_path}'")
        sql = f"COPY (SELECT * FROM '{big}') TO '{tmp_path}/out' (FORMAT parquet, COMPRESSION zstd, PER_THREAD_OUTPUT)"
        writing = BackgroundQuery(con, sql)
        wait_until(lambda: len(files_in(tmp_path / "out")) >= 2, 60, cluster.status)
        cluster.workers["worker-1"].kill()
        writing.wait(90)
        assert writing.error is None and writing.answer == [(rows,)], writing.error
        assert last_query(con, sql)["retries"] >= 1
        read = f"SELECT count(*), sum(i), count(DISTINCT i) FROM '{tmp_path}/out/*.parquet'"
        assert plain.execute(read).fetchall() == [(rows, rows * (rows - 1) // 2, rows)]
        con.close()


def test_object_store(plain, source, tmp_path_factory):
    directory = tmp_path_factory.mktemp("s3")
    with S3Server(directory / "s3") as server:
        httpfs = f"LOAD {paths.quoted(paths.HTTPFS_EXTENSION)};\n{server.secret_sql()};\n"
        init = directory / "worker.sql"
        init.write_text(httpfs)
        with Cluster(directory, workers=2, with_driver=True, worker_options=["--init", str(init)]) as cluster:
            con = session(cluster)
            for side in (con, plain):
                for statement in httpfs.split(";\n"):
                    side.execute(statement) if statement.strip() else None
            plain.execute("COPY (SELECT 1) TO 's3://bucket/makes-the-bucket.parquet'")
            sql = f"COPY (FROM '{source}') TO 's3://bucket/out' (FORMAT parquet, PARTITION_BY (k), OVERWRITE_OR_IGNORE)"
            assert con.execute(sql).fetchall() == [(ROWS,)]
            assert_workers_wrote(con, sql)
            names = [name for (name,) in plain.execute("SELECT file FROM glob('s3://bucket/out/**')").fetchall()]
            assert len(names) == 7 and all(re.search(r"/k=\d/data_[0-9a-f]{8}_", name) for name in names), names
            groups = "SELECT k, count(*), sum(i) FROM '{}' GROUP BY k ORDER BY k"
            assert_same(fetch(plain, groups.format(source)),
                        fetch(plain, groups.format("s3://bucket/out/**/*.parquet")), sql)
            con.close()
