"""The short forms of the soak (docs/soak.md): few clients, small data, one worker killed and one joining."""

import os
import subprocess
from pathlib import Path

import pytest

from support import paths
from support.waiting import PATIENCE

SECONDS = 150


def run_soak(directory: Path, *options: str) -> str:
    command = [paths.PYTHON, str(Path(__file__).parent / "soak.py"), "--clients", "4", "--scales", "0.1",
               # other tests may use the machine
               "--clean-seconds", "15", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * PATIENCE, cwd=directory,
                          env=os.environ)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 problems" in done.stdout
    return done.stdout


@pytest.mark.timeout(SECONDS + 20)
def test_clients_while_a_worker_is_killed(tmp_path):
    output = run_soak(tmp_path, "--queries", "80", "--max-queries", "2", "--max-queued", "1")
    assert "was killed" in output and "| run | right rows |" in output


@pytest.mark.timeout(SECONDS + 20)
def test_cancelled_queries_leave_nothing(tmp_path):
    output = run_soak(tmp_path, "--cancel", "60")
    assert "| interrupt | cancelled |" in output and "| kill | cancelled |" in output
