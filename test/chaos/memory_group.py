"""A control group (v1) for one process, whose memory the kernel bounds: who needs more is killed."""

import time
from pathlib import Path

from chaos.netlab import Unavailable

HIERARCHY = Path("/sys/fs/cgroup/memory")


def own_group() -> Path:
    """Of this process: groups of a test are made below it."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return HIERARCHY / path.lstrip("/")
    raise Unavailable("there is no control group (v1) for memory here")


class MemoryGroup:
    def __init__(self, name: str, megabytes: int):
        self.path = own_group() / name
        try:
            self.path.mkdir()
            (self.path / "memory.limit_in_bytes").write_text(str(megabytes << 20))
            # of memory and swap together
            swap = self.path / "memory.memsw.limit_in_bytes"
            if swap.exists():
                swap.write_text(str(megabytes << 20))
        except OSError as error:
            self.close()
            raise Unavailable(f"no control group for memory: {error}") from error

    def command(self) -> list[str]:
        """In front of a command that is to run in it; it becomes that command and keeps its pid."""
        return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(self.path / "cgroup.procs")]

    @property
    def kills(self) -> int:
        """How many processes the kernel has killed in it."""
        lines = (self.path / "memory.oom_control").read_text().splitlines()
        return int(dict(line.split() for line in lines)["oom_kill"])

    def close(self) -> None:
        """All its processes have ended; the kernel may take a moment to see that."""
        for _ in range(100):
            try:
                self.path.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.05)
