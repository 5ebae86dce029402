"""Data that takes long to generate: made once, and kept in the build directory."""

import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from support import paths
from support.session import Connection

ROW_GROUP_ROWS = 122880


def generate_once(directory: Path, fill: Callable[[Path], None]) -> Path:
    """Complete or absent, whoever else generates it at the same time."""
    if directory.exists():
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=directory.parent, prefix="generating-"))
    try:
        fill(fresh)
        fresh.chmod(0o755)
        try:
            fresh.rename(directory)
        except OSError:
            # Somebody else was faster
            if not directory.exists():
                raise
        return directory
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def export_tables(con: Connection, tables: Iterable[str], directory: Path) -> None:
    for table in tables:
        target = paths.quoted(directory / f"{table}.parquet")
        con.execute(f"COPY {table} TO {target} (FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP_ROWS})")
