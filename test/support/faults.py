"""Faults by a seed in worker processes: what test/chaos/seeded_faults.hpp reads, and what queries come to with them."""

#: More attempts than a task of the tests ever needed
RETRIES = 20
#: What a query cannot recover from: the session has read a part of an output that breaks off
USED = "what came before has been used"


def variables(seed: int, percent: int) -> dict[str, str]:
    """Of the environment of the workers."""
    return {"DUCKHERDER_FAULT_SEED": f"{seed} {percent}"}
