"""What Superset asks by SQLAlchemy: of a plain DuckDB, of one that borrows a driver's workers, and of the database of a
driver, both by what docs/clients.md says. All have the same tables, and all have to answer as the plain one."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from support import paths, shop
from support.clients_page import blocks, here
from support.cluster import BY_ROWS, Cluster
from support.waiting import PATIENCE

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(paths.BUILD.name != "release", reason="Superset's Python has the DuckDB of the release build"),
    pytest.mark.skipif(sys.version_info >= (3, 13), reason="there is no SQLAlchemy 1.4 for this Python")]

PYTHON = paths.DEPS / "venv-superset" / "bin" / "python"
ASK = Path(__file__).parent / "superset_questions.py"
ASK_SECONDS = 120 * PATIENCE
RUNS = "SELECT sql, execution_mode FROM duckherder_get_query_execution_stats()"


def ask(directory: Path, name: str, engine: dict, one: bool, config: str, afterwards: str) -> dict:
    """Of the database NAME.duckdb in that directory, by `one` connection or by many."""
    request = directory / "request.json"
    request.write_text(json.dumps({"uri": f"duckdb:///{directory / (name + '.duckdb')}", "engine": engine,
                                   "config": config, "schema": "dh.main", "one connection": one,
                                   "afterwards": afterwards}))
    done = subprocess.run([str(paths.require(PYTHON)), str(ASK), str(request)], capture_output=True, text=True,
                          timeout=ASK_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a database that has the tables."""
    directory = tmp_path_factory.mktemp("superset")
    with duckdb.connect(str(directory / "dh.duckdb")) as con:
        for sql in shop.tables():
            con.execute(sql)
    return directory


def ask_plain(directory: Path, name: str, one: bool, config: str = "") -> dict:
    answers = ask(directory, name, {}, one, config, "SELECT 1, 1")
    assert answers["questions"]["tables"] == ["parts", "pieces", "regions", "sales"]
    assert answers["questions"]["views"] == ["by_region", "lineitem"]
    assert answers["questions"]["schemas"] == ["dh.archive", "dh.main"]
    assert len(answers["questions"]["sales"]["columns"]) == 12
    assert answers["explained"] == list(answers["statements"])
    assert all(result["rows"] for result in answers["results"].values())
    return answers


@pytest.fixture(scope="module")
def served(directory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Its driver has a copy of that database: DuckDB words a definition in another way once it has read it from a
    file."""
    own = tmp_path_factory.mktemp("driver")
    shutil.copyfile(directory / "dh.duckdb", own / "sales.duckdb")
    with Cluster(own, workers=2, with_driver=True, driver_options=["--database", str(own / "sales.duckdb")]) as cluster:
        yield cluster


def page(cluster: Cluster) -> tuple[dict, str]:
    """The parameters of the engine, and the part of superset_config.py."""
    assert cluster.driver
    (_, engine), (_, config) = [(language, here(code, f"{cluster.driver.host}:{cluster.driver.port}"))
                                for language, code in blocks("Superset")]
    return json.loads(engine), config


def check_same(plain: dict, answers: dict) -> None:
    for part in ("questions", "statements", "results", "preview", "explained"):
        for name in plain[part] if isinstance(plain[part], dict) else []:
            assert answers[part][name] == plain[part][name], name
        assert answers[part] == plain[part], part
    modes = dict(answers["afterwards"])
    ran = {name: modes.get(sql) for name, sql in answers["statements"].items()}
    assert ran == dict.fromkeys(ran, "DISTRIBUTED")


def test_borrowed_workers(directory, served):
    engine, _ = page(served)
    # These tables are too small to pay for workers.
    engine["connect_args"]["config"]["duckherder_min_rows"] = 8192
    check_same(ask_plain(directory, "dh", False), ask(directory, "dh", engine, False, "", RUNS))


@pytest.mark.parametrize("one", [
    True, pytest.param(False, marks=pytest.mark.xfail(
        strict=True, reason="the oids of an attached driver's tables differ from session to session"))])
def test_attached_database(directory, served, one: bool):
    engine, config = page(served)
    # DuckDB says less of a database that is attached than of the one that a session is in.
    attach = re.sub("'[^']*' AS dh [^\"]*", f"'{directory}/dh.duckdb' AS dh", config)
    plain = ask_plain(directory, "another", one, attach)
    runs = f"FROM duckherder_query('dh', '{RUNS}')"
    check_same(plain, ask(directory, "other", engine, one, config, runs))
