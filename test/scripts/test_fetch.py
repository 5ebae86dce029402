"""Which parts scripts/fetch.py fetches for what."""

import configparser
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
