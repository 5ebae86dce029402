"""What a session's own scan does wrong is the query's error: DuckDB's own, once. A scan is driven as DuckDB does it."""

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from support.cluster import Cluster
from support.pair import Pair, last_query
from support.session import bare_session, cluster_session, distribute_everything, local_session, plain_session, \
    start_local_server

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
def test_errors_of_workers_show_the_place_in_the_query(pair, tmp_path, expression: str):
    pair.plain.execute(f"COPY (SELECT i, 'x' || i AS s FROM range(10000) r(i)) TO '{tmp_path}/t.parquet'")
    same_error(pair, f"SELECT count(*),\n  max({expression})\nFROM '{tmp_path}/t.parquet' WHERE i = 5000")


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
def test_damaged_storage(tmp_path):
    path = damaged_database(tmp_path / "damaged.db")
    sql = "SELECT sum(i), max(h) FROM damaged.t"
    with plain_session() as plain, bare_session() as ours:
        start_local_server(ours, 2)
        distribute_everything(ours)
        plain.execute(f"ATTACH '{path}' AS damaged (READ_ONLY)")
        with pytest.raises(duckdb.Error) as expected:
            plain.execute(sql)
        ours.execute(f"ATTACH '{path}' AS damaged (READ_ONLY)")
        with pytest.raises(duckdb.Error) as actual:
            ours.execute(sql)
        assert type(actual.value) is type(expected.value)
        # which damaged block is met first is open
        assert re.sub(r"\d+", "N", str(actual.value)) == re.sub(r"\d+", "N", str(expected.value))
        assert last_query(ours, sql)["retries"] == 0
