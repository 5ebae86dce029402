"""Files that are sorted by the same key are cut by the same ranges of it: their rows are joined where they are."""

from pathlib import Path

import pytest

from support.pair import Pair, plan_of
from support.session import Connection, distribute_everything, local_session, plain_session
from support.versions import IS_NEXT_DUCKDB

ROWS = 60_000
GROUP_ROWS = 2048
#: One row for most k; some of `many` have no partner, and some of these have none
HEADS = """
SELECT k, (k * 7919) % 97 AS v, 'head ' || k % 1000 AS name, DATE '2000-01-01' + (k % 3000)::INTEGER AS day,
    -k AS falling, k::INTEGER AS small, ((k + 9223372036854775000::HUGEINT)::UBIGINT) AS huge,
    k::DECIMAL(15, 2) AS amount,
    CASE WHEN k % 50 > 0 THEN k END AS holes, k::DOUBLE AS f, k::VARCHAR AS text
FROM (SELECT i - 200 AS k FROM range(9000) r(i)) WHERE k % 11 != 3
"""
#: Seven rows for each k, which lie on both sides of most borders between row groups
MANY = f"""
SELECT i // 7 AS k, i, hash(i) % 1000 AS g, 'row ' || hash(i) % 500 AS s, hash(i * 3) % 97 AS v, -(i // 7) AS falling,
    (i // 7)::INTEGER AS small, ((i // 7 + 9223372036854775000::HUGEINT)::UBIGINT) AS huge,
    (i // 7)::DECIMAL(15, 2) AS amount,
    CASE WHEN i % 500 > 0 THEN i // 7 END AS holes, (i // 7)::DOUBLE AS f, (i // 7)::VARCHAR AS text
FROM range({ROWS}) r(i)
"""
#: A third one
MORE = "SELECT i // 2 AS k, i AS m, hash(i) % 10 AS w FROM range(18000) r(i)"
JOINS = [
    "SELECT h.k, h.name, m.i FROM {many} m JOIN {heads} h ON m.k = h.k",
    "SELECT h.k, h.v, m.i FROM {heads} h JOIN {many} m USING (k) WHERE h.v < 20 AND m.g > 300",
    "SELECT m.i, h.k, h.name FROM {many} m LEFT JOIN {heads} h ON m.k = h.k",
    "SELECT h.k, h.name, m.i FROM {heads} h LEFT JOIN {many} m ON m.k = h.k AND m.g < 500",
    "SELECT m.i, m.k, h.k, h.name FROM {many} m RIGHT JOIN {heads} h ON m.k = h.k",
    "SELECT m.i, m.k, h.k FROM {many} m FULL JOIN {heads} h ON m.k = h.k",
    "SELECT g, count(*) FROM {many} WHERE k IN (SELECT k FROM {heads} WHERE v < 30) GROUP BY g",
    "SELECT k, name FROM {heads} SEMI JOIN {many} USING (k)",
    "SELECT k, name FROM {heads} ANTI JOIN {many} USING (k)",
    "SELECT i FROM {many} ANTI JOIN {heads} USING (k)",
    "SELECT m.i, h.v FROM {many} m JOIN {heads} h ON m.k = h.k AND m.v > h.v",
    "SELECT m.i, h.v FROM {many} m JOIN {heads} h ON m.k = h.k AND m.v = h.v",
    "SELECT m.i, h.v FROM {many} m ASOF JOIN {heads} h ON m.k = h.k AND m.v >= h.v",
    "SELECT m.i, h.name FROM {many} m JOIN {heads} h ON m.falling = h.falling",
    "SELECT m.i, h.name FROM {many} m JOIN {heads} h ON m.small = h.small",
    "SELECT m.i, h.name FROM {many} m JOIN {heads} h ON m.huge = h.huge",
    "SELECT m.i, h.name FROM {many} m JOIN {heads} h ON m.amount = h.amount",
    "SELECT m.i, h.k FROM {many} m JOIN {heads} h ON m.k IS NOT DISTINCT FROM h.k",
    # of three, in any order
    "SELECT m.i, h.v, o.m FROM {many} m JOIN {heads} h USING (k) JOIN {more} o USING (k)",
    "SELECT h.k, o.m FROM {heads} h JOIN {more} o ON h.k = o.k WHERE h.k IN (SELECT k FROM {many} WHERE g < 100)",
    "SELECT a.i, b.i FROM {many} a JOIN {many} b ON a.k = b.k AND a.i < b.i",
    "SELECT a.i, h.v, b.i FROM {many} a JOIN {heads} h ON a.k = h.k JOIN {many} b ON h.k = b.k WHERE a.g + b.g < 300",
    # what is above stays, too
    "SELECT h.k, count(*), sum(m.g), max(h.name) FROM {many} m JOIN {heads} h ON m.k = h.k GROUP BY h.k",
    "SELECT m.k, h.v, count(DISTINCT m.s) FROM {many} m JOIN {heads} h ON m.k = h.k GROUP BY m.k, h.v",
    "SELECT DISTINCT h.k, m.s FROM {many} m JOIN {heads} h ON m.k = h.k",
    "SELECT m.i, rank() OVER (PARTITION BY h.k ORDER BY m.g, m.i) FROM {many} m JOIN {heads} h ON m.k = h.k",
    "SELECT h.v, count(*) FROM {many} m JOIN {heads} h ON m.k = h.k GROUP BY h.v",
    "SELECT h.k, n FROM {heads} h JOIN (SELECT k, count(*) AS n FROM {many} GROUP BY k) c ON h.k = c.k",
    "SELECT h.k, n FROM {heads} h LEFT JOIN (SELECT k, sum(g) AS n FROM {many} GROUP BY k HAVING sum(g) > 4000) c "
    "ON h.k = c.k",
    # and what is broadcast into it
    "SELECT m.i, h.name, d.label FROM {many} m JOIN {heads} h ON m.k = h.k JOIN dim d ON m.g = d.g",
    "SELECT h.k, count(*) FROM {heads} h JOIN dim d ON h.v = d.g JOIN {many} m ON m.k = h.k GROUP BY h.k",
]
#: What belongs to a value of the outer query is where that is
CORRELATED = [
    "SELECT v, count(*) FROM {heads} h WHERE EXISTS (FROM {many} m WHERE m.k = h.k AND m.v < h.v) GROUP BY v",
    "SELECT k, name FROM {heads} h WHERE NOT EXISTS (FROM {many} m WHERE m.k = h.k AND m.v < h.v)",
    "SELECT k, (SELECT max(i) FROM {many} m WHERE m.k = h.k AND m.g > h.v * 10) FROM {heads} h",
    "SELECT k, (SELECT count(*) FROM {many} m WHERE m.k = h.k AND m.v <> h.v) FROM {heads} h",
    "SELECT i FROM {many} m WHERE g > (SELECT avg(g) FROM {many} b WHERE b.k = m.k)",
    "SELECT i FROM {many} m WHERE g = (SELECT max(g) FROM {many} b WHERE b.k = m.k AND b.i <> m.i)",
    # as TPC-H Q21 does
    "SELECT a.s, count(*) FROM {many} a JOIN {heads} h ON a.k = h.k WHERE a.g > 400 "
    "AND EXISTS (FROM {many} b WHERE b.k = a.k AND b.v <> a.v) "
    "AND NOT EXISTS (FROM {many} c WHERE c.k = a.k AND c.v <> a.v AND c.g < 100) GROUP BY a.s",
    "SELECT h.k, n.i FROM {heads} h, LATERAL (SELECT i FROM {many} m WHERE m.k = h.k AND m.v > h.v) n",
    "SELECT h.k, (SELECT sum(m.g) FROM {many} m JOIN dim d ON m.g = d.g WHERE m.k = h.k AND m.v > h.v) FROM {heads} h",
]
#: A side that cannot be cut by the ranges of the other, or that says nothing of where its keys are
ELSEWHERE = {
    "another order": "SELECT m.i, h.name FROM sorted_many m JOIN shuffled_heads h USING (k)",
    "both in another order": "SELECT m.i, h.name FROM shuffled_many m JOIN shuffled_heads h USING (k)",
    "NULL keys": "SELECT m.i, h.name FROM sorted_many m JOIN sorted_heads h USING (holes)",
    "NULL keys that are equal": "SELECT m.i, h.k FROM sorted_many m JOIN sorted_heads h "
                                "ON m.holes IS NOT DISTINCT FROM h.holes",
    "floats": "SELECT m.i, h.name FROM sorted_many m JOIN sorted_heads h USING (f)",
    "strings": "SELECT m.i, h.name FROM sorted_many m JOIN sorted_heads h USING (text)",
    "other types": "SELECT m.i, h.name FROM sorted_many m JOIN sorted_heads h ON m.k = h.small",
    "an expression": "SELECT m.i, h.name FROM sorted_many m JOIN sorted_heads h ON m.k = h.k + 1",
    "a range": "SELECT m.i, h.name FROM sorted_many m JOIN sorted_heads h ON m.k BETWEEN h.k AND h.k + 1 AND m.v = h.v",
    "one row group": "SELECT m.i, h.name FROM sorted_many m JOIN single_heads h USING (k)",
    "keys at one end": "SELECT m.i, h.i FROM late_many m JOIN sorted_many h USING (k)",
    "NOT IN": "SELECT i FROM sorted_many WHERE k NOT IN (SELECT k FROM sorted_heads WHERE v < 5)",
}


def write(con: Connection, path: Path, query: str, order: str, group_rows: int = GROUP_ROWS) -> None:
    con.execute(f"COPY (FROM ({query}) ORDER BY {order}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE {group_rows})")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    base = tmp_path_factory.mktemp("aligned")
    with plain_session() as plain, local_session(3) as ours:
        distribute_everything(ours)
        ours.execute("SET duckherder_broadcast_limit = 20000")
        result = Pair(plain, ours)
        for name, query in {"heads": HEADS, "many": MANY, "more": MORE}.items():
            write(plain, base / f"sorted_{name}.parquet", query, "k")
            write(plain, base / f"falling_{name}.parquet", query, "k DESC")
            write(plain, base / f"shuffled_{name}.parquet", query, "hash(k), k")
            # of which one row group has keys of the other end
            write(plain, base / f"mixed_{name}.parquet", query,
                  "CASE WHEN k BETWEEN 2000 AND 2500 THEN k + 5000 ELSE k END")
        write(plain, base / "single_heads.parquet", HEADS, "k", 100_000)
        write(plain, base / "late_many.parquet", f"SELECT * REPLACE (k + 8000 AS k) FROM ({MANY})", "k")
        for path in base.glob("*.parquet"):
            result.execute(f"CREATE VIEW {path.stem} AS FROM '{path}'")
        result.execute("CREATE TABLE dim AS SELECT i AS g, 'label ' || i AS label FROM range(0, 1000, 7) r(i)")
        yield result


@pytest.mark.timeout(60)
@pytest.mark.parametrize("orders", ("sorted/sorted", "falling/falling", "sorted/falling", "falling/sorted"))
@pytest.mark.parametrize("sql", JOINS + CORRELATED)
def test_both_sides_stay_where_they_are(pair, sql: str, orders: str):
    many, heads = orders.split("/")
    text = sql.format(many=f"{many}_many", heads=f"{heads}_heads", more=f"{many}_more")
    pair.check(text)
    plan = plan_of(pair.ours, text)
    if IS_NEXT_DUCKDB and sql in CORRELATED:
        # 2.0 joins some of them to all rows of the outer side again, which is shuffled for it
        return
    assert plan.count("in place by") >= 2, plan
    assert "DISTINCT of" not in plan


@pytest.mark.timeout(60)
@pytest.mark.parametrize("source", ("shuffled", "mixed"))
@pytest.mark.parametrize("sql", JOINS + CORRELATED)
def test_the_same_rows_in_another_order(pair, sql: str, source: str):
    text = sql.format(many="sorted_many", heads=f"{source}_heads", more=f"{source}_more")
    pair.check(text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("cause", ELSEWHERE)
def test_what_has_to_move(pair, cause: str):
    pair.check(ELSEWHERE[cause])
    assert plan_of(pair.ours, ELSEWHERE[cause]).count("in place by") < 2


@pytest.mark.timeout(60)
def test_no_row_of_a_side_crosses_an_exchange(pair):
    sql = "SELECT h.v, count(*), sum(m.g) FROM {0}_many m JOIN {0}_heads h ON m.k = h.k GROUP BY h.v"
    in_place = pair.check(sql.format("sorted"))
    shuffled = pair.check(sql.format("shuffled"))
    assert in_place["bytes_exchanged"] * 20 < shuffled["bytes_exchanged"], (in_place, shuffled)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("workers", (1, 2, 5))
def test_few_keys_and_many_workers(tmp_path, workers: int):
    """However the borders lie, each row is in one task: keys of very different width, and any number of tasks."""
    with plain_session() as plain, local_session(workers) as ours:
        pair = Pair(plain, ours)
        distribute_everything(ours)
        ours.execute("SET duckherder_broadcast_limit = 0")
        for number, (rows, width, other) in enumerate(((30_000, 3, 2), (30_000, 1000, 999), (30_000, 1, 1),
                                                       (9_000, 5, 1), (30_000, 7000, 5), (5_000, 2, 3))):
            one, two = tmp_path / f"{number}a.parquet", tmp_path / f"{number}b.parquet"
            write(plain, one, f"SELECT i, i // {width} AS k FROM range({rows}) r(i)", "i")
            write(plain, two,
                  f"SELECT i AS j, i // {other} - {rows} // 8 // {other} AS k FROM range({rows} // 2) r(i)", "j")
            for tasks in (1, 2, 5):
                ours.execute(f"SET duckherder_tasks_per_worker = {tasks}")
                pair.check(f"SELECT k, count(*), sum(i), sum(j) FROM '{one}' FULL JOIN '{two}' USING (k) GROUP BY k")
                pair.check(f"SELECT count(*), max(i) FROM '{one}' WHERE k IN (SELECT k FROM '{two}')")


@pytest.mark.timeout(60)
def test_the_ends_of_all_integers(tmp_path):
    """Keys at the ends of their type have no number before or after them."""
    with plain_session() as plain, local_session(3) as ours:
        pair = Pair(plain, ours)
        distribute_everything(ours)
        ours.execute("SET duckherder_broadcast_limit = 0")
        kinds = {"BIGINT": ("'-9223372036854775808'", "9223372036854775807"), "UBIGINT": ("0", "18446744073709551615"),
                 "TINYINT": ("'-128'", "127"), "DATE": ("'5877642-06-25 (BC)'", "'5881580-07-10'")}
        for kind, (first, last) in kinds.items():
            for name, column in (("a", "i"), ("b", "j")):
                middle = "DATE '2000-01-01' + i::INTEGER" if kind == "DATE" else "(i // 200)::" + kind
                write(plain, tmp_path / f"{name}{kind}.parquet",
                      f"SELECT i AS {column}, CASE WHEN i < 3000 THEN {first}::{kind} WHEN i >= 17000 "
                      f"THEN {last}::{kind} ELSE {middle} END AS k FROM range(20000) r(i)", column)
            pair.check(f"SELECT k, count(*) FROM '{tmp_path}/a{kind}.parquet' JOIN "
                       f"'{tmp_path}/b{kind}.parquet' USING (k) GROUP BY k")
