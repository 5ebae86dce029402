"""Each promise of docs/security.md about roles, tried at a real driver."""

import pytest

from security.attempts import ATTEMPTS
from security.clients import ChangedClient, RawFlight, Refused
from security.driver_world import DriverWorld
from security.role_matrix import run_matrix
from security.statement_fuzz import run_fuzz

pytestmark = pytest.mark.timeout(600)

PLANS = ("SELECT sum(i) FROM t", "SELECT s, count(*) FROM t GROUP BY s ORDER BY s LIMIT 3",
         "SELECT i, row_number() OVER (ORDER BY i) FROM t", "SELECT list_transform([i], lambda x: x + 1) FROM t",
         "INSERT INTO t SELECT i, s FROM t", "UPDATE t SET s = lower(s) WHERE i > 3")


def problems(outcomes) -> list[str]:
    return [f"{outcome.what}\n    {outcome.problem}" for outcome in outcomes if outcome.problem]


def test_role_matrix(tmp_path):
    """By the two stock clients and a changed one; the command tries all ways."""
    outcomes = list(run_matrix(tmp_path, ["ATTACH", "ADBC"]))
    assert len(outcomes) >= 400 and len(ATTEMPTS) > 100
    assert not problems(outcomes), "\n".join(problems(outcomes))


@pytest.mark.parametrize("seed", (1, 2))
def test_statements_by_a_seed(tmp_path, seed: int):
    found = run_fuzz(tmp_path, seed * 1000, 60)
    assert not found, "\n".join(found)


def test_a_transaction_has_one_role(tmp_path):
    with DriverWorld(tmp_path) as world:
        writer, reader = RawFlight(world, "write"), RawFlight(world, "read")
        transaction = writer.begin()
        assert writer.schema("SELECT i FROM t", transaction)
        with pytest.raises(Refused, match="another role"):
            reader.schema("SELECT i FROM t", transaction)
        writer.close()
        reader.close()


def test_damaged_plans_do_not_end_the_driver(tmp_path):
    with DriverWorld(tmp_path) as world:
        for role in ("read", "write"):
            client = ChangedClient(world, role)
            for seed in range(100):
                try:
                    client.send("damaged", f"{seed} {PLANS[seed % len(PLANS)]}")
                except Refused:
                    pass
                assert world.cluster.driver and world.cluster.driver.alive, (role, seed)
            client.close()
        assert world.ask("SELECT 1") == [(1,)]
