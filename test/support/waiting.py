"""Waiting for something with a deadline."""

import os
import time
from collections.abc import Callable

POLL_SECONDS = 0.02
#: All time limits of tests are this much longer: for builds that are slow because they check more.
PATIENCE = float(os.environ.get("DUCKHERDER_TEST_PATIENCE") or 1)


def wait_until(condition: Callable[[], object], timeout: float, problem: Callable[[], str]) -> float:
    """Returns after how many seconds the condition was true; fails with `problem` after the timeout."""
    timeout *= PATIENCE
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > timeout:
            raise AssertionError(f"after {timeout} s: {problem()}")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - begin
