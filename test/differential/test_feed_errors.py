"""What a session's own scan does wrong is the query's error: DuckDB's own, once. A scan is driven as DuckDB does it.

So are statements with effects whose rows a session feeds: each effect happens once.
"""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow
import pytest

from support import faults
from support.cluster import Cluster
from support.pair import Pair, last_query
from support.session import bare_session, cluster_session, distribute_everything, local_session, plain_session, \
    scalar, start_local_server
from support.versions import IS_NEXT_DUCKDB

BLOCK_BYTES = 262144
ANY_MODE = ("DISTRIBUTED", "PARTIAL", "LOCAL")


@pytest.fixture(scope="module", params=("local", "processes"))
def pair(request, three_workers: Cluster) -> Iterator[Pair]:
    session = local_session(3) if request.param == "local" else cluster_session(three_workers)
    with plain_session(2) as plain, session as ours:
        ours.execute("SET threads = 2")
        distribute_everything(ours)
        yield Pair(plain, ours)


def same_error(pair: Pair, sql: str) -> None:
    """Class, text and position; a worker may say where it was."""
    expected, actual = pair.failure(sql)
    assert type(actual) is type(expected), f"{actual!r} instead of {expected!r}"
    assert re.sub(r" \(on worker [^)]*\)", "", str(actual)) == str(expected)


def assert_usable(pair: Pair) -> None:
    pair.check("SELECT count(*), sum(i) FROM range(100000) r(i)", ANY_MODE)
    workers = pair.ours.execute("SELECT state, count(*) FROM duckherder_workers() GROUP BY state").fetchall()
    assert workers == [("active", 3)]


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def more_columns(directory: Path) -> dict[str, list[str]]:
    """Lists of small files whose columns do not fit each other, each in its own way."""
    three = write(directory / "three.csv", "a,b,c\n1,2,3\n4,5,6\n")
    four = write(directory / "four.csv", "a,b,c,d\n1,2,3,4\n5,6,7,8\n")
    other = write(directory / "other.csv", "a,b,d,c,e\n1,2,3,4,5\n")
    no_header = write(directory / "no_header.csv", "1,2,3,4\n1,2,3,4")
    text = write(directory / "text.csv", "a,b,c\n" + "1,2,3\n" * 30000 + "x,y,z\n")
    empty = write(directory / "empty.csv", "")
    return {"more_columns": [three, four, other, no_header], "no_header": [no_header, three],
            "fewer": [four, three, four], "text": [three, text, four], "empty": [empty, three, no_header],
            "many": [three] * 20 + [no_header] + [four] * 20}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ("more_columns", "no_header", "fewer", "text", "empty", "many"))
@pytest.mark.parametrize("options", ("", ", union_by_name = true", ", parallel = false", ", ignore_errors = true"))
def test_files_that_do_not_fit_together(pair, tmp_path, kind: str, options: str):
    files = more_columns(tmp_path)[kind]
    sql = f"FROM read_csv({files}{options}) ORDER BY ALL"
    for _ in range(3):
        try:
            pair.plain.execute(sql)
        except duckdb.Error:
            same_error(pair, sql)
        else:
            pair.check(sql, ANY_MODE, ordered=True)
    assert_usable(pair)


@pytest.mark.timeout(60)
def test_a_bad_value_far_behind(pair, tmp_path):
    text = "i,s\n" + "".join(f"{i},{i}\n" for i in range(60000))
    path = write(tmp_path / "t.csv", text + "60000,twelve\n")
    json = write(tmp_path / "t.json", '{"i": 1}\n' * 50000 + '{"i": \n')
    for _ in range(3):
        same_error(pair, f"SELECT sum(s) FROM read_csv('{path}', columns = {{i: 'INTEGER', s: 'INTEGER'}})")
        same_error(pair, f"SELECT sum(i) FROM read_json('{json}', columns = {{i: 'INTEGER'}})")
        same_error(pair, f"SELECT sum(error('none of your ' || i)::INTEGER) FROM read_csv('{path}') WHERE i = 7")
    assert_usable(pair)


@pytest.mark.timeout(120)
def test_many_threads_read_one_feed(pair, tmp_path):
    """A scan that has ended for one thread has not ended for the others."""
    pair.plain.execute(f"COPY (SELECT i, repeat('x', i % 50) AS s FROM range(400000) r(i)) TO '{tmp_path}/big.csv'")
    for part in range(5):
        pair.plain.execute(f"COPY (SELECT i, 'y' AS s FROM range({part * 3001}) r(i)) TO '{tmp_path}/part{part}.csv'")
        pair.plain.execute(f"COPY (SELECT i, 'z' AS s FROM range({part * 3001}) r(i)) TO '{tmp_path}/part{part}.json'")
    pair.ours.execute("SET threads = 6")
    try:
        for source in (f"read_csv('{tmp_path}/*.csv', buffer_size = 500000)", f"read_json('{tmp_path}/*.json')",
                       f"read_csv(['{tmp_path}/part1.csv', '{tmp_path}/big.csv'], buffer_size = 300000)"):
            for _ in range(5):
                pair.check(f"SELECT count(*), sum(i), sum(length(s)) FROM {source}", ANY_MODE)
    finally:
        pair.ours.execute("SET threads = 2")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("expression", ("s::INTEGER", "CAST(s AS DATE)", "1 // (i - i)::UTINYINT + s::TINYINT",
                                        "error('no ' || s)"))
@pytest.mark.parametrize("source", ("'{0}/t.parquet'", "read_csv('{0}/t.csv')", "t",
                                    "(SELECT i, max(s) AS s FROM '{0}/t.parquet' GROUP BY i)"),
                         ids=("parquet", "feed", "table", "after_a_shuffle"))
def test_errors_of_workers_show_the_place_in_the_query(pair, tmp_path, expression: str, source: str):
    rows = "SELECT i, 'x' || i AS s FROM range(10000) r(i)"
    for suffix in ("parquet", "csv"):
        pair.plain.execute(f"COPY ({rows}) TO '{tmp_path}/t.{suffix}'")
    pair.execute(f"CREATE OR REPLACE TEMP TABLE t AS {rows}")
    same_error(pair, f"SELECT count(*),\n  max({expression})\nFROM {source.format(tmp_path)} WHERE i = 5000")


def damaged_database(path: Path) -> Path:
    """One whose table is damaged in the middle of its data."""
    with duckdb.connect(str(path)) as con:
        con.execute("CREATE TABLE t AS SELECT i, hash(i) AS h FROM range(600000) r(i)")
    blocks = path.stat().st_size // BLOCK_BYTES
    with open(path, "r+b") as file:
        for block in range(2, blocks - 6):
            file.seek(3 * 4096 + block * BLOCK_BYTES + 1000)
            file.write(b"damage" * 50)
    return path


@pytest.mark.timeout(60)
@pytest.mark.parametrize("statement", (
    "SELECT sum(i), max(h) FROM damaged.t", "SELECT i % 3 AS g, max(h) FROM damaged.t GROUP BY g",
    "SELECT count(*) FROM damaged.t a JOIN damaged.t b ON a.h = b.h + 1", "CREATE TABLE made AS FROM damaged.t",
    "INSERT INTO target FROM damaged.t", "SELECT h FROM damaged.t ORDER BY h LIMIT 3"))
def test_damaged_storage(tmp_path, statement: str):
    path = damaged_database(tmp_path / "damaged.db")
    with plain_session() as plain, bare_session() as ours:
        pair = Pair(plain, ours)
        start_local_server(ours, 2)
        distribute_everything(ours)
        pair.execute(f"ATTACH '{path}' AS damaged (READ_ONLY)", "CREATE TABLE target (i BIGINT, h UBIGINT)")
        expected, actual = pair.failure(statement)
        assert type(actual) is type(expected)
        # which damaged block is met first is open
        assert re.sub(r"\d+", "N", str(actual)) == re.sub(r"\d+", "N", str(expected))
        row = last_query(ours, statement)
        assert row["retries"] == 0 and row["execution_mode"] == "DISTRIBUTED", row
        pair.check("SELECT count(*) FROM target", ANY_MODE)
        assert scalar(ours, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'made'") == 0


@pytest.mark.timeout(60)
@pytest.mark.parametrize("damage", ("cut", "overwritten", "of_another_kind"))
@pytest.mark.parametrize("suffix", ("csv", "json"))
def test_damaged_compressed_files(pair, tmp_path, suffix: str, damage: str):
    path = tmp_path / f"t.{suffix}"
    pair.plain.execute(f"COPY (SELECT i, hash(i) AS h FROM range(30000) r(i)) TO '{path}'")
    content = gzip.compress(path.read_bytes())
    half = len(content) // 2
    content = {"cut": content[:half], "of_another_kind": b"PAR1" + content[4:],
               "overwritten": content[:half] + b"\xff" * 500 + content[half + 500:]}[damage]
    Path(f"{path}.gz").write_bytes(content)
    sql = f"SELECT count(*), sum(i), max(h) FROM read_{suffix}('{path}.gz', columns = {{i: 'BIGINT', h: 'UBIGINT'}})"
    for _ in range(2):
        same_error(pair, sql)
    assert_usable(pair)


SERIALIZED = "json_execute_serialized_sql(json_serialize_sql('SELECT nextval(''q'') AS n FROM range(5)'))"
#: Statements over rows that the session feeds, and how many numbers each takes from the sequence
COUNTING = {
    "select": ("SELECT count(*), max(n), count(DISTINCT n) FROM (SELECT nextval('q') AS n FROM {feed} WHERE g < 3)",
               21429),
    "other_side_of_a_join": ("SELECT g, count(*) FROM {feed} JOIN (SELECT nextval('q') AS n FROM range(3)) "
                             "ON g = n % 7 GROUP BY g", 3),
    "table_function": (f"SELECT count(*), sum(n) FROM {{feed}} JOIN {SERIALIZED} ON g = n % 7", 5),
    "query": ("SELECT count(*), sum(n) FROM {feed} JOIN query('SELECT nextval(''q'') AS n FROM range(6)') "
              "ON g = n % 7", 6),
    "subquery": ("SELECT count(*), max(i + (SELECT nextval('q'))) FROM {feed}", 1),
    "returning": ("INSERT INTO target SELECT i, nextval('q') FROM {feed} WHERE g = 5 RETURNING i", 7143),
    "default": ("INSERT INTO target (i) SELECT DISTINCT g FROM {feed}", 7),
    "update": ("UPDATE target SET n = nextval('q') WHERE i IN (SELECT i FROM {feed})", 20),
}


def prepare_counting(pair: Pair) -> None:
    pair.execute("DROP TABLE IF EXISTS target", "CREATE OR REPLACE SEQUENCE q START 0 MINVALUE 0",
                 "CREATE TABLE target (i BIGINT, n BIGINT DEFAULT nextval('q'))",
                 "INSERT INTO target SELECT i, -i FROM range(20) r(i)")


@pytest.fixture(scope="module")
def feed(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("feed") / "t.csv"
    plain_session().execute(f"COPY (SELECT i, i % 7 AS g FROM range(50000) r(i)) TO '{path}'")
    return f"read_csv('{path}')"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", COUNTING)
def test_effects_over_a_feed_happen_once(pair, feed, kind: str):
    statement, numbers = COUNTING[kind]
    prepare_counting(pair)
    sql = statement.format(feed=feed)
    for run in (1, 2):
        local = kind == "update"
        row = pair.check(sql, "LOCAL" if local else ("DISTRIBUTED", "PARTIAL"))
        assert row["retries"] == 0
        for con in (pair.plain, pair.ours):
            assert con.execute("SELECT currval('q')").fetchall() == [(run * numbers - 1,)]
    pair.check("SELECT count(*), count(DISTINCT i), min(n), max(n), count(DISTINCT n) FROM target", ANY_MODE)


@pytest.mark.timeout(60)
def test_table_functions_that_change_the_session_run_once(pair, feed):
    """Each of them is a part of a query whose other part is distributed."""
    logged = "SELECT count(*), count(DISTINCT message) FROM duckdb_logs WHERE type = 'mine'"
    pair.check(f"SELECT count(*) FROM {feed}, enable_logging(level = 'info')", "PARTIAL")
    pair.check(f"SELECT count(write_log('row ' || i, log_type := 'mine')) FROM {feed} WHERE i < 5000", "PARTIAL")
    for con in (pair.plain, pair.ours):
        assert con.execute(logged).fetchall() == [(5000, 5000)]
    pair.check(f"SELECT count(*) FROM {feed}, checkpoint()", "PARTIAL")
    pair.check(f"SELECT count(*) FROM {feed}, truncate_duckdb_logs()", "PARTIAL")
    for con in (pair.plain, pair.ours):
        assert con.execute(logged).fetchall() == [(0, 0)]
    pair.execute("CALL disable_logging()")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("fails_at", (None, 0, 3, 39))
@pytest.mark.parametrize("sql", ("SELECT count(*), sum(i), max(i % 7) FROM rows",
                                 "SELECT i % 5 AS g, count(*) FROM rows GROUP BY g",
                                 "INSERT INTO target SELECT i, i FROM rows"))
def test_a_stream_is_read_once(pair, sql: str, fails_at: int | None):
    """What it reads cannot be had again: neither for a retry, nor for the next query."""
    prepare_counting(pair)
    schema = pyarrow.schema([("i", pyarrow.int64())])

    def batches(taken: list[int]) -> Iterator[pyarrow.RecordBatch]:
        for number in range(40):
            taken.append(number)
            if number == fails_at:
                raise ValueError("no more of it")
            yield pyarrow.record_batch([pyarrow.array(range(number * 2000, (number + 1) * 2000))], schema)

    reads: list[list[int]] = [[], []]
    for con, taken in zip((pair.plain, pair.ours), reads):
        con.register("rows", pyarrow.RecordBatchReader.from_batches(schema, batches(taken)))
    if fails_at is None:
        pair.check(sql, "DISTRIBUTED")
    else:
        same_error(pair, sql)
    assert reads == [list(range(40 if fails_at is None else fails_at + 1))] * 2
    if IS_NEXT_DUCKDB:
        same_error(pair, "SELECT count(*) FROM rows")
    else:
        pair.check("SELECT count(*) FROM rows", ANY_MODE)
    assert reads[0] == reads[1]
    pair.check("SELECT count(*), sum(n) FROM target", ANY_MODE)
    for con in (pair.plain, pair.ours):
        con.unregister("rows")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", (1, 2, 3))
def test_effects_happen_once_though_tasks_fail(tmp_path, feed, seed: int):
    """What tasks fail at is theirs; if the rows that were fed cannot be had again, the statement fails with no effect
    that another attempt would repeat."""
    done = 0
    with Cluster(tmp_path, workers=3, faults=faults.variables(seed, 10)) as cluster, cluster_session(cluster) as ours, \
            plain_session() as plain:
        distribute_everything(ours)
        ours.execute(f"SET duckherder_task_retries = {faults.RETRIES}")
        pair = Pair(plain, ours)
        for kind in ("table_function", "query", "default"):
            statement, numbers = COUNTING[kind]
            sql = statement.format(feed=feed)
            prepare_counting(pair)
            try:
                pair.check(sql, ("DISTRIBUTED", "PARTIAL"))
                done += 1
            except duckdb.Error as error:
                assert "cannot be read again" in str(error) or faults.USED in str(error), error
            assert scalar(ours, "SELECT nextval('q')") in (0, numbers)
    assert done > 0
