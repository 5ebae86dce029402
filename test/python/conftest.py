import pytest

from support import paths
from support.wheel import Environment, environment_in_a_directory


@pytest.fixture(scope="session")
def installed() -> Environment:
    """The wheel is made from the release build alone."""
    if paths.BUILD.name != "release":
        pytest.skip(f"the wheel is not made from {paths.BUILD.name}")
    directory, environment = environment_in_a_directory()
    with directory:
        yield environment


@pytest.fixture(autouse=True)
def nothing_is_left(installed: Environment):
    yield
    assert installed.nodes() == []
    assert installed.left_over() == []
