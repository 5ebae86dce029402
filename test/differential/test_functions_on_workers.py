"""Each function that the table says is the same on a worker, called on workers that live in another world."""

import itertools

import pytest

from support.compare import as_text, assert_same, fetch
from support.pair import Pair, last_query
from support.session import Connection, cluster_session, distribute_everything, plain_session
from test_function_traits import reviewed

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]

#: How many calls are asked for at once; the calls of a query that fails are asked for one by one
CALLS_PER_QUERY = 12
#: A value of each type of argument, from the row's number `i`
VALUES = {
    "BIGINT": "(i % 11 - 3)::BIGINT", "INTEGER": "(i % 7)::INTEGER", "SMALLINT": "(i % 5)::SMALLINT",
    "TINYINT": "(i % 4)::TINYINT", "UBIGINT": "(i % 9)::UBIGINT", "UINTEGER": "(i % 6)::UINTEGER",
    "USMALLINT": "(i % 8)::USMALLINT", "UTINYINT": "(i % 3)::UTINYINT", "HUGEINT": "(i % 13 - 2)::HUGEINT",
    "UHUGEINT": "(i % 12)::UHUGEINT", "DOUBLE": "(i % 10) / 8", "FLOAT": "((i % 9) / 4)::FLOAT",
    "DECIMAL": "(i % 99)::DECIMAL(9, 2) / 10", "BIGNUM": "i::BIGNUM", "BOOLEAN": "i % 2 = 0",
    "VARCHAR": "CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN 'Ab' WHEN 2 THEN '12' WHEN 3 THEN 'äÖ é' "
               "WHEN 4 THEN '2024-02-29' ELSE '' END",
    "BLOB": "('Ab' || i)::BLOB", "JSON": "('{\"a\": [' || i || ', null, \"x\"], \"b\": {\"c\": true}}')::JSON",
    "DATE": "DATE '2024-02-27' + (i % 9)::INTEGER", "TIME": "TIME '03:04:05.678' + INTERVAL (i % 50) MINUTE",
    "TIME_NS": "('03:04:05.6' || i % 9)::TIME_NS",
    "TIME WITH TIME ZONE": "'03:04:05+05:45'::TIMETZ",
    "TIMESTAMP": "TIMESTAMP '2024-03-30 23:45:01.25' + INTERVAL (i) HOUR",
    "TIMESTAMP_NS": "(TIMESTAMP '2024-03-30 23:45:01.25' + INTERVAL (i) HOUR)::TIMESTAMP_NS",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ '2024-03-30 23:45:01.25+00' + INTERVAL (i) HOUR",
    "INTERVAL": "INTERVAL (i % 40) DAY + INTERVAL (i % 3) MONTH", "UUID": "md5(i::VARCHAR)::UUID",
    "BIT": "(i % 50 + 1)::INTEGER::BIT", "ANY": "(i % 5)::BIGINT", "T": "(i % 5)::BIGINT", "K": "(i % 3)::BIGINT",
    "V": "'v' || i % 4", "ANY[]": "[i % 4, NULL, i % 3 + 9]::BIGINT[]",
    "T[]": "[i % 4, NULL, i % 3 + 9]::BIGINT[]",
    "T[][]": "[[i % 4], [i % 3, NULL]]::BIGINT[][]", "BIGINT[]": "[i % 4, i % 3]::BIGINT[]",
    "VARCHAR[]": "['b', 'A' || i % 3, NULL]", "DOUBLE[]": "[0.5, i % 3 / 4]::DOUBLE[]",
    "FLOAT[]": "[0.5, i % 3 / 4]::FLOAT[]", "BOOLEAN[]": "[true, i % 2 = 0]",
    "FLOAT[ANY]": "[0.5, i % 3, 1]::FLOAT[3]",
    "DOUBLE[ANY]": "[0.5, i % 3, 1]::DOUBLE[3]", "FLOAT[3]": "[0.5, i % 3, 1]::FLOAT[3]",
    "DOUBLE[3]": "[0.5, i % 3, 1]::DOUBLE[3]", "MAP(K, V)": "MAP {i % 3: 'v' || i % 4}",
    "STRUCT": "{'a': i % 3, 'b': 'x' || i % 2}", "K[]": "[i % 3, 7 + i]", "V[]": "['v', 'w' || i % 2]",
    "STRUCT(K, V)[]": "[{'k': i % 3, 'v': 'w'}]", "VARIANT": "(i % 5)::VARIANT",
    "UNION": "(CASE WHEN i % 2 = 0 THEN union_value(n := i) END)", "GEOMETRY": "'POINT(1 2)'::GEOMETRY",
}
#: Of functions whose arguments depend on each other
OTHER_CALLS = (
    "list_aggregate([i, 3], 'sum')", "list_aggr([i, NULL, 1], 'string_agg', '-')", "array_aggregate([i], 'median')",
    "list_sort([i, NULL, 2])", "list_sort([i, NULL, 2], 'DESC', 'NULLS FIRST')", "list_reverse_sort([i, NULL])",
    "list_zip([i], ['a'])", "create_sort_key(i, 'DESC NULLS LAST')", "enum_range(NULL::ENUM('a', 'b'))",
    "enum_code('b'::ENUM('a', 'b'))", "from_base64(to_base64('x'::BLOB))", "from_hex('4142')", "unbin('0101')",
    "from_json('{\"a\": 1}', '{\"a\": \"INTEGER\"}')", "json_transform('[1]', '[\"BIGINT\"]')", "to_json({'a': i})",
    "hamming('ab', 'ac')", "jaccard('ab', 'ac')", "make_time(3, 4, 5.5)", "make_timestamptz(2024, 3, 4, 5, 6, 7.5)",
    "make_timestamptz(2024, 3, 4, 5, 6, 7.5, 'Asia/Tokyo')", "map_concat(MAP {1::BIGINT: 2}, MAP {i: 3})",
    "row_to_json({'a': 1})",
    "strptime('2024-02-29', '%Y-%m-%d')", "strptime('2024-02-29 +05', '%Y-%m-%d %z')", "struct_pack(a := i)",
    "struct_insert({'a': 1}, b := i)", "struct_extract({'a': i}, 'a')", "struct_keys({'a': i})",
    "to_base(i + 9, 7)",
    "time_bucket(INTERVAL 1 MONTH, TIMESTAMPTZ '2024-03-30 23:45:01+00')", "to_timestamp(i * 1e9)",
    "time_bucket(INTERVAL 7 DAY, DATE '2024-03-30')", "union_value(n := i)",
    "union_extract(union_value(n := i), 'n')",
    "parse_formatted_bytes('3 KiB')", "bitstring('101', 9)", "cardinality(MAP {i: 2})", "json_quote('a')",
    "strftime(TIMESTAMPTZ '2024-03-30 23:45:01+00', '%c %Z')", "TIMESTAMPTZ '2024-03-30 23:45:01+00'::DATE",
    "date_trunc('day', TIMESTAMPTZ '2024-03-30 20:45:01+00' + INTERVAL (i) HOUR)", "age(TIMESTAMP '2001-01-01', ts)",
    "list_transform([i, 2], lambda x: x / 4)", "(i / 2)", "(i // 2)", "upper('iI') COLLATE DE", "epoch_ms(ts)",
    "'a' < 'B'", "list_contains(['a', 'B'], 'b')", "hash(i, 'a')", "nullif(i, 3)",
    "CAST(ts AS TIMESTAMPTZ)::VARCHAR",
)
LAMBDAS = ("lambda x: x IS NULL", "lambda x, y: coalesce(x, 0) + coalesce(y, 1)")
#: What a parameter takes that is no arbitrary text
CONSTANTS = ("'month'", "'%Y-%m-%d %H'", "'Asia/Tokyo'", "'sum'", "'$.a'", "'a'", "'[0-9]+'", "1", "2")


def columns() -> dict[str, str]:
    return {kind: f"c{number}" for number, kind in enumerate(VALUES)}


def create_table(name: str) -> str:
    values = ", ".join(f"{VALUES[kind]} AS {column}" for kind, column in columns().items())
    return f"CREATE TABLE {name} AS SELECT {values}, i, {VALUES['TIMESTAMP']} AS ts FROM range(40) r(i)"


def arguments_of(parameters: list[str], varargs: str | None) -> list[list[str]]:
    """Lists of arguments to try: columns of the types, and constants in place of the first or the last one."""
    kinds = [*parameters, *([varargs] * 2 if varargs else [])]
    if any(kind != "LAMBDA" and kind not in VALUES for kind in kinds):
        return []
    if "LAMBDA" in kinds:
        return [[*(columns()[kind] for kind in kinds if kind != "LAMBDA"), body] for body in LAMBDAS]
    plain = [columns()[kind] for kind in kinds]
    result = [plain]
    for place in {0, len(kinds) - 1} if kinds else ():
        result += [[*plain[:place], constant, *plain[place + 1:]] for constant in CONSTANTS]
    return result


def calls_that_work(plain: Connection, kind: str) -> list[str]:
    """At least one call of each overload for which arguments can be made."""
    on_worker = {name for (of_kind, name), (reason, _) in reviewed().items()
                 if of_kind == kind and reason == "ON_WORKER"}
    rows = plain.execute("SELECT lower(function_name), parameter_types, varargs FROM duckdb_functions() WHERE "
                         "function_type = ? AND database_name = 'system' ORDER BY ALL", [kind]).fetchall()
    calls: list[str] = []
    for name, parameters, varargs in rows:
        if name not in on_worker or name in WITHOUT_CALL:
            continue
        for arguments in arguments_of(parameters, varargs):
            call = f'"{name}"({", ".join(arguments)})'
            try:
                plain.execute(f"SELECT {call} FROM samples").fetchall()
            except Exception:  # noqa: BLE001 these arguments are none for it
                continue
            calls.append(call)
            break
    return list(dict.fromkeys([*calls, *(OTHER_CALLS if kind == "scalar" else [])]))


#: error() ends the query. The others are windows only, or return what differs by the time.
WITHOUT_CALL = set("error cume_dist dense_rank fill first_value lag last_value lead nth_value ntile percent_rank rank "
                   "rank_dense row_number now current_date current_localtime current_localtimestamp get_current_time "
                   "get_current_timestamp today transaction_timestamp reservoir_quantile age".split())


@pytest.fixture(scope="module")
def pair(three_workers):
    """The session is in another context than plain DuckDB, too."""
    with plain_session() as plain, cluster_session(three_workers) as ours:
        distribute_everything(ours)
        plain.execute(create_table("samples"))
        for sql in ("ATTACH ':memory:' AS elsewhere", "CREATE SCHEMA elsewhere.s", create_table("elsewhere.samples"),
                    "USE elsewhere.s", "SET search_path = 'elsewhere.s,elsewhere.main'", "SET VARIABLE v = 1",
                    "SET threads = 3", "SET max_expression_depth = 200"):
            ours.execute(sql)
        yield Pair(plain, ours)


def ask(pair: Pair, calls: list[str], suffix: str) -> list[str]:
    """The calls of which both say the same, or a list of those that are another."""
    sql = "SELECT " + ", ".join(f"{call} AS r{number}" for number, call in enumerate(calls)) + f" FROM samples{suffix}"
    try:
        expected, actual = pair.results(as_text(sql) if not suffix else sql)
        assert_same(expected, actual, sql, False)
        return []
    except Exception as error:  # noqa: BLE001 it is told
        if len(calls) == 1:
            return [f"{calls[0]}: {str(error)[:300]}"]
        return [problem for call in calls for problem in ask(pair, [call], suffix)]


@pytest.mark.parametrize("kind", ("scalar", "aggregate"))
def test_functions_are_the_same_on_a_stranger(pair, kind: str):
    calls = calls_that_work(pair.plain, kind)
    assert len({call.split("(")[0] for call in calls}) > (450 if kind == "scalar" else 70)
    # a row is a group: DuckDB promises nothing of ties either
    suffix = " GROUP BY i" if kind == "aggregate" else ""
    problems = list(itertools.chain.from_iterable(
        ask(pair, calls[begin:begin + CALLS_PER_QUERY], suffix) for begin in range(0, len(calls), CALLS_PER_QUERY)))
    assert not problems, "\n".join(problems)
    sql = f"SELECT {calls[0]} AS r0 FROM samples{suffix}"
    pair.results(sql)
    assert last_query(pair.ours, sql)["execution_mode"] == "DISTRIBUTED"
