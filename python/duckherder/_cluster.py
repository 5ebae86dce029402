"""Workers on this machine, as processes of their own that end with the one that started them."""

import json
import os
import secrets
import select
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duckherder._extension import connect

if TYPE_CHECKING:
    from types import TracebackType

    from duckdb import DuckDBPyConnection

#: How long a process may take to end
_END_SECONDS = 3.0
#: How long a worker that ends may take to finish its tasks, and keeps their rows for queries that are still open
_DRAIN_SECONDS = 5
_LOG_BYTES_SHOWN = 4000
#: Of this machine's memory: what DuckDB takes by default, shared by the workers
_MEMORY_SHARE = 0.8


def _search_path() -> list[str]:
    """Folders where this process has found its packages, and another Python would not look."""
    known = {*site.getsitepackages(), site.getusersitepackages()}
    modules = ("duckherder", "_duckdb", "duckdb", "pyarrow")
    found: list[str] = []
    for name in modules:
        module = sys.modules.get(name)
        file = getattr(module, "__file__", None)
        if file is None:
            continue
        folder = Path(file).resolve().parent
        folder = folder.parent if hasattr(module, "__path__") else folder
        if str(folder) not in known and str(folder) not in found:
            found.append(str(folder))
    return found


class _Node:
    """One child process: its log goes into a file, and its standard input says that this process still lives."""

    def __init__(self, name: str, arguments: list[str], directory: Path, environment: dict[str, str],
                 removes: list[Path]):
        """`removes`: what the child removes if this process ends before it."""
        self.name = name
        self.location = ""
        self.pages: str | None = None
        self._log = directory / f"{name}.log"
        ready, told = os.pipe()
        try:
            with open(self._log, "wb") as log:
                # A session of its own: the interrupt that is typed for a query shall not reach it.
                self.process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "duckherder", *arguments, "--ready-fd", str(told),
                     "--end-with-parent", str(os.getpid()), "--end-removes", *map(str, removes)],
                    stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, pass_fds=(told,),
                    start_new_session=True, cwd=directory)
        except BaseException:
            os.close(ready)
            raise
        finally:
            os.close(told)
        self._ready = ready

    def wait_ready(self, deadline: float) -> None:
        """Until it listens. RuntimeError if it ends instead, TimeoutError if it takes too long."""
        text = b""
        try:
            while True:
                if not select.select([self._ready], [], [], max(0.0, deadline - time.monotonic()))[0]:
                    raise TimeoutError(f"{self.name} of the cluster did not start in time. Its log:\n{self.log()}")
                part = os.read(self._ready, 4096)
                if not part:
                    break
                text += part
        finally:
            os.close(self._ready)
        if not text:
            code = self.process.wait(_END_SECONDS)
            raise RuntimeError(f"{self.name} of the cluster ended with code {code} at its start. Its log:\n"
                               f"{self.log()}")
        answer = json.loads(text)
        self.location, self.pages = answer["location"], answer["pages"]

    def log(self) -> str:
        try:
            return self._log.read_bytes()[-_LOG_BYTES_SHOWN:].decode(errors="replace")
        except OSError:
            return "(none)"


def _end(nodes: list[_Node], seconds: float) -> None:
    """Asks all to end, and ends those that have not done so after that time."""
    for node in nodes:
        if node.process.poll() is None:
            node.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + seconds
    for node in nodes:
        try:
            node.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            node.process.kill()
            node.process.wait()
        if node.process.stdin:
            node.process.stdin.close()


def _end_cluster(owner: int, directory: Path, nodes: list[_Node]) -> None:
    # A fork of the owner has the same objects, but the processes are not its own.
    if os.getpid() == owner:
        _end(nodes, _END_SECONDS)
        shutil.rmtree(directory, ignore_errors=True)


class LocalCluster:
    """A driver and workers on this machine, each a process of its own.

        with duckherder.LocalCluster(workers=4, threads=2, memory_limit="4GB") as cluster:
            con = cluster.connect()

    It runs when the constructor returns, and ends with `close`, at the end of the `with` block, or with this process,
    however that ends: the children notice it, also after SIGKILL. They listen on 127.0.0.1 only, with a random token
    of this cluster, which is in a file that only this user can read.

    workers: how many, at least 0.
    threads: DuckDB threads of each worker; by default this machine's cores divided by the workers.
    memory_limit: of each worker, as DuckDB writes it ("4GB"); by default 80 % of this machine's memory divided by the
        workers.
    temp_directory: where workers put what exceeds their memory; by default a directory of the cluster below Python's
        temporary directory, which is removed at the end.
    start_timeout: seconds that the processes may take to start.

    Raises ValueError for numbers out of range, RuntimeError with the log of the process that did not start, and
    TimeoutError. Methods may be called from any thread, one after the other.
    """

    def __init__(self, workers: int = 4, threads: int | None = None, memory_limit: str | None = None, *,
                 temp_directory: str | os.PathLike[str] | None = None, start_timeout: float = 60.0):
        _check_workers(workers)
        if threads is not None and threads < 1:
            raise ValueError(f"threads is {threads}, it can be 1 or more")
        if not sys.executable:
            raise RuntimeError("The workers of a LocalCluster run in Python, and sys.executable does not say where "
                               "that is")
        shares = max(workers, 1)
        self._threads = threads or max(1, (os.cpu_count() or 1) // shares)
        self._memory_limit = memory_limit or f"{_machine_megabytes() // shares}MB"
        self._start_timeout = start_timeout
        self._lock = threading.RLock()
        self._started = 0
        self._directory = Path(tempfile.mkdtemp(prefix="duckherder-"))
        self._temp_directory = Path(temp_directory).absolute() if temp_directory else self._directory / "temp"
        self._nodes: list[_Node] = []
        self._finalizer = weakref.finalize(self, _end_cluster, os.getpid(), self._directory, self._nodes)
        try:
            self._start(workers)
        except BaseException:
            self.close()
            raise

    def _start(self, workers: int) -> None:
        self._temp_directory.mkdir(parents=True, exist_ok=True)
        self._token = secrets.token_hex(32)
        descriptor = os.open(self.token_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(self._token + "\n")
        # Variables that mean this process's own cluster do not mean this one.
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("DUCKHERDER_")}
        self._environment["DUCKHERDER_TOKEN_FILE"] = str(self.token_file)
        path = [*_search_path(), *filter(None, [os.environ.get("PYTHONPATH")])]
        if path:
            self._environment["PYTHONPATH"] = os.pathsep.join(path)
        driver = self._launch("driver", ["driver", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
        driver.wait_ready(time.monotonic() + self._start_timeout)
        self._driver_node = driver
        self.scale(workers)

    def _launch(self, name: str, arguments: list[str], *removes: Path) -> _Node:
        node = _Node(name, arguments, self._directory, self._environment, [self._directory, *removes])
        self._nodes.append(node)
        return node

    @property
    def _worker_nodes(self) -> list[_Node]:
        return [node for node in self._nodes if node.name != "driver" and node.process.poll() is None]

    def _check_open(self) -> None:
        if not self._finalizer.alive:
            raise RuntimeError("This LocalCluster is closed: make another one")

    @property
    def driver(self) -> str:
        """The driver's address, "127.0.0.1:PORT", for `duckherder_driver` of other processes of this machine. They
        need the `token_file` too."""
        self._check_open()
        return self._driver_node.location.partition("://")[2]

    @property
    def token_file(self) -> Path:
        """The file with the cluster's token; it is removed when the cluster ends."""
        return self._directory / "token"

    @property
    def token(self) -> str:
        """The cluster's token, which the page at `dashboard_url` asks for. Who has it can do everything."""
        return self._token

    @property
    def dashboard_url(self) -> str:
        """Where the driver's web page is: the workers, the running queries and the last ones."""
        self._check_open()
        return self._driver_node.pages or ""

    @property
    def workers(self) -> list[str]:
        """The ids of the workers whose processes run."""
        with self._lock:
            return [node.name for node in self._worker_nodes]

    def connect(self, database: str | os.PathLike[str] = ":memory:", read_only: bool = False,
                config: dict[str, Any] | None = None) -> "DuckDBPyConnection":
        """Opens a database in this process, as `duckdb.connect` does, whose queries run on the cluster's workers.

        Scans of 8192 rows or more are distributed, whatever they cost: see `duckherder_min_rows` and `duckherder_mode`.
        The connection is one of the package duckdb. The caller closes it, at best before the cluster.
        """
        self._check_open()
        con = connect(database, read_only, config, driver=self.driver, token_file=self.token_file)
        # An estimate would find that workers on the same machine gain nothing; who starts them wants them used.
        con.execute("SET GLOBAL duckherder_min_rows = 8192")
        return con

    def scale(self, workers: int) -> None:
        """Starts or ends workers until there are so many.

        Returns when new ones take tasks, or when those that end have ended. These finish what they run within 5 s; what
        a query still needs of them after that is made again elsewhere. Raises as the constructor does.
        """
        _check_workers(workers)
        with self._lock:
            self._check_open()
            running = self._worker_nodes
            leaving = running[workers:]
            _end(leaving, _DRAIN_SECONDS + _END_SECONDS)
            for node in leaving:
                self._nodes.remove(node)
            starting = [self._launch_worker() for _ in range(workers - len(running))]
            deadline = time.monotonic() + self._start_timeout
            for node in starting:
                node.wait_ready(deadline)

    def _launch_worker(self) -> _Node:
        name = f"worker-{self._started}"
        self._started += 1
        temp = self._temp_directory / f"duckherder-{os.getpid()}-{name}"
        return self._launch(name, ["worker", "--driver", self.driver, "--listen", "127.0.0.1:0", "--id", name,
                                   "--threads", str(self._threads), "--memory-limit", self._memory_limit,
                                   "--temp-directory", str(temp), "--drain-timeout", str(_DRAIN_SECONDS)], temp)

    def close(self) -> None:
        """Ends the processes, and waits for them. Queries that run on them fail. A second call does nothing."""
        with self._lock:
            self._finalizer()

    def __enter__(self) -> "LocalCluster":
        self._check_open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: "TracebackType | None") -> None:
        self.close()

    def __repr__(self) -> str:
        if not self._finalizer.alive:
            return "<LocalCluster, closed>"
        return f"<LocalCluster at {self.driver}: {len(self.workers)} workers, {self._threads} threads each, " \
               f"page at {self.dashboard_url}>"


def _check_workers(workers: int) -> None:
    if workers < 0:
        raise ValueError(f"workers is {workers}, it can be 0 or more")


def _machine_megabytes() -> int:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return int(pages * _MEMORY_SHARE) >> 20
