"""Sorted rows that workers write: each has a range of the sort key, and the files follow each other in its order."""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from support.cluster import Cluster
from support.pair import STATISTICS, plan_of, rows_as_dicts, tasks_of
from support.session import Connection, bare_session, distribute_everything, register_workers

pytestmark = pytest.mark.timeout(120)

ROWS = 200_000
#: Columns whose values are in no order, repeat, are NULL, or are long and begin alike
COLUMNS = f"""
    SELECT i, hash(i) % 100003 AS k, hash(i * 7) % 5 AS few,
           CASE WHEN hash(i * 3) % 4 = 0 THEN NULL ELSE (hash(i * 11) % 1000)::DOUBLE / 7 - 50 END AS d,
           repeat('the same beginning ', 5) || (hash(i * 13) % 5000) AS s,
           CASE WHEN i % 9 = 0 THEN NULL ELSE DATE '1992-01-01' + (hash(i * 17) % 2500)::INTEGER END AS day,
           [hash(i * 19) % 7, i] AS l, {{'a': hash(i * 23) % 11, 'b': 'x' || i}} AS st,
           (hash(i * 29) % 1000003)::HUGEINT * 12345678901234567890 AS h, i AS sorted
    FROM range({ROWS}) r(i)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """One file of many row groups, and the same rows in several files of other sizes."""
    directory = tmp_path_factory.mktemp("source")
    con = duckdb.connect()
    con.execute(f"COPY ({COLUMNS}) TO '{directory}/one.parquet' (ROW_GROUP_SIZE 10000)")
    (directory / "many").mkdir()
    for number, (first, last) in enumerate(itertools.pairwise((0, 40_000, 40_100, 90_000, 150_000, ROWS))):
        con.execute(f"COPY (FROM '{directory}/one.parquet' WHERE i >= {first} AND i < {last}) "
                    f"TO '{directory}/many/{number}.parquet' (ROW_GROUP_SIZE 20000)")
    con.close()
    return directory


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster"), workers=3) as cluster:
        yield cluster


@pytest.fixture
def ours(cluster, tmp_path) -> Iterator[Connection]:
    con = bare_session()
    register_workers(con, cluster)
    distribute_everything(con)
    con.execute(f"SET duckherder_shared_paths = '{tmp_path}'")
    yield con
    con.close()


def copy_sorted(con: Connection, query: str, directory: Path, options: str = "PER_THREAD_OUTPUT") -> int:
    ((count,),) = con.execute(f"COPY ({query}) TO '{directory}' (FORMAT parquet, {options})").fetchall()
    return count


def assert_workers_sorted(con: Connection) -> None:
    row = rows_as_dicts(con, STATISTICS)[-1]
    assert row["execution_mode"] == "DISTRIBUTED", row
    tasks = tasks_of(con, row["query_id"])
    # after the stages that make the rows, and the one that divides them
    wrote = {task["worker_id"] for task in tasks if task["stage_id"] == tasks[-1]["stage_id"] >= 2}
    # a third one may have come too late
    assert len(wrote) >= 2, wrote


def assert_sorted(plain: Connection, directory: Path, query: str, order: str, kind: str = "parquet") -> None:
    """Read in the order of their names, the files have the rows of the query in the order of the keys."""
    found = f"(SELECT *, row_number() OVER () AS place FROM read_{kind}('{directory}/*.{kind}'))"
    wanted = f"(SELECT *, row_number() OVER (ORDER BY {order}) AS wanted FROM ({query}))"
    columns = ", ".join(name for name, *_ in plain.execute(f"DESCRIBE {query}").fetchall())
    plain.execute("SET preserve_insertion_order = true")
    missing = plain.execute(f"SELECT count(*) FROM ((SELECT {columns} FROM {found} EXCEPT ALL FROM ({query})) "
                            f"UNION ALL (FROM ({query}) EXCEPT ALL SELECT {columns} FROM {found}))").fetchall()
    assert missing == [(0,)], missing
    keys = ", ".join(part.strip().split(" ")[0] for part in order.split(","))
    differing = plain.execute(
        f"SELECT count(*) FROM (SELECT ({keys}) AS key, place FROM {found}) AS a JOIN "
        f"(SELECT ({keys}) AS key, wanted FROM {wanted}) AS b ON place = wanted WHERE a.key IS DISTINCT FROM b.key"
    ).fetchall()
    assert differing == [(0,)], (order, differing)


ORDERS = ("k", "k DESC", "d NULLS FIRST, i", "d DESC NULLS LAST, i", "s, i DESC", "s DESC", "day, s, k", "few, i",
          "few", "l", "st DESC, i", "h, i", "sorted", "sorted DESC")


@pytest.mark.parametrize("order", ORDERS)
def test_orders(ours, plain, source, tmp_path, order):
    for name in ("one.parquet", "many/*.parquet"):
        query = f"FROM '{source}/{name}'"
        directory = tmp_path / name[:3]
        assert copy_sorted(ours, f"{query} ORDER BY {order}", directory) == ROWS
        assert_workers_sorted(ours)
        assert_sorted(plain, directory, query, order)
        assert len(list(directory.glob("*.parquet"))) >= 3


def test_what_is_computed(ours, plain, source, tmp_path):
    """Keys that are no columns of the result, filters, and fewer columns."""
    query = f"SELECT i, s FROM '{source}/one.parquet' WHERE k % 3 = 1"
    copy_sorted(ours, f"{query} ORDER BY reverse(s), (k * 7919) % 1009 DESC, i", tmp_path / "out")
    assert_workers_sorted(ours)
    rows = plain.execute(f"SELECT i FROM '{tmp_path}/out/*.parquet'").fetchall()
    assert rows == plain.execute(f"SELECT i FROM '{source}/one.parquet' WHERE k % 3 = 1 "
                                 "ORDER BY reverse(s), (k * 7919) % 1009 DESC, i").fetchall()


def test_columns_beside_the_rows(ours, plain, source, tmp_path):
    query = f"SELECT filename, file_row_number, i FROM read_parquet('{source}/many/*.parquet', file_row_number = true)"
    copy_sorted(ours, f"{query} ORDER BY file_row_number, filename DESC", tmp_path / "out")
    assert_workers_sorted(ours)
    assert (plain.execute(f"FROM '{tmp_path}/out/*.parquet'").fetchall() ==
            plain.execute(f"{query} ORDER BY file_row_number, filename DESC").fetchall())


@pytest.mark.parametrize("query, order", (
    ("SELECT a.k, a.i, b.i AS other FROM '{0}/one.parquet' AS a JOIN '{0}/many/*.parquet' AS b ON a.k = b.k",
     "k, i, other"),
    ("SELECT k, count(*) AS n, max(i) AS i FROM '{0}/one.parquet' GROUP BY k", "n DESC, i"),
    ("SELECT DISTINCT k, few FROM '{0}/many/*.parquet'", "few DESC, k"),
    ("SELECT i, k, row_number() OVER (PARTITION BY few ORDER BY i) AS n FROM '{0}/one.parquet'", "n, i"),
    ("SELECT i, k FROM '{0}/one.parquet' UNION ALL SELECT i + 1, k FROM '{0}/many/*.parquet'", "k, i"),
    ("SELECT unnest([i, i + 1000000]) AS i, k FROM '{0}/one.parquet'", "k DESC, i"),
))
def test_rows_that_other_stages_make(ours, plain, source, tmp_path, query, order):
    query = query.format(source)
    copy_sorted(ours, f"{query} ORDER BY {order}", tmp_path / "out")
    assert_workers_sorted(ours)
    assert_sorted(plain, tmp_path / "out", query, order)


def test_session_table(ours, plain, source, tmp_path):
    for con in (ours, plain):
        con.execute(f"CREATE TABLE t AS FROM '{source}/one.parquet'")
    copy_sorted(ours, "FROM t ORDER BY k, i", tmp_path / "out")
    assert_workers_sorted(ours)
    assert_sorted(plain, tmp_path / "out", "FROM t", "k, i")


@pytest.mark.parametrize("options, kind", (("FORMAT csv, HEADER, PER_THREAD_OUTPUT", "csv"),
                                           ("FORMAT parquet, FILE_SIZE_BYTES '1MB', ROW_GROUP_SIZE 5000", "parquet"),
                                           ("FORMAT parquet, FILE_SIZE_BYTES '10GB'", "parquet")))
def test_options(ours, plain, source, tmp_path, options, kind):
    query = f"SELECT i, k, s FROM '{source}/one.parquet'"
    ours.execute(f"COPY ({query} ORDER BY k, i) TO '{tmp_path}/out' ({options})")
    assert_workers_sorted(ours)
    assert_sorted(plain, tmp_path / "out", query, "k, i", kind)
    assert len(list((tmp_path / "out").iterdir())) >= (6 if "1MB" in options else 3)


def test_files_are_listed_in_their_order(ours, source, tmp_path):
    ((count, files),) = ours.execute(f"COPY (FROM '{source}/one.parquet' ORDER BY k) TO '{tmp_path}/out' "
                                     "(PER_THREAD_OUTPUT, RETURN_FILES)").fetchall()
    assert count == ROWS and files == sorted(files)
    assert files == sorted(str(path) for path in (tmp_path / "out").iterdir())


@pytest.mark.parametrize("options", ("PARTITION_BY (few)", "FILE_SIZE_BYTES '10KB'"))
def test_what_stays_in_the_session(ours, plain, source, tmp_path, options):
    query = f"SELECT i, k, few FROM '{source}/one.parquet'"
    copy_sorted(ours, f"{query} ORDER BY k", tmp_path / "out", options)
    copy_sorted(plain, f"{query} ORDER BY k", tmp_path / "plain", options)
    count = "SELECT count(*), sum(i), sum(hash(i, k, few)) FROM read_parquet('{}/**/*.parquet')"
    assert (plain.execute(count.format(tmp_path / "out")).fetchall() ==
            plain.execute(count.format(tmp_path / "plain")).fetchall())


def test_few_rows_and_none(ours, plain, source, tmp_path):
    for number, condition in enumerate(("i = 7", "i < 3", "i % 70000 = 1", "k < 0", "d > 1e9")):
        query = f"SELECT i, k FROM '{source}/many/*.parquet' WHERE {condition}"
        for con, name in ((ours, "ours"), (plain, "plain")):
            copy_sorted(con, f"{query} ORDER BY k DESC, i", tmp_path / f"{name}{number}")
        ours_found, found = (plain.execute(f"FROM '{tmp_path}/{name}{number}/*.parquet'").fetchall()
                             for name in ("ours", "plain"))
        assert sorted(ours_found) == sorted(found)
        assert ours_found == plain.execute(f"{query} ORDER BY k DESC, i").fetchall()


def test_skewed_rows(ours, plain, tmp_path):
    """Row groups of which the first ones say little about the others."""
    query = ("SELECT CASE WHEN i < 100000 THEN 0 WHEN i < 101000 THEN i ELSE 500000 - i % 1000 END AS k, i "
             "FROM range(200000) r(i)")
    plain.execute(f"COPY ({query}) TO '{tmp_path}/skewed.parquet' (ROW_GROUP_SIZE 2048)")
    copy_sorted(ours, f"FROM '{tmp_path}/skewed.parquet' ORDER BY k, i", tmp_path / "out")
    assert_sorted(plain, tmp_path / "out", f"FROM '{tmp_path}/skewed.parquet'", "k, i")


def test_explained(ours, source, tmp_path):
    def explain(query: str) -> str:
        return plan_of(ours, f"COPY ({query}) TO '{tmp_path}/out' (PER_THREAD_OUTPUT)")

    text = explain(f"FROM '{source}/one.parquet' ORDER BY k DESC, s")
    assert "sample by (k DESC, s)" in text and "range by (k DESC, s)" in text, text
    text = explain(f"SELECT k, count(*) AS n FROM '{source}/one.parquet' GROUP BY k ORDER BY n, k")
    assert "sampled by (n, k)" in text and "range by (n, k)" in text, text


@pytest.mark.parametrize("seed", range(6))
def test_random_orders(ours, plain, source, tmp_path, seed):
    """Any columns, any directions; i at the end makes the order a total one."""
    chance = random.Random(seed)
    keys = chance.sample(["k", "few", "d", "s", "day", "l", "st", "h"], chance.randint(1, 4))
    order = ", ".join(f"{key} {chance.choice(('ASC', 'DESC'))} NULLS {chance.choice(('FIRST', 'LAST'))}"
                      for key in keys) + ", i"
    rows = chance.choice((f"FROM '{source}/one.parquet'", f"FROM '{source}/many/*.parquet' WHERE few <> 2",
                          f"SELECT k, few, d, s, day, l, st, h, i FROM '{source}/one.parquet' WHERE i % 3 = 0"))
    copy_sorted(ours, f"{rows} ORDER BY {order}", tmp_path / "out")
    assert_workers_sorted(ours)
    assert (plain.execute(f"SELECT i FROM '{tmp_path}/out/*.parquet'").fetchall() ==
            plain.execute(f"SELECT i FROM ({rows}) ORDER BY {order}").fetchall()), order
