"""The reviewed tables of settings, src/engine/result_settings.def and what 2.0 adds to it, against the settings that
DuckDB has."""

import re

from support import paths
from support.session import bare_session, plain_session
from support.versions import IS_NEXT_DUCKDB

ROW = re.compile(r"^SETTINGS\((\w+),\s*((?:\"[^\"]*\"\s*)+)\)", re.MULTILINE)


FIRST, NEXT = "result_settings.def", "result_settings_2_0.def"


def reviewed(*tables: str) -> dict[str, str]:
    decisions: dict[str, str] = {}
    for table in tables or (FIRST, NEXT):
        for decision, names in ROW.findall((paths.ROOT / "src" / "engine" / table).read_text()):
            for name in "".join(re.findall(r'"([^"]*)"', names)).split():
                assert name not in decisions, f"{name} is there twice"
                decisions[name] = decision
    return decisions


def test_each_setting_is_reviewed_and_none_is_gone():
    with plain_session() as con:
        names = {name for name, in con.execute("SELECT name FROM duckdb_settings()").fetchall()}
    unknown = sorted(names - set(reviewed()))
    assert not unknown, f"does a fragment depend on them? Add them to src/engine/result_settings.def: {unknown}"
    if not IS_NEXT_DUCKDB:
        assert not sorted(set(reviewed(FIRST)) - names), "DuckDB has no such setting"
        return
    with plain_session() as con:
        # also those that duckdb_settings() does not show
        for name in reviewed(NEXT):
            con.execute(f"SELECT current_setting('{name}')")


def test_ours_stay_in_the_session():
    with bare_session() as con:
        names = {name for name, in con.execute("SELECT name FROM duckdb_settings()").fetchall()}
    assert {name for name in names - set(reviewed()) if not name.startswith("duckherder_")} == set()
