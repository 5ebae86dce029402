"""Queries over tables of this session and of a driver: whichever side has fewer bytes travels."""

from collections.abc import Iterator

import duckdb
import pytest

from remote.conftest import attach, last_run
from support.compare import assert_same, fetch
from support.session import Connection, bare_session

pytestmark = pytest.mark.timeout(120)

BIG, SMALL = 300_000, 50
REMOTE = f"CREATE TABLE {{}}big AS SELECT range AS i, range % 1000 AS k, 'x' || range AS s FROM range({BIG})"
LOCAL = ("CREATE TEMP TABLE small AS SELECT range AS k, 'name ' || range AS name FROM range({small})",
         "CREATE TEMP TABLE huge AS SELECT range AS i, range % 1000 AS k, 'here ' || range AS name FROM range({big})")

#: Where the work is small at the driver: its result is less than what would have to come here
SHIPPED = ("SELECT count(*) FROM dh.big SEMI JOIN small USING (k)",
           "SELECT count(*) FROM dh.big ANTI JOIN small USING (k)",
           "SELECT sum(i) FROM dh.big WHERE k IN (SELECT k FROM small WHERE name LIKE '%7')",
           "SELECT k, max(s) FROM dh.big JOIN small USING (k) WHERE i % 3 = 0 GROUP BY k ORDER BY k LIMIT 5",
           "SELECT count(*), max(b.s) FROM dh.big AS a JOIN dh.big AS b ON a.i = b.i + 1 JOIN small ON small.k = b.k",
           "SELECT name, sum(i) FROM small LEFT JOIN dh.big USING (k) GROUP BY name ORDER BY sum(i) LIMIT 10")
#: The rows here are more than those there
FETCHED = ("SELECT count(*), max(name) FROM huge JOIN dh.big USING (i) WHERE big.i < 10",
           "SELECT count(*) FROM huge JOIN dh.big USING (i)",
           "SELECT i, name FROM huge JOIN dh.big USING (i) WHERE big.i BETWEEN 5 AND 9 ORDER BY i")


@pytest.fixture(scope="module")
def pair(served) -> Iterator[tuple[Connection, Connection]]:
    client, plain = bare_session(), duckdb.connect()
    attach(client, served)
    plain.execute("ATTACH ':memory:' AS dh")
    for con in (client, plain):
        con.execute(REMOTE.format("dh."))
        for sql in LOCAL:
            con.execute(sql.format(small=SMALL, big=BIG))
    yield client, plain
    client.execute("DROP TABLE dh.big")
    client.close()
    plain.close()


def plan(con: Connection, sql: str) -> str:
    return con.execute(f"EXPLAIN {sql}").fetchall()[0][1]


@pytest.mark.parametrize("sql", SHIPPED)
def test_few_rows_go_to_the_driver(pair, sql):
    client, plain = pair
    assert_same(fetch(plain, sql), fetch(client, sql), sql, ordered="ORDER BY" in sql)
    above = plan(client, sql).partition("DUCKHERDER_REMOTE")[0]
    assert "JOIN" not in above and "AGGREGATE" not in above, plan(client, sql)
    assert last_run(client, sql)[0] in ("DISTRIBUTED", "PARTIAL")


@pytest.mark.parametrize("sql", FETCHED)
def test_many_rows_stay_here(pair, sql):
    client, plain = pair
    assert_same(fetch(plain, sql), fetch(client, sql), sql, ordered="ORDER BY" in sql)
    assert "JOIN" in plan(client, sql).partition("DUCKHERDER_REMOTE")[0], plan(client, sql)


def test_prepared_and_in_transactions(pair):
    client, plain = pair
    for con in (client, plain):
        con.execute("PREPARE p AS SELECT name, count(*) FROM dh.big JOIN small USING (k) WHERE i < $1 GROUP BY name "
                    "ORDER BY name")
    for limit in (10, 50_000):
        for con in (client, plain):
            con.execute("BEGIN")
            con.execute(f"INSERT INTO small VALUES ({limit}, 'more')")
        sql = f"EXECUTE p({limit})"
        assert_same(fetch(plain, sql), fetch(client, sql), sql, ordered=True)
        for con in (client, plain):
            con.execute("ROLLBACK")


def test_two_drivers(pair, served, tmp_path):
    """Rows of one driver that another one needs pass through here."""
    client, plain = pair
    attach(client, served, "other")
    plain.execute("ATTACH ':memory:' AS other")
    plain.execute("CREATE TABLE other.big AS FROM dh.big")
    try:
        sql = ("SELECT name, count(*) FROM dh.big AS a JOIN other.big AS b ON a.i = b.i AND b.i < 1000 JOIN small ON "
               "small.k = a.k GROUP BY name ORDER BY name")
        assert_same(fetch(plain, sql), fetch(client, sql), sql, ordered=True)
    finally:
        client.execute("DETACH other")
        plain.execute("DETACH other")
