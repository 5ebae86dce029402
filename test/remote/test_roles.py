"""What tokens with the roles read and write may do at a driver's database, and what only admin may."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from remote.conftest import attach
from support.cluster import Cluster
from support.session import Connection, bare_session, scalar

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
    with Cluster(directory, workers=1, with_driver=True, driver_options=["--client-tokens", str(tokens)]) as cluster:
        owner = bare_session()
        attach(owner, cluster)
        owner.execute("CREATE TABLE dh.t AS SELECT range AS i FROM range(100)")
        owner.execute(f"COPY dh.t TO '{directory}/t.parquet'")
        owner.execute(f"CREATE VIEW dh.v AS FROM '{directory}/t.parquet'")
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
    admin = as_role("admin")
    admin.execute(f"CALL duckherder_execute('dh', 'ATTACH ''{cluster.driver.host}:{cluster.driver.port}'' AS other "
                  f"(TYPE duckherder, TOKEN ''{TOKENS['read']}'')')")
    asked = at_driver("FROM duckherder_workers(database := 'other')")
    assert len(admin.execute(asked).fetchall()) == 1
    refused(con, asked, "needs the role 'admin'")
    admin.execute("CALL duckherder_execute('dh', 'DETACH other')")


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
