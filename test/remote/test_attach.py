"""ATTACH of a driver: what a client sees, makes, changes and reads there, against the same in a plain DuckDB."""

import duckdb
import pytest

from remote.conftest import attach
from support.compare import as_text, assert_same, fetch
from support.session import bare_session, plain_session, scalar

pytestmark = pytest.mark.timeout(120)

#: A column of every type, and two rows of values
TYPES = {
    "BOOLEAN": ("true", "false"), "TINYINT": ("-128", "127"), "SMALLINT": ("-32768", "32767"),
    "INTEGER": ("-2147483648", "2147483647"), "BIGINT": ("-9223372036854775808", "9223372036854775807"),
    "HUGEINT": ("-170141183460469231731687303715884105728", "170141183460469231731687303715884105727"),
    "UTINYINT": ("0", "255"), "USMALLINT": ("0", "65535"), "UINTEGER": ("0", "4294967295"),
    "UBIGINT": ("0", "18446744073709551615"), "UHUGEINT": ("0", "340282366920938463463374607431768211455"),
    "FLOAT": ("'nan'", "1.5"), "DOUBLE": ("'-inf'", "1e300"), "DECIMAL(4,1)": ("-999.9", "999.9"),
    "DECIMAL(38,10)": ("-1.0000000001", "9999999999999999999999999999.9999999999"),
    "VARCHAR": ("'ä quite long text beyond twelve bytes'", "''"), "BLOB": ("'\\x00\\xFF'", "''"),
    "BIT": ("'0101'", "'1'"), "DATE": ("'0044-03-15 (BC)'", "'9999-12-31'"),
    "TIME": ("'00:00:00'", "'23:59:59.999999'"),
    "TIMETZ": ("'12:00:00+05:30'", "'00:00:00-15:59'"), "TIMESTAMP": ("'1969-12-31 23:59:59.999999'", "'infinity'"),
    "TIMESTAMP_S": ("'2000-01-01'", "'1900-01-01'"), "TIMESTAMP_MS": ("'2000-01-01 00:00:00.123'", "'1900-01-01'"),
    "TIMESTAMP_NS": ("'2000-01-01 00:00:00.123456789'", "'1900-01-01'"),
    "TIMESTAMPTZ": ("'2000-01-01 12:00:00+02'", "'1900-01-01 00:00:00+00'"),
    "INTERVAL": ("'1 year 2 months 3 days 04:05:06.789'", "'-1 day'"),
    "UUID": ("'00112233-4455-6677-8899-aabbccddeeff'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
    "ENUM('a', 'b', 'ö')": ("'ö'", "'a'"), "INTEGER[]": ("[1, NULL, 3]", "[]"),
    "INTEGER[3]": ("[1, 2, 3]", "[4, NULL, 6]"), "VARCHAR[][]": ("[['x', NULL], []]", "[NULL]"),
    "STRUCT(a INTEGER, b VARCHAR[])": ("{a: 1, b: ['x']}", "{a: NULL, b: NULL}"),
    "MAP(VARCHAR, INTEGER)": ("MAP {'k': 1, 'l': NULL}", "MAP {}"),
    "UNION(num INTEGER, txt VARCHAR)": ("union_value(txt := 'x')", "union_value(num := 1)"),
    "VARIANT": ("'x'::VARIANT", "{a: [1, 2]}::VARIANT"),
    "BIGNUM": ("'123456789012345678901234567890123456789012345'", "'-1'"),
    "TIME_NS": ("'00:00:00.000000001'", "'23:59:59'"), "JSON": ("'{\"a\": 1}'", "'[]'"),
}


def same(client, plain, sql: str, ordered: bool = False) -> None:
    assert_same(fetch(plain, sql), fetch(client, sql), sql, ordered)


def both(client, plain, sql: str) -> None:
    """Runs a statement in both, which have to agree on its result, or on its error."""
    try:
        expected = fetch(plain, sql)
    except duckdb.Error as error:
        with pytest.raises(type(error)) as seen:
            client.execute(sql)
        assert str(seen.value).split("\n")[0].split("!")[0] == str(error).split("\n")[0].split("!")[0], sql
        return
    assert_same(expected, fetch(client, sql), sql)


@pytest.mark.parametrize("number", range(len(TYPES)), ids=list(TYPES))
def test_every_type(client, number: int):
    plain = bare_session()
    kind, (first, second) = list(TYPES.items())[number]
    for con in (client, plain):
        con.execute(f"CREATE TABLE t (id INTEGER, v {kind})")
        con.execute(f"INSERT INTO t VALUES (1, {first}), (2, {second}), (3, NULL)")
        con.execute(f"CREATE TABLE copy AS SELECT id + 10 AS id, v FROM t")
        con.execute("UPDATE copy SET v = (SELECT v FROM t WHERE t.id = 2) WHERE id = 11")
        con.execute("ALTER TABLE copy ADD COLUMN more VARCHAR DEFAULT 'x'")
    for sql in ("FROM t", "FROM copy", "SELECT t.v FROM t JOIN copy ON t.id + 10 = copy.id WHERE copy.id > 11"):
        same(client, plain, as_text(sql))
    same(client, plain, "DESCRIBE t")
    # rows that are not at the driver travel there too
    client.execute("CREATE TEMP TABLE here AS FROM t")
    client.execute("INSERT INTO t SELECT id + 20, v FROM here")
    plain.execute("INSERT INTO t SELECT id + 20, v FROM t")
    same(client, plain, as_text("FROM t ORDER BY id"), ordered=True)


def test_what_a_client_sees(client):
    plain = plain_session()
    for con in (client, plain):
        con.execute("CREATE TABLE t (i INTEGER PRIMARY KEY, s VARCHAR NOT NULL DEFAULT 'x', g INTEGER AS (i * 2), "
                    "CHECK (i < 1000))")
        con.execute("COMMENT ON TABLE t IS 'a table'")
        con.execute("COMMENT ON COLUMN t.s IS 'a column'")
        con.execute("CREATE VIEW v AS SELECT s, count(*) AS n FROM t GROUP BY s")
        con.execute("CREATE INDEX by_s ON t (s)")
        con.execute("CREATE SEQUENCE q START 5")
        con.execute("CREATE TYPE mood AS ENUM ('sad', 'happy')")
        con.execute("CREATE MACRO plus(a, b) AS a + b")
        con.execute("CREATE MACRO few(n) AS TABLE SELECT i FROM t WHERE i < n")
        con.execute("CREATE SCHEMA other")
        con.execute("CREATE TABLE other.t2 (m MOOD)")
        con.execute("INSERT INTO t (i) VALUES (1), (2)")
        con.execute("INSERT INTO other.t2 VALUES ('happy')")
    where = "WHERE NOT internal AND database_name = current_database()"
    for sql in ("SELECT schema_name, table_name, comment, has_primary_key, estimated_size, column_count, index_count, "
                f"check_constraint_count FROM duckdb_tables() {where}",
                "SELECT table_name, column_name, data_type, is_nullable, column_default, comment FROM duckdb_columns() "
                f"{where}",
                f"SELECT view_name, column_count FROM duckdb_views() {where}",
                "SELECT sequence_name, start_value, increment_by FROM duckdb_sequences() WHERE database_name = "
                "current_database()",
                "SELECT type_name, labels FROM duckdb_types() WHERE type_name = 'mood'",
                "SELECT index_name, table_name, is_unique FROM duckdb_indexes() WHERE database_name = "
                "current_database()",
                f"SELECT function_name, function_type FROM duckdb_functions() {where}",
                "SELECT table_schema, table_name, table_type FROM information_schema.tables WHERE table_catalog = "
                "current_database()", "SHOW TABLES", "DESCRIBE t", "DESCRIBE v", "FROM v", "FROM few(2)",
                "SELECT plus(i, g) FROM t", "FROM other.t2", "SELECT nextval('q'), nextval('q')",
                "SELECT name, schema FROM (SHOW ALL TABLES) WHERE database = current_database()"):
        same(client, plain, sql)


def test_statements_that_change(client):
    plain = plain_session()
    for sql in ("CREATE TABLE t (i INTEGER PRIMARY KEY, s VARCHAR)",
                "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, NULL)",
                "INSERT INTO t VALUES (1, 'again')", "INSERT INTO t VALUES (1, 'new') ON CONFLICT DO NOTHING",
                "INSERT INTO t VALUES (1, 'new') ON CONFLICT (i) DO UPDATE SET s = excluded.s || '!' WHERE t.i = 1",
                "INSERT OR REPLACE INTO t VALUES (2, 'replaced'), (4, 'd')", "FROM t ORDER BY i",
                "INSERT INTO t BY NAME SELECT 'n' AS s, 5 AS i RETURNING i * 2, s",
                "UPDATE t SET s = s || 'x' WHERE i < 3",
                "UPDATE t SET i = i + 100 WHERE i = 5 RETURNING *", "DELETE FROM t WHERE s IS NULL RETURNING i",
                "DELETE FROM t WHERE i = 77", "FROM t ORDER BY i",
                "MERGE INTO t USING (VALUES (1, 'merged'), (50, 'fifty')) v(i, s) ON t.i = v.i "
                "WHEN MATCHED THEN UPDATE SET s = v.s WHEN NOT MATCHED THEN INSERT VALUES (v.i, v.s)",
                "FROM t ORDER BY i",
                "INSERT INTO t SELECT i + 1000, s FROM t", "FROM t ORDER BY i", "ALTER TABLE t RENAME s TO text",
                "ALTER TABLE t ADD COLUMN d DATE DEFAULT DATE '2000-01-01'", "ALTER TABLE t ALTER i TYPE BIGINT",
                "FROM t ORDER BY i", "ALTER TABLE t DROP COLUMN d", "ALTER TABLE t RENAME TO u", "FROM u ORDER BY i",
                "FROM t", "CREATE TABLE u (i INTEGER)", "CREATE TABLE IF NOT EXISTS u (i INTEGER)",
                "CREATE OR REPLACE TABLE u AS SELECT range AS i FROM range(10)", "SELECT sum(i) FROM u",
                "UPDATE u SET i = 1 / 0", "INSERT INTO u VALUES ('x')", "TRUNCATE u", "SELECT count(*) FROM u",
                "DROP TABLE u", "DROP TABLE u", "DROP TABLE IF EXISTS u"):
        both(client, plain, sql)


def test_transactions(client, served):
    other = bare_session()
    attach(other, served)
    client.execute("CREATE TABLE t (i INTEGER PRIMARY KEY)")
    assert scalar(other, "SELECT count(*) FROM dh.t") == 0
    client.execute("BEGIN")
    client.execute("INSERT INTO t VALUES (1)")
    client.execute("CREATE TABLE t2 AS SELECT 42 AS x")
    assert scalar(client, "SELECT x FROM t2") == 42
    assert scalar(other, "SELECT count(*) FROM dh.t") == 0
    with pytest.raises(duckdb.CatalogException):
        other.execute("FROM dh.t2")
    client.execute("ROLLBACK")
    with pytest.raises(duckdb.CatalogException):
        client.execute("FROM t2")
    client.execute("BEGIN")
    client.execute("INSERT INTO t VALUES (2)")
    other.execute("BEGIN")
    assert scalar(other, "SELECT count(*) FROM dh.t") == 0
    client.execute("COMMIT")
    assert scalar(other, "SELECT count(*) FROM dh.t") == 0, "a snapshot does not change"
    other.execute("COMMIT")
    assert scalar(other, "SELECT count(*) FROM dh.t") == 1
    # the one that comes second is told so
    client.execute("BEGIN")
    client.execute("UPDATE t SET i = 3")
    other.execute("BEGIN")
    with pytest.raises(duckdb.TransactionException, match="[Cc]onflict"):
        other.execute("UPDATE dh.t SET i = 4")
        other.execute("COMMIT")
    client.execute("COMMIT")
    assert client.execute("FROM t").fetchall() == [(3,)]
    other.close()


def test_local_and_remote_tables(client):
    plain = plain_session()
    for con in (client, plain):
        con.execute("CREATE TABLE big AS SELECT range AS i, range % 10 AS k FROM range(20000)")
        con.execute("CREATE TEMP TABLE small AS SELECT range AS k, 'name ' || range AS name FROM range(5)")
    for sql in ("SELECT name, count(*), sum(i) FROM big JOIN small USING (k) GROUP BY ALL",
                "SELECT count(*) FROM big WHERE k NOT IN (SELECT k FROM small)",
                "SELECT (SELECT max(i) FROM big WHERE big.k = small.k) FROM small",
                "WITH x AS MATERIALIZED (SELECT k, sum(i) AS s FROM big GROUP BY k) "
                "SELECT * FROM x JOIN small USING (k) JOIN x AS y USING (k)",
                "FROM big UNION ALL FROM big EXCEPT SELECT k, k FROM small"):
        same(client, plain, sql)
    for sql in ("INSERT INTO big SELECT 100000 + k, length(name) FROM small",
                "DELETE FROM big USING small WHERE big.k = small.k AND small.k > 2",
                "UPDATE big SET k = length(name) FROM small WHERE big.k = small.k AND i < 1000",
                "MERGE INTO big USING small ON big.i = small.k WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT "
                "VALUES (k, k)", "SELECT count(*), sum(i), sum(k) FROM big",
                "INSERT INTO big SELECT big.i, small.k FROM big JOIN small ON big.i = small.k",
                "SELECT count(*), sum(i), sum(k) FROM big", "CREATE TEMP TABLE back AS SELECT * FROM big WHERE i < 50",
                "SELECT count(*), sum(i) FROM back"):
        both(client, plain, sql)


def test_queries_run_on_the_workers(client):
    client.execute("CREATE TABLE t AS SELECT range AS i, range % 7 AS k FROM range(200000)")
    assert client.execute("SELECT k, count(*) FROM t GROUP BY k ORDER BY k LIMIT 2").fetchall() == \
        [(0, 28572), (1, 28572)]
    mode = ("SELECT execution_mode FROM duckherder_get_query_execution_stats() "
            "WHERE sql LIKE 'SELECT k, count(*) FROM t%'")
    quoted = mode.replace("'", "''")
    assert scalar(client, f"FROM duckherder_query('dh', '{quoted}')") == "DISTRIBUTED"


def test_two_drivers_in_one_query(client, served, tmp_path):
    from support.cluster import Cluster
    with Cluster(tmp_path, workers=1, with_driver=True) as second:
        attach(client, second, "second")
        client.execute("CREATE TABLE t AS SELECT range AS i FROM range(1000)")
        client.execute("CREATE TABLE second.t AS SELECT range * 2 AS i FROM range(1000)")
        assert scalar(client, "SELECT count(*) FROM dh.t a JOIN second.t b USING (i)") == 500
        client.execute("INSERT INTO second.t SELECT i FROM dh.t WHERE i % 2 = 1")
        assert scalar(client, "SELECT count(DISTINCT i) FROM second.t") == 1500
        client.execute("DETACH second")


def test_prepared_statements(client):
    client.execute("CREATE TABLE t AS SELECT range AS i FROM range(100)")
    client.execute("PREPARE p AS SELECT count(*) FROM t WHERE i < $1")
    assert scalar(client, "EXECUTE p(10)") == 10
    assert scalar(client, "EXECUTE p(20)") == 20
    client.execute("PREPARE q AS INSERT INTO t VALUES ($1), ($1 + 1)")
    client.execute("EXECUTE q(1000)")
    assert scalar(client, "EXECUTE p(2000)") == 102
    assert client.execute("SELECT sum(i) FROM t WHERE i > ?", [900]).fetchall() == [(2001,)]
    client.execute("ALTER TABLE t ADD COLUMN j INTEGER")
    assert scalar(client, "EXECUTE p(10)") == 10


def test_bad_attachments(served, tmp_path):
    con = bare_session()
    address = f"{served.driver.host}:{served.driver.port}"
    for target, options, error, message in (
            ("127.0.0.1:1", "", duckdb.IOException, "cannot reach driver at grpc://127.0.0.1:1"),
            (address, ", TOKEN 'wrong'", duckdb.PermissionException, "refused the token"),
            (address, ", DATABASE 'none'", duckdb.CatalogException, 'no database "none"'),
            (address, ", COLOR 'red'", duckdb.BinderException, "Unrecognized option"),
            (address, ", SECRET nothing", duckdb.Error, "nothing"),
            (address, ", TLS true", duckdb.IOException, "cannot reach")):
        with pytest.raises(error, match=message):
            con.execute(f"ATTACH '{target}' AS dh (TYPE duckherder{options})")
    worker = served.workers["worker-0"]
    with pytest.raises(duckdb.IOException, match="only a driver has one"):
        con.execute(f"ATTACH '{worker.host}:{worker.port}' AS dh (TYPE duckherder)")
    con.execute(f"ATTACH '{address}' AS dh (TYPE duckherder, READ_ONLY)")
    with pytest.raises(duckdb.InvalidInputException, match="read-only"):
        con.execute("CREATE TABLE dh.t (i INTEGER)")
    con.close()


def test_other_forms_of_attach(served, token_file):
    con = bare_session()
    host, port = served.driver.host, served.driver.port
    con.execute(f"ATTACH DATABASE 'one' (TYPE duckherder, server_host '{host}', server_port {port})")
    con.execute(f"ATTACH DATABASE ':memory:' AS two (TYPE duckherder, server_host '{host}', server_port {port})")
    token = token_file.read_text().strip()
    con.execute(f"CREATE SECRET (TYPE duckherder, TOKEN '{token}', SCOPE '{host}:{port}')")
    con.execute(f"ATTACH '{host}:{port}' AS three (TYPE duckherder)")
    con.execute("CREATE TABLE one.seen AS SELECT 1 AS i")
    assert scalar(con, "SELECT i FROM two.seen") == scalar(con, "SELECT i FROM three.seen") == 1
    assert token not in str(con.execute("FROM duckdb_secrets()").fetchall())
    con.execute("DROP TABLE two.seen")
    con.close()


def test_registered_tables(client, served):
    """A driver's table under a name of the session's own."""
    client.execute("CREATE TABLE t AS SELECT range AS i FROM range(5000)")
    client.execute("CREATE SCHEMA s")
    client.execute('CREATE TABLE s."two words" AS SELECT 7 AS j')
    assert client.execute("PRAGMA duckherder_register_remote_table('t', 't')").fetchall() == []
    client.execute("USE memory")
    client.execute("PRAGMA duckherder_register_remote_table('t', 't')")
    client.execute("PRAGMA duckherder_register_remote_table('Other Name', 's.\"two words\"')")
    assert scalar(client, "SELECT sum(i) FROM t") == 12497500
    assert scalar(client, 'SELECT j FROM "Other Name"') == 7
    for name in ("t", "Other Name", "never registered"):
        client.execute(f"PRAGMA duckherder_unregister_remote_table('{name}')")
    with pytest.raises(duckdb.CatalogException):
        client.execute("FROM t")
    assert scalar(client, "SELECT count(*) FROM dh.t") == 5000
    with pytest.raises(duckdb.BinderException, match="name of a table is needed"):
        client.execute("PRAGMA duckherder_register_remote_table('', 't')")
    attach(client, served, "second")
    with pytest.raises(duckdb.BinderException, match="Several Duckherder drivers are attached"):
        client.execute("PRAGMA duckherder_register_remote_table('t', 't')")
    client.execute("DETACH second")
    con = bare_session()
    with pytest.raises(duckdb.BinderException, match="No Duckherder driver is attached"):
        con.execute("PRAGMA duckherder_register_remote_table('t', 't')")
    con.close()


@pytest.mark.parametrize("remote_name", ["later", "main.later", '"later"', "s2.later"])
def test_registered_before_it_exists(client, remote_name):
    """As the older extension: registered; whoever uses the table before it exists is told so then."""
    client.execute("USE memory")
    client.execute(f"PRAGMA duckherder_register_remote_table('early', '{remote_name}')")
    with pytest.raises(duckdb.CatalogException, match="later"):
        client.execute("FROM early")
    assert ("early",) in client.execute("SHOW TABLES").fetchall()
    if remote_name.startswith("s2."):
        client.execute("CREATE SCHEMA dh.s2")
    table = f"dh.{remote_name}"
    client.execute(f"CREATE TABLE {table} AS SELECT range AS i FROM range(3000)")
    assert scalar(client, "SELECT sum(i) FROM early") == 4498500
    client.execute(f"DROP TABLE {table}")
    with pytest.raises(duckdb.CatalogException, match="later"):
        client.execute("FROM early")
    client.execute("PRAGMA duckherder_unregister_remote_table('early')")
    assert client.execute("SHOW TABLES").fetchall() == []
    if remote_name.startswith("s2."):
        client.execute("DROP SCHEMA dh.s2")
