"""The short form of the fault matrix and of the faults by a seed (docs/fault_matrix.md): what needs nothing but this
machine."""

import os
import subprocess
from pathlib import Path

import pytest

from support import paths
from support.waiting import PATIENCE

SECONDS = 280
FAULTS = ("worker SIGKILL", "partition for 8 s", "50 Mbit/s", "120 MB of memory", "damaged frame", "driver SIGKILL",
          "client SIGKILL")


def run(script: str, *options: str, cwd: Path) -> str:
    done = subprocess.run([paths.PYTHON, str(Path(__file__).parent / script), *options], capture_output=True, text=True,
                          timeout=SECONDS * PATIENCE, cwd=cwd, env=os.environ)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(SECONDS + 20)
def test_faults_in_a_shuffle(tmp_path):
    """With retries the rows, without an error, and nothing left. Cases that need root say that they are skipped."""
    out = run("matrix.py", "--scale", "0.1", "--queries", "18", "--stages", "shuffle", "--faults", ",".join(FAULTS),
              cwd=tmp_path)
    assert " cases, 0 failed" in out


@pytest.mark.timeout(SECONDS + 20)
def test_faults_by_a_seed(tmp_path):
    """Tasks and outputs that fail, get lost or come late: the rows, or without retries a clear error."""
    out = run("seeded.py", "--first", "13", "--seeds", "2", "--queries", "3,5,9,16,21", cwd=tmp_path)
    assert " 0 problems" in out
