"""Two versions of DuckDB: all suites run with the first one, many with the next one, by its Python package alone."""

import json
import os
import subprocess

import duckdb

from support import paths

FIRST_DUCKDB = "1.5.5"
IS_NEXT_DUCKDB = duckdb.__version__ != FIRST_DUCKDB
RUN_SECONDS = 600


def share_duckdb() -> None:
    """The extension for the next DuckDB uses that of the Python package, which our package lets it do."""
    if IS_NEXT_DUCKDB:
        import duckherder

        assert duckherder.extension_path().exists()


def answer_of_first(module: str, call: str) -> object:
    """What `call`, which begins with the name of a function of support.MODULE, returns in a process that has the first
    DuckDB: DuckDB's own extensions that tests generate data with are those of that one."""
    code = f"import json\nfrom support import {module}\nprint(json.dumps({module}.{call}, default=str))"
    environment = {**os.environ, "PYTHONPATH": str(paths.ROOT / "test")}
    done = subprocess.run([paths.require(paths.FIRST_PYTHON), "-c", code], env=environment, capture_output=True,
                          text=True, timeout=RUN_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"{module}.{call} failed with DuckDB {FIRST_DUCKDB}:\n{done.stderr}")
    return json.loads(done.stdout)
