"""Waiting for something with a deadline."""

import time
from collections.abc import Callable

POLL_SECONDS = 0.02


def wait_until(condition: Callable[[], object], timeout: float, problem: Callable[[], str]) -> float:
    """Returns after how many seconds the condition was true; fails with `problem` after the timeout."""
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > timeout:
            raise AssertionError(f"after {timeout} s: {problem()}")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - begin
