"""Every aggregate function that DuckDB lists: ungrouped, grouped, with FILTER, DISTINCT and ORDER BY inside.

How each of them ran is kept in docs/aggregates.md; DUCKHERDER_WRITE_DOCS=1 writes it again.
"""

import os
import re

import duckdb
import pytest

from support import paths
from support.aggregate_cases import (ARGUMENTS, CREATE_TABLE, ELEMENTS, EXACT, MEMBER, RANK_TOLERANCE, VARIANTS,
                                     WINDOW_ARGUMENTS, Case, cases, without_over)
from support.compare import assert_same, difference, fetch, same_value
from support.pair import Pair, last_query
from support.session import distribute_everything, local_session, plain_session
from support.versions import IS_NEXT_DUCKDB

WORKERS = 3
DOCUMENT = paths.ROOT / "docs" / "aggregates.md"
#: Filled by the tests: (function, arguments) -> variant -> how it ran
report: dict[tuple[str, str], dict[str, str]] = {}


@pytest.fixture(scope="module")
def pair():
    with plain_session(threads=1) as plain, local_session(WORKERS) as ours:
        distribute_everything(ours)
        both = Pair(plain, ours)
        both.execute(CREATE_TABLE)
        yield both


def test_every_listed_function_has_a_case():
    with plain_session() as con:
        listed = {row[0] for row in con.execute("SELECT DISTINCT function_name FROM duckdb_functions() "
                                                "WHERE function_type = 'aggregate'").fetchall()}
    if IS_NEXT_DUCKDB:
        # new ones, and window functions are no aggregates any more
        listed -= {"combine_aggr", "decimal_average", "lttb", "variant_group_object"}
        assert listed == {*ARGUMENTS}
    else:
        assert listed == {*ARGUMENTS, *WINDOW_ARGUMENTS}


def query_of(case: Case, variant: str) -> str:
    if case.window_only:
        return f"SELECT id, {case.call(variant)} AS result FROM t"
    if variant == "ungrouped":
        return f"SELECT NULL AS g, {case.call(variant)} AS result FROM t"
    return f"SELECT g, {case.call(variant)} AS result FROM t GROUP BY g"


def how_it_ran(row: dict) -> str:
    if row["execution_mode"] == "DISTRIBUTED":
        return row["merge_strategy"] or "GATHER"
    return f"{row['execution_mode']}: {row['local_reason']}"


def elements(value: object) -> list[str] | None:
    if value is None:
        return None
    return sorted(map(repr, value if isinstance(value, list) else re.split("[,;]", str(value))))


def group_values(pair: Pair, case: Case, variant: str) -> dict:
    """All values that went into each group, as plain DuckDB sees them."""
    argument = case.arguments.split(",")[0]
    condition = " FILTER (id % 3 = 0)" if variant == "FILTER" else ""
    by = "NULL AS g" if variant == "ungrouped" else "g"
    group = "" if variant == "ungrouped" else " GROUP BY g"
    return dict(pair.plain.execute(f"SELECT {by}, list({argument}){condition} FROM t{group}").fetchall())


def assert_member(case: Case, expected: dict, actual: dict, values: dict) -> None:
    for group, value in actual.items():
        assert type(value) is type(expected[group]), f"{value} instead of {expected[group]}"
        assert value is None or any(same_value(value, other) for other in values[group]), f"{value} in group {group}"


def assert_near_rank(expected: dict, actual: dict, values: dict) -> None:
    for group, value in actual.items():
        assert type(value) is type(expected[group]), f"{value} instead of {expected[group]}"
        known = [other for other in values[group] if other is not None]
        below = sum(other < value for other in known) / len(known)
        at_most = sum(other <= value for other in known) / len(known)
        assert below - RANK_TOLERANCE <= 0.5 <= at_most + RANK_TOLERANCE, f"{value} has rank {below} in {group}"


def compare(pair: Pair, case: Case, variant: str) -> dict:
    sql = query_of(case, variant)
    expected, actual = pair.results(sql)
    equality = case.equality_of(variant)
    if equality == EXACT:
        assert_same(expected, actual, sql)
        return last_query(pair.ours, sql)
    assert (actual.names, actual.types) == (expected.names, expected.types), sql
    left, right = dict(expected.rows), dict(actual.rows)
    assert len(actual.rows) == len(right) and left.keys() == right.keys(), f"groups {actual.rows}: {sql}"
    if not difference(expected, actual):
        pass
    elif equality == ELEMENTS:
        for group in left:
            assert elements(right[group]) == elements(left[group]), f"group {group}: {sql}"
    elif equality == MEMBER:
        assert_member(case, left, right, group_values(pair, case, variant))
    else:
        assert_near_rank(left, right, group_values(pair, case, variant))
    return last_query(pair.ours, sql)


def run_variant(pair: Pair, case: Case, variant: str) -> str:
    """How it ran. What DuckDB itself refuses has to be refused in the same words."""
    sql = query_of(case, variant)
    try:
        fetch(pair.plain, sql)
    except duckdb.Error:
        plain_error, our_error = pair.failure(sql)
        assert type(our_error) is type(plain_error), f"{our_error!r} instead of {plain_error!r}: {sql}"
        assert str(our_error).split("\n")[0] == str(plain_error).split("\n")[0], sql
        return "refused by DuckDB"
    return how_it_ran(compare(pair, case, variant))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", [case for case in cases() if not case.window_only],
                         ids=lambda case: f"{case.function}({case.arguments})")
def test_aggregate(pair, case: Case):
    results = report.setdefault((case.function, case.arguments), {})
    problems = []
    for variant in VARIANTS:
        try:
            results[variant] = run_variant(pair, case, variant)
        except (AssertionError, duckdb.Error) as error:
            problems.append(f"{variant}: {type(error).__name__}: {str(error)[:1500]}")
    assert not problems, "\n".join(problems)
    local = [variant for variant in VARIANTS if results[variant].startswith("LOCAL")]
    assert not local, f"no worker took part in {local}: {results[local[0]]}"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", [case for case in cases() if case.window_only], ids=lambda case: case.function)
def test_window_only_function(pair, case: Case):
    results = report.setdefault((case.function, case.arguments), {})
    results["OVER"] = run_variant(pair, case, "grouped")
    bare = run_variant(pair, without_over(case), "grouped")
    assert bare == "refused by DuckDB" or case.function in ("first_value", "last_value", "nth_value")


HEADER = f"""# Aggregates

Written by `test/differential/test_aggregates.py` from what it has run: each aggregate function that DuckDB 1.5.5 lists,
on a table of 6,000 rows with {WORKERS} embedded workers, each result equal to plain DuckDB's. (Where a function's
result depends on the order of rows and the query gives none: equal as a set, or one of the allowed values. For the
approximate quantiles: near the asked rank.)

A cell is the query's `merge_strategy`, and its execution mode was `DISTRIBUTED`; otherwise the mode and the reason.
`refused by DuckDB`: plain DuckDB gives an error, and so do we, the same.

| function | arguments | ungrouped | grouped | with FILTER | with DISTINCT | with ORDER BY |
|---|---|---|---|---|---|---|
"""
WINDOW_HEADER = """
Listed among the aggregates, but made for windows only; run with `OVER (PARTITION BY g ORDER BY id)`:

| function | arguments | how it ran |
|---|---|---|
"""


def document() -> str:
    text = HEADER
    for (function, arguments), results in sorted(report.items()):
        if "OVER" not in results:
            text += f"| {function} | {arguments} | " + " | ".join(results[variant] for variant in VARIANTS) + " |\n"
    text += WINDOW_HEADER
    for (function, arguments), results in sorted(report.items()):
        if "OVER" in results:
            text += f"| {function} | {arguments} | {results['OVER']} |\n"
    return text


@pytest.mark.skipif(IS_NEXT_DUCKDB, reason="the document is of DuckDB 1.5.5")
def test_document_is_current():
    complete = sum("OVER" in results or len(results) == len(VARIANTS) for results in report.values())
    if complete < len(cases()):
        pytest.skip(f"{complete} of {len(cases())} cases have run and passed")
    if os.environ.get("DUCKHERDER_WRITE_DOCS"):
        DOCUMENT.write_text(document())
    current = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    assert current == document(), "docs/aggregates.md is old: run this file with DUCKHERDER_WRITE_DOCS=1"
