"""A scan of a file that is sorted by a key is cut between the key's values: rows with equal keys need no exchange."""

from pathlib import Path

import pyarrow.parquet
import pytest

from support.pair import Pair, plan_of
from support.session import Connection, distribute_everything, local_session, plain_session

ROWS = 100_000
GROUP_ROWS = 4096
#: Seven rows of each k, which lie on both sides of most borders between row groups; i // 4 on neither
COLUMNS = """
i, i // 7 AS k, (i // 4)::INTEGER AS id, hash(i) % 1000 AS g, 's' || hash(i) % 5000 AS s, (i // 7) / 8 AS f,
DATE '2000-01-01' + (i // 5)::INTEGER AS day, TIMESTAMP '2020-01-01' + to_seconds(i // 3) AS moment,
((i // 7) / 4)::DECIMAL(12, 2) AS price, 'key ' || lpad((i // 7)::VARCHAR, 9, '0') AS name,
CASE WHEN i % 100 > 0 THEN i // 7 END AS holes, -(i // 7) AS falling
"""
#: Over the file that is sorted
IN_PLACE = {
    "SELECT k, count(*), sum(g), min(s) FROM {t} GROUP BY k": "k",
    "SELECT k, count(DISTINCT g), string_agg(s ORDER BY i), median(g) FROM {t} GROUP BY k": "k",
    "SELECT k, s, count(*) FROM {t} GROUP BY k, s": "k",
    "SELECT key, sum(n) FROM (SELECT k AS key, g, count(*) AS n FROM {t} WHERE g > 20 GROUP BY ALL) GROUP BY key": "k",
    "SELECT DISTINCT k FROM {t} WHERE g < 900": "k",
    "SELECT DISTINCT k, s FROM {t}": "k",
    "SELECT DISTINCT ON (k) k, s, i FROM {t} ORDER BY k, i DESC": "k",
    "SELECT i, row_number() OVER (PARTITION BY k ORDER BY g, i), sum(g) OVER (PARTITION BY k, s) FROM {t}": "k",
    "SELECT i FROM {t} QUALIFY row_number() OVER (PARTITION BY k ORDER BY s DESC, i) = 1": "k",
    "SELECT n, count(*) FROM (SELECT k, count(DISTINCT s) AS n FROM {t} GROUP BY k) GROUP BY n": "k",
    "SELECT falling, max(i) FROM {t} GROUP BY falling": "falling",
    "SELECT id, min(i), max(i) FROM {t} GROUP BY id": "id",
    "SELECT day, count(*), sum(g) FROM {t} GROUP BY day": "day",
    "SELECT moment, count(*), max(k) FROM {t} GROUP BY moment": "moment",
    "SELECT price, count(*), max(s) FROM {t} GROUP BY price": "price",
    "SELECT k, id, count(*) FROM (SELECT k, id, g FROM {t} GROUP BY ALL) GROUP BY k, id": "k",
    # of two that need another column each
    "SELECT (SELECT count(*) FROM (SELECT k FROM {t} GROUP BY k HAVING max(g) > 990)), "
    "(SELECT count(*) FROM (SELECT id FROM {t} GROUP BY id HAVING max(g) > 990))": "k",
    # the rows of a broadcast come to where the others are
    "SELECT k, count(*), sum(small.v) FROM {t} JOIN small ON {t}.g = small.g GROUP BY k": "k",
    "SELECT k, count(small.v) FROM {t} LEFT JOIN small ON {t}.g = small.g AND small.v > 100 GROUP BY k": "k",
    "SELECT k, max(i) FROM {t} WHERE g IN (SELECT g FROM small) GROUP BY k": "k",
    # as TPC-H Q18 does
    "SELECT i, s FROM {t} WHERE k IN (SELECT k FROM {t} GROUP BY k HAVING sum(g) > 5800)": "k",
    "SELECT g, count(*) FROM {t} a WHERE EXISTS (FROM {t} b WHERE b.k = a.k AND b.g < 3) GROUP BY g": None,
    "SELECT x.k, n, y.m FROM (SELECT k, count(*) AS n FROM {t} GROUP BY k) x "
    "JOIN (SELECT k, max(i) AS m FROM {t} GROUP BY k) y ON x.k = y.k": "k",
    "SELECT k, count(*) FROM {t} GROUP BY k ORDER BY 2 DESC, 1 LIMIT 5": "k",
}
#: What keeps equal keys from being together, with a key for which it does
ELSEWHERE = {
    "an expression of the key": ("sorted", "k + g"),
    "a key with NULL": ("sorted", "holes"),
    "a float": ("sorted", "f"),
    "a string, whose bounds may be cut off": ("sorted", "name"),
    "another order": ("shuffled", "k"),
    "one row group": ("one_group", "k"),
    "no statistics": ("no_statistics", "k"),
    "statistics without the number of NULLs in one group": ("late_nulls", "k"),
    "one row group that is out of order": ("out_of_order", "k"),
    "one value": ("one_value", "k"),
    "several files": ("several", "k"),
    "a column of the path": ("hive", "k"),
}


def write(con: Connection, path: Path, query: str, group_rows: int = GROUP_ROWS) -> None:
    path.parent.mkdir(exist_ok=True)
    con.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE {group_rows})")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    base = tmp_path_factory.mktemp("clustered")
    with plain_session() as plain, local_session(3) as ours:
        distribute_everything(ours)
        plain.execute(f"CREATE TABLE t AS SELECT {COLUMNS} FROM range({ROWS}) r(i)")
        write(plain, base / "sorted.parquet", "FROM t ORDER BY i")
        write(plain, base / "shuffled.parquet", "FROM t ORDER BY hash(i)")
        write(plain, base / "one_group.parquet", "FROM t WHERE i < 60000 ORDER BY i", 100_000)
        write(plain, base / "late_nulls.parquet",
              "SELECT * REPLACE (CASE WHEN i < 97000 THEN k END AS k) FROM t ORDER BY i")
        write(plain, base / "out_of_order.parquet",
              f"FROM t ORDER BY CASE WHEN i BETWEEN {GROUP_ROWS * 20} AND {GROUP_ROWS * 21 - 1} THEN i - 70000 "
              "ELSE i END, i")
        write(plain, base / "one_value.parquet", "SELECT * REPLACE (7 AS k) FROM t ORDER BY i")
        write(plain, base / "several" / "a.parquet", "FROM t WHERE i <= 50000 ORDER BY i")
        write(plain, base / "several" / "b.parquet", "FROM t WHERE i > 50000 ORDER BY i")
        (base / "hive" / "k=3").mkdir(parents=True)
        write(plain, base / "hive" / "k=3" / "a.parquet", "FROM t ORDER BY i")
        table = pyarrow.parquet.read_table(base / "sorted.parquet")
        pyarrow.parquet.write_table(table, base / "no_statistics.parquet", row_group_size=GROUP_ROWS,
                                    write_statistics=False)
        plain.execute("DROP TABLE t")
        result = Pair(plain, ours)
        result.execute("CREATE TABLE small AS SELECT i AS g, i * 2 AS v FROM range(0, 1000, 3) r(i)")
        for name in ("sorted", "shuffled", "one_group", "no_statistics", "late_nulls", "out_of_order", "one_value"):
            result.execute(f"CREATE VIEW {name} AS FROM '{base}/{name}.parquet'")
        result.execute(f"CREATE VIEW several AS FROM '{base}/several/*.parquet'",
                       f"CREATE VIEW hive AS FROM read_parquet('{base}/hive/*/*.parquet', hive_partitioning = true)")
        yield result


@pytest.mark.timeout(60)
@pytest.mark.parametrize("sql", IN_PLACE)
def test_equal_keys_stay_where_they_are(pair, sql: str):
    text = sql.format(t="sorted")
    pair.check(text)
    if IN_PLACE[sql]:
        assert "in place by" in plan_of(pair.ours, text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("sql", IN_PLACE)
@pytest.mark.parametrize("source", ("shuffled", "out_of_order"))
def test_the_same_rows_in_another_order(pair, sql: str, source: str):
    text = sql.format(t=source)
    pair.check(text)
    assert source == "out_of_order" or "in place by" not in plan_of(pair.ours, text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("cause", ELSEWHERE)
def test_what_has_to_move(pair, cause: str):
    source, key = ELSEWHERE[cause]
    for sql in (f"SELECT {key}, count(*), count(DISTINCT g), max(i) FROM {source} GROUP BY 1",
                f"SELECT DISTINCT {key}, g FROM {source}",
                f"SELECT i, row_number() OVER (PARTITION BY {key} ORDER BY g, i) FROM {source}"):
        pair.check(sql)
        if cause != "one row group that is out of order":
            assert "in place by" not in plan_of(pair.ours, sql)


@pytest.mark.timeout(60)
def test_no_rows_of_a_group_cross_an_exchange(pair):
    """The groups that HAVING leaves are all that moves."""
    sql = "SELECT k, sum(g) FROM sorted GROUP BY k HAVING sum(g) > 5800"
    record = pair.check(sql)
    shuffled = pair.check(sql.replace("sorted", "shuffled"))
    assert record["bytes_exchanged"] < 10_000, record
    assert shuffled["bytes_exchanged"] > 100 * record["bytes_exchanged"], shuffled


@pytest.mark.timeout(60)
def test_few_row_groups_and_many_workers(tmp_path):
    """However the borders lie, each row is in one task."""
    with plain_session() as plain, local_session(5) as ours:
        pair = Pair(plain, ours)
        distribute_everything(ours)
        for number, (rows, width) in enumerate(((50_000, 3), (50_000, 10_000), (50_000, 25_000), (21_000, 1),
                                                (90_000, 11_000), (41_000, 40_000))):
            write(plain, tmp_path / f"{number}.parquet", f"SELECT i, i // {width} AS k FROM range({rows}) r(i)", 2048)
            source = f"'{tmp_path}/{number}.parquet'"
            for tasks in (1, 2, 4, 16):
                ours.execute(f"SET duckherder_tasks_per_worker = {tasks}")
                pair.check(f"SELECT k, count(*), min(i), max(i), count(DISTINCT i) FROM {source} GROUP BY k")
                pair.check(f"SELECT i, rank() OVER (PARTITION BY k ORDER BY i) FROM {source}")
