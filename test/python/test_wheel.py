"""The wheel in an empty environment, as another user and from another directory."""

import os
import re
import shutil
from pathlib import Path

import duckdb
import pytest

from support import paths, tpch
from support.cluster import Cluster
from support.session import plain_session
from support.wheel import Environment

pytestmark = pytest.mark.usefixtures("nothing_is_left")

README = paths.ROOT / "README.md"
SHIPS_Q1 = 1


@pytest.fixture(scope="module")
def lineitem(installed: Environment) -> Path:
    """Where the README's example looks for it."""
    copy = installed.home / "lineitem.parquet"
    shutil.copyfile(tpch.parquet_directory(0.1) / "lineitem.parquet", copy)
    copy.chmod(0o644)
    return copy


def first_example() -> str:
    """The first block of README.md that begins with the import."""
    found = re.search(r"^    import duckherder\n(?:(?:    .*)?\n)+", README.read_text(), re.MULTILINE)
    assert found, "README.md has no block that begins with 'import duckherder'"
    return "\n".join(line[4:] for line in found[0].splitlines())


@pytest.mark.timeout(180)
def test_the_first_example_of_the_readme_is_tpch_q1(installed, lineitem):
    shown = installed.answer(first_example())
    with plain_session() as con:
        con.execute(f"CREATE VIEW lineitem AS FROM {paths.quoted(lineitem)}")
        assert shown == str(con.sql(tpch.queries()[SHIPS_Q1])) + "\n"


@pytest.mark.timeout(180)
def test_it_ran_on_the_workers(installed, lineitem):
    code = first_example().replace(".show()", ".fetchall()")
    code += "\n    print(con.execute('SELECT execution_mode, num_workers_used FROM " \
            "duckherder_get_query_execution_stats() ORDER BY execution_start_time DESC').fetchone())"
    assert installed.answer(code).strip() == "('DISTRIBUTED', 4)"


def test_one_duckdb_in_the_process(installed):
    code = "import duckherder, os; con = duckherder.connect(); print(open('/proc/self/maps').read())"
    loaded = set(re.findall(r"/\S*(?:libduckdb|_duckdb)\S*", installed.answer(code)))
    assert len(loaded) == 1, loaded


def test_load_gives_it_to_a_connection_that_exists(installed):
    code = """
import duckdb, duckherder
con = duckdb.connect(config={"allow_unsigned_extensions": "true"})
assert duckherder.load(con) is con
duckherder.load(con)
print(con.execute("SELECT duckherder_start_local_server(0, 2)").fetchone()[0])
con.execute("CREATE TABLE t AS FROM range(100000) r(i)")
con.execute("SET duckherder_require_distributed = true")
print(con.execute("SELECT sum(i) FROM t").fetchone()[0])
import pyarrow.flight, pyarrow.compute
print(con.execute("SELECT sum(i) FROM t").to_arrow_table().num_rows)
"""
    first, *numbers = installed.answer(code).splitlines()
    assert first.endswith("with 2 workers") and numbers == ["4999950000", "1"]
    shutil.rmtree(installed.home / ".duckherder")


@pytest.mark.parametrize("code, error", [
    ("import duckdb, duckherder; duckherder.load(duckdb.connect())",
     "RuntimeError: This database was opened without allow_unsigned_extensions.*duckherder.connect"),
    ("import duckherder; duckherder.load('x')", "TypeError: load.. takes a connection of the package duckdb, not str"),
    ("import duckdb; duckdb.__version__ = '1.4.0'; import duckherder",
     r"ImportError: duckherder works with duckdb 1\.5\.5.*, but duckdb 1\.4\.0 is installed.*pip install 'duckdb=="),
    ("import duckherder; duckherder.LocalCluster(workers=-1)", "ValueError: workers is -1, it can be 0 or more"),
    ("import duckherder; duckherder.LocalCluster(threads=0)", "ValueError: threads is 0, it can be 1 or more"),
    ("import duckherder; duckherder.LocalCluster(1, memory_limit='many')",
     "(?s)RuntimeError: worker-0 of the cluster ended with code 1 at its start. Its log:.*Memory must have a number"),
])
def test_errors_say_what_to_do(installed, code: str, error: str):
    done = installed.run(code)
    assert done.returncode == 1
    assert re.search(error, done.stderr), done.stderr


@pytest.mark.parametrize("missing, error", [
    ("duckdb", "ImportError: duckherder needs the package duckdb, which is not installed: pip install 'duckdb=="),
    ("pyarrow", "ImportError: duckherder needs Arrow's libraries from the package pyarrow, which is not installed: "
                "pip install 'pyarrow>=26"),
    ("pyarrow/libarrow.so.2600", "ImportError: duckherder needs libarrow.so.2600 of pyarrow 26.0, but "
                                 "pyarrow .* does not have it: pip install 'pyarrow>=26"),
])
def test_what_is_missing_is_named(installed, tmp_path_factory, missing: str, error: str):
    packages = Path(installed.answer("import duckdb; print(duckdb.__path__[0])").strip()).parent
    folder = installed.home / f"without-{os.path.basename(missing)}"
    folder.mkdir(mode=0o755)
    for entry in packages.iterdir():
        if entry.name.startswith(("duckherder", "_duckdb", "duckdb", "pyarrow")) and entry.name != missing:
            (folder / entry.name).symlink_to(entry)
    if "/" in missing:
        (folder / "pyarrow").unlink()
        (folder / "pyarrow").mkdir()
        (folder / "pyarrow" / "__init__.py").touch()
    done = installed.run("import duckherder", {"PYTHONPATH": str(folder)}, "-S")
    assert re.search(error, done.stderr), done.stderr


@pytest.mark.timeout(180)
def test_the_command_shows_who_is_there(installed, tmp_path, token_file):
    with Cluster(tmp_path, workers=2, with_driver=True) as cluster:
        token = installed.home / "token-of-a-cluster"
        token.touch(mode=0o600)
        token.write_text(token_file.read_text())
        if installed.user is not None:
            os.chown(token, installed.user, installed.user)
        command = [str(installed.python.parent / "duckherder"), "status", "--driver",
                   f"{cluster.driver.host}:{cluster.driver.port}", "--token-file", str(token)]
        output, errors = installed.start(command).communicate(timeout=60)
    if installed.duckdb_version == duckdb.__version__:
        assert "worker-0" in output and "worker-1" in output and output.rstrip().endswith("2 workers"), output + errors
    else:
        assert errors.strip() == (
            f"duckherder status: Invalid Input Error: Worker worker-0 runs DuckDB v{duckdb.__version__}, this driver "
            f"DuckDB v{installed.duckdb_version}: serialized plans only fit the same version, run the same on all "
            "nodes") and not output
