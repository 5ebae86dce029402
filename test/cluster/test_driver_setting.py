"""duckherder_driver, duckherder_token_file and $DUCKHERDER_DRIVER: a driver for clients that can only set something."""

import secrets
import subprocess
from pathlib import Path

import duckdb
import pytest

from support import paths
from support.cluster import Cluster
from support.session import bare_session, scalar

WORKERS = "SELECT duckherder_get_worker_count()"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Its token is another one than that of this process."""
    directory = tmp_path_factory.mktemp("other_cluster")
    token = directory / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32) + "\n")
    with Cluster(directory, workers=2, with_driver=True, environment={"DUCKHERDER_TOKEN_FILE": str(token)}) as found:
        yield found


def address(cluster: Cluster) -> str:
    assert cluster.driver
    return f"{cluster.driver.host}:{cluster.driver.port}"


def token_file(cluster: Cluster) -> Path:
    return cluster.directory / "token"


def test_set_and_reset(cluster):
    with bare_session() as con:
        with pytest.raises(duckdb.Error, match="token"):
            con.execute(f"SET duckherder_driver = '{address(cluster)}'")
        con.execute(f"SET duckherder_token_file = {paths.quoted(token_file(cluster))}")
        con.execute(f"SET duckherder_driver = '{address(cluster)}'")
        assert scalar(con, WORKERS) == 2
        assert scalar(con.cursor(), "SELECT current_setting('duckherder_driver')") == address(cluster)
        con.execute("SET duckherder_require_distributed = true")
        con.execute("CREATE TABLE t AS FROM range(100000) r(i)")
        assert scalar(con, "SELECT sum(i) FROM t") == 4999950000
        con.execute("RESET GLOBAL duckherder_driver")
        assert scalar(con, WORKERS) == 0


def test_the_function_sets_it(cluster):
    with bare_session() as con:
        con.execute(f"SET duckherder_token_file = {paths.quoted(token_file(cluster))}")
        con.execute(f"SELECT duckherder_register_or_replace_driver('grpc://{address(cluster)}')")
        assert scalar(con, "SELECT current_setting('duckherder_driver')") == f"grpc://{address(cluster)}"
        with pytest.raises(duckdb.IOException, match="cannot reach driver"):
            con.execute("SET duckherder_driver = '127.0.0.1:1'")
        assert scalar(con, WORKERS) == 2
        con.execute("SET duckherder_driver = ''")
        assert scalar(con, WORKERS) == 0


FROM_ENVIRONMENT = """
import duckdb, sys
con = duckdb.connect(config={"allow_unsigned_extensions": "true"})
con.execute(f"LOAD '{sys.argv[1]}'")
con.execute("SET duckherder_require_distributed = true")
con.execute("CREATE TABLE t AS FROM range(100000) r(i)")
print(con.execute("SELECT sum(i) FROM t").fetchone()[0])
"""


def run_with_driver(driver: str, token: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([paths.PYTHON, "-c", FROM_ENVIRONMENT, str(paths.EXTENSION)], capture_output=True, text=True,
                          timeout=60, env={"DUCKHERDER_DRIVER": driver, "DUCKHERDER_TOKEN_FILE": str(token)})


def test_the_environment_names_it(cluster):
    done = run_with_driver(address(cluster), token_file(cluster))
    assert done.stdout == "4999950000\n", done.stderr


def test_a_driver_of_the_environment_that_is_not_there_fails_the_query(cluster):
    done = run_with_driver("127.0.0.1:1", token_file(cluster))
    assert "cannot reach driver at grpc://127.0.0.1:1" in done.stderr


def test_roles_may_not_change_them(tmp_path):
    tokens = tmp_path / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text("admin secret-of-an-admin\n")
    with Cluster(tmp_path, workers=0, with_driver=True, driver_options=["--client-tokens", str(tokens)]) as cluster, \
            bare_session() as con:
        con.execute(f"ATTACH '{address(cluster)}' AS dh (TYPE duckherder, TOKEN 'secret-of-an-admin')")
        for setting in ("duckherder_driver", "duckherder_token_file"):
            with pytest.raises(duckdb.Error, match="cannot|needs|locked|[Pp]ermission"):
                con.execute("CALL duckherder_execute('dh', ?)", [f"SET GLOBAL {setting} = '/x'"])
