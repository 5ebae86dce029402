"""A real S3 server (SeaweedFS) on loopback, and what stands in front of it to see who asks it for what."""

import dataclasses
import json
import os
import secrets
import socket
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from support import paths
from support.process import die_with_parent
from support.waiting import wait_until

START_TIMEOUT_SECONDS = 60


def _free_port() -> int:
    """The server takes no port 0; its gRPC port is 10000 above, where it has to be free too."""
    while True:
        with socket.socket() as probe, socket.socket() as above:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            if port > 55000:
                continue
            try:
                above.bind(("127.0.0.1", port + 10000))
            except OSError:
                continue
            return port


class S3Server:
    """Use as a context manager. One bucket is as good as another: COPY makes them."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.key, self.secret = "user", secrets.token_hex(16)
        self.port = 0
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> "S3Server":
        data = self.directory / "data"
        data.mkdir(parents=True)
        config = self.directory / "s3.json"
        config.write_text(json.dumps({"identities": [{
            "name": "tests", "credentials": [{"accessKey": self.key, "secretKey": self.secret}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}))
        binary = paths.require(paths.S3_SERVER)
        if not os.access(binary, os.X_OK):
            binary.chmod(0o755)
        self.port = _free_port()
        ports = [f"-{part}port={_free_port()}" for part in ("master.", "volume.", "filer.")]
        # other interfaces, which would listen at fixed ports: a second server on the machine could not start
        ports += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
        with open(self.directory / "weed.log", "w") as log:
            self._process = subprocess.Popen(
                [str(binary), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={data}", "-s3",
                 f"-s3.port={self.port}", f"-s3.config={config}", "-volume.max=64",
                 "-master.volumeSizeLimitMB=256", *ports],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.directory,
                preexec_fn=die_with_parent)
        try:
            wait_until(self._answers, START_TIMEOUT_SECONDS, self.log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=2)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def log(self) -> str:
        return (self.directory / "weed.log").read_text()[-3000:]

    def secret_sql(self, port: int | None = None) -> str:
        """CREATE SECRET for DuckDB; another port if a proxy stands in front."""
        return (f"CREATE SECRET (TYPE s3, KEY_ID '{self.key}', SECRET '{self.secret}', REGION 'us-east-1', "
                f"ENDPOINT '127.0.0.1:{port or self.port}', URL_STYLE 'path', USE_SSL false)")


@dataclasses.dataclass(frozen=True)
class Request:
    method: str
    path: str
    #: Asked for with a Range header; 0 without
    bytes: int


class RequestLog:
    """A proxy in front of a server that notes each HTTP request. `on_request` is called with one before it is passed
    on. Use as a context manager."""

    def __init__(self, target_port: int, on_request: Callable[[Request], None] | None = None):
        self._target_port = target_port
        self.on_request = on_request
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._sockets: list[socket.socket] = []
        self._entrance = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._entrance.getsockname()[1]

    def __enter__(self) -> "RequestLog":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._entrance.close()
        with self._lock:
            for one in self._sockets:
                one.close()

    def take(self, suffix: str = "") -> list[Request]:
        """The requests since the last call, of those whose path ends so."""
        with self._lock:
            taken, self._requests = self._requests, []
        return [one for one in taken if one.path.endswith(suffix)]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._entrance.accept()
                server = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                return
            with self._lock:
                self._sockets += [client, server]
            threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _note(self, head: list[bytes]) -> int:
        """Returns the length of the request's body."""
        method, target, _ = head[0].decode().split(" ", 2)
        headers = {}
        for line in head[1:]:
            name, _, value = line.decode().partition(":")
            headers[name.strip().lower()] = value.strip()
        asked = 0
        if "range" in headers:
            first, last = headers["range"].removeprefix("bytes=").split("-")
            asked = int(last) - int(first) + 1
        request = Request(method, urllib.parse.urlsplit(target).path, asked)
        with self._lock:
            self._requests.append(request)
        if self.on_request:
            self.on_request(request)
        return int(headers.get("content-length", 0))

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        try:
            with client.makefile("rb") as reader:
                while line := reader.readline():
                    head = [line]
                    while (line := reader.readline()) not in (b"\r\n", b""):
                        head.append(line)
                    left = self._note(head)
                    server.sendall(b"".join(head) + b"\r\n")
                    while left > 0 and (data := reader.read(min(left, 65536))):
                        server.sendall(data)
                        left -= len(data)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        try:
            while data := server.recv(65536):
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
