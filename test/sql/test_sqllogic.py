"""Every .test file beside this one, as one test in the stock Python package."""

from pathlib import Path

import pytest

from support import paths
from support.session import Connection, bare_session, plain_session
from support.sqllogic import Runner

FILES = sorted(Path(__file__).parent.glob("*.test"))
EXTENSIONS = {"tpch": paths.TPCH_EXTENSION, "tpcds": paths.TPCDS_EXTENSION}


def open_database(required: list[str]) -> Connection:
    con = bare_session() if "duckherder" in required else plain_session()
    for name in required:
        if name in EXTENSIONS:
            con.execute(f"LOAD {paths.quoted(EXTENSIONS[name])}")
        elif name != "duckherder":
            raise ValueError(f"require {name}: not an extension of these tests")
    return con


@pytest.mark.timeout(120)
@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_file(path: Path, tmp_path: Path):
    count = Runner(open_database, tmp_path).run(path.read_text())
    assert count > 0
