"""What stands between nodes and makes the network worse: Toxiproxy, and a proxy that damages bytes."""

import json
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

from chaos.netlab import Unavailable
from support import paths
from support.process import die_with_parent
from support.waiting import wait_until

#: A smaller piece may be only a sign of life
DAMAGED_BYTES_MIN = 200
BUFFER_BYTES = 64 << 10
FROM_NODE = ("downstream",)
BOTH_WAYS = ("upstream", "downstream")
TOXIPROXY = paths.DEPS / "toxiproxy" / "toxiproxy-server"


class DamagingProxy:
    """Passes bytes on; after `damage` one bit of the next piece that the node sends is wrong."""

    def __init__(self) -> None:
        self._entrance = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._entrance.getsockname()[1]
        self.target: tuple[str, int] | None = None
        self._damages = 0
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def damage(self) -> None:
        with self._lock:
            self._damages += 1

    @property
    def damaged(self) -> bool:
        with self._lock:
            return self._damages == 0

    def close(self) -> None:
        self._entrance.close()
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._entrance.accept()
                assert self.target
                node = socket.create_connection(self.target)
            except OSError:
                return
            self._sockets += [client, node]
            threading.Thread(target=self._pump, args=(client, node, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(node, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, from_node: bool) -> None:
        try:
            while data := source.recv(BUFFER_BYTES):
                if from_node and len(data) >= DAMAGED_BYTES_MIN:
                    with self._lock:
                        if self._damages > 0:
                            self._damages -= 1
                            middle = len(data) // 2
                            data = data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1:]
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Toxiproxy:
    """The program in a namespace (`where`: what to put in front of a command there), one proxy for each node."""

    def __init__(self, directory: Path, where: list[str], host: str, upstreams: dict[str, str]):
        if not TOXIPROXY.exists():
            raise Unavailable(f"{TOXIPROXY} is missing: scripts/fetch_toxiproxy.sh builds it, with Go")
        if not shutil.which("ip"):
            raise Unavailable("ip is not installed")
        self._where, self._host = where, host
        self.ports = {name: 9001 + number for number, name in enumerate(upstreams)}
        config = [{"name": name, "listen": f"{host}:{self.ports[name]}", "upstream": upstream, "enabled": True}
                  for name, upstream in upstreams.items()]
        path = directory / "toxiproxy.json"
        path.write_text(json.dumps(config))
        self._log = open(directory / "toxiproxy.log", "w")
        self._process = subprocess.Popen([*where, str(TOXIPROXY), "-host", "127.0.0.1", "-config", str(path)],
                                         stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT,
                                         env=os.environ, preexec_fn=die_with_parent)
        wait_until(lambda: self._ask("GET", "/proxies").returncode == 0, 20, lambda: "toxiproxy does not answer")

    def add(self, proxy: str, kind: str, streams: tuple[str, ...] = BOTH_WAYS, **attributes: int) -> None:
        """`streams`: FROM_NODE, or both ways. Counts for connections that there are, too."""
        for stream in streams:
            toxic = {"name": f"{kind}-{stream}", "type": kind, "stream": stream, "attributes": attributes}
            self._tell("POST", f"/proxies/{proxy}/toxics", json.dumps(toxic))

    def remove(self, proxy: str, kind: str, streams: tuple[str, ...] = BOTH_WAYS) -> None:
        for stream in streams:
            self._tell("DELETE", f"/proxies/{proxy}/toxics/{kind}-{stream}")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._log.close()

    def _tell(self, method: str, path: str, body: str = "") -> None:
        done = self._ask(method, path, body)
        if done.returncode:
            raise RuntimeError(f"toxiproxy: {done.stderr}")

    def _ask(self, method: str, path: str, body: str = "") -> subprocess.CompletedProcess[str]:
        script = ("import sys, urllib.request as r; "
                  "r.urlopen(r.Request('http://127.0.0.1:8474' + sys.argv[2], method=sys.argv[1], "
                  "data=sys.argv[3].encode() or None, headers={'Content-Type': 'application/json'}), timeout=5)")
        return subprocess.run([*self._where, paths.PYTHON, "-c", script, method, path, body], capture_output=True,
                              text=True, timeout=20)
