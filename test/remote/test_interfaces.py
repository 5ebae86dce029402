"""Ways to a database beside SQL text: Python's relations and executemany, and the appender of DuckDB's C API."""

import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from support import paths
from support.session import bare_session, plain_session, scalar
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)


def both_sides(client):
    plain = plain_session()
    for con in (client, plain):
        con.execute("CREATE TABLE t (i INTEGER, s VARCHAR)")
    return client, plain


def test_executemany(client):
    for con in both_sides(client):
        con.executemany("INSERT INTO t VALUES (?, ?)", [[number, f"row {number}"] for number in range(20)])
        con.executemany("UPDATE t SET s = $s WHERE i = $i", [{"i": 3, "s": "x"}, {"i": 4, "s": None}])
        assert con.execute("SELECT i, s FROM t WHERE i BETWEEN 2 AND 4 ORDER BY i").fetchall() == \
            [(2, "row 2"), (3, "x"), (4, None)]
        with pytest.raises(duckdb.ConversionException):
            con.executemany("INSERT INTO t VALUES (?, ?)", [[100, "x"], ["y", "y"]])
        assert scalar(con, "SELECT count(*) FROM t WHERE i < 100") == 20


def test_relations(client):
    for con in both_sides(client):
        con.values([1, "one"]).insert_into("t")
        con.table("t").insert((2, "two"))
        con.table("t").insert([3, None])
        assert con.table("t").filter("i > 1").project("i * 2 AS d, s").order("d").fetchall() == [(4, "two"), (6, None)]
        assert con.table("t").aggregate("count(*), max(i)").fetchall() == [(3, 3)]
        con.table("t").filter("i < 3").create("u")
        con.from_query("SELECT i, s || '!' AS s FROM t").create("w")
        con.table("u").create_view("v")
        assert con.view("v").order("i").fetchall() == [(1, "one"), (2, "two")]
        assert con.table("t").union(con.table("u")).count("*").fetchall() == [(5,)]
        assert con.table("t").join(con.table("w"), "i").order("i").limit(1).fetchall() == [(1, "one", "one!")]
        con.table("t").update({"s": duckdb.ConstantExpression("new")}, condition=duckdb.ColumnExpression("i") == 1)
        assert con.table("t").filter("s = 'new'").fetchall() == [(1, "new")]
        assert con.sql("FROM t").set_alias("a").query("a", "SELECT sum(i) FROM a").fetchall() == [(6,)]
        assert con.table("t").columns == ["i", "s"]


def test_fetching_in_pieces(client):
    client.execute("CREATE TABLE big AS SELECT range AS i FROM range(100000)")
    client.execute("FROM big ORDER BY i")
    assert client.fetchmany(3) == [(0,), (1,), (2,)]
    assert client.fetchone() == (3,)
    # the rest is not read: the next statement ends it
    assert scalar(client, "SELECT count(*) FROM big") == 100000
    first, second = client.cursor(), client.cursor()
    first.execute("FROM dh.big ORDER BY i")
    second.execute("FROM dh.big ORDER BY i DESC")
    assert (first.fetchone(), second.fetchone(), first.fetchone()) == ((0,), (99999,), (1,))


def test_appender_and_prepared_statements_of_c(client, served):
    client.execute("CREATE TABLE t (i INTEGER, s VARCHAR)")
    address = f"{served.driver.host}:{served.driver.port}"
    script = Path(__file__).parent / "c_client.py"
    done = subprocess.run([sys.executable, str(script), str(paths.BUILD / "lib" / "libduckdb.so"),
                           str(paths.EXTENSION), address], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["5000", "2500", "12497500", "10", "10"]
    assert scalar(client, "SELECT count(*) FROM t") == 10


def test_functions_of_the_client(client):
    """A function that the driver does not have is called here, over rows from there."""
    plain = bare_session()
    # one that tells of the client's own workers, of which there are none
    here = "duckherder_get_worker_count()"
    for con in (client, plain):
        con.execute("CREATE TABLE t AS SELECT range AS i, 'row ' || range AS s FROM range(3000)")
        con.execute(f"CREATE TEMP MACRO twice(x) AS x * 2 + {here}")
        con.execute(f"CREATE TEMP MACRO shout(x) AS upper(x) || '!' || {here}")
    for sql in ("SELECT sum(twice(i)) FROM t", "SELECT i FROM t WHERE twice(i) = 20",
                "SELECT shout(s) FROM t WHERE i = 7",
                "SELECT twice(i) % 3 AS k, count(*) FROM t GROUP BY k ORDER BY k",
                "SELECT count(*) FROM t a JOIN t b ON twice(a.i) = b.i",
                "SELECT a.i FROM t a LEFT JOIN t b ON twice(a.i) = b.i AND shout(b.s) LIKE 'ROW 1%' "
                "ORDER BY b.i, a.i LIMIT 9",
                "SELECT count(*) FROM (SELECT i FROM t WHERE shout(s) LIKE '%9!0' UNION ALL SELECT twice(i) FROM t)",
                "INSERT INTO t SELECT twice(i) + 10000, shout(s) FROM t WHERE i < 5",
                "DELETE FROM t WHERE twice(i) = 12", "UPDATE t SET s = shout(s) WHERE i = 8",
                "CREATE TABLE u AS SELECT shout(s) AS s FROM t WHERE twice(i) < 20", "FROM u ORDER BY s",
                "SELECT i, s FROM t WHERE i > 9999 OR i BETWEEN 5 AND 9 ORDER BY i"):
        assert client.execute(sql).fetchall() == plain.execute(sql).fetchall(), sql


def test_interrupted_changes(client):
    """What runs at the driver ends when its client gives up, and does not keep its session until it is done."""
    client.execute("CREATE TABLE t AS SELECT range AS i FROM range(200000)")
    errors: list[duckdb.Error] = []

    def run() -> None:
        try:
            client.execute("INSERT INTO t SELECT a.i FROM t a, t b WHERE a.i + b.i = -1")
        except duckdb.Error as error:
            errors.append(error)

    running = threading.Thread(target=run, daemon=True)
    running.start()

    def ended() -> bool:
        client.interrupt()
        return not running.is_alive()

    # less than a session waits for the end of its statement
    wait_until(ended, 9, lambda: "the statement goes on")
    assert len(errors) == 1 and isinstance(errors[0], duckdb.InterruptException), errors
    assert scalar(client, "SELECT count(*) FROM t") == 200000
