"""The nodes of one case: a driver, three workers that stop a task at a chosen point, and a session."""

import errno
import json
import os
import pickle
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from chaos.memory_group import MemoryGroup
from chaos.netlab import NetLab, Unavailable
from chaos.proxies import DamagingProxy, Toxiproxy
from support import paths
from support.cluster import STATUS_TIMEOUT_SECONDS
from support.compare import Result
from support.process import NodeProcess, die_with_parent
from support.waiting import PATIENCE, wait_until

WORKERS = 3
PORT = 8815
LEASE_SECONDS = 3
CLIENT = Path(__file__).parent / "client.py"
REACH_SECONDS = 60 * PATIENCE
CLEAN_SECONDS = LEASE_SECONDS + 20.0
#: What a worker's DuckDB may hold on to without a query
IDLE_MEMORY_MB = 16


@dataclass
class Point:
    """Where a task stops: "begin" or "end" of the first one of a stage."""
    when: str
    stage: int


@dataclass
class Environment:
    """What a fault needs of the nodes before they start."""
    lab: NetLab | None = None
    damaging: bool = False
    toxic: bool = False
    #: Size of a disk of its own for each worker's temporary files
    disk_mb: int = 0
    #: Of memory for each worker, by the kernel
    memory_mb: int = 0
    worker_options: list[str] = field(default_factory=list)
    #: Of each worker's environment
    variables: dict[str, str] = field(default_factory=dict)
    #: Of the session
    settings: dict[str, str] = field(default_factory=dict)


@dataclass
class Answer:
    rows: Result | None
    error: str | None
    error_class: str | None
    execution_mode: str
    retries: int
    tasks: list[dict]

    @property
    def task_seconds(self) -> float:
        return sum(task["duration_ms"] or 0 for task in self.tasks) / 1000


class Nodes:
    """Use as a context manager: what it started has ended afterwards, its mounts and proxies too."""

    def __init__(self, directory: Path, environment: Environment, point: Point | None, worker_program: Path):
        self.directory, self.environment = directory, environment
        self.lab = environment.lab
        self.workers: dict[str, NodeProcess] = {}
        self.proxies: dict[str, DamagingProxy] = {}
        self.toxiproxy: Toxiproxy | None = None
        self.client: subprocess.Popen | None = None
        self.groups: dict[str, MemoryGroup] = {}
        self._mounts: list[Path] = []
        self._program = worker_program
        self._variables = dict(environment.variables)
        if point:
            self._variables["DUCKHERDER_FAULT_POINT"] = f"{point.when} {point.stage} {directory}"

    def __enter__(self) -> "Nodes":
        try:
            self.start_driver()
            if self.environment.toxic:
                assert self.lab
                upstreams = {f"worker-{number}": f"{self.lab.host(number + 1)}:{PORT}" for number in range(WORKERS)}
                self.toxiproxy = Toxiproxy(self.directory, self.lab.command(0), self.lab.host(0), upstreams)
            for number in range(WORKERS):
                self.start_worker(f"worker-{number}", number)
            for worker in self.workers.values():
                worker.wait_ready()
                if proxy := self.proxies.get(worker.name):
                    # it says the proxy's port: its own one is in its socket
                    proxy.target = ("127.0.0.1", self._own_port(worker))
            self.wait_registered(WORKERS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        if self.client and self.client.poll() is None:
            self.client.kill()
            self.client.wait()
        # nobody may still wait at the point
        self.go()
        problems = []
        for node in [*self.workers.values(), self.driver]:
            try:
                node.stop()
            except TimeoutError as error:
                problems.append(str(error))
        for proxy in self.proxies.values():
            proxy.close()
        if self.toxiproxy:
            self.toxiproxy.close()
        for group in self.groups.values():
            group.close()
        for mount in self._mounts:
            subprocess.run(["umount", str(mount)], capture_output=True)
        if problems:
            raise TimeoutError("\n".join(problems))

    def _where(self, node: int) -> list[str]:
        return self.lab.command(node) if self.lab else []

    def _listen(self, node: int, port: int) -> list[str]:
        if self.lab:
            return ["--listen", f"{self.lab.host(node)}:{PORT}", "--insecure"]
        return ["--listen", f"127.0.0.1:{port}"]

    def start_driver(self, port: int = 0) -> None:
        command = [*self._where(0), str(paths.require(paths.BINARY)), "driver", *self._listen(0, port)]
        self.driver = NodeProcess("driver", command, self.directory).wait_ready()

    def start_worker(self, name: str, number: int) -> None:
        options = ["--id", name, "--threads", "1", "--driver", f"{self.driver.host}:{self.driver.port}",
                   "--lease-timeout", str(LEASE_SECONDS), "--drain-timeout", "0",
                   "--temp-directory", str(self.disk(name)), *self.environment.worker_options]
        if self.environment.damaging:
            proxy = self.proxies.setdefault(name, DamagingProxy())
            # else only root may list its sockets, for _own_port
            options += ["--core-dumps", "--advertise", f"127.0.0.1:{proxy.port}"]
        if self.toxiproxy:
            assert self.lab
            options += ["--advertise", f"{self.lab.host(0)}:{self.toxiproxy.ports[name]}"]
        subcommand = [] if self._program == paths.FAULTY_WORKER else ["worker"]
        if self.environment.memory_mb and name not in self.groups:
            self.groups[name] = MemoryGroup(f"duckherder-{os.getpid()}-{name}", self.environment.memory_mb)
        group = self.groups[name].command() if name in self.groups else []
        command = [*self._where(number + 1), *group, str(paths.require(self._program)), *subcommand,
                   *self._listen(number + 1, 0), *options]
        self.workers[name] = NodeProcess(name, command, self.directory, self._variables)

    def disk(self, name: str) -> Path:
        """Where that worker's temporary files go."""
        if not self.environment.disk_mb:
            return self.directory / "temp"
        path = self.directory / f"disk-{name}"
        if not path.exists():
            path.mkdir()
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.environment.disk_mb}m", "tmpfs",
                                   str(path)], capture_output=True, text=True)
            if done.returncode:
                raise Unavailable(f"no disk of its own for a worker: {done.stderr.strip()}")
            self._mounts.append(path)
        return path

    @staticmethod
    def _own_port(worker: NodeProcess) -> int:
        """Of the one socket at which it listens."""
        inodes = set()
        for entry in Path(f"/proc/{worker.pid}/fd").iterdir():
            try:
                target = os.readlink(entry)
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
        for line in [*Path("/proc/net/tcp").read_text().splitlines(), *Path("/proc/net/tcp6").read_text().splitlines()]:
            words = line.split()
            if words[3] == "0A" and words[9] in inodes:
                return int(words[1].split(":")[1], 16)
        raise RuntimeError(f"{worker.name} listens nowhere")

    def status(self) -> list[dict]:
        command = [*self._where(0), str(paths.BINARY), "status", "--driver", f"{self.driver.host}:{self.driver.port}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=STATUS_TIMEOUT_SECONDS)
        if done.returncode:
            raise RuntimeError(done.stderr)
        lines = [line.split() for line in done.stdout.splitlines()]
        return [dict(zip(lines[0], line)) for line in lines[1:] if len(line) == len(lines[0])]

    def wait_registered(self, count: int) -> None:
        wait_until(lambda: sum(worker["STATE"] == "active" for worker in self.status()) >= count, 30,
                   lambda: f"not all workers are at the driver: {self.status()}")

    # the query

    def start_client(self, sql: str, data: Path, settings: dict[str, str]) -> None:
        command = [*self._where(0), paths.PYTHON, str(CLIENT), self.driver.host, str(self.driver.port), str(data),
                   json.dumps(settings), str(self.directory / "rows")]
        self.client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       text=True, env=os.environ, preexec_fn=die_with_parent)
        assert self.client.stdin
        self.client.stdin.write(sql)
        self.client.stdin.close()
        self.client.stdin = None

    def wait_reached(self) -> str:
        """The worker of the task that stopped at the point."""
        reached = self.directory / "reached"
        wait_until(lambda: reached.exists() or (self.client and self.client.poll() is not None), REACH_SECONDS,
                   lambda: "no task came to the point")
        if not reached.exists():
            raise RuntimeError(f"the query ended before its point: {self.answer(1)}")
        return reached.read_text().strip()

    def go(self) -> None:
        (self.directory / "go").touch()

    def answer(self, limit: float) -> Answer:
        """What the client says in the end; TimeoutExpired if that takes longer than the limit in seconds."""
        assert self.client
        out, err = self.client.communicate(timeout=limit * PATIENCE)
        if self.client.returncode:
            raise RuntimeError(f"the client ended with {self.client.returncode}: {err[-2000:]}")
        told = json.loads(out)
        rows = pickle.loads((self.directory / "rows").read_bytes()) if told["error"] is None else None
        return Answer(rows, told["error"], told["class"], told["execution_mode"], told["retries"], told["tasks"])

    def logs(self) -> str:
        nodes = [self.driver, *self.workers.values()]
        return "\n".join(f"--- {node.name}\n{node.log()[-2000:]}" for node in nodes)

    # afterwards

    def check_memory(self) -> None:
        """The kernel had to kill nobody."""
        for name, group in self.groups.items():
            if group.kills or not self.workers[name].alive:
                raise AssertionError(f"{name} was killed: it needed more than {self.environment.memory_mb} MB")

    def check_nothing_left(self) -> float:
        """On the workers that live; after how many seconds. A new worker removes what killed ones left."""
        begin = time.monotonic()
        wait_until(lambda: not self._left(begin), CLEAN_SECONDS, lambda: f"left behind: {self._left(begin)}")
        seconds = time.monotonic() - begin
        dead = [name for name, worker in self.workers.items() if not worker.alive]
        for name in dead:
            self.start_worker(name, int(name[-1]))
            self.workers[name].wait_ready()
        for path in {self.disk(name) for name in self.workers}:
            owners = [name for name in self.workers if self.disk(name) == path]
            found = sorted(str(one.relative_to(path)) for one in path.glob("duckherder-worker-*/*"))
            if self.environment.disk_mb:
                # after a failed write DuckDB 1.5.5 does not give that block's place in the file back
                found = [name for name in found if name.endswith("/lock")]
            if len(found) != len(owners) or any(not name.endswith("/lock") for name in found):
                raise AssertionError(f"temporary files of {owners}: {found}")
        return seconds

    def _left(self, since: float) -> list:
        """What workers say that have been heard since then."""
        elapsed_ms = (time.monotonic() - since) * 1000
        alive = {name for name, worker in self.workers.items() if worker.alive}
        problems: list = [worker for worker in self.status()
                          if worker["ID"] in alive and (
                              worker["STATE"] != "active" or int(worker["RUNNING"]) > 0 or int(worker["QUERIES"]) > 0
                              or int(worker["MEMORY_MB"]) > IDLE_MEMORY_MB
                              or int(worker["HEARTBEAT_MS"]) > elapsed_ms)]
        if self.client and self.client.poll() is None:
            problems.append("the client")
        return problems


class DutyCycle:
    """Lets a process run only a part of the time, until `stop`."""

    def __init__(self, pid: int, run_ms: int, stop_ms: int):
        self._pid, self._run, self._stop = pid, run_ms / 1000, stop_ms / 1000
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._cycle, daemon=True)
        self._thread.start()

    def _cycle(self) -> None:
        while not self._ended.wait(self._run):
            os.kill(self._pid, signal.SIGSTOP)
            self._ended.wait(self._stop)
            os.kill(self._pid, signal.SIGCONT)

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()


def fill(path: Path) -> None:
    """The disk has no room any more."""
    file = os.open(path / "filler", os.O_WRONLY | os.O_CREAT, 0o600)
    piece = b"x" * (1 << 20)
    try:
        while True:
            os.write(file, piece)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        os.close(file)
