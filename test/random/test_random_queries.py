"""A small part of what run.py does, with fixed seeds: random queries have plain DuckDB's answers on workers.

A failure prints the query with the script that makes its data, and the command that runs it again and makes it smaller.
"""

from pathlib import Path

import pytest

from campaign import Campaign, Options
from lab import SAME

#: (seed, workers, percent of faults); how finely the data are cut is drawn from the seed for each query
RUNS = ((101, 1, 0), (102, 2, 0), (103, 3, 0), (104, 5, 0), (105, 3, 15))
QUERIES = 45
#: More tables than run.py makes for as many queries
QUERIES_PER_ROUND = 15
#: Of the queries that have answers; the others fail in plain DuckDB as well, or take it too long
LEAST_ANSWERED = 0.75
LEAST_DISTRIBUTED = 0.8


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "workers", "faults"), RUNS)
def test_random_queries(seed: int, workers: int, faults: int, tmp_path: Path, token_file: Path):
    campaign = Campaign(Options(seed, QUERIES, seconds=240, workers=workers, processes=faults > 0, faults=faults,
                                shrink=False, queries_per_round=QUERIES_PER_ROUND), tmp_path)
    try:
        campaign.run()
    finally:
        campaign.close()
    print(campaign.summary())
    # What went wrong has been printed: pytest shows that
    assert not campaign.findings, [finding.outcome.status for finding in campaign.findings]
    assert not campaign.outcomes["no setup"]
    assert campaign.retries > 0 or not faults
    assert campaign.outcomes[SAME] >= LEAST_ANSWERED * QUERIES
    assert campaign.distributed_share() >= LEAST_DISTRIBUTED
