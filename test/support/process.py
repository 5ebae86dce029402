"""One child process of a test: its output is kept, its end is waited for, and it never outlives the test run."""

import ctypes
import os
import queue
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

from support.waiting import PATIENCE

READY = re.compile(r"listening on grpc(?:\+tls)?://(\S+):(\d+)")
START_TIMEOUT_SECONDS = 30.0 * PATIENCE
STOP_TIMEOUT_SECONDS = 15.0 * PATIENCE
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def peak_bytes(pid: int) -> int:
    """The most memory that the process has had resident since it began, or since forget_peak."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    assert found, pid
    return int(found[1]) * 1024


def peak_mb(pid: int) -> float:
    """The same in MiB."""
    return peak_bytes(pid) / (1 << 20)


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def die_with_parent() -> None:
    """Also when the test run itself is killed, no node is left behind."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class NodeProcess:
    """A `duckherder` node. `start` returns when it has printed where it listens."""

    def __init__(self, name: str, command: list[str], directory: Path, environment: dict[str, str] | None = None,
                 working_directory: Path | None = None, umask: int = -1):
        """`directory`: where its log goes; where it runs, too, unless it has a working directory of its own."""
        self.name = name
        self._world = (environment, working_directory, umask)
        self.log_path = directory / f"{name}.log"
        self._log = open(self.log_path, "w")
        self._lines: queue.Queue[str | None] = queue.Queue()
        #: When, in seconds since the epoch
        self.started = time.time()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, errors="replace",
                                        cwd=working_directory or directory,
                                        env={**os.environ, **(environment or {})}, preexec_fn=die_with_parent,
                                        umask=umask)
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()
        self.host, self.port = "", 0

    def _drain(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._log.write(line)
            self._log.flush()
            self._lines.put(line)
        self._lines.put(None)

    def wait_ready(self, timeout: float = START_TIMEOUT_SECONDS) -> "NodeProcess":
        while True:
            try:
                line = self._lines.get(timeout=timeout)
            except queue.Empty:
                raise TimeoutError(f"{self.name} printed no address within {timeout} s:\n{self.log()}") from None
            if line is None:
                code = self.process.wait(STOP_TIMEOUT_SECONDS)
                raise RuntimeError(f"{self.name} ended with {code} instead of listening:\n{self.log()}")
            if match := READY.search(line):
                self.host, self.port = match[1], int(match[2])
                return self

    def start_again(self, without: tuple[str, ...] = ()) -> "NodeProcess":
        """Another process at the address of this one, which has ended, with its command and in its world, but for some
        variables of the environment. It keeps a log of its own."""
        assert not self.alive
        environment, working_directory, umask = self._world
        command = list(self.process.args)
        command[command.index("--listen") + 1] = f"{self.host}:{self.port}"
        name, _, number = self.name.partition(".")
        kept = {key: value for key, value in (environment or {}).items() if key not in without}
        return NodeProcess(f"{name}.{int(number or 0) + 1}", command, self.log_path.parent, kept, working_directory,
                           umask).wait_ready()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def location(self) -> str:
        return f"grpc://{self.host}:{self.port}"

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def log(self) -> str:
        return self.log_path.read_text() if self.log_path.exists() else ""

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """As a machine that loses its power."""
        self.process.kill()
        self._finish(STOP_TIMEOUT_SECONDS)

    def stop(self) -> int:
        """SIGTERM, then the exit code. A node that does not end is killed, and that is an error."""
        if self.alive:
            # A stopped process would not see the SIGTERM
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            return self._finish(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self._finish(STOP_TIMEOUT_SECONDS)
            raise TimeoutError(f"{self.name} did not end {STOP_TIMEOUT_SECONDS} s after SIGTERM:\n{self.log()}") \
                from None

    def _finish(self, timeout: float) -> int:
        code = self.process.wait(timeout)
        self._reader.join(timeout)
        self._log.close()
        return code
