"""Two versions of DuckDB: all suites run with the first one, many with the next one, by its Python package alone."""

import functools
import inspect
import json
import os
import re
import subprocess
from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from support import paths

FIRST_DUCKDB = "1.5.5"
IS_NEXT_DUCKDB = duckdb.__version__ != FIRST_DUCKDB
RUN_SECONDS = 600
#: What tests need that there is for the first DuckDB only. A test that names one of these, or whose fixtures do, is not
#: for the next.
PARTS_OF_FIRST = {
    r"paths\.(HTTPFS|DUCKLAKE|POSTGRES|QUACK)_EXTENSION|LOAD_(LAKE|HTTPFS|POSTGRES)|\bEXTENSIONS\b|lake":
        "an extension of DuckDB",
    r"paths\.(SHELL|STOCK_SHELL)": "a shell",
    r"paths\.FAULTY_WORKER|faults=": "a program that is linked with DuckDB's library",
}


def why_not_for_next(item: pytest.Item) -> str | None:
    """Asks the code of the test, of its class, and of the fixtures that it names in its file."""
    sources = [inspect.getsource(item.function), inspect.getsource(item.cls) if item.cls else ""]
    for name in item.fixturenames:
        if fixture := getattr(item.module, name, None):
            sources.append(inspect.getsource(getattr(fixture, "_get_wrapped_function", lambda f=fixture: f)()))
    for pattern, part in PARTS_OF_FIRST.items():
        if any(re.search(pattern, source) for source in sources):
            return f"needs {part}, and there is none for DuckDB {duckdb.__version__}"
    return None


def share_duckdb() -> None:
    """The extension for the next DuckDB uses that of the Python package, which our package lets it do."""
    if IS_NEXT_DUCKDB:
        import duckherder

        assert duckherder.extension_path().exists()


def by_first_duckdb(read: Callable[[Any], Any]) -> Callable[[Callable], Callable]:
    """With the next DuckDB, a function of a module of `support` is called in a process that has the first one: DuckDB's
    own extensions that tests generate data with are those of that one. `read` makes its result of the JSON."""
    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def call(*positional, **named):
            module, name = function.__module__, function.__name__
            code = f"import json\nfrom pathlib import PosixPath\nfrom {module} import {name}\n" \
                   f"print(json.dumps({name}(*{positional!r}, **{named!r}), default=str))"
            environment = {**os.environ, "PYTHONPATH": str(paths.ROOT / "test")}
            done = subprocess.run([paths.require(paths.FIRST_PYTHON), "-c", code], env=environment,
                                  capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
            if done.returncode:
                raise RuntimeError(f"{module}.{name} failed with DuckDB {FIRST_DUCKDB}:\n{done.stderr}")
            # a progress bar may come first
            return read(json.loads(done.stdout.splitlines()[-1]))

        return call if IS_NEXT_DUCKDB else function

    return decorate
