"""A statement at a driver sees the world of its client: settings, names, functions; the driver has other defaults."""

from collections.abc import Iterator

import pytest

from remote.conftest import attach
from support.cluster import Cluster
from support.compare import assert_same, fetch
from support.session import Connection, bare_session, plain_session
from support.stranger import defaults_sql

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def strange_driver(tmp_path_factory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("strange_driver")
    init = directory / "driver.sql"
    # errors are shown as whoever asks has it set
    init.write_text(defaults_sql(0) + "SET GLOBAL errors_as_json = false;\n")
    with Cluster(directory, workers=1, with_driver=True, driver_options=["--init", str(init)]) as cluster:
        yield cluster


@pytest.fixture
def both(strange_driver, tmp_path) -> Iterator[tuple[Connection, Connection]]:
    """A plain DuckDB with an attached file, and a client of the driver, both under the name dh."""
    with plain_session() as plain, bare_session() as client:
        plain.execute(f"ATTACH '{tmp_path}/plain.db' AS dh")
        attach(client, strange_driver)
        yield plain, client
        client.execute("USE memory")
        client.execute("DROP SCHEMA IF EXISTS dh.s CASCADE")
        client.execute("DROP TABLE IF EXISTS dh.t")


def ask(both: tuple[Connection, Connection], sql: str) -> None:
    plain, client = both
    assert_same(fetch(plain, sql), fetch(client, sql), sql)


def run(both: tuple[Connection, Connection], *statements: str) -> None:
    for con in both:
        for sql in statements:
            con.execute(sql)


@pytest.mark.parametrize("setting", ("SET threads = 2", "SET TimeZone = 'Asia/Tokyo'", "SET integer_division = true",
                                     "SET GLOBAL default_null_order = 'nulls_first'",
                                     "SET default_collation = 'nocase'",
                                     "SET ieee_floating_point_ops = false", "SET GLOBAL default_order = 'desc'"))
def test_settings(both, setting: str):
    run(both, setting, "CREATE TABLE dh.t AS SELECT i, i::DOUBLE AS x, 'Text ' || i % 5 AS s, "
                       "DATE '2024-01-01' + (i % 300)::INTEGER AS d FROM range(5000) r(i)")
    for sql in ("SELECT max(d::TIMESTAMPTZ)::VARCHAR, min(epoch(d::TIMESTAMPTZ)), max(year(d::TIMESTAMPTZ)) FROM dh.t",
                "SELECT sum(i / 7), count(x / (x - x)), list_sort([NULL, max(i), min(i)]) FROM dh.t",
                "SELECT count(*) FROM dh.t WHERE s = 'TEXT 3'", "SELECT DISTINCT s FROM dh.t ORDER BY s",
                "SELECT nullif(i, 3) AS n FROM dh.t ORDER BY n LIMIT 3"):
        ask(both, sql)


def test_names_and_variables(both):
    run(both, "CREATE SCHEMA dh.s", "CREATE TABLE dh.s.ev AS SELECT i, 's' AS n FROM range(100) r(i)",
        "SET VARIABLE v = 7")
    for use in ("memory", "dh", "dh.s"):
        run(both, f"USE {use}")
        for sql in ("SELECT current_database(), current_schema(), count(*) FROM dh.s.ev",
                    "SELECT sum(i + getvariable('v')) FROM dh.s.ev",
                    "SELECT count(*) FROM dh.s.ev WHERE in_search_path('dh', n)",
                    "SELECT sum(len(list_filter(['main', n], lambda x: in_search_path('dh', x)))) FROM dh.s.ev"):
            ask(both, sql)


def test_macros_over_tables_of_other_schemas(both):
    run(both, "CREATE SCHEMA dh.s", "CREATE TABLE dh.s.ev AS SELECT i FROM range(100) r(i)", "USE dh.s",
        "CREATE MACRO s.m1() AS TABLE FROM ev", "CREATE MACRO s.m2() AS TABLE FROM s.ev",
        "CREATE MACRO s.m3(n) AS (SELECT sum(i) FROM ev WHERE i < n)",
        "CREATE MACRO dh.s.m4(n) AS TABLE SELECT sum(i) FROM ev JOIN s.ev AS other USING (i) WHERE i < n")
    for use in ("dh.s", "dh"):
        run(both, f"USE {use}")
        for sql in ("FROM s.m2()", "SELECT sum(i) FROM dh.s.m2()"):
            ask(both, sql)
    run(both, "USE dh.s")
    for sql in ("FROM m1()", "SELECT m3(10)", "FROM s.m4(20)", "SELECT sum(i) FROM s.m1() WHERE i > m3(3)"):
        ask(both, sql)
