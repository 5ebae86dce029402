"""The short form of interleavings.py."""

from collections.abc import Iterator

import pytest

from remote.interleavings import AdbcStatements, run_interleaving
from support.cluster import Cluster
from support.flight_sql import read_token
from support.jdbc import JdbcStatements, missing_tools

pytestmark = pytest.mark.timeout(300)

SEEDS = range(1, 16)


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("interleavings"), workers=1, with_driver=True) as cluster:
        yield cluster


def test_with_adbc(served, token_file):
    statements = AdbcStatements(served, read_token(token_file))
    for seed in SEEDS:
        run_interleaving(served, read_token(token_file), statements, seed)
    statements.close()


@pytest.mark.skipif(missing_tools(), reason="there is no java, javac or mvn on this machine")
def test_with_jdbc(served, token_file, tmp_path):
    statements = JdbcStatements(tmp_path, served, read_token(token_file))
    for seed in range(1001, 1006):
        run_interleaving(served, read_token(token_file), statements, seed)
    statements.close()
