"""A worker that lives and says so, but does not get on with a task: the task is copied, and the query does not wait."""

import pytest

from chaos.matrix import check_rows
from chaos.nodes import Environment, Nodes, Point
from support import paths, tpch
from support.compare import fetch
from support.session import plain_session

SECONDS = 60
#: Its stage 0 is a scan of lineitem in several tasks
QUERY = 1


@pytest.mark.timeout(SECONDS + 60)
def test_a_slow_task_is_copied(tmp_path):
    sql, data = tpch.queries()[QUERY], tpch.parquet_directory(0.1)
    with plain_session() as con:
        tpch.create_views(con, data)
        expected = fetch(con, sql)
    with Nodes(tmp_path, Environment(), Point("begin", 0), paths.FAULTY_WORKER) as nodes:
        nodes.start_client(sql, data, {"duckherder_mode": "always"})
        slow = nodes.wait_reached()
        # the task still stands at its point when the query ends
        answer = nodes.answer(SECONDS)
        check_rows(answer, expected)
        copied = [task for task in answer.tasks if task["speculative"]]
        assert len(copied) == 1 and copied[0]["stage_id"] == 0, answer.tasks
        assert copied[0]["attempt"] == 1 and copied[0]["state"] == "DONE" and copied[0]["worker_id"] != slow
        assert answer.retries == 0
        assert all(worker.alive for worker in nodes.workers.values())
        nodes.go()
        nodes.check_nothing_left()
