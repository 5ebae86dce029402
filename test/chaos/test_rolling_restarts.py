"""The short form of test/chaos/rolling_restarts.py; what 500 queries gave is in docs/soak.md."""

import os
import subprocess
from pathlib import Path

import pytest

from support import paths
from support.waiting import PATIENCE

SECONDS = 150
COMMAND = Path(__file__).parent / "rolling_restarts.py"


@pytest.mark.timeout(SECONDS + 20)
@pytest.mark.parametrize("options", ((), ("--registered",)), ids=("driver", "registered"))
def test_queries_while_workers_are_restarted_and_killed(tmp_path, options: tuple[str, ...]):
    command = [paths.PYTHON, str(COMMAND), "--queries", "40", "--workers", "3", "--seconds-apart", "0.5", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * PATIENCE, cwd=tmp_path,
                          env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 failed" in done.stdout, done.stdout
