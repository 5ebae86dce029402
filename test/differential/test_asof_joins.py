"""ASOF joins: the nearest row of the other side, with and without keys that have to be equal."""

import pytest

from support.pair import Pair
from support.session import cluster_session, distribute_everything, local_session, plain_session
from support.versions import IS_NEXT_DUCKDB


@pytest.fixture(scope="module", params=("local", "processes"))
def pair(request, three_workers):
    session = local_session(3) if request.param == "local" else cluster_session(three_workers)
    with plain_session() as plain, session as ours:
        distribute_everything(ours)
        result = Pair(plain, ours)
        # No two rows of a key at the same time: which of them is nearest would be left to chance
        result.execute("CREATE TABLE trades AS SELECT i, i % 20 AS k, i * 7 % 90001 AS t FROM range(30000) r(i)",
                       "CREATE TABLE quotes AS SELECT i % 25 AS k, i * 11 AS t, i AS price FROM range(8000) r(i) "
                       "WHERE i % 25 <> 3")
        yield result


@pytest.mark.timeout(60)
@pytest.mark.parametrize("broadcast_limit", (64 << 20, 0))
@pytest.mark.parametrize("kind", ("", "LEFT", "SEMI", "ANTI", "RIGHT", "FULL"))
def test_asof_join(pair, kind: str, broadcast_limit: int):
    pair.ours.execute(f"SET duckherder_broadcast_limit = {broadcast_limit}")
    if IS_NEXT_DUCKDB:
        # with several threads, plain DuckDB 2.0.1 loses rows of the right side now and then
        pair.execute(f"SET threads = {1 if kind in ('RIGHT', 'FULL') else 2}")
    columns = "l.i, l.t" if kind in ("SEMI", "ANTI") else "l.i, l.t, r.t, r.price"
    partly = ("DISTRIBUTED", "PARTIAL") if kind in ("RIGHT", "FULL") else "DISTRIBUTED"
    for comparison in (">=", "<", ">", "<="):
        pair.check(f"SELECT {columns} FROM trades l ASOF {kind} JOIN quotes r ON l.k = r.k AND l.t {comparison} r.t",
                   mode=partly)
        pair.check(f"SELECT {columns} FROM trades l ASOF {kind} JOIN quotes r ON l.t {comparison} r.t", mode=partly)
    pair.check(f"SELECT {columns.split(', ')[0]} % 10 AS g, count(*) FROM trades l ASOF {kind} JOIN quotes r "
               "ON l.k = r.k AND l.t >= r.t GROUP BY g", mode=partly)
