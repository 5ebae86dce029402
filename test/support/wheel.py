"""The Python package in an environment of its own, as somebody who has only the wheel has it."""

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import duckdb

from support import paths
from support.waiting import PATIENCE

WHEELS = paths.ROOT / "dist"
PATTERN = "duckherder-*.whl"
RUN_SECONDS = 120 * PATIENCE
NOBODY = 65534
#: What scripts/fetch.py has downloaded for this Python
PACKAGES = paths.DEPS / "wheels"
#: The environment of the tests has no pip; the Python that it was made with has, as scripts/fetch.py needs it
BASE_PYTHON = os.path.realpath(sys.executable)
PIP = [BASE_PYTHON, "-m", "pip", "--disable-pip-version-check"]


def wheel() -> Path:
    found = list(WHEELS.glob(PATTERN))
    if not found:
        raise FileNotFoundError("There is no wheel in dist: run make wheel first")
    return found[0]


def supported_versions() -> list[str]:
    """The versions of DuckDB that the wheel has an extension for; before there is a wheel, that of the tests."""
    if not list(WHEELS.glob(PATTERN)):
        return [duckdb.__version__]
    with zipfile.ZipFile(wheel()) as archive:
        found = [re.fullmatch(r"duckherder/extensions/([^/]+)/.*", name) for name in archive.namelist()]
    return sorted({match[1] for match in found if match})


def _python_for_all() -> str | None:
    """A Python of the version of the tests' that another user can start; None: there is none, or we are not root."""
    if os.geteuid() != 0:
        return None
    for python in (BASE_PYTHON, f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"):
        try:
            subprocess.run([python, "-c", "import venv"], user=NOBODY, group=NOBODY, extra_groups=[], cwd="/",
                           capture_output=True, check=True)
            return python
        except (OSError, subprocess.CalledProcessError):
            continue
    return None


class Environment:
    """A virtual environment with the wheel and what it depends on, and a directory to run in that is not ours. Where
    the Python of the tests lets it, everything in it runs as another user."""

    def __init__(self, directory: Path, duckdb_version: str):
        directory.chmod(0o755)
        self.duckdb_version = duckdb_version
        self.python = directory / "venv" / "bin" / "python"
        self.home = directory / "home"
        self.home.mkdir()
        base = _python_for_all()
        self.user = NOBODY if base else None
        subprocess.run([base or BASE_PYTHON, "-m", "venv", "--without-pip", directory / "venv"], check=True)
        subprocess.run([*PIP, "--python", self.python, "install", "-q", "--no-index", "--find-links", PACKAGES, wheel(),
                        f"duckdb=={duckdb_version}"], check=True, timeout=RUN_SECONDS)
        if self.user is not None:
            os.chown(self.home, self.user, self.user)

    def start(self, command: list[str], variables: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Without any variable of ours but the given ones."""
        user = {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "TMPDIR": str(self.home), **(variables or {})}
        return subprocess.Popen(command, cwd=self.home, env=environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **user)

    def run(self, code: str, variables: dict[str, str] | None = None, *flags: str) -> subprocess.CompletedProcess[str]:
        process = self.start([str(self.python), *flags, "-c", code], variables)
        try:
            output, errors = process.communicate(timeout=RUN_SECONDS)
        except BaseException:
            process.kill()
            process.wait()
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def answer(self, code: str) -> str:
        done = self.run(code)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def nodes(self) -> list[int]:
        """The processes of clusters that were started here: their commands name directories below home."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"--end-removes" in command and os.fsencode(self.home) in command:
                found.append(int(entry.name))
        return found

    def left_over(self) -> list[str]:
        return sorted(path.name for path in self.home.glob("duckherder-*"))


def environment_in_a_directory(duckdb_version: str) -> tuple[tempfile.TemporaryDirectory[str], Environment]:
    """Not below pytest's directory, which other users may not enter."""
    directory = tempfile.TemporaryDirectory(prefix="dh-wheel-")
    return directory, Environment(Path(directory.name), duckdb_version)
