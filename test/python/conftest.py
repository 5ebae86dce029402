from collections.abc import Iterator

import pytest

from support import paths
from support.wheel import Environment, environment_in_a_directory, supported_versions

#: The wheel is made from the release build alone.
VERSIONS = supported_versions() if paths.BUILD.name == "release" else []


@pytest.fixture(scope="session", params=VERSIONS)
def installed(request: pytest.FixtureRequest) -> Iterator[Environment]:
    """One environment for each version of DuckDB that the wheel is for."""
    directory, environment = environment_in_a_directory(request.param)
    with directory:
        yield environment


@pytest.fixture
def nothing_is_left(installed: Environment) -> Iterator[None]:
    yield
    assert installed.nodes() == []
    assert installed.left_over() == []
