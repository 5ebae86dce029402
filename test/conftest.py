"""What all Python tests share."""

import faulthandler
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support import cluster as clusters  # noqa: E402
from support.cluster import Cluster, use_new_token  # noqa: E402
from support.session import plain_session  # noqa: E402
from support.versions import IS_NEXT_DUCKDB, why_not_for_next  # noqa: E402
from support.waiting import PATIENCE  # noqa: E402

#: A test that is stuck inside a library call cannot be interrupted: the whole run ends then, with all stacks
STUCK_SECONDS = 600 * PATIENCE


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than a few seconds")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if IS_NEXT_DUCKDB and (reason := why_not_for_next(item)):
            item.add_marker(pytest.mark.skip(reason=reason))
        if marker := item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(marker.args[0] * PATIENCE), append=False)


@pytest.fixture(scope="session", autouse=True)
def token_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return use_new_token(tmp_path_factory.mktemp("token"))


@pytest.fixture(autouse=True)
def end_if_stuck():
    faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True, file=sys.__stderr__)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="session")
def three_workers(tmp_path_factory: pytest.TempPathFactory):
    """Three worker processes for all tests that do them no harm."""
    with Cluster(tmp_path_factory.mktemp("three_workers"), workers=3) as cluster:
        yield cluster


@pytest.fixture
def plain():
    """What the session of a test is compared with. Many suites have one of their own, with tables."""
    with plain_session() as con:
        yield con


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    report = yield
    if report.failed:
        for cluster in clusters.running:
            report.sections.append(("logs of the nodes", cluster.logs()))
    return report
