"""The faults of the matrix: what each needs, does to the worker whose task stopped, and may lead to."""

import os
import shutil
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chaos.netlab import NetLab, Unavailable
from chaos.nodes import WORKERS, DutyCycle, Environment, Nodes, fill
from chaos.proxies import FROM_NODE

#: Longer than a driver waits for heartbeats (5 s), so that the worker counts as lost before it is back
AWAY_SECONDS = 8.0
DELAY_MS = 300
LOSS = 0.05
#: So small that both sides of a join of TPC-H SF1 do not fit when whole tables are shuffled
SMALL_MEMORY = "110MB"
SMALL_DISK_MB = 512
GROUP_MEMORY_MB = 120
NARROW_MBITS = 50
JITTER_MS = 20
SLICE_BYTES = 4000
#: Less than most outputs of a task that others read, more than what a call needs at its beginning
CUT_AFTER_BYTES = 20_000
CUT_SECONDS = 2.0
SHUFFLE_ALL = {"duckherder_broadcast_limit": "0", "duckherder_dynamic_filters": "false"}


@dataclass
class Fault:
    name: str
    environment: Callable[[NetLab | None], Environment]
    #: Does it, and returns what ends it
    inject: Callable[[Nodes, str], Callable[[], None]]
    #: With duckherder_task_retries = 0: "error", "rows", or "either" where it depends on what the fault hits
    without_retries: str
    needs_network: bool = False
    #: The session does not survive
    ends_client: bool = False
    limit_seconds: float = 60


def nothing() -> None:
    pass


def later(seconds: float, what: Callable[[], None]) -> Callable[[], None]:
    """Does it then; returns what waits for it."""
    timer = threading.Timer(seconds, what)
    timer.start()
    return timer.join


def _plain(_: NetLab | None) -> Environment:
    return Environment()


def _kill(nodes: Nodes, victim: str) -> Callable[[], None]:
    nodes.workers[victim].kill()
    return nothing


def _pause(nodes: Nodes, victim: str) -> Callable[[], None]:
    nodes.workers[victim].signal(signal.SIGSTOP)
    return later(AWAY_SECONDS, lambda: nodes.workers[victim].signal(signal.SIGCONT))


def _partition(nodes: Nodes, victim: str) -> Callable[[], None]:
    lab, number = nodes.lab, int(victim[-1]) + 1
    assert lab
    lab.set_link(number, "down")
    return later(AWAY_SECONDS, lambda: lab.set_link(number, "up"))


def _toxic(lab: NetLab | None) -> Environment:
    return Environment(lab=lab, toxic=True)


def _lossy(lab: NetLab | None) -> Environment:
    if not shutil.which("iptables"):
        raise Unavailable("packets are lost by iptables, which is not installed")
    return _toxic(lab)


def _bad_network(nodes: Nodes, _: str) -> Callable[[], None]:
    lab = nodes.lab
    assert lab and nodes.toxiproxy
    for number in range(WORKERS):
        nodes.toxiproxy.add(f"worker-{number}", "latency", latency=DELAY_MS)
        lab.set_loss(number + 1, LOSS)

    def heal() -> None:
        for number in range(WORKERS):
            lab.set_loss(number + 1, 0)
    return heal


def _narrow(nodes: Nodes, _: str) -> Callable[[], None]:
    lab = nodes.lab
    assert lab

    def set_rate(megabits: int) -> None:
        for number in range(WORKERS):
            lab.set_rate(number + 1, megabits)
    set_rate(NARROW_MBITS)
    return lambda: set_rate(0)


def _in_pieces(nodes: Nodes, _: str) -> Callable[[], None]:
    assert nodes.toxiproxy
    for number in range(WORKERS):
        nodes.toxiproxy.add(f"worker-{number}", "latency", latency=JITTER_MS, jitter=JITTER_MS)
        nodes.toxiproxy.add(f"worker-{number}", "slicer", average_size=SLICE_BYTES, size_variation=SLICE_BYTES // 2,
                            delay=10)
    return nothing


def _for_a_while(nodes: Nodes, victim: str, toxic: str, **attributes: int) -> Callable[[], None]:
    toxiproxy = nodes.toxiproxy
    assert toxiproxy
    toxiproxy.add(victim, toxic, FROM_NODE, **attributes)
    return later(CUT_SECONDS, lambda: toxiproxy.remove(victim, toxic, FROM_NODE))


def _truncate(nodes: Nodes, victim: str) -> Callable[[], None]:
    return _for_a_while(nodes, victim, "limit_data", bytes=CUT_AFTER_BYTES)


def _reset(nodes: Nodes, victim: str) -> Callable[[], None]:
    return _for_a_while(nodes, victim, "reset_peer", timeout=0)


def _bounded(_: NetLab | None) -> Environment:
    return Environment(memory_mb=GROUP_MEMORY_MB, settings=SHUFFLE_ALL,
                       worker_options=["--memory-limit", f"{GROUP_MEMORY_MB}MB"])


def _nothing_more(nodes: Nodes, _: str) -> Callable[[], None]:
    return nothing


def _fill_disk(nodes: Nodes, victim: str) -> Callable[[], None]:
    disk = nodes.disk(victim)
    fill(disk)
    return lambda: os.unlink(Path(disk) / "filler")


def _damage(nodes: Nodes, victim: str) -> Callable[[], None]:
    nodes.proxies[victim].damage()
    return nothing


def _slow(nodes: Nodes, victim: str) -> Callable[[], None]:
    return DutyCycle(nodes.workers[victim].pid, run_ms=10, stop_ms=90).stop


def _kill_driver(nodes: Nodes, _: str) -> Callable[[], None]:
    port = nodes.driver.port
    nodes.driver.kill()
    return lambda: nodes.start_driver(port)


def _kill_client(nodes: Nodes, _: str) -> Callable[[], None]:
    assert nodes.client
    nodes.client.kill()
    nodes.client.wait()
    return nothing


FAULTS = {fault.name: fault for fault in (
    Fault("worker SIGKILL", _plain, _kill, "error"),
    Fault("worker SIGSTOP for 8 s", _plain, _pause, "error"),
    Fault("partition for 8 s", lambda lab: Environment(lab=lab), _partition, "error", needs_network=True),
    Fault("300 ms delay and 5 % loss", _lossy, _bad_network, "rows",
          needs_network=True, limit_seconds=120),
    Fault(f"{NARROW_MBITS} Mbit/s", lambda lab: Environment(lab=lab, settings=SHUFFLE_ALL), _narrow, "rows",
          needs_network=True, limit_seconds=120),
    Fault("jitter and slices", _toxic, _in_pieces, "rows", needs_network=True, limit_seconds=120),
    Fault("truncated streams for 2 s", _toxic, _truncate, "either", needs_network=True),
    Fault("connections reset for 2 s", _toxic, _reset, "either", needs_network=True),
    Fault(f"{GROUP_MEMORY_MB} MB of memory", _bounded, _nothing_more, "rows"),
    Fault("full spill disk", lambda _: Environment(disk_mb=SMALL_DISK_MB,
                                                   worker_options=["--memory-limit", SMALL_MEMORY],
                                                   settings=SHUFFLE_ALL),
          _fill_disk, "either"),
    Fault("damaged frame", lambda _: Environment(damaging=True), _damage, "either"),
    Fault("slow worker (10 %)", _plain, _slow, "rows", limit_seconds=120),
    Fault("driver SIGKILL", _plain, _kill_driver, "rows"),
    Fault("client SIGKILL", _plain, _kill_client, "rows", ends_client=True),
)}
