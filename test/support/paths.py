"""Where the build has put things. DUCKHERDER_BUILD points the tests at another build directory (build/asan)."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("DUCKHERDER_BUILD") or ROOT / "build" / "release").resolve()
DEPS = ROOT / "build" / "deps"
#: The Python with the DuckDB that the extensions below are for
FIRST_PYTHON = DEPS / "venv" / "bin" / "python"
#: Our Python package as the next DuckDB's build directory has it, see scripts/lay_out_next.sh
PACKAGES = BUILD / "packages"
EXTENSION = (BUILD / "python" if PACKAGES.exists() else BUILD) / "duckherder.duckdb_extension"
BINARY = BUILD / "duckherder"
#: `duckherder worker` with faults, which takes the same flags
FAULTY_WORKER = BUILD / "test" / "chaos" / "faulty_worker"
SHELL = BUILD / "duckdb"
STOCK_SHELL = DEPS / "duckdb-cli" / "duckdb"
PYTHON = sys.executable
TPCH_EXTENSION = DEPS / "extensions" / "tpch.duckdb_extension"
TPCDS_EXTENSION = DEPS / "extensions" / "tpcds.duckdb_extension"
DUCKLAKE_EXTENSION = DEPS / "extensions" / "ducklake.duckdb_extension"
HTTPFS_EXTENSION = DEPS / "extensions" / "httpfs.duckdb_extension"
QUACK_EXTENSION = DEPS / "extensions" / "quack.duckdb_extension"
POSTGRES_EXTENSION = DEPS / "extensions" / "postgres_scanner.duckdb_extension"
POSTGRES_PROGRAMS = DEPS / "postgres" / "pgserver" / "pginstall" / "bin"
S3_SERVER = DEPS / "seaweedfs" / "weed"
CLICKBENCH_QUERIES = DEPS / "clickbench" / "queries.py"


def require(path: Path) -> Path:
    if not path.exists():
        raise FileNotFoundError(f"{path.relative_to(ROOT)} is missing: run make first")
    return path


def quoted(path: Path | str) -> str:
    """As a string literal of SQL."""
    return "'" + str(path).replace("'", "''") + "'"
