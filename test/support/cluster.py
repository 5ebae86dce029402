"""A cluster of real processes on loopback: workers that a session registers, or a driver with its workers."""

import itertools
import os
import re
import secrets
import subprocess
from pathlib import Path

from support import paths
from support.process import NodeProcess
from support.stranger import StrangerWorld
from support.waiting import PATIENCE, wait_until

STATUS_TIMEOUT_SECONDS = 20 * PATIENCE
REGISTER_TIMEOUT_SECONDS = 15.0
STRANGE_UMASK = 0o077
PAGES = re.compile(r"^pages at (https?://\S+)$", re.MULTILINE)
DRIVER = [str(paths.BINARY), "driver"]
#: Mode auto does not ask whether a driver's workers pay, which they never do for small tables or on the same machine,
#: in all sessions of the process
BY_ROWS = "SET GLOBAL duckherder_min_rows = 8192"
#: All clusters that run now, so that a failed test can show their logs
running: list["Cluster"] = []


def use_new_token(directory: Path) -> Path:
    """One token for all nodes and sessions that this process starts, away from the user's own."""
    path = directory / "token"
    path.touch(mode=0o600)
    path.write_text(secrets.token_hex(32) + "\n")
    os.environ["DUCKHERDER_TOKEN_FILE"] = str(path)
    return path


class Cluster:
    """Use as a context manager; it ends exactly the processes that it started."""

    def __init__(self, directory: Path, workers: int = 3, threads: int | None = None, with_driver: bool = False,
                 environment: dict[str, str] | None = None, driver_options: list[str] | None = None,
                 worker_options: list[str] | None = None, faults: dict[str, str] | None = None):
        """`faults`: the workers have them, as support/faults.py says. Without `threads` each worker has another number
        of them."""
        self.directory = directory
        self.driver: NodeProcess | None = None
        self.workers: dict[str, NodeProcess] = {}
        self._threads = threads
        self._environment = {**(environment or {}), **(faults or {})}
        self._worker_program = [str(paths.FAULTY_WORKER)] if faults else [str(paths.BINARY), "worker"]
        self._numbers = itertools.count()
        self._worker_count = workers
        self._with_driver = with_driver
        self._driver_options = driver_options or []
        if with_driver and "--init" not in self._driver_options:
            init = directory / "driver_by_rows.sql"
            init.write_text(BY_ROWS + ";\n")
            self._driver_options = [*self._driver_options, "--init", str(init)]
        if "--http" not in self._driver_options:
            self._driver_options = ["--http", "127.0.0.1:0", *self._driver_options]
        self._worker_options = worker_options or []

    def __enter__(self) -> "Cluster":
        running.append(self)
        try:
            if self._with_driver:
                self.driver = self._launch("driver", DRIVER, self._driver_options).wait_ready()
                self._launched_drivers = 1
            # Launched together, then waited for: they start in parallel
            names = [self.launch_worker() for _ in range(self._worker_count)]
            for name in names:
                self.workers[name].wait_ready()
            if self.driver:
                wait_until(lambda: self.status().count("active") >= self._worker_count, REGISTER_TIMEOUT_SECONDS,
                           lambda: f"not all workers are at the driver:\n{self.status()}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        errors = []
        for node in [*self.workers.values(), *filter(None, [self.driver])]:
            try:
                node.stop()
            except TimeoutError as error:
                errors.append(str(error))
        running.remove(self)
        if errors:
            raise RuntimeError("\n".join(errors))

    def restart_driver(self) -> NodeProcess:
        """A new process at the address of the driver, which has ended."""
        assert self.driver and not self.driver.alive
        name = f"driver-{self._launched_drivers}"
        self._launched_drivers += 1
        self.driver = self._launch(name, DRIVER, self._driver_options,
                                   f"{self.driver.host}:{self.driver.port}").wait_ready()
        return self.driver

    def _launch(self, name: str, program: list[str], options: list[str], listen: str = "127.0.0.1:0",
                within: list[str] | None = None, world: StrangerWorld | None = None) -> NodeProcess:
        paths.require(Path(program[0]))
        command = [*(within or []), *program, "--listen", listen, *options]
        if not world:
            return NodeProcess(name, command, self.directory, self._environment)
        return NodeProcess(name, command, self.directory, {**world.environment, **self._environment},
                           world.directory, STRANGE_UMASK)

    def launch_worker(self, options: list[str] | None = None, within: list[str] | None = None) -> str:
        """Does not wait until it listens. `within`: a command that is given the worker's, to become it. It runs in a
        world of its own."""
        number = next(self._numbers)
        name = f"worker-{number}"
        world = StrangerWorld.make(self.directory, name, number)
        driver = ["--driver", f"{self.driver.host}:{self.driver.port}"] if self.driver else []
        options = world.with_defaults([*self._worker_options, *(options or [])])
        # A test that has ended needs nothing of its queries any more
        drain = [] if "--drain-timeout" in options else ["--drain-timeout", "0"]
        arguments = ["--id", name, "--threads", str(self._threads or world.threads), *drain, *driver, *options]
        self.workers[name] = self._launch(name, self._worker_program, arguments, within=within,
                                          world=world)
        return name

    def add_worker(self, options: list[str] | None = None, within: list[str] | None = None) -> NodeProcess:
        return self.workers[self.launch_worker(options, within)].wait_ready()

    def status(self) -> str:
        """What `duckherder status` prints about the driver."""
        assert self.driver
        return run_status(f"{self.driver.host}:{self.driver.port}", self._environment)

    @property
    def pages(self) -> str:
        """Where the driver's pages are, http://HOST:PORT; it says so after it has begun to listen for nodes."""
        driver = self.driver
        assert driver
        wait_until(lambda: PAGES.search(driver.log()), REGISTER_TIMEOUT_SECONDS, lambda: f"no pages:\n{driver.log()}")
        found = PAGES.search(driver.log())
        assert found
        return found[1]

    def logs(self) -> str:
        nodes = [*filter(None, [self.driver]), *self.workers.values()]
        return "\n".join(f"--- {node.log_path.name} (pid {node.pid})\n{node.log()[-4000:]}" for node in nodes)


def run_status(address: str, environment: dict[str, str] | None = None) -> str:
    done = run_binary(["status", "--driver", address], environment)
    if done.returncode:
        raise RuntimeError(f"duckherder status ended with {done.returncode}: {done.stderr}")
    return done.stdout


def run_binary(arguments: list[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(paths.require(paths.BINARY)), *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=STATUS_TIMEOUT_SECONDS,
                          env={**os.environ, **(environment or {})})
