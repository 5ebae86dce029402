"""The plan of each query is the one of its snapshot, so that a reviewer sees what a change of the planner does."""

import difflib

import pytest

from plan import snapshot_files
from plan.cases import Case, Planner, all_cases

CASES = all_cases()


@pytest.fixture(scope="module")
def planner(tmp_path_factory):
    result = Planner(tmp_path_factory.mktemp("plan"))
    yield result
    result.close()


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_plan(planner, case: Case):
    expected = snapshot_files.read(case.file).get(case.name, "")
    actual = planner.plan(case)
    if actual != expected:
        diff = difflib.unified_diff(expected.splitlines(), actual.splitlines(), "snapshot", "plan", lineterm="", n=100)
        pytest.fail("\n".join([f"{case.id} has another plan than its snapshot. If it is the better one:",
                               f"    {snapshot_files.REWRITE} {case.file}", *diff]), pytrace=False)


def test_each_name_is_used_once():
    ids = [case.id for case in CASES]
    assert len(ids) == len(set(ids))


def test_no_snapshot_is_left_over():
    left = snapshot_files.left_over(CASES)
    assert not left, f"no query has these snapshots; {snapshot_files.REWRITE} deletes them: {left}"
