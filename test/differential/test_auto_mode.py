"""Where a query runs in mode auto: on workers if that is estimated to pay, or if somebody has said that it should."""

import re
import time

import pytest

from support.cluster import Cluster
from support.pair import Pair
from support.session import Connection, bare_session, local_session, plain_session, register_workers, scalar, \
    start_local_server
from support.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.timeout(180)

#: Whatever the machine has: the session of these tests has one
SESSION_THREADS = 1
JOIN_SECONDS = 15.0 * PATIENCE
#: A session asks its driver once a second who is there
LIST_SECONDS = 1.2
BIG_ROWS = 6_000_000
GROUPS = "SELECT g, count(*), sum(i), min(f), max(f) FROM big GROUP BY g ORDER BY g"
LOOKUP = "SELECT * FROM keyed WHERE id = 4711"
TINY = "SELECT count(*), sum(i) FROM small WHERE i > 5"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    directory = tmp_path_factory.mktemp("auto_mode")
    with plain_session() as con:
        con.execute(f"COPY (SELECT i, i % 7 AS g, i * 0.5 AS f, 'text ' || i % 1000 AS s FROM range({BIG_ROWS}) r(i)) "
                    f"TO '{directory}/big.parquet'")
        con.execute(f"COPY (SELECT i FROM range(20000) r(i)) TO '{directory}/small.parquet'")
    return directory


@pytest.fixture(scope="module")
def many_threads(tmp_path_factory):
    """Workers that say they have many threads, whatever the machine has."""
    with Cluster(tmp_path_factory.mktemp("many_threads"), workers=3, threads=8, with_driver=True) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def one_small_worker(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("one_small"), workers=1, threads=1, with_driver=True) as cluster:
        yield cluster


def prepare(pair: Pair, files) -> Pair:
    pair.execute(f"SET threads = {SESSION_THREADS}", f"CREATE VIEW big AS FROM '{files}/big.parquet'",
                 f"CREATE VIEW small AS FROM '{files}/small.parquet'",
                 "CREATE TABLE keyed (id BIGINT PRIMARY KEY, v VARCHAR)",
                 "INSERT INTO keyed SELECT i, 'text ' || i FROM range(100000) r(i)")
    return pair


def borrow(con: Connection, cluster: Cluster) -> None:
    con.execute(f"SELECT duckherder_register_or_replace_driver('{cluster.driver.host}', {cluster.driver.port})")


def pair_with(cluster: Cluster, files, use_workers=borrow):
    with plain_session() as plain, bare_session() as ours:
        use_workers(ours, cluster)
        yield prepare(Pair(plain, ours), files)


@pytest.fixture
def strong(many_threads, files):
    yield from pair_with(many_threads, files)


@pytest.fixture
def weak(one_small_worker, files):
    yield from pair_with(one_small_worker, files)


@pytest.fixture
def registered(one_small_worker, files):
    yield from pair_with(one_small_worker, files, register_workers)


@pytest.fixture
def embedded(files):
    with plain_session() as plain, local_session(2) as ours:
        yield prepare(Pair(plain, ours), files)


def explained(con: Connection, sql: str) -> str:
    words = con.execute(f"EXPLAIN {sql}").fetchall()[-1][1].replace("│", " ").split()
    # 2.0 shows names of operators in words
    return re.sub("Duckherder (Local|Gather)", lambda found: f"DUCKHERDER_{found[1].upper()}", " ".join(words))


def test_big_query_with_enough_workers(strong):
    row = strong.check(GROUPS, "DISTRIBUTED", ordered=True)
    assert row["local_reason"] is None or row["local_reason"] == ""
    assert "DUCKHERDER_GATHER" in explained(strong.ours, GROUPS)


def test_same_query_with_one_small_worker(weak):
    reason = weak.check(GROUPS, "LOCAL", ordered=True)["local_reason"]
    assert reason == "1 worker with 1 thread would not be faster than this session's own 1 thread"
    words = explained(weak.ours, GROUPS)
    assert "DUCKHERDER_LOCAL" in words and "would not be faster" in words, words


def test_tiny_query(strong):
    reason = strong.check(TINY, "LOCAL")["local_reason"]
    assert reason.startswith("one machine is estimated to take ") and ", 3 workers " in reason, reason
    words = explained(strong.ours, TINY)
    assert "DUCKHERDER_LOCAL" in words and "one machine is estimated" in words, words


def test_point_lookup(strong):
    reason = strong.check(LOOKUP, "LOCAL")["local_reason"]
    assert reason.startswith(("one machine is estimated", "an index of keyed finds")), reason


@pytest.mark.parametrize("sql", ["SELECT count(*) FROM big", "SELECT min(i), max(i) FROM big"])
def test_metadata_knows(strong, sql):
    """No worker is as fast as reading a number."""
    strong.check(sql, "LOCAL")
    assert strong.ours.execute(f"EXPLAIN {sql}").fetchall()[-1][1].count("PARQUET_SCAN") == \
        strong.plain.execute(f"EXPLAIN {sql}").fetchall()[0][1].count("PARQUET_SCAN")


@pytest.mark.parametrize("sql", [
    "SELECT * FROM keyed ORDER BY v LIMIT 3",
    "SELECT * FROM keyed LIMIT 5",
    "SELECT v FROM keyed WHERE id BETWEEN 500 AND 510 ORDER BY id",
    "SELECT * FROM keyed WHERE v LIKE '%77' ORDER BY id LIMIT 4",
    "SELECT count(*) FROM keyed",
    "SELECT id, row_number() OVER (ORDER BY v) FROM keyed QUALIFY row_number() OVER (ORDER BY v) < 4",
])
def test_runs_as_plain_duckdb_would(weak, sql):
    """The plan of a query that stays is DuckDB's own, late materialization and all."""
    weak.check(sql, "LOCAL")
    ours, plain = explained(weak.ours, sql), explained(weak.plain, sql)
    operators = [word for word in plain.split() if word.isupper() and "_" in word]
    assert [word for word in ours.split() if word.isupper() and "_" in word and word != "DUCKHERDER_LOCAL"] == operators


def test_wide_top_n_reads_one_column(strong):
    """The other columns are read for the winners only, so that one machine is done at once."""
    strong.check("SELECT * FROM big LIMIT 10", "LOCAL", ordered=True)


@pytest.mark.parametrize("rows", [10000, 8192])
@pytest.mark.parametrize("scope", ["SESSION", "GLOBAL"])
def test_chosen_number_of_rows(strong, weak, rows, scope):
    """To set it to its default is a choice, too."""
    for pair in (strong, weak):
        pair.check(TINY, "LOCAL")
        pair.ours.execute(f"SET {scope} duckherder_min_rows = {rows}")
        assert scalar(pair.ours, "SELECT current_setting('duckherder_min_rows')") == rows
        pair.check(TINY, "DISTRIBUTED")
        pair.check(GROUPS, "DISTRIBUTED", ordered=True)
        pair.ours.execute(f"RESET {scope} duckherder_min_rows")
        assert scalar(pair.ours, "SELECT current_setting('duckherder_min_rows')") == 8192
        pair.check(TINY, "LOCAL")


def test_registered_workers(registered):
    """Whoever has named them wants them to be used: from duckherder_min_rows rows on."""
    check_rows_decide(registered)


def test_workers_that_join_later(tmp_path, files):
    """A session whose queries all stay notices them."""
    with Cluster(tmp_path, workers=1, threads=1, with_driver=True) as cluster:
        for pair in pair_with(cluster, files):
            pair.check(GROUPS, "LOCAL", ordered=True)
            for _ in range(5):
                cluster.add_worker()
            wait_until(lambda: cluster.status().count("active") == 6, JOIN_SECONDS, cluster.status)
            time.sleep(LIST_SECONDS)
            pair.check(GROUPS, "DISTRIBUTED", ordered=True)


def test_other_modes(weak):
    weak.ours.execute("SET duckherder_mode = 'always'")
    weak.check(TINY, "DISTRIBUTED")
    weak.check(GROUPS, "DISTRIBUTED", ordered=True)
    weak.ours.execute("SET duckherder_mode = 'never'")
    weak.check(GROUPS, "LOCAL", ordered=True)


def test_required(weak):
    """Who requires it does not ask whether it pays."""
    weak.ours.execute("SET duckherder_require_distributed = true")
    weak.check(GROUPS, "DISTRIBUTED", ordered=True)


def check_rows_decide(pair: Pair) -> None:
    pair.check(TINY, "DISTRIBUTED")
    pair.execute("CREATE TABLE few AS SELECT i FROM range(8191) r(i)",
                 "CREATE TABLE enough AS SELECT i FROM range(8192) r(i)")
    pair.check("SELECT count(*), sum(i) FROM few WHERE i > 5", "LOCAL")
    pair.check("SELECT count(*), sum(i) FROM enough WHERE i > 5", "DISTRIBUTED")
    pair.check("SELECT count(*) FROM enough", "DISTRIBUTED")


def test_embedded_server(embedded):
    """It was started to be used: from duckherder_min_rows rows on."""
    check_rows_decide(embedded)


def test_local_server_with_workers_of_others(files, tmp_path):
    with plain_session() as plain, bare_session() as ours:
        where = start_local_server(ours, 0).split("grpc://")[1].split()[0]
        with Cluster(tmp_path, workers=1, worker_options=["--driver", where]):
            wait_until(lambda: scalar(ours, "SELECT duckherder_get_worker_count()") == 1, JOIN_SECONDS, lambda: where)
            check_rows_decide(prepare(Pair(plain, ours), files))


def test_what_one_machine_cannot_hold(one_small_worker, files):
    """Workers with more memory are used although they are not faster."""
    for pair in pair_with(one_small_worker, files):
        pair.ours.execute("SET memory_limit = '100MB'")
        sql = "SELECT count(*), sum(n) FROM (SELECT s, i, count(*) AS n FROM big GROUP BY s, i)"
        pair.check(sql, "DISTRIBUTED")


def test_prepared(strong):
    for con in (strong.plain, strong.ours):
        con.execute("PREPARE groups AS SELECT g, sum(i) FROM big WHERE i > $1 GROUP BY g ORDER BY g")
    for value in (0, 5_999_990):
        strong.check(f"EXECUTE groups({value})", "DISTRIBUTED", ordered=True)
