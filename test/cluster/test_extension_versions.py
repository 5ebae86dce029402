"""A session and a worker that have loaded one DuckDB extension in different versions: an error, and no wrong plan."""

from pathlib import Path

import duckdb
import pytest

from support import paths
from support.cluster import Cluster
from support.session import bare_session, distribute_everything, scalar

#: DuckDB writes what an extension says of itself before its end: fields of 32 bytes, the newest first
FOOTER_BYTES = 512
FIELD_BYTES = 32
VERSION = b"v1.5.5"
OTHER_VERSION = b"v9.9.9"
QUERY = "SELECT sum(i) FROM t"
MISMATCH = "Worker .* has version v9.9.9 of the DuckDB extension tpch loaded, this session version v1.5.5.*--init"


@pytest.fixture
def other_version(tmp_path) -> Path:
    """The tpch extension, which says that it is another version. The version of DuckDB comes after its own."""
    content = paths.require(paths.TPCH_EXTENSION).read_bytes()
    place = content.index(VERSION.ljust(FIELD_BYTES, b"\0"), len(content) - FOOTER_BYTES)
    changed = content[:place] + OTHER_VERSION + content[place + len(OTHER_VERSION):]
    directory = tmp_path / "other"
    directory.mkdir()
    path = directory / "tpch.duckdb_extension"
    path.write_bytes(changed)
    return path


def session_with_tpch() -> duckdb.DuckDBPyConnection:
    con = bare_session()
    con.execute("CREATE TABLE t AS SELECT i FROM range(1000) r(i)")
    con.execute(f"LOAD {paths.quoted(paths.TPCH_EXTENSION)}")
    return con


def init_file(directory: Path, extension: Path) -> list[str]:
    path = directory / "init.sql"
    path.write_text(f"LOAD {paths.quoted(extension)};\n")
    return ["--init", str(path)]


@pytest.mark.timeout(120)
def test_at_registration(tmp_path, other_version):
    options = init_file(tmp_path, other_version)
    with Cluster(tmp_path, workers=1, with_driver=True, worker_options=options) as cluster:
        worker = cluster.workers["worker-0"]
        with session_with_tpch() as con:
            with pytest.raises(duckdb.InvalidInputException, match=MISMATCH):
                con.execute(f"SELECT duckherder_register_worker('w', '{worker.location}')")
            with pytest.raises(duckdb.InvalidInputException, match=MISMATCH):
                con.execute("SELECT duckherder_register_or_replace_driver("
                            f"'{cluster.driver.host}', {cluster.driver.port})")
            assert scalar(con, "SELECT duckherder_get_worker_count()") == 0
        # who does not have the extension at all cannot put anything of it into a plan
        with bare_session() as con:
            con.execute(f"SELECT duckherder_register_worker('w', '{worker.location}')")
            distribute_everything(con)
            con.execute("CREATE TABLE t AS SELECT i FROM range(1000) r(i)")
            assert scalar(con, QUERY) == 499500
            # loaded after the registration
            con.execute(f"LOAD {paths.quoted(paths.TPCH_EXTENSION)}")
            with pytest.raises(duckdb.InvalidInputException, match=MISMATCH):
                con.execute(QUERY)
            con.execute("SET duckherder_mode = 'never'")
            assert scalar(con, QUERY) == 499500


@pytest.mark.timeout(120)
def test_the_same_version_and_none(tmp_path):
    options = init_file(tmp_path, paths.TPCH_EXTENSION)
    with Cluster(tmp_path, workers=1) as cluster, session_with_tpch() as con:
        same = cluster.add_worker(options)
        for number, worker in enumerate((cluster.workers["worker-0"], same)):
            con.execute(f"SELECT duckherder_register_worker('w{number}', '{worker.location}')")
        distribute_everything(con)
        assert scalar(con, QUERY) == 499500
        loaded = scalar(con, f"SELECT duckherder_load_extension({paths.quoted(paths.TPCH_EXTENSION)})")
        assert str(loaded).endswith("here and on 2 workers")
        assert scalar(con, QUERY) == 499500
