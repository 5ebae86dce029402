"""A task that has seen enough of the shared feed ends; the other tasks go on with it."""

import pytest

from support.pair import Pair
from support.session import cluster_session, distribute_everything, local_session, plain_session


@pytest.fixture(scope="module", params=("local", "processes"))
def pair(request, three_workers):
    session = local_session(3) if request.param == "local" else cluster_session(three_workers)
    with plain_session() as plain, session as ours:
        distribute_everything(ours)
        yield Pair(plain, ours)


@pytest.mark.timeout(60)
def test_limits_over_a_shared_feed(pair, tmp_path):
    pair.plain.execute(f"COPY (SELECT i, i % 7 AS g, 'text ' || i AS s FROM range(400000) r(i)) TO '{tmp_path}/t.csv'")
    for source in (f"read_csv('{tmp_path}/t.csv')", f"read_csv('{tmp_path}/t.csv', parallel = false)"):
        # Which rows come is open, how many is not
        for sql in (f"SELECT count(*) FROM (FROM {source} LIMIT 1000)",
                    f"SELECT count(*), max(g) FROM (FROM {source} WHERE g = 3 LIMIT 10)",
                    f"SELECT count(*) FROM (SELECT DISTINCT g FROM {source} LIMIT 3)"):
            pair.check(sql, mode=("DISTRIBUTED", "PARTIAL"))
        for sql in (f"SELECT s FROM {source} ORDER BY i DESC LIMIT 5",
                    f"SELECT g, count(*), max(s) FROM {source} GROUP BY g",
                    f"SELECT count(*) FROM {source} a WHERE EXISTS (FROM {source} b WHERE b.i = a.i + 399990)"):
            pair.check(sql, mode=("DISTRIBUTED", "PARTIAL"), ordered="ORDER BY" in sql)
