"""The runner itself must be able to fail: what it lets pass proves nothing otherwise."""

from pathlib import Path

import pytest

from support.session import plain_session
from support.sqllogic import Runner


def run(text: str, tmp_path: Path) -> int:
    return Runner(lambda required: plain_session(), tmp_path).run(text)


PASSING = {
    "statement": "statement ok\nSELECT 1\n",
    "error": "statement error\nSELECT x\n----\nBinder Error: Referenced column \"x\"\n",
    "error regex": "statement error\nSELECT x\n----\n<REGEX>:Referenced column .x. was not\n",
    "values": "query IT\nSELECT 1, 'a b'\n----\n1\ta b\n",
    "value per line": "query II\nSELECT 1, 2\n----\n1\n2\n",
    "null and empty": "query TTT\nSELECT NULL, '', [NULL, 1]\n----\nNULL\t(empty)\t[NULL, 1]\n",
    "boolean": "query II\nSELECT true, false\n----\n1\tfalse\n",
    "regex": "query T\nSELECT 'abc'\n----\n<REGEX>:a.c\n",
    "not regex": "query T\nSELECT 'abc'\n----\n<!REGEX>:b.*\n",
    "rowsort": "query I rowsort\nSELECT unnest([3, 1, 2])\n----\n1\n2\n3\n",
    "float": "query R\nSELECT 0.1::DOUBLE + 0.2\n----\n0.3\n",
    "large integer": "query I\nSELECT 9007199254740993\n----\n9007199254740993\n",
    "integer as a float": "query R\nSELECT 3::DOUBLE\n----\n3\n",
    "no rows": "query I\nSELECT 1 WHERE false\n----\n",
    "loop": "loop i 1 3\n\nquery I\nSELECT ${i} * 2 // 2\n----\n${i}\n\nendloop\n",
    "foreach": "foreach type INTEGER BIGINT\n\nquery T\nSELECT typeof(1::${type})\n----\n${type}\n\nendloop\n",
    "label": "query I rowsort a\nSELECT unnest([1, 2])\n\nquery I rowsort a\nSELECT unnest([2, 1])\n",
    "connection": "statement ok\nCREATE TABLE t (i INT)\n\nstatement ok\nBEGIN\n"
                  "\nstatement ok\nINSERT INTO t VALUES (1)\n\nquery I two\nSELECT count(*) FROM t\n----\n0\n",
}

FAILING = {
    "statement": "statement ok\nSELECT x\n",
    "no error": "statement error\nSELECT 1\n----\nBinder Error\n",
    "other error": "statement error\nSELECT x\n----\nParser Error\n",
    "error without message": "statement error\nSELECT x\n",
    "value": "query I\nSELECT 1\n----\n2\n",
    "missing row": "query I\nSELECT unnest([1, 2])\n----\n1\n",
    "extra row": "query I\nSELECT 1\n----\n1\n2\n",
    "order": "query I\nSELECT unnest([2, 1])\n----\n1\n2\n",
    "columns": "query I\nSELECT 1, 2\n----\n1\n",
    "regex": "query T\nSELECT 'abc'\n----\n<REGEX>:b\n",
    "large integer": "query I\nSELECT 9007199254740993\n----\n9007199254740992\n",
    "integer within the tolerance": "query I\nSELECT 10000000001\n----\n10000000000\n",
    "null": "query T\nSELECT NULL\n----\n(empty)\n",
    "label": "query I rowsort a\nSELECT 1\n\nquery I rowsort a\nSELECT 2\n",
    "no result": "query I\nSELECT 1\n",
    "open loop": "loop i 0 2\n\nstatement ok\nSELECT 1\n",
    "unknown": "statment ok\nSELECT 1\n",
}


@pytest.mark.parametrize("name", PASSING)
def test_passes(name: str, tmp_path: Path):
    assert run(PASSING[name], tmp_path) > 0


@pytest.mark.parametrize("name", FAILING)
def test_fails(name: str, tmp_path: Path):
    with pytest.raises((AssertionError, SyntaxError)):
        run(FAILING[name], tmp_path)
