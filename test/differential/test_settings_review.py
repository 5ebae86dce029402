"""The reviewed table of settings, src/engine/result_settings.def, against the settings that DuckDB has."""

import re

from support import paths
from support.session import bare_session, plain_session

ROW = re.compile(r"^SETTINGS\((\w+),\s*((?:\"[^\"]*\"\s*)+)\)", re.MULTILINE)


def reviewed() -> dict[str, str]:
    decisions: dict[str, str] = {}
    for decision, names in ROW.findall((paths.ROOT / "src/engine/result_settings.def").read_text()):
        for name in "".join(re.findall(r'"([^"]*)"', names)).split():
            assert name not in decisions, f"{name} is there twice"
            decisions[name] = decision
    return decisions


def test_each_setting_is_reviewed_and_none_is_gone():
    with plain_session() as con:
        names = {name for name, in con.execute("SELECT name FROM duckdb_settings()").fetchall()}
    unknown = sorted(names - set(reviewed()))
    assert not unknown, f"does a fragment depend on them? Add them to src/engine/result_settings.def: {unknown}"
    assert not sorted(set(reviewed()) - names), "DuckDB has no such setting"


def test_ours_stay_in_the_session():
    with bare_session() as con:
        names = {name for name, in con.execute("SELECT name FROM duckdb_settings()").fetchall()}
    assert {name for name in names - set(reviewed()) if not name.startswith("duckherder_")} == set()
