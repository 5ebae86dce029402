"""Which file of this package the installed DuckDB loads, and how it gets into a connection."""

import ctypes
import importlib.util
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FILE_NAME = "duckherder.duckdb_extension"
_EXTENSIONS = Path(__file__).parent / "extensions"
#: The extension is linked with these, by name: another release of Arrow has other names.
_ARROW_LIBRARIES = ("libarrow.so.2600", "libarrow_flight.so.2600")
_ARROW_REQUIREMENT = "pyarrow>=26.0,<26.1"


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _supported() -> list[str]:
    """The versions of DuckDB that this package has an extension for, the newest last."""
    found = [path.parent.name for path in _EXTENSIONS.glob(f"*/{_FILE_NAME}")]
    return sorted(found, key=lambda name: [int(part) for part in name.split(".") if part.isdigit()])


def _find_extension() -> Path:
    supported = _supported()
    if not supported:
        raise ImportError(f"There is no extension in '{_EXTENSIONS}': duckherder runs from its wheel, which "
                          "`make wheel` builds, and not from its source folder")
    advice = f"pip install 'duckdb=={supported[-1]}'"
    try:
        import duckdb
    except ModuleNotFoundError:
        raise ImportError(f"duckherder needs the package duckdb, which is not installed: {advice}") from None
    path = _EXTENSIONS / duckdb.__version__ / _FILE_NAME
    if not path.exists():
        raise ImportError(f"duckherder works with duckdb {' and '.join(supported)}, but duckdb {duckdb.__version__} is "
                          f"installed, whose extensions are others: {advice}")
    return path


def _share_duckdb() -> None:
    """The extension uses the DuckDB of this process, whose symbols Python has kept to itself until now."""
    import _duckdb

    ctypes.CDLL(_duckdb.__file__, os.RTLD_GLOBAL | os.RTLD_NOLOAD | os.RTLD_NOW)


def _load_arrow() -> None:
    """Loads Arrow from the installed pyarrow, wherever that is: the extension then finds it by name. pyarrow itself,
    which takes longer, is not imported."""
    found = importlib.util.find_spec("pyarrow")
    if found is None or not found.submodule_search_locations:
        raise ImportError("duckherder needs Arrow's libraries from the package pyarrow, which is not installed: "
                          f"pip install '{_ARROW_REQUIREMENT}'")
    folder = Path(list(found.submodule_search_locations)[0])
    for name in _ARROW_LIBRARIES:
        if not (folder / name).exists():
            raise ImportError(f"duckherder needs {name} of pyarrow 26.0, but pyarrow {_installed('pyarrow')} in "
                              f"'{folder}' does not have it: pip install '{_ARROW_REQUIREMENT}'")
        ctypes.CDLL(str(folder / name), os.RTLD_LOCAL | os.RTLD_NOW)


_path = _find_extension()
_share_duckdb()
_load_arrow()


def extension_path() -> Path:
    """The file of the extension for the installed DuckDB, for tools that load it by its path. It loads only into the
    DuckDB of a process that has imported duckherder."""
    return _path


def quoted(text: str | os.PathLike[str]) -> str:
    """The text as a string literal of SQL."""
    return "'" + os.fspath(text).replace("'", "''") + "'"


def load(con: "DuckDBPyConnection", *, driver: str | None = None,
         token_file: str | os.PathLike[str] | None = None) -> "DuckDBPyConnection":
    """Loads the extension into the database of `con`, and returns `con`.

    For connections that others have opened: `duckherder.load(ibis_backend.con)`. It counts for all connections of that
    database; a second call changes nothing.

    con: of the package duckdb, opened with the configuration `allow_unsigned_extensions`. It stays the caller's.
    driver: "host:port" of a driver whose workers run the queries of this database from now on.
    token_file: the file with the cluster's token; by default $DUCKHERDER_TOKEN_FILE, else ~/.duckherder/token.

    Raises RuntimeError if the database was opened without `allow_unsigned_extensions`, TypeError if `con` is no
    connection, and duckdb.Error if the driver cannot be reached or refuses the token. As any use of a connection, not
    at the same time as another thread uses `con`.
    """
    if not callable(getattr(con, "execute", None)):
        raise TypeError(f"load() takes a connection of the package duckdb, not {type(con).__name__}")
    row = con.execute("SELECT current_setting('allow_unsigned_extensions')").fetchone()
    if row is None or str(row[0]).lower() != "true":
        raise RuntimeError("This database was opened without allow_unsigned_extensions, which DuckDB takes only when "
                           "it opens a database: open it with duckherder.connect(…), or with duckdb.connect(…, "
                           "config={'allow_unsigned_extensions': 'true'})")
    con.execute(f"LOAD {quoted(_path)}")
    if token_file is not None:
        con.execute(f"SET GLOBAL duckherder_token_file = {quoted(token_file)}")
    if driver is not None:
        con.execute(f"SET GLOBAL duckherder_driver = {quoted(driver)}")
    return con


def connect(database: str | os.PathLike[str] = ":memory:", read_only: bool = False,
            config: dict[str, Any] | None = None, *, driver: str | None = None,
            token_file: str | os.PathLike[str] | None = None) -> "DuckDBPyConnection":
    """Opens a database as `duckdb.connect` does, and loads the extension into it.

    database, read_only, config: as in duckdb.connect; `allow_unsigned_extensions` is added to the configuration.
    driver, token_file: as in `load`. Without a driver, and without $DUCKHERDER_DRIVER, the queries run in this process
    until it has workers: `SELECT duckherder_start_local_server(0, 4)` starts four in it.

    Returns a connection of the package duckdb, which the caller closes. Raises what duckdb.connect and `load` raise.
    """
    import duckdb

    con = duckdb.connect(os.fspath(database), read_only, {"allow_unsigned_extensions": "true", **(config or {})})
    try:
        return load(con, driver=driver, token_file=token_file)
    except BaseException:
        con.close()
        raise
