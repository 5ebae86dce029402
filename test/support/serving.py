"""Stock Python processes and shells that serve nodes."""

import subprocess
from pathlib import Path

from support import paths
from support.process import STOP_TIMEOUT_SECONDS, NodeProcess, die_with_parent

#: Runs statements, says where the nodes listen that they begin, and then waits for SIGTERM. On it the statement in
#: ENDING runs, if there is one; then the process ends as any Python process does. It catches no signal but that one.
SCRIPT = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
import duckdb
con = duckdb.connect(config={"allow_unsigned_extensions": "true"})
con.execute("LOAD '" + sys.argv[1] + "'")
for sql in sys.argv[2:]:
    rows = con.execute(sql).fetchall()
    for location, url, name in rows if sql.startswith("CALL duckherder_serve") else []:
        print("listening on", location, flush=True)
signal.sigwait({signal.SIGTERM})
if os.environ.get("ENDING"):
    print("ended", con.execute(os.environ["ENDING"]).fetchall(), flush=True)
"""


def python_process(name: str, directory: Path, statements: list[str], ending: str = "") -> NodeProcess:
    """A stock Python process whose last statement begins a node; returns when that listens."""
    command = [paths.PYTHON, "-c", SCRIPT, str(paths.require(paths.EXTENSION)), *statements]
    return NodeProcess(name, command, directory, {"ENDING": ending}).wait_ready()


class ShellProcess:
    """A stock shell to which statements are typed; it ends with its input."""

    def __init__(self, directory: Path, statements: list[str]):
        self.log_path = directory / "shell.log"
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen([str(paths.require(paths.STOCK_SHELL)), "-unsigned", "-batch", "-csv"],
                                            stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, text=True,
                                            cwd=directory, preexec_fn=die_with_parent)
        self.type(f"LOAD '{paths.EXTENSION}';")
        for sql in statements:
            self.type(sql + ";")

    def type(self, text: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def log(self) -> str:
        return self.log_path.read_text()

    def end(self) -> int:
        """The end of its input, then its exit code"""
        assert self.process.stdin
        self.process.stdin.close()
        try:
            return self.process.wait(STOP_TIMEOUT_SECONDS)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
