"""Duckherder: one DuckDB query on many machines, for Python.

    import duckherder

    with duckherder.LocalCluster(workers=4) as cluster:
        con = cluster.connect()
        con.sql("SELECT l_returnflag, count(*) FROM 'lineitem.parquet' GROUP BY ALL").show()

`connect` opens a connection of the stock package `duckdb` with the extension loaded, `load` gives the extension to a
connection that exists, `LocalCluster` starts workers on this machine, and `progress` shows how far a query is.

The import looks at the installed duckdb and pyarrow, and raises ImportError if the extension cannot run in them.
"""

from importlib.metadata import PackageNotFoundError, version as _version

from duckherder._extension import connect, extension_path, load
from duckherder._cluster import LocalCluster
from duckherder._progress import progress

try:
    __version__ = _version("duckherder")
except PackageNotFoundError:
    __version__ = "0+unknown"

__all__ = ["LocalCluster", "connect", "extension_path", "load", "progress", "__version__"]
