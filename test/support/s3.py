"""A real S3 server (SeaweedFS) on loopback."""

import json
import os
import secrets
import socket
import subprocess
import urllib.error
import urllib.request
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
