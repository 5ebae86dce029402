"""The processes of a soak: clients, and nodes of which one is killed and another one comes."""

import json
import os
import queue
import random
import shutil
import subprocess
import threading
import time
from dataclasses import asdict
from pathlib import Path

from chaos.sampling import GROWTH_FACTOR, GROWTH_MB, Sampler, sample
from chaos.soak_mix import Item
from support import paths
from support.cluster import Cluster
from support.process import die_with_parent
from support.waiting import PATIENCE, wait_until

CLIENT = Path(__file__).parent / "soak_client.py"
READY_SECONDS = 60 * PATIENCE
LEASE_SECONDS = 3
#: What a worker's DuckDB may hold on to without a query
IDLE_MEMORY_MB = 16
#: More than before the first client, when nothing runs: threads and connections that the network library keeps
SPARE_FDS = 16
SPARE_THREADS = 24


class Stuck(Exception):
    def __init__(self, message: str, pid: int):
        super().__init__(message)
        self.pid = pid


class ClientProcess:
    """A session in a process of its own."""

    def __init__(self, name: str, address: tuple[str, int], mix_file: Path, settings: dict[str, str], directory: Path):
        self.name = name
        self._log = open(directory / f"{name}.log", "a")
        command = [paths.PYTHON, str(CLIENT), address[0], str(address[1]), str(mix_file), json.dumps(settings)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
                                        text=True, env=os.environ, preexec_fn=die_with_parent)
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._drain, daemon=True).start()
        if self._line(READY_SECONDS) != "ready":
            raise RuntimeError(f"{name} does not start: {directory / f'{name}.log'}")

    def _drain(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line.strip())
        self._lines.put(None)

    def _line(self, limit: float) -> str | None:
        try:
            return self._lines.get(timeout=limit)
        except queue.Empty:
            pid = self.process.pid
            raise Stuck(f"{self.name} (pid {pid}) has said nothing for {limit:.0f} s", pid) from None

    def tell(self, item: Item, number: int) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(asdict(item) | {"number": number}) + "\n")
        self.process.stdin.flush()

    def answer(self, limit: float) -> dict:
        line = self._line(limit)
        if line is None:
            raise RuntimeError(f"{self.name} ended with {self.process.wait(10)}")
        return json.loads(line)

    def kill_after(self, seconds: float) -> None:
        """Or when it has answered."""
        try:
            self._lines.get(timeout=seconds)
        except queue.Empty:
            pass
        self.process.kill()
        self.process.wait()
        self._log.close()

    def end(self) -> int:
        assert self.process.stdin
        self.process.stdin.close()
        code = self.process.wait(READY_SECONDS)
        self._log.close()
        return code


def stacks(pid: int) -> str:
    """Of all threads, if there is a debugger."""
    if not shutil.which("gdb"):
        return "no gdb"
    command = ["gdb", "-p", str(pid), "-batch", "-nx", "-ex", "set debuginfod enabled off", "-ex",
               "thread apply all bt 40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    except subprocess.TimeoutExpired:
        return "the debugger was not done in 120 s"


class SoakCluster:
    """A driver and workers that come and go; who was killed, and when."""

    def __init__(self, directory: Path, workers: int, sampler: Sampler, driver_options: list[str], seed: int):
        self.temp = directory / "temp"
        self.temp.mkdir()
        self.sampler = sampler
        self.kills: list[float] = []
        self.events: list[str] = []
        self._random = random.Random(seed)
        options = ["--lease-timeout", str(LEASE_SECONDS), "--temp-directory", str(self.temp), "--memory-limit", "1GB"]
        self.cluster = Cluster(directory, workers=workers, with_driver=True, driver_options=driver_options,
                               worker_options=options)
        self._baseline: dict[int, tuple[float, int, int]] = {}

    def __enter__(self) -> "SoakCluster":
        self.cluster.__enter__()
        assert self.cluster.driver
        self.sampler.watch("driver", self.cluster.driver.pid)
        for name, worker in self.cluster.workers.items():
            self.sampler.watch(name, worker.pid)
        return self

    def __exit__(self, *_) -> None:
        self.cluster.__exit__()

    @property
    def address(self) -> tuple[str, int]:
        assert self.cluster.driver
        return self.cluster.driver.host, self.cluster.driver.port

    def _note(self, what: str) -> None:
        self.events.append(f"{time.monotonic() - self.sampler.begin:.0f} s: {what}")

    def kill_one(self) -> None:
        """Never the first one, which shows what a long life costs."""
        names = [name for name, worker in self.cluster.workers.items() if worker.alive][1:]
        name = self._random.choice(names)
        worker = self.cluster.workers[name]
        self.sampler.forget(worker.pid)
        self.kills.append(time.monotonic())
        worker.kill()
        self._note(f"{name} was killed")

    def join_one(self) -> None:
        worker = self.cluster.add_worker()
        self.sampler.watch(worker.name, worker.pid)
        self._note(f"{worker.name} joined")

    def killed_since(self, begin: float, margin: float) -> bool:
        return any(begin - margin < kill for kill in self.kills)

    def nodes(self) -> dict[str, int]:
        assert self.cluster.driver
        workers = {name: worker.pid for name, worker in self.cluster.workers.items() if worker.alive}
        return {"driver": self.cluster.driver.pid, **workers}

    def crashed(self) -> list[str]:
        ended = [name for name, worker in self.cluster.workers.items()
                 if worker.process.poll() not in (None, -9)]
        assert self.cluster.driver
        return ended + ([] if self.cluster.driver.alive else ["driver"])

    def take_baseline(self) -> None:
        """While nothing runs."""
        now = time.monotonic()
        for pid in self.nodes().values():
            seen = sample(pid, now)
            assert seen
            self._baseline[pid] = (seen.rss_mb, seen.fds, seen.threads)

    def wait_clean(self, seconds: float) -> float:
        """Nothing is left of any query; after how many seconds. Heartbeats come each second."""
        begin = time.monotonic()
        return wait_until(lambda: not self._left(begin), seconds, lambda: f"left behind: {self._left(begin)}")

    def _left(self, since: float) -> list[str]:
        elapsed_ms = (time.monotonic() - since) * 1000
        alive = self.nodes()
        lines = [line.split() for line in self.cluster.status().splitlines()]
        workers = [dict(zip(lines[0], line)) for line in lines[1:] if len(line) == len(lines[0])]
        problems = [str(worker) for worker in workers if worker["ID"] in alive and (
            worker["STATE"] != "active" or int(worker["RUNNING"]) > 0 or int(worker["QUERIES"]) > 0
            or int(worker["MEMORY_MB"]) > IDLE_MEMORY_MB or int(worker["HEARTBEAT_MS"]) > elapsed_ms)]
        return problems + self._grown()

    def _grown(self) -> list[str]:
        """More than before the first client."""
        problems = []
        for name, pid in self.nodes().items():
            before, seen = self._baseline.get(pid), sample(pid, 0)
            if not before or not seen:
                continue
            if seen.fds > before[1] + SPARE_FDS:
                problems.append(f"{name} has {seen.fds} open files, {before[1]} before")
            if seen.threads > before[2] + SPARE_THREADS:
                problems.append(f"{name} has {seen.threads} threads, {before[2]} before")
        return problems

    def memory_problems(self) -> list[str]:
        """At rest, compared with the median under load, early: allocators keep what was needed once."""
        problems = []
        for series in self.sampler.series:
            seen = sample(series.pid, 0) if series.pid in self.nodes().values() and series.samples else None
            if seen and seen.rss_mb > series.quarter(1) * GROWTH_FACTOR + GROWTH_MB:
                problems.append(f"{series.name} has {seen.rss_mb:.0f} MB at rest, {series.quarter(1):.0f} under load")
        return problems

    def files_left(self) -> list[str]:
        """A new worker removes what killed ones have left; then each has its lock."""
        self.join_one()
        found = sorted(str(path.relative_to(self.temp)) for path in self.temp.glob("duckherder-worker-*/*"))
        alive = sum(worker.alive for worker in self.cluster.workers.values())
        others = [name for name in found if not name.endswith("/lock")]
        directories = len(list(self.temp.iterdir()))
        return others + ([f"{directories} directories of {alive} workers"] if directories != alive else [])

    def idle_row(self) -> list[str]:
        rows = []
        for name, pid in self.nodes().items():
            before, seen = self._baseline.get(pid), sample(pid, 0)
            if before and seen:
                rows.append(f"| {name} | {before[0]:.0f} | {seen.rss_mb:.0f} | {before[1]} | {seen.fds} "
                            f"| {before[2]} | {seen.threads} |")
        return rows
