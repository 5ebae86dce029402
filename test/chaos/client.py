"""The session of a case: runs one query on the workers of a driver, and prints what came out as JSON.

usage: client.py HOST PORT DATA_DIRECTORY SETTINGS_JSON ROWS_FILE   (the query comes on stdin)

The rows go into a file, with their types.
"""

import json
import pickle
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb  # noqa: E402

from support import tpch  # noqa: E402
from support.compare import fetch  # noqa: E402
from support.pair import last_query, tasks_of  # noqa: E402
from support.session import bare_session  # noqa: E402


def main() -> None:
    host, port, data, settings, rows_file = sys.argv[1:]
    sql = sys.stdin.read()
    con = bare_session()
    tpch.create_views(con, Path(data))
    for name, value in json.loads(settings).items():
        con.execute(f"SET {name} = '{value}'")
    con.execute(f"SELECT duckherder_register_or_replace_driver('{host}', {port})")
    answer: dict = {"error": None, "class": None}
    try:
        Path(rows_file).write_bytes(pickle.dumps(fetch(con, sql)))
    except duckdb.Error as error:
        answer |= {"error": str(error), "class": type(error).__name__}
    query = last_query(con, sql)
    answer |= {name: query[name] for name in ("execution_mode", "retries", "num_workers_used", "query_duration_ms")}
    answer["tasks"] = [{name: task[name] for name in ("stage_id", "attempt", "state", "rows", "bytes", "row_start",
                                                      "duration_ms", "worker_id", "speculative")}
                       for task in tasks_of(con, query["query_id"])]
    print(json.dumps(answer))


main()
