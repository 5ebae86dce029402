"""Every DuckDB type through SELECT *, GROUP BY and DISTINCT, and results of unusual shape."""

import pytest

from support.compare import as_text, describe
from support.pair import Pair, last_query
from support.session import Connection, cluster_session, distribute_everything, local_session, plain_session
from support.versions import IS_NEXT_DUCKDB

ROWS = 100_000
#: The Parquet reader cannot make a table of a union without names
NOT_IN_PARQUET = ("union",)
MEGABYTE = 1_000_000
FETCH_ROWS = 2048

with plain_session() as _con:
    COLUMNS = [row[0] for row in _con.execute("DESCRIBE FROM test_all_types()").fetchall()]


@pytest.fixture(scope="module")
def plain():
    with plain_session() as con:
        # i: so that rows which changed places are seen
        con.execute(f"CREATE TABLE every_type AS SELECT i, types.* FROM range({ROWS // 3 + 1}) r(i), "
                    f"test_all_types() types LIMIT {ROWS}")
        yield con


@pytest.fixture(scope="module")
def types_parquet(plain, tmp_path_factory):
    path = tmp_path_factory.mktemp("types") / "types.parquet"
    left_out = ", ".join(f'"{name}"' for name in (*NOT_IN_PARQUET, *(["empty_struct"] if IS_NEXT_DUCKDB else [])))
    plain.execute(f"COPY (SELECT * EXCLUDE ({left_out}) FROM every_type) TO '{path}' (ROW_GROUP_SIZE 20480)")
    return path


def _fill(con: Connection) -> None:
    distribute_everything(con)
    con.execute(f"CREATE TABLE every_type AS SELECT i, types.* FROM range({ROWS // 3 + 1}) r(i), "
                f"test_all_types() types LIMIT {ROWS}")


@pytest.fixture(scope="module")
def local_pair(plain):
    with local_session(3) as con:
        _fill(con)
        yield Pair(plain, con)


@pytest.fixture(scope="module")
def process_pair(plain, three_workers):
    with cluster_session(three_workers) as con:
        _fill(con)
        yield Pair(plain, con)


@pytest.fixture(params=("local", "processes"))
def pair(request) -> Pair:
    return request.getfixturevalue("local_pair" if request.param == "local" else "process_pair")


def assert_same_stream(pair: Pair, sql: str, rows: int) -> None:
    """Both results in the order in which they come, without keeping them. Types first, then the values as text."""
    ours, plain = describe(pair.ours, sql), describe(pair.plain, sql)
    assert (ours.names, ours.types) == (plain.names, plain.types)
    assert last_query(pair.ours, sql)["execution_mode"] == "DISTRIBUTED"
    pair.execute(as_text(sql))
    seen = 0
    while expected := pair.plain.fetchmany(FETCH_ROWS):
        actual = pair.ours.fetchmany(FETCH_ROWS)
        if expected != actual:
            row = next(number for number, both in enumerate(zip(expected, actual)) if both[0] != both[1])
            column = next((number for number, both in enumerate(zip(expected[row], actual[row]))
                           if both[0] != both[1]), 0)
            raise AssertionError(f"row {seen + row}, column {ours.names[column]} {ours.types[column]}: "
                                 f"{actual[row][column]} instead of {expected[row][column]}")
        seen += len(expected)
    assert not pair.ours.fetchmany(1)
    assert seen == rows


@pytest.mark.timeout(180)
def test_select_everything(pair):
    assert_same_stream(pair, "SELECT * FROM every_type", ROWS)


@pytest.mark.timeout(180)
def test_select_everything_from_parquet(process_pair, types_parquet):
    assert_same_stream(process_pair, f"SELECT * FROM '{types_parquet}'", ROWS)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("column", COLUMNS)
def test_group_by(process_pair, column: str):
    process_pair.check_exact(f'SELECT "{column}", count(*), min(i), max(i) FROM every_type GROUP BY "{column}"')


@pytest.mark.timeout(60)
@pytest.mark.parametrize("column", COLUMNS)
def test_distinct(pair, column: str):
    pair.check_exact(f'SELECT DISTINCT "{column}" FROM every_type')


@pytest.mark.timeout(60)
@pytest.mark.parametrize("column", COLUMNS)
def test_minimum_and_first(process_pair, column: str):
    """Values of the type as states of aggregates."""
    process_pair.check_exact(f'SELECT min("{column}"), max("{column}"), count("{column}"), '
                             f'arg_min("{column}", i), list("{column}" ORDER BY i) FILTER (i < 3) FROM every_type')


@pytest.mark.timeout(60)
def test_distinct_rows(pair):
    pair.check_exact("SELECT DISTINCT * EXCLUDE (i) FROM every_type")


@pytest.mark.timeout(60)
def test_group_by_everything(pair):
    pair.check_exact("SELECT * EXCLUDE (i), count(*) AS n FROM every_type GROUP BY ALL")


@pytest.mark.timeout(60)
def test_all_rows_null(pair):
    pair.execute("CREATE OR REPLACE TABLE all_null AS SELECT types.* FROM range(10000), "
                 "(SELECT * FROM test_all_types() WHERE bool IS NULL) types")
    assert_same_stream(pair, "SELECT * FROM all_null", 10000)
    pair.check_exact("SELECT DISTINCT * FROM all_null")
    pair.check_exact("SELECT *, count(*) FROM all_null GROUP BY ALL")
    pair.check("SELECT count(*), count(int), sum(int), min(varchar), avg(dec_9_4), max(date) FROM all_null")


@pytest.mark.timeout(60)
def test_no_rows(pair):
    assert_same_stream(pair, "SELECT * FROM every_type WHERE sin(i) > 2", 0)
    pair.execute("CREATE OR REPLACE TABLE no_rows AS FROM every_type WHERE false")
    for sql in ("SELECT * FROM no_rows", "SELECT DISTINCT * FROM no_rows",
                "SELECT int, count(*) FROM no_rows GROUP BY 1",
                "SELECT count(*), sum(int), list(i) FROM no_rows", "SELECT i FROM no_rows ORDER BY i LIMIT 5"):
        pair.check(sql)


@pytest.mark.timeout(60)
def test_one_row(pair):
    pair.execute("CREATE OR REPLACE TABLE one_row AS FROM every_type LIMIT 1")
    assert_same_stream(pair, "SELECT * FROM one_row", 1)
    pair.check_exact("SELECT DISTINCT * FROM one_row")
    pair.check("SELECT count(*), sum(int), max(varchar) FROM one_row")


@pytest.mark.timeout(120)
def test_one_row_of_100_megabytes(pair):
    """A hundred columns of a megabyte: more than one message of gRPC holds by default."""
    columns = ", ".join(f"repeat(chr({97 + number % 26}), {MEGABYTE}) AS c{number}" for number in range(100))
    pair.execute(f"CREATE OR REPLACE TABLE wide AS SELECT 1 AS i, {columns}")
    pair.check("SELECT * FROM wide")
    pair.execute("DROP TABLE wide")


@pytest.mark.timeout(120)
def test_string_of_10_megabytes(pair):
    pair.execute(f"CREATE OR REPLACE TABLE long_strings AS SELECT i, repeat(chr(97 + i::INT), {10 * MEGABYTE}) AS s "
                 "FROM range(4) r(i)")
    pair.check("SELECT * FROM long_strings", ordered=True)
    pair.check("SELECT s, count(*) FROM long_strings GROUP BY s")
    pair.check("SELECT max(s) FROM long_strings")
    pair.execute("DROP TABLE long_strings")


@pytest.mark.timeout(120)
def test_nested_value_of_20_megabytes(pair):
    pair.execute("CREATE OR REPLACE TABLE long_list AS SELECT range(2500000) AS l, {'a': [[1, NULL], []]} AS s")
    pair.check("SELECT l[2500000], len(l), s FROM long_list")
    pair.check_exact("SELECT * FROM long_list")
    pair.execute("DROP TABLE long_list")


def _edge_values() -> dict[str, str]:
    return {
        "floats": "SELECT unnest([0.0::DOUBLE, -0.0, 'nan', '-nan', 'inf', '-inf', NULL, 5e-324, 1.7976931348623e308])",
        "strings": "SELECT unnest(['', NULL, 'a', 'exactly 12ch', 'more than twelve', '🦆', 'nul' || chr(0) || 'byte'])",
        "blobs": r"SELECT unnest(['\x00'::BLOB, ''::BLOB, NULL, '\xFF\xFE'::BLOB])",
        "lists": "SELECT unnest([[], NULL, [NULL], [1, 2], [2, 1]])",
        "structs": "SELECT unnest([{'a': NULL, 'b': []}, NULL, {'a': 1, 'b': ['x']}, {'a': 1, 'b': [NULL]}])",
        "maps": "SELECT unnest([MAP {}, NULL, MAP {'k': NULL}, MAP {'k': [1, NULL]}])",
        "decimals": "SELECT unnest(['99999999999999999999999999999999999.999'::DECIMAL(38, 3), NULL, -0.001])",
        "intervals": "SELECT unnest([INTERVAL 1 MONTH, INTERVAL 30 DAYS, INTERVAL '720:00:00', NULL])",
        "timestamps": "SELECT unnest(['infinity'::TIMESTAMP, '-infinity', 'epoch', NULL, '290309-12-22 (BC) 00:00'])",
        "enums": "SELECT unnest(['b', 'a', NULL]::ENUM('b', 'a')[])",
    }


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", _edge_values())
def test_edge_values(process_pair, name: str):
    process_pair.execute("CREATE OR REPLACE TABLE edges AS SELECT v, r.i FROM "
                         f"(SELECT * FROM ({_edge_values()[name]})) t(v), range(500) r(i)")
    process_pair.check_exact("SELECT v, i FROM edges")
    # A month and 30 days are equal, as are 0 and -0: which of them names the group is left to chance, in DuckDB too
    check = process_pair.check if name in ("intervals", "floats") else process_pair.check_exact
    check("SELECT v, count(*), sum(i) FROM edges GROUP BY v")
    check("SELECT DISTINCT v FROM edges")
    process_pair.check_exact("SELECT v, i FROM edges ORDER BY v DESC NULLS FIRST, i, v::VARCHAR LIMIT 700")
    process_pair.check_exact("SELECT count(*), count(a.v) FROM edges a "
                             "JOIN (SELECT DISTINCT v FROM edges) b ON a.v = b.v")
