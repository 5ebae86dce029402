"""A small network of this machine's own: namespaces for the nodes, joined by a bridge, whose links can be broken."""

import os
import subprocess

PREFIX = "10.213.0."
HUB_HOST = PREFIX + "1"


class Unavailable(Exception):
    """This user or machine lacks what a fault needs."""


def run(*words: str) -> None:
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    if done.returncode:
        raise Unavailable(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")


class NetLab:
    """Use as a context manager. Namespace 0 is the hub, with the driver and the client; 1 to `nodes` are the others."""

    def __init__(self, nodes: int):
        self._nodes = nodes
        self._made: list[str] = []

    def name(self, node: int) -> str:
        return f"dh{os.getpid()}n{node}"

    @staticmethod
    def host(node: int) -> str:
        return HUB_HOST if node == 0 else f"{PREFIX}{10 + node}"

    def command(self, node: int) -> list[str]:
        """In front of a command that is to run there; it becomes that command and keeps its pid."""
        return ["ip", "netns", "exec", self.name(node)]

    def __enter__(self) -> "NetLab":
        if os.geteuid() != 0:
            raise Unavailable("network namespaces need root")
        try:
            for node in range(self._nodes + 1):
                run("ip", "netns", "add", self.name(node))
                self._made.append(self.name(node))
                run("ip", "-n", self.name(node), "link", "set", "lo", "up")
            hub = self.name(0)
            run("ip", "-n", hub, "link", "add", "br0", "type", "bridge")
            run("ip", "-n", hub, "addr", "add", f"{HUB_HOST}/24", "dev", "br0")
            run("ip", "-n", hub, "link", "set", "br0", "up")
            for node in range(1, self._nodes + 1):
                port = f"v{node}"
                run("ip", "-n", hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns",
                    self.name(node))
                run("ip", "-n", hub, "link", "set", port, "master", "br0", "up")
                run("ip", "-n", self.name(node), "addr", "add", f"{self.host(node)}/24", "dev", "eth0")
                run("ip", "-n", self.name(node), "link", "set", "eth0", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        for name in self._made:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        self._made.clear()

    def set_link(self, node: int, state: str) -> None:
        run("ip", "-n", self.name(0), "link", "set", f"v{node}", state)

    def set_rate(self, node: int, megabits: int) -> None:
        """So many megabits per second, in each direction; 0: as many as there may be."""
        if megabits == 0:
            run("tc", "-n", self.name(0), "qdisc", "del", "dev", f"v{node}", "root")
            run("tc", "-n", self.name(node), "qdisc", "del", "dev", "eth0", "root")
            return
        rate = ["root", "tbf", "rate", f"{megabits}mbit", "burst", "64kb", "latency", "200ms"]
        run("tc", "-n", self.name(0), "qdisc", "replace", "dev", f"v{node}", *rate)
        run("tc", "-n", self.name(node), "qdisc", "replace", "dev", "eth0", *rate)

    def set_loss(self, node: int, probability: float) -> None:
        """So many of the packets that reach the node from now on are lost; 0: none."""
        rules = [*self.command(node), "iptables", "-w"]
        run(*rules, "-F", "INPUT")
        if probability > 0:
            run(*rules, "-A", "INPUT", "-i", "eth0", "-m", "statistic", "--mode", "random", "--probability",
                str(probability), "-j", "DROP")
