"""Tests that need something of the machine that not every machine has."""

import shutil
import warnings
from pathlib import Path
from typing import NoReturn

import pytest


def skip_loudly(what: str, missing: str) -> NoReturn:
    """A skipped test is easily overlooked, a warning stands at the end of the run."""
    warnings.warn(f"{what.upper()} NOT TESTED: {missing}", stacklevel=2)
    pytest.skip(missing)


def program(name: str, what: str, package: str) -> Path:
    found = shutil.which(name)
    if not found:
        skip_loudly(what, f"there is no {name}: install Debian's package {package}")
    return Path(found)
