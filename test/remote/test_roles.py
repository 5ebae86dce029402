"""What tokens with the roles read and write may do at a driver's database, and what only admin may."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from remote.conftest import attach
from remote.test_suites import TPCH_SCALE
from support import tpch
from support.cluster import Cluster, run_binary
from support.compare import assert_same, fetch
from support.flight_sql import adbc_session, arrow_result, plain_arrow_result
from support.session import Connection, bare_session, plain_session, scalar

pytestmark = pytest.mark.timeout(120)

TOKENS = {"read": "r" * 32, "write": "w" * 32, "admin": "a" * 32}


def at_driver(sql: str) -> str:
    quoted = sql.replace("'", "''")
    return f"FROM duckherder_query('dh', '{quoted}')"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("roles")
    tokens = directory / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text("".join(f"{role} {token}\n" for role, token in TOKENS.items()))
    data = directory / "data"
    data.mkdir()
    options = ["--client-tokens", str(tokens), "--allow-path", str(data)]
    with Cluster(directory, workers=1, with_driver=True, driver_options=options) as cluster:
        owner = bare_session()
        attach(owner, cluster)
        owner.execute("CREATE TABLE dh.t AS SELECT range AS i FROM range(100)")
        owner.execute(f"COPY dh.t TO '{data}/t.parquet'")
        owner.execute(f"CREATE VIEW dh.v AS FROM '{data}/t.parquet'")
        owner.close()
        yield cluster


@pytest.fixture
def as_role(cluster):
    sessions: list[Connection] = []

    def open_session(role: str) -> Connection:
        con = bare_session()
        attach(con, cluster, options=f", TOKEN '{TOKENS[role]}'")
        sessions.append(con)
        return con

    yield open_session
    for con in sessions:
        con.close()


def refused(con: Connection, sql: str, match: str) -> None:
    with pytest.raises(duckdb.Error, match=match) as seen:
        con.execute(sql).fetchall()
    assert isinstance(seen.value, (duckdb.PermissionException, duckdb.InvalidInputException,
                                   duckdb.TransactionException)), seen.value


def test_read(as_role):
    con = as_role("read")
    assert scalar(con, "SELECT count(*) FROM dh.t") == 100
    assert scalar(con, "SELECT count(*) FROM dh.v") == 100
    assert scalar(con, at_driver("SELECT sum(i) FROM t")) == 4950
    for sql in ("INSERT INTO dh.t VALUES (1)", "DELETE FROM dh.t", "CREATE TABLE dh.x (i INTEGER)", "DROP TABLE dh.t",
                "ALTER TABLE dh.t ADD COLUMN j INTEGER", "CREATE VIEW dh.w AS FROM dh.t"):
        refused(con, sql, "read")
    refused(con, at_driver("INSERT INTO t VALUES (1) RETURNING i"), "read")
    refused(con, at_driver("SELECT * FROM read_text('/etc/hostname')"), "needs the role 'admin'")
    assert scalar(con, "SELECT count(*) FROM dh.t") == 100


@pytest.mark.parametrize("role", ("read", "write"))
def test_the_driver_itself_is_for_admins(as_role, role: str, tmp_path: Path):
    con = as_role(role)
    for sql in (f"COPY t TO '{tmp_path}/x.parquet'", "SET GLOBAL threads = 1", "LOAD json", "ATTACH ':memory:' AS z",
                "SELECT duckherder_load_extension('json')",
                "CREATE SECRET (TYPE s3)", f"EXPORT DATABASE '{tmp_path}/e'"):
        refused(con, at_driver(sql), "needs the role 'admin'|One SQL statement|read.only")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("role", ("read", "write"))
def test_statements_of_others_are_for_admins(as_role, cluster, role: str):
    con = as_role(role)
    for name in ("duckherder_get_query_history", "duckherder_get_query_execution_stats", "duckherder_tasks"):
        refused(con, f"FROM {name}(database := 'dh')", "needs the role 'admin'")
        refused(con, at_driver(f"FROM {name}()"), "needs the role 'admin'")
    refused(con, at_driver("SELECT duckherder_clear_query_recorder_stats()"), "needs the role 'admin'")
    # as `duckherder status`, which each role may ask; but not about another driver, asked with a token of this one
    assert scalar(con, "SELECT count(*) FROM duckherder_workers(database := 'dh')") == 1
    attach_other = (f"CALL duckherder_execute('dh', 'ATTACH ''{cluster.driver.host}:{cluster.driver.port}'' AS other "
                    f"(TYPE duckherder, TOKEN ''{TOKENS['read']}'')')")
    asked = at_driver("FROM duckherder_workers(database := 'other')")
    with bare_session() as owner:
        attach(owner, cluster)
        owner.execute(attach_other)
        assert len(owner.execute(asked).fetchall()) == 1
        refused(con, asked, "needs the role 'admin'")
        refused(con, at_driver("FROM other.t"), "needs the role")
        refused(as_role("admin"), asked, "needs the role 'node'")
        owner.execute("CALL duckherder_execute('dh', 'DETACH other')")
    refused(as_role("admin"), attach_other, "needs the role 'node'")


def test_write(as_role):
    con = as_role("write")
    con.execute("CREATE TABLE dh.mine AS SELECT 1 AS i")
    con.execute("INSERT INTO dh.mine VALUES (2)")
    con.execute("UPDATE dh.mine SET i = i + 1")
    assert scalar(con, "SELECT sum(i) FROM dh.mine") == 5
    con.execute("DROP TABLE dh.mine")


def test_admin(as_role):
    con = as_role("admin")
    assert scalar(con, at_driver("SELECT count(*) FROM duckherder_workers()")) == 1
    assert scalar(con, "SELECT sum(i) FROM dh.t") == 4950
    assert scalar(con, "SELECT count(*) FROM duckherder_get_query_history(database := 'dh') WHERE sql = "
                       "'SELECT sum(i) FROM dh.t'") > 0


def test_views(as_role, cluster, tmp_path: Path):
    """Views are read for who asks, by what their text says, and nothing of the session comes in their place."""
    secret = "FROM duckherder_get_query_history()"
    with bare_session() as owner:
        attach(owner, cluster)
        for sql in (f"CREATE VIEW hidden AS SELECT sql {secret}", "CREATE VIEW through AS FROM hidden",
                    "CREATE VIEW shadowed AS SELECT i FROM t", f"CREATE MACRO listed() AS TABLE SELECT sql {secret}",
                    "CREATE VIEW by_macro AS FROM listed()"):
            owner.execute(f"CALL duckherder_execute('dh', $${sql}$$)")
        owner.execute("FROM dh.t").fetchall()
    for role in ("read", "write"):
        con = as_role(role)
        for name in ("hidden", "through", "by_macro"):
            refused(con, f"FROM dh.{name}", "needs the role 'admin'|cannot bind its view")
            refused(con, at_driver(f"FROM {name}"), "needs the role 'admin'")
            refused(con, at_driver(f"DESCRIBE {name}"), "needs the role 'admin'")
        refused(con, at_driver("FROM duckherder_view_scan('dh', 'temp', 'main', 't')"), "needs the role 'admin'")
        assert scalar(con, "SELECT count(*) FROM dh.shadowed") == 100
    # a temporary view of the name of another one, in the same session at the driver
    con = as_role("write")
    con.execute("BEGIN")
    refused(con, f"CALL duckherder_execute('dh', $$CREATE TEMP VIEW shadowed AS SELECT sql {secret}$$)",
            "needs the role 'admin'")
    con.execute("ROLLBACK")
    # a view that a table was taken away from names no file instead
    outside = tmp_path / "outside.csv"
    outside.write_text("secret")
    name = str(outside)
    con.execute(f'CREATE TABLE dh."{name}" (i INTEGER)')
    con.execute(f"CALL duckherder_execute('dh', 'CREATE VIEW late AS FROM \"{name}\"')")
    con.execute(f'DROP TABLE dh."{name}"')
    refused(con, at_driver("FROM late"), "permission|Permission|disabled|does not exist")


def test_secret_files_are_out_of_reach(cluster, tmp_path: Path):
    tokens = tmp_path / "inner" / "tokens"
    tokens.parent.mkdir()
    tokens.touch(mode=0o600)
    tokens.write_text(f"read {TOKENS['read']}\n")
    (tmp_path / "link").symlink_to(tmp_path / "inner")

    def start(*options: str):
        return run_binary(["driver", "--listen", "127.0.0.1:0", "--client-tokens", str(tokens), *options])
    for path in ("inner", ".", "link", "inner/tokens"):
        done = start("--allow-path", str(tmp_path / path))
        assert done.returncode == 1 and "is within what clients with roles may read" in done.stderr, (path, done)
    database = tmp_path / "data" / "x.duckdb"
    database.parent.mkdir()
    done = start("--allow-path", str(database.parent), "--database", str(database))
    assert done.returncode == 1 and "x.duckdb.history\" is within" in done.stderr, done
    done = run_binary(["driver", "--listen", "127.0.0.1:0", "--allow-path", str(tmp_path)])
    assert done.returncode == 2 and "needs --client-tokens" in done.stderr, done


def test_tpch_as_a_reader(tmp_path: Path):
    """What is allowed is enough for real queries, as plans and as texts."""
    directory = tpch.parquet_directory(TPCH_SCALE)
    tokens = tmp_path / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text(f"read {TOKENS['read']}\n")
    options = ["--client-tokens", str(tokens), "--allow-path", str(directory)]
    with (Cluster(tmp_path, workers=1, with_driver=True, driver_options=options) as cluster, bare_session() as owner,
          bare_session() as reader, plain_session() as plain):
        attach(owner, cluster)
        for table in tpch.TABLES:
            owner.execute(f"CREATE VIEW dh.{table} AS FROM '{directory / (table + '.parquet')}'")
        tpch.create_sources(plain, directory, "VIEW")
        attach(reader, cluster, options=f", TOKEN '{TOKENS['read']}'")
        reader.execute("USE dh")
        with adbc_session(cluster, TOKENS["read"]) as connection:
            for number, sql in tpch.queries().items():
                assert_same(fetch(plain, sql), fetch(reader, sql), f"TPC-H {number}", ordered=True)
                assert_same(plain_arrow_result(plain, sql), arrow_result(connection, sql), f"TPC-H {number} as text",
                            ordered=True)
