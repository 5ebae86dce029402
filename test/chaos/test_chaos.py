"""The short form of the fault matrix (docs/fault_matrix.md): one query, faults that need nothing but this machine."""

import os
import subprocess
from pathlib import Path

import pytest

from support import paths
from support.waiting import PATIENCE

SECONDS = 250
FAULTS = ("worker SIGKILL", "partition for 8 s", "damaged frame", "driver SIGKILL", "client SIGKILL")


@pytest.mark.timeout(SECONDS + 20)
def test_faults_in_a_shuffle(tmp_path):
    """With retries the rows, without an error, and nothing left. Cases that need root say that they are skipped."""
    command = [paths.PYTHON, str(Path(__file__).parent / "matrix.py"), "--scale", "0.1", "--queries", "18", "--stages",
               "shuffle", "--faults", ",".join(FAULTS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * PATIENCE, cwd=tmp_path,
                          env=os.environ)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " cases, 0 failed" in done.stdout
