"""A real PostgreSQL server on loopback."""

import functools
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import duckdb

from support import paths
from support.process import die_with_parent
from support.waiting import PATIENCE, wait_until

START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 30 * PATIENCE
USER = "lake"


@functools.cache
def why_not() -> str | None:
    """PostgreSQL does not run as root. In a user namespace root is somebody else, and still owns its files."""
    if not _as_somebody():
        return None
    try:
        done = subprocess.run([*_as_somebody(), "true"], capture_output=True, text=True, timeout=30)
    except FileNotFoundError as error:
        return str(error)
    return f"PostgreSQL does not run as root, and: {done.stderr.strip()}" if done.returncode else None


def _as_somebody() -> list[str]:
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []


class PostgresServer:
    """Use as a context manager. It listens at a socket file only, which needs no free port."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.password = secrets.token_hex(16)
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> "PostgresServer":
        # a socket's path has few characters
        self.sockets = Path(tempfile.mkdtemp(prefix="pg-"))
        self.data = self.directory / "postgres"
        self.passfile = self._secret_file("pgpass", f"*:*:*:{USER}:{self.password}\n")
        programs = paths.require(paths.POSTGRES_PROGRAMS)
        for name in ("initdb", "postgres"):
            (programs / name).chmod(0o755)
        subprocess.run([*_as_somebody(), programs / "initdb", "-D", self.data, "-U", USER, "-A", "scram-sha-256",
                        "--pwfile", self._secret_file("password", self.password), "-E", "UTF8", "--locale=C",
                        "--no-sync"], check=True, capture_output=True, timeout=120 * PATIENCE)
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.stop()
        shutil.rmtree(self.sockets, ignore_errors=True)

    def start(self) -> None:
        command = [*_as_somebody(), str(paths.POSTGRES_PROGRAMS / "postgres"), "-D", str(self.data),
                   "-k", str(self.sockets), "-c", "listen_addresses=", "-c", "fsync=off"]
        with open(self.directory / "postgres.log", "a") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                             preexec_fn=die_with_parent)
        wait_until(self._answers, START_TIMEOUT_SECONDS, self.log)

    def stop(self) -> None:
        """Its connections are cut, what was committed stays."""
        if self._process:
            # `unshare` becomes the server
            self._process.send_signal(signal.SIGINT)
            self._process.wait(STOP_TIMEOUT_SECONDS)
            self._process = None

    def log(self) -> str:
        return (self.directory / "postgres.log").read_text()

    def source(self, database: str = "postgres") -> str:
        """As DuckDB attaches it; the password is in a file."""
        return f"dbname={database} host={self.sockets} user={USER} passfile={self.passfile}"

    def create_database(self, name: str) -> str:
        with self._session() as con:
            con.execute(f"CALL postgres_execute('pg', 'CREATE DATABASE {name}', use_transaction => false)")
        return self.source(name)

    def _session(self) -> duckdb.DuckDBPyConnection:
        con = duckdb.connect(config={"allow_unsigned_extensions": "true"})
        con.execute(f"LOAD {paths.quoted(paths.POSTGRES_EXTENSION)}")
        con.execute(f"ATTACH '{self.source()}' AS pg (TYPE postgres)")
        return con

    def _answers(self) -> bool:
        assert self._process and self._process.poll() is None, self.log()
        try:
            self._session().close()
        except duckdb.Error:
            return False
        return True

    def _secret_file(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path
