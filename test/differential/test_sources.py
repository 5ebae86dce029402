"""Where rows come from: Parquet in all its forms, and everything else through the feed."""

import pytest

from support.pair import Pair, scan_tasks
from support.session import cluster_session, distribute_everything, plain_session

ROWS = 200_000
FILES = 23
FED = {
    "read_csv": "read_csv('{data}/t.csv')",
    "csv_file": "'{data}/t.csv'",
    "read_json": "read_json('{data}/t.json')",
}


@pytest.fixture(scope="module")
def pair(three_workers):
    with plain_session() as plain, cluster_session(three_workers) as ours:
        distribute_everything(ours)
        yield Pair(plain, ours)


@pytest.fixture(scope="module")
def data(pair, tmp_path_factory):
    """Files of many shapes with the same kind of rows."""
    directory = tmp_path_factory.mktemp("sources")
    con = pair.plain
    con.execute("CREATE TABLE t AS SELECT i, i % 10 AS g, 'text ' || i AS s, (i % 3)::INTEGER AS part "
                f"FROM range({ROWS}) r(i)")
    (directory / "many").mkdir()
    for number in range(FILES):
        # Some large, most small, one without rows
        begin, end = number * number * 300, (number + 1) * (number + 1) * 300 if number != 7 else 0
        con.execute(f"COPY (FROM t WHERE i >= {begin} AND i < {end}) TO '{directory}/many/f{number:02}.parquet' "
                    "(FORMAT parquet, ROW_GROUP_SIZE 4096)")
    con.execute(f"COPY t TO '{directory}/groups.parquet' (FORMAT parquet, ROW_GROUP_SIZE 4096)")
    con.execute(f"COPY (FROM t LIMIT 0) TO '{directory}/empty.parquet' (FORMAT parquet)")
    con.execute(f"COPY t TO '{directory}/hive' (FORMAT parquet, PARTITION_BY (g, part))")
    con.execute(f"COPY (SELECT i, s FROM t WHERE i < 1000) TO '{directory}/older.parquet' (FORMAT parquet)")
    con.execute(f"COPY (SELECT s, i::BIGINT AS i, 1.5 AS extra FROM t WHERE i >= 1000) TO '{directory}/newer.parquet'")
    con.execute(f"COPY t TO '{directory}/t.csv' (HEADER)")
    con.execute(f"COPY (FROM t LIMIT 50000) TO '{directory}/t.json'")
    con.execute(f"ATTACH '{directory}/other.duckdb' AS other")
    con.execute("CREATE TABLE other.t AS FROM t")
    con.execute("DETACH other")
    con.execute("DROP TABLE t")
    return directory


def questions(source: str) -> list[str]:
    return [f"SELECT count(*), sum(i), min(s), max(s) FROM {source}",
            f"SELECT i, s FROM {source} WHERE i % 1000 = 7",
            f"SELECT i % 10 AS k, count(*), max(s) FROM {source} WHERE i > 777 GROUP BY k",
            f"SELECT s, i FROM {source} ORDER BY s DESC LIMIT 20",
            f"SELECT i FROM {source} WHERE sin(i) > 2",
            f"SELECT DISTINCT i % 13 AS k FROM {source} WHERE s LIKE 'text 1%'"]


def ask_all(pair: Pair, source: str) -> None:
    for sql in questions(source):
        pair.check(sql, ordered="ORDER BY" in sql)


@pytest.mark.timeout(60)
def test_glob_of_many_files(pair, data):
    ask_all(pair, f"'{data}/many/*.parquet'")
    sql = f"SELECT count(*), sum(i) FROM read_parquet('{data}/many/*.parquet')"
    row = pair.check(sql)
    assert 3 <= row["num_tasks_generated"] <= 12, row
    tasks = scan_tasks(pair.ours, sql)
    assert len({task["worker_id"] for task in tasks}) > 1
    assert sum(task["rows"] for task in tasks) == pair.plain.execute(sql).fetchone()[0]


@pytest.mark.timeout(60)
def test_list_of_files(pair, data):
    ask_all(pair, f"read_parquet(['{data}/many/f03.parquet', '{data}/groups.parquet', '{data}/many/f20.parquet'])")


@pytest.mark.timeout(60)
def test_one_file_of_many_row_groups(pair, data):
    ask_all(pair, f"'{data}/groups.parquet'")
    sql = f"SELECT count(*), sum(length(s)) FROM '{data}/groups.parquet'"
    row = pair.check(sql)
    assert row["partition_strategy"] == "ROW_GROUP", row
    tasks = scan_tasks(pair.ours, sql)
    assert 3 < len(tasks) <= 12
    assert sum(task["rows"] for task in tasks) == ROWS
    assert all(task["row_start"] % 4096 == 0 for task in tasks)
    ends = [0, *(task["row_end"] for task in tasks)]
    assert [task["row_start"] for task in tasks] == ends[:-1] and ends[-1] == ROWS


@pytest.mark.timeout(60)
def test_hive_partitions(pair, data):
    source = f"read_parquet('{data}/hive/**/*.parquet', hive_partitioning = true)"
    ask_all(pair, source)
    pair.check(f"SELECT g, part, count(*), sum(i) FROM {source} GROUP BY g, part")
    pair.check(f"SELECT g, min(s) FROM {source} WHERE part = 2 AND g IN (1, 4) GROUP BY g")
    pair.check(f"SELECT count(*) FROM {source} WHERE g = 99")
    pair.check(f"SELECT typeof(g), typeof(part), g, part FROM {source} WHERE i = 12345")


@pytest.mark.timeout(60)
def test_filename(pair, data):
    source = f"read_parquet('{data}/many/*.parquet', filename = true)"
    pair.check(f"SELECT filename, count(*), min(i) FROM {source} GROUP BY filename")
    pair.check(f"SELECT count(*), max(i) FROM {source} WHERE filename LIKE '%f2%'")
    pair.check(f"SELECT DISTINCT filename FROM '{data}/many/*.parquet' WHERE i % 997 = 0")


@pytest.mark.timeout(60)
def test_file_row_number(pair, data):
    """It counts from the begin of the file, whoever reads the row group."""
    source = f"read_parquet('{data}/groups.parquet', file_row_number = true)"
    pair.check(f"SELECT count(*), sum(file_row_number), max(file_row_number) FROM {source}")
    pair.check(f"SELECT count(*) FROM {source} WHERE file_row_number <> i")
    pair.check(f"SELECT i FROM {source} WHERE file_row_number BETWEEN 100000 AND 100010")
    many = f"read_parquet('{data}/many/*.parquet', file_row_number = true, filename = true)"
    pair.check(f"SELECT filename, sum(file_row_number), max(file_row_number) FROM {many} GROUP BY ALL")


@pytest.mark.timeout(60)
def test_empty_file(pair, data):
    ask_all(pair, f"'{data}/empty.parquet'")
    ask_all(pair, f"read_parquet(['{data}/empty.parquet', '{data}/groups.parquet', '{data}/empty.parquet'])")


@pytest.mark.timeout(60)
def test_files_of_different_columns(pair, data):
    source = f"read_parquet(['{data}/older.parquet', '{data}/newer.parquet'], union_by_name = true)"
    ask_all(pair, source)
    pair.check(f"SELECT count(extra), count(*), sum(extra), any_value(typeof(extra)) FROM {source}")
    # By position: the first file's columns, the second's cast to them
    pair.check(f"SELECT count(*), sum(i) FROM read_parquet(['{data}/older.parquet', '{data}/newer.parquet'])")


@pytest.mark.timeout(60)
def test_rows_in_the_order_of_the_files(pair, data):
    pair.check(f"SELECT i FROM '{data}/many/*.parquet' WHERE i % 501 = 0", ordered=True)
    pair.check(f"SELECT i, s FROM '{data}/groups.parquet' LIMIT 5 OFFSET 150000", ordered=True)
    pair.check(f"SELECT i FROM '{data}/groups.parquet' WHERE g = 3 LIMIT 10", ordered=True)


@pytest.mark.timeout(60)
def test_view_over_files(pair, data):
    pair.execute("CREATE OR REPLACE VIEW v AS SELECT i * 2 AS i, s || '!' AS s "
                 f"FROM '{data}/groups.parquet' WHERE g < 5")
    ask_all(pair, "v")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", FED)
def test_feed(pair, data, name: str):
    source = FED[name].format(data=data)
    ask_all(pair, source)
    sql = f"SELECT count(*), sum(i) FROM {source}"
    row = pair.check(sql)
    assert row["partition_strategy"] == "FEED", row
    assert sum(task["rows"] for task in scan_tasks(pair.ours, sql)) == pair.plain.execute(sql).fetchone()[0]


@pytest.mark.timeout(60)
def test_rows_from_constants(pair, data):
    """Nothing to read: by themselves they stay in the session, beside a scan each task makes them for itself."""
    for sql in ("SELECT count(*) FROM range(1)", "SELECT count(*) FROM range(0)", "SELECT * FROM range(0)",
                "SELECT sum(range) FROM range(100000)", "SELECT max(n) FROM generate_series(1, 5000) r(n)"):
        pair.check(sql, mode="LOCAL")
    table = f"'{data}/groups.parquet'"
    for sql in (f"SELECT count(*), sum(r.n) FROM {table} a JOIN generate_series(1, 500) r(n) ON a.i = r.n",
                f"SELECT range, count(*) FROM {table}, range(3) WHERE i % 1000 = 7 GROUP BY range",
                f"SELECT v, count(*) FROM {table} JOIN (VALUES (1), (2), (NULL)) t(v) ON i % 5 = v GROUP BY v",
                f"SELECT count(*) FROM {table}, range(0)"):
        pair.check(sql)


@pytest.mark.timeout(60)
def test_attached_database_file(pair, data):
    pair.ours.execute(f"ATTACH '{data}/other.duckdb' AS other (READ_ONLY)")
    pair.plain.execute("ATTACH ':memory:' AS other")
    pair.plain.execute(f"CREATE TABLE other.t AS FROM '{data}/groups.parquet'")
    try:
        ask_all(pair, "other.t")
    finally:
        pair.execute("DETACH other")


@pytest.mark.timeout(60)
def test_files_that_differ_in_every_task(pair, data):
    """Joins and unions of several sources in one query."""
    left, right = f"'{data}/many/*.parquet'", f"'{data}/t.csv'"
    pair.check(f"SELECT count(*), sum(a.i) FROM {left} a JOIN {right} b ON a.i = b.i WHERE b.g = 4")
    pair.check(f"SELECT g, count(*) FROM (FROM {left} UNION ALL FROM {right}) GROUP BY g")
    pair.check(f"SELECT count(*) FROM {left} WHERE i IN (SELECT i FROM '{data}/t.json' WHERE g = 2)")
