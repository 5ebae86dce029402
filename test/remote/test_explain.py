"""EXPLAIN of what runs at an attached driver: the driver explains it, since it knows how it distributes the query."""

import json

import pytest

from remote.conftest import attach
from support.cluster import Cluster
from support.session import Connection, bare_session

pytestmark = pytest.mark.timeout(120)

TABLE = "CREATE TABLE numbers AS SELECT range AS i, range % 7 AS k FROM range(300000)"
QUERY = "SELECT k, count(*) AS n FROM numbers GROUP BY k ORDER BY n DESC"
ROW = "distributed_plan"


@pytest.fixture
def numbers(client: Connection) -> Connection:
    client.execute(TABLE)
    return client


def explain(con: Connection, sql: str) -> dict[str, str]:
    return dict(con.execute(sql).fetchall())


def test_stages_as_text(numbers: Connection) -> None:
    shown = explain(numbers, f"EXPLAIN {QUERY}")
    assert list(shown) == [ROW, "physical_plan"]
    assert "numbers" in shown[ROW] and "stage 0" in shown[ROW] and "DISTRIBUTED" in shown[ROW]
    names = [column[0] for column in numbers.execute(f"EXPLAIN {QUERY}").description]
    assert names == ["explain_key", "explain_value"]


def test_what_has_run(numbers: Connection) -> None:
    shown = explain(numbers, f"EXPLAIN ANALYZE {QUERY}")
    assert list(shown) == [ROW, "analyzed_plan"]
    assert "300,000" in shown[ROW].replace("300000", "300,000") and "busy" in shown[ROW]
    facts = json.loads(explain(numbers, f"EXPLAIN (ANALYZE, FORMAT json) {QUERY}")[ROW])
    assert facts["stages"][0]["run"]["tasks"] > 0


def test_other_formats_are_duckdbs_own(numbers: Connection) -> None:
    shown = explain(numbers, f"EXPLAIN (FORMAT graphviz) {QUERY}")
    assert list(shown) == ["physical_plan"] and "digraph" in shown["physical_plan"]


def test_changes_are_made_by_analyze_alone(numbers: Connection) -> None:
    def count() -> int:
        return numbers.execute("SELECT count(*) FROM numbers").fetchone()[0]

    insert = "INSERT INTO numbers SELECT i + 1000000, k FROM numbers"
    explain(numbers, f"EXPLAIN {insert}")
    assert count() == 300000
    explain(numbers, f"EXPLAIN ANALYZE {insert}")
    assert count() == 600000
    numbers.execute("BEGIN")
    explain(numbers, "EXPLAIN ANALYZE DELETE FROM numbers WHERE k = 1")
    assert count() < 600000
    numbers.execute("ROLLBACK")
    assert count() == 600000
    explain(numbers, "EXPLAIN ANALYZE CREATE TABLE copied AS FROM numbers")
    assert numbers.execute("SELECT count(*) FROM copied").fetchone() == (600000,)


def test_errors_are_those_of_the_query(numbers: Connection) -> None:
    with pytest.raises(Exception, match="Could not convert"):
        explain(numbers, "EXPLAIN ANALYZE SELECT sum(CAST('x' || i AS INTEGER)) FROM numbers")
    assert numbers.execute("SELECT count(*) FROM numbers").fetchone() == (300000,)


def test_prepared(numbers: Connection) -> None:
    shown = dict(numbers.execute("EXPLAIN ANALYZE SELECT count(*) FROM numbers WHERE k < ?", [3]).fetchall())
    assert ROW in shown
    # what EXECUTE runs was planned before, without the driver's explanation
    numbers.execute("PREPARE p AS SELECT count(*) FROM numbers WHERE k < $1")
    assert list(explain(numbers, "EXPLAIN ANALYZE EXECUTE p(3)")) == ["analyzed_plan"]


def test_more_output_is_made_here(numbers: Connection) -> None:
    """The driver does not know the client's setting."""
    numbers.execute("SET explain_output = 'all'")
    assert list(explain(numbers, f"EXPLAIN {QUERY}")) == ["logical_plan", "logical_opt", "physical_plan"]


def test_what_runs_at_both(served: Cluster) -> None:
    with bare_session() as con:
        attach(con, served)
        con.execute(TABLE.replace("numbers", "dh.numbers"))
        con.execute("CREATE TEMP TABLE small AS SELECT 3 AS k")
        shown = explain(con, "EXPLAIN SELECT count(*) FROM dh.numbers JOIN small USING (k)")
        assert list(shown) == ["physical_plan"] and "DUCKHERDER_REMOTE" in shown["physical_plan"]
        con.execute("DROP TABLE dh.numbers")
