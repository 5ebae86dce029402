"""docs/clients.md: each section's code does what it says, as it stands there. Only the address of the driver and the
path of the extension are this test's, and workers are used for a small table as well, which would not pay."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from support import paths, tpch
from support.clients_page import PAGE, blocks, here
from support.cluster import BY_ROWS, Cluster
from support.jdbc import DUCKDB_JAR, JAR, missing_tools
from support.session import bare_session, plain_session
from support.waiting import PATIENCE
from support.wheel import BASE_PYTHON, wheel

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(paths.BUILD.name != "release", reason="the wheel is made from the release build alone")]

CLIENTS_PYTHON = paths.DEPS / "venv-clients" / "bin" / "python"
NODE_MODULES = paths.DEPS / "node" / "node_modules"
PROGRAM_SECONDS = 120 * PATIENCE
ALWAYS = "SET GLOBAL duckherder_min_rows = 1"


class World:
    """A driver with tables and two workers, and a directory to run in, with the files that the page speaks of."""

    def __init__(self, directory: Path, cluster: Cluster):
        assert cluster.driver
        self.directory = directory
        self.cluster = cluster
        self.address = f"{cluster.driver.host}:{cluster.driver.port}"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(directory),
                            "PYTHONPATH": str(directory / "packages")}

    def here(self, code: str) -> str:
        return here(code, self.address)

    def run(self, command: list[str], code: str | None = None, variables: dict[str, str] | None = None) -> str:
        done = subprocess.run(command, input=code, cwd=self.directory, capture_output=True, text=True,
                              timeout=PROGRAM_SECONDS, env={**self.environment, **(variables or {})})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def borrowed_queries(self) -> list[str]:
        """What sessions have run on the driver's workers."""
        with bare_session() as con:
            con.execute(f"ATTACH '{self.address}' AS dh (TYPE duckherder)")
            rows = con.execute("FROM duckherder_query('dh', 'SELECT sql FROM duckherder_queries() WHERE "
                               "execution_mode = ''DISTRIBUTED'' AND session IS NOT NULL')").fetchall()
            return [row[0] for row in rows]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, token_file: Path) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("clients")
    shutil.copyfile(tpch.parquet_directory(0.01) / "lineitem.parquet", directory / "lineitem.parquet")
    (directory / ".duckherder").mkdir(mode=0o700)
    shutil.copyfile(token_file, directory / ".duckherder" / "token")
    (directory / ".duckherder" / "token").chmod(0o600)
    subprocess.run([BASE_PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps", "--no-index",
                    "--target", directory / "packages", wheel()], check=True, timeout=PROGRAM_SECONDS)
    init = directory / "init.sql"
    init.write_text(f"{BY_ROWS};\nCREATE TABLE lineitem AS FROM '{directory}/lineitem.parquet';\n"
                    "CREATE TABLE notes (number INTEGER, note VARCHAR);\n")
    with Cluster(directory, workers=2, with_driver=True, driver_options=["--init", str(init)]) as cluster:
        yield World(directory, cluster)


@pytest.fixture(scope="module")
def quantities() -> list[tuple[str, str]]:
    with plain_session() as con:
        file = paths.quoted(tpch.parquet_directory(0.01) / "lineitem.parquet")
        return con.execute(f"SELECT l_returnflag, sum(l_quantity)::VARCHAR FROM {file} "
                           "GROUP BY ALL ORDER BY 1").fetchall()


def shows(output: str, quantities: list[tuple[str, str]]) -> bool:
    return all(re.search(rf"{flag}\W.*{re.escape(quantity.removesuffix('.00'))}", output)
               for flag, quantity in quantities)


def use_workers(code: str) -> str:
    """The example, with workers for a table of any size."""
    code = re.sub(r"^( *)(con) = (duckherder\.connect\(.*)$", rf'\1\2 = \3\n\1\2.execute("{ALWAYS}")', code, flags=re.M)
    code = re.sub(r"^( *)(duckherder\.load\(([\w.]+), .*)$", rf'\1\2\n\1\3.execute("{ALWAYS}")', code, flags=re.M)
    code = re.sub(r"^(con <- duckherder\$connect\(.*)$", rf'\1\ncon$execute("{ALWAYS}")', code, flags=re.M)
    code = re.sub(r"^(SET GLOBAL duckherder_driver.*)$", rf"\1\n{ALWAYS};", code, flags=re.M)
    code = re.sub(r'^( *statement.execute\()"SET GLOBAL duckherder_driver.*$', rf'\g<0>\n\1"{ALWAYS}");', code,
                  flags=re.M)
    return re.sub(r'^(await connection.run\()"SET GLOBAL duckherder_driver.*$', rf'\g<0>\n\1"{ALWAYS}");', code,
                  flags=re.M)


def check_borrowed(world: World, marker: str, run) -> str:
    before = len(world.borrowed_queries())
    output = run()
    assert len(world.borrowed_queries()) > before, f"no query of the {marker} ran on the workers:\n{output}"
    return output


def test_the_table_names_every_section():
    page = PAGE.read_text()
    named = re.findall(r"^\| \[([^\]]+)\]\(#", page, re.MULTILINE)
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert named == headings[:len(named)] and headings[len(named)].startswith("What of Flight SQL")


def test_duckdb(world, quantities):
    (_, borrowed), (_, attached) = blocks("DuckDB")
    shell = [str(paths.STOCK_SHELL), "-unsigned", "-csv"]
    output = check_borrowed(world, "shell", lambda: world.run(shell, world.here(use_workers(borrowed))))
    assert shows(output, quantities)
    output = world.run(shell, world.here(borrowed.splitlines()[0] + "\n" + attached))
    assert output.splitlines()[-1] == "60175"
    # the same by the environment
    lines = [line for line in borrowed.splitlines() if "SET GLOBAL" not in line]
    code = world.here("\n".join([lines[0], ALWAYS + ";", *lines[1:]]))
    output = check_borrowed(world, "shell", lambda: world.run(shell, code, {"DUCKHERDER_DRIVER": world.address}))
    assert shows(output, quantities)


def test_python(world, quantities):
    (_, borrowed), (_, attached) = blocks("Python")
    python = [str(CLIENTS_PYTHON), "-"]
    output = check_borrowed(world, "package", lambda: world.run(python, world.here(use_workers(borrowed))))
    assert shows(output, quantities)
    assert world.run(python, world.here(attached)) == "[(60175,)]\n"


@pytest.mark.parametrize("heading", ["Ibis", "SQLAlchemy"])
def test_python_libraries(world, quantities, heading: str):
    (_, code), = blocks(heading)
    run = [str(CLIENTS_PYTHON), "-"]
    assert shows(check_borrowed(world, heading, lambda: world.run(run, world.here(use_workers(code)))), quantities)


def test_dbt(world, quantities):
    (_, profiles), (_, model) = blocks("dbt")
    project = world.directory / "shop"
    (project / "models").mkdir(parents=True)
    (project / "lineitem.parquet").symlink_to(world.directory / "lineitem.parquet")
    profiles = world.here(profiles).replace('"}', '", settings: {duckherder_mode: always}}')
    (project / "profiles.yml").write_text(profiles)
    (project / "models" / "quantities.sql").write_text("{{ config(materialized='table') }}\n" + model)
    (project / "dbt_project.yml").write_text("name: shop\nprofile: shop\nversion: '1.0'\n")
    dbt = [str(CLIENTS_PYTHON.parent / "dbt"), "run", "--no-send-anonymous-usage-stats", "--project-dir", ".",
           "--profiles-dir", "."]
    check_borrowed(world, "dbt", lambda: world.run(["env", "-C", str(project), *dbt]))
    with duckdb.connect(str(project / "shop.duckdb"), read_only=True) as con:
        assert con.execute("SELECT l_returnflag, quantity::VARCHAR FROM quantities ORDER BY 1").fetchall() == quantities


def test_pandas_and_polars(world, quantities):
    (_, code), = blocks("pandas and polars")
    output = world.run([str(CLIENTS_PYTHON), "-"], world.here(code))
    assert shows(output, quantities) and "shape: (10, 2)" in output
    with bare_session() as con:
        con.execute(f"ATTACH '{world.address}' AS dh (TYPE duckherder)")
        assert con.execute("FROM dh.notes ORDER BY 1").fetchall() == [(1, "a"), (2, "b")]


JAVA = "Java, DBeaver and other tools"


@pytest.mark.skipif(missing_tools(), reason="there is no java, javac or mvn on this machine")
def test_jdbc_of_duckdb(world, quantities):
    (_, code), (_, bootstrap), _ = blocks(JAVA)
    (world.directory / "Borrowed.java").write_text(world.here(use_workers(code)))
    world.run(["javac", "Borrowed.java"])
    java = ["java", "-Xmx512m", "-cp", f".:{DUCKDB_JAR}", "Borrowed"]
    assert shows(check_borrowed(world, "JDBC driver", lambda: world.run(java)), quantities)
    # What DBeaver runs when it connects; what it asks then is in test_dbeaver.py.
    query = "SELECT count(*) FROM dh.lineitem;\n"
    output = world.run([str(paths.STOCK_SHELL), "-unsigned", "-csv"], world.here(bootstrap) + query)
    assert output.splitlines()[-1] == "60175"


@pytest.mark.skipif(missing_tools(), reason="there is no java, javac or mvn on this machine")
def test_jdbc(world, quantities):
    _, _, (_, code) = blocks(JAVA)
    (world.directory / "Quantities.java").write_text(world.here(code))
    world.run(["javac", "Quantities.java"])
    output = world.run(["java", "--add-opens=java.base/java.nio=ALL-UNNAMED", "-Xmx512m",
                        f"-Duser.home={world.directory}", "-cp", f".:{JAR}", "Quantities"])
    assert shows(output, quantities)


def test_node(world, quantities):
    (_, code), = blocks("Node")
    (world.directory / "node_modules").symlink_to(NODE_MODULES)
    (world.directory / "quantities.mjs").write_text(world.here(use_workers(code)))
    assert shows(check_borrowed(world, "Node", lambda: world.run(["node", "quantities.mjs"])), quantities)


def has_reticulate() -> bool:
    if not shutil.which("Rscript"):
        return False
    return subprocess.run(["Rscript", "--vanilla", "-e", "library(reticulate)"], capture_output=True,
                          timeout=PROGRAM_SECONDS).returncode == 0


def test_r(world, quantities):
    if not has_reticulate():
        pytest.skip("there is no R with reticulate on this machine")
    (_, code), = blocks("R")
    (world.directory / "quantities.R").write_text(world.here(use_workers(code)))
    run = ["Rscript", "--vanilla", "quantities.R"]
    python = {"RETICULATE_PYTHON": str(CLIENTS_PYTHON)}
    assert shows(check_borrowed(world, "R", lambda: world.run(run, variables=python)), quantities)
