"""Faults by a seed in worker processes: what test/chaos/seeded_faults.hpp reads, and what queries come to with them."""

from pathlib import Path

#: More attempts than a task of the tests ever needed
RETRIES = 20
#: What a query cannot recover from: the session has read a part of an output that breaks off
USED = "what came before has been used"


def poison(how: str, directory: Path) -> dict[str, str]:
    """Of the environment of the workers: what comes by while DIRECTORY/go exists breaks the worker's database, "once"
    or "always"."""
    return {"DUCKHERDER_POISON": f"{how} {directory}"}


def variables(seed: int, percent: int) -> dict[str, str]:
    """Of the environment of the workers."""
    return {"DUCKHERDER_FAULT_SEED": f"{seed} {percent}"}
