"""Which parts scripts/fetch.py fetches for what."""

import configparser
import shutil
import subprocess
import sys

from support.paths import ROOT

FETCH = ROOT / "scripts" / "fetch.py"
PINS = configparser.ConfigParser(interpolation=None)
PINS.read(ROOT / "third_party" / "versions.ini")


def parts_of(group: str) -> set[str]:
    return {name for name in PINS.sections()
            if group in {PINS[name]["group"], *PINS[name].get("also", "").split()}}


def test_a_demo_fetches_little():
    assert parts_of("demo") | parts_of("venv-demo") == {"tpch", "duckdb-python"}


def test_an_image_has_what_object_stores_and_lakes_need():
    assert parts_of("image") == {"httpfs", "ducklake"}


def test_an_unknown_group_is_an_error():
    done = subprocess.run([sys.executable, str(FETCH), "nothing"], capture_output=True, text=True)
    assert done.returncode != 0 and "no group 'nothing'" in done.stderr


def test_what_has_no_client_is_a_package_of_a_venv():
    for name in PINS.sections():
        if "client" not in PINS[name]:
            assert PINS[name]["group"].startswith("venv"), name


def test_superset_has_a_sqlalchemy_of_its_own():
    assert parts_of("venv-superset") == {"duckdb-python", "packaging", "duckdb-engine", "sqlalchemy-1.4"}
    assert not parts_of("venv-superset") & {"sqlalchemy"} and "sqlalchemy" in parts_of("venv-clients")


def test_what_has_no_package_for_this_python_is_not_fetched(tmp_path):
    """And is no error, as Python 3.13 may run all but its tests. The script runs in a tree of its own."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "third_party").mkdir()
    shutil.copyfile(FETCH, tmp_path / "scripts" / "fetch.py")
    (tmp_path / "third_party" / "versions.ini").write_text(
        "[old]\ngroup = venv-old\npythons = 3.1 3.2\npackage = old\nversion = 1\nsha256 = 00\nwhy = a test\n")
    command = [sys.executable, str(tmp_path / "scripts" / "fetch.py"), "venv-old"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing of it is fetched, as old has no package for Python" in done.stdout
    assert not (tmp_path / "build" / "deps" / "venv-old").exists()
