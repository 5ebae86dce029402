"""The web page's assets with made-up answers of the API: as many queries and tasks as a test wants, at once.

    python test/support/canned_pages.py [PORT]      # to look at the page by hand; the token is "canned"
"""

import html
import http.server
import json
import random
import secrets
import sys
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support import paths  # noqa: E402

ASSETS = paths.ROOT / "src" / "web" / "assets"
VENDORED = {name: paths.DEPS / "web" / name for name in ("htm.js", "dagre.js")}
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'{style}; img-src 'self' data:; connect-src 'self'; "
          "form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
HOSTILE_SQL = ("SELECT '<img src=x onerror=\"alert(1)\">' AS \"</pre><script>alert(2)</script>\",\n"
               "\t'{{7*7}} ${7*7} &lt;b&gt;'")
WORKERS = 4
THREADS = 4
MANY_TASKS = 100_000
SORT_FIELDS = {"start": "start_us", "duration": "duration_ms", "bytes": "bytes_exchanged", "tasks": "tasks",
               "retries": "retries", "rows": "rows_scanned"}
TASK_COLUMNS = ["stage_id", "task_id", "worker_id", "attempt", "speculative", "state", "rows_in", "rows_out", "bytes",
                "pruned_rows", "spilled_bytes", "start_ms", "duration_ms"]
#: description, exchange, keys, inputs, filters_from, share of the tasks, decision
STAGES = [
    ("FILTER <- PARQUET_SCAN customer", "BROADCAST", "", [], [], 0.02, ""),
    ("FILTER <- PARQUET_SCAN orders", "HASH", "#0", [], [0], 0.18,
     "customer is broadcast: 1.2 MiB came, 48 MiB were expected"),
    ("PROJECTION <- FILTER <- PARQUET_SCAN lineitem", "HASH", "#0", [], [1], 0.6, ""),
    ("HASH_GROUP_BY <- HASH_JOIN <- HASH_JOIN", "HASH", "#1, #2", [0, 1, 2], [], 0.15, "16 tasks instead of 64"),
    ("TOP_N <- HASH_GROUP_BY", "RESULT", "", [3], [], 0.05, ""),
]
REASONS = {"LOCAL": "no scan has at least 8192 rows", "PARTIAL": "WINDOW without PARTITION BY", "DISTRIBUTED": None}
SQL = """SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)) AS revenue, o_orderdate
FROM customer, orders, lineitem
WHERE c_mktsegment = 'BUILDING'
  AND c_custkey = o_custkey
  AND l_orderkey = o_orderkey
GROUP BY ALL
ORDER BY revenue DESC
LIMIT 10"""


@dataclass
class CannedQuery:
    """A query of made-up tasks; a running one makes progress with the time."""

    number: int
    sql: str = SQL
    state: str = "SUCCEEDED"
    mode: str = "DISTRIBUTED"
    tasks: int = 64
    duration_ms: float = 1800.0
    retries: int = 0
    spilled_bytes: int = 0
    skewed: bool = False
    error: str | None = None
    start_us: int = field(default_factory=lambda: int(time.time() * 1e6))
    details: bytes | None = None

    @property
    def query_id(self) -> str:
        return f"0198c0de-0000-7000-8000-{self.number:012x}"

    def elapsed_ms(self) -> float:
        return time.time() * 1e3 - self.start_us / 1e3 if self.state in ("RUNNING", "QUEUED") else self.duration_ms

    def summary(self) -> dict[str, Any]:
        elapsed = self.elapsed_ms()
        local = self.mode == "LOCAL"
        tasks = 0 if local or self.state == "QUEUED" else self.tasks
        share = min(0.95, elapsed / 60_000) if self.state == "RUNNING" else 0.6 if self.state == "FAILED" else 1
        done = int(tasks * share)
        return {"number": self.number, "query_id": self.query_id, "sql": self.sql, "state": self.state,
                "mode": self.mode, "local_reason": REASONS[self.mode], "start_us": self.start_us,
                "duration_ms": elapsed, "stages": 0 if local else len(STAGES), "tasks": tasks, "tasks_done": done,
                "tasks_running": min(tasks - done, WORKERS * THREADS) if self.state == "RUNNING" else 0,
                "workers": 0 if local else WORKERS, "retries": self.retries, "bytes_exchanged": done * 1_400_000,
                "spilled_bytes": self.spilled_bytes, "rows_scanned": done * 91_000, "error": self.error}

    def detail(self) -> bytes:
        if self.details is None or self.state == "RUNNING":
            self.details = json.dumps(self._detail(), separators=(",", ":")).encode()
        return self.details

    def _detail(self) -> dict[str, Any]:
        query = {**self.summary(), "partition_strategy": "ROW_GROUP", "merge_strategy": "TOP_N",
                 "planning_ms": 3.2, "queued_ms": 0.0, "retries_by_reason": {"worker_failure": self.retries},
                 "read_bytes": {"inline": 9_000, "local": 4_000_000_000, "network": 2_000_000_000}}
        if self.mode == "LOCAL" or self.state == "QUEUED":
            return {"query": query, "stages": [], "tasks": {"columns": TASK_COLUMNS, "rows": []}}
        chance = random.Random(self.number)
        rows: list[list[Any]] = []
        stages = []
        # A running query is as far as its time; its plan takes a minute
        whole = 60_000.0 if self.state == "RUNNING" else self.duration_ms
        begin = 0.05 * whole
        for stage_id, (_, _, _, _, _, share, _) in enumerate(STAGES):
            count = max(1, round(self.tasks * share))
            own = self._tasks(chance, stage_id, count, begin, whole * 0.9 * share, query)
            rows += own
            begin = max(row[11] + row[12] for row in own)
        if self.state != "RUNNING":
            # Chance and skew made it longer or shorter than it was
            for row in rows:
                row[11], row[12] = row[11] * 0.96 * whole / begin, row[12] * 0.96 * whole / begin
        for stage_id, (description, exchange, keys, inputs, filters, _, decision) in enumerate(STAGES):
            own = [row for row in rows if row[0] == stage_id]
            stages.append(self._stage(stage_id, description, exchange, keys, inputs, filters, decision, own, query))
        return {"query": query, "stages": stages,
                "tasks": {"columns": TASK_COLUMNS, "rows": [self._as_seen(row, query) for row in rows]}}

    def _tasks(self, chance: random.Random, stage_id: int, count: int, begin: float, length: float,
               query: dict[str, Any]) -> list[list[Any]]:
        """Handed out in turn to the threads of the workers, until the stage has taken about `length`."""
        slots = [begin] * (WORKERS * THREADS)
        middle = length / max(1.0, count / len(slots))
        rows = []
        for task_id in range(count):
            slot = task_id % len(slots)
            duration = middle * (0.6 + 0.8 * chance.random())
            read = int(90_000 * duration / middle)
            if self.skewed and stage_id == 3 and task_id == 1:
                duration, read = duration * 6, read * 8
            attempt = 1 if self.retries and task_id < self.retries and stage_id == 2 else 0
            rows.append([stage_id, task_id, f"worker-{slot // THREADS + 1}", attempt, False, "DONE", read, read // 9,
                         read * 12, read // 3 if STAGES[stage_id][4] else 0,
                         self.spilled_bytes // count if stage_id == 3 else 0, slots[slot], duration])
            slots[slot] += duration
        return rows

    def _as_seen(self, row: list[Any], query: dict[str, Any]) -> list[Any]:
        """What has not happened yet is not told."""
        elapsed = query["duration_ms"]
        seen = [round(value, 3) if isinstance(value, float) else value for value in row]
        if self.state == "RUNNING" and row[11] > elapsed:
            seen[2:] = [None, 0, False, "QUEUED", 0, 0, 0, 0, 0, None, None]
        elif self.state == "RUNNING" and row[11] + row[12] > elapsed:
            seen[5], seen[12] = "RUNNING", None
        elif self.state == "FAILED" and row[0] == 4:
            seen[5] = "FAILED" if row[1] == 0 else "CANCELLED"
        return seen

    def _stage(self, stage_id: int, description: str, exchange: str, keys: str, inputs: list[int], filters: list[int],
               decision: str, rows: list[list[Any]], query: dict[str, Any]) -> dict[str, Any]:
        seen = [self._as_seen(row, query) for row in rows]
        done = [row for row in seen if row[5] == "DONE"]
        begun = [row for row in seen if row[11] is not None]
        durations = sorted(row[12] for row in done)
        slowest = max(done, key=lambda row: row[12], default=None)
        return {"stage_id": stage_id, "description": description, "exchange": exchange, "keys": keys, "inputs": inputs,
                "filters_from": filters, "decision": decision,
                "estimated_rows": len(rows) * (11_000 if stage_id else 400_000),
                "tasks": len(rows), "tasks_done": len(done), "tasks_running": sum(row[5] == "RUNNING" for row in seen),
                **{name: sum(row[index] for row in done) for name, index in
                   (("rows_in", 6), ("rows_out", 7), ("bytes", 8), ("pruned_rows", 9), ("spilled_bytes", 10))},
                "busy_ms": sum(durations), "start_ms": min((row[11] for row in begun), default=None),
                "end_ms": max((row[11] + row[12] for row in done), default=None) if len(done) == len(rows) else None,
                "median_ms": durations[len(durations) // 2] if durations else None,
                "slowest": slowest and {"task_id": slowest[1], "worker_id": slowest[2], "duration_ms": slowest[12]}}


def many_queries(count: int) -> list[CannedQuery]:
    """Ended ones of all kinds, the oldest first."""
    chance = random.Random(7)
    queries = []
    now = int(time.time() * 1e6)
    for number in range(1, count + 1):
        state = chance.choices(["SUCCEEDED", "FAILED", "CANCELLED", "LOST"], [90, 6, 3, 1])[0]
        mode = chance.choices(["DISTRIBUTED", "PARTIAL", "LOCAL"], [70, 10, 20])[0]
        error = "Out of Memory Error: failed to allocate 512.0 MiB" if state == "FAILED" else None
        queries.append(CannedQuery(number, f"{SQL} -- {number}", state, mode, chance.choice([4, 16, 64, 400]),
                                   round(chance.expovariate(1 / 2500) + 5, 3), chance.choice([0] * 9 + [2]),
                                   chance.choice([0] * 9 + [3_400_000_000]), chance.random() < 0.2, error,
                                   now - (count - number + 1) * 37_000_000))
    return queries


class CannedPages:
    """Use as a context manager. `queries` may be changed at any time; `touch` tells the page about it."""

    token = "canned"
    role = "admin"

    def __init__(self, queries: list[CannedQuery] | None = None, port: int = 0):
        self.queries = queries if queries is not None else many_queries(40)
        self.started_us = int(time.time() * 1e6)
        self.changes = 1
        self.sessions_of_pages: set[str] = set()
        self.drained: set[str] = set()
        self.forgotten: set[str] = set()
        #: (method, path) of all requests, for tests
        self.requests: list[tuple[str, str]] = []
        self._ended = threading.Event()

        class Handler(_Handler):
            pages = self

        self._server = _Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "CannedPages":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def add(self, **values: Any) -> CannedQuery:
        query = CannedQuery(max((other.number for other in self.queries), default=0) + 1, **values)
        self.queries.append(query)
        self.changes += 1
        return query

    def start_query(self, sql: str) -> str:
        """A query that runs until it is killed, at most a minute."""
        return self.add(sql=sql, state="RUNNING").query_id

    def wait_ended(self, seconds: float) -> bool:
        return self._ended.wait(seconds)

    def find(self, query_id: str) -> CannedQuery | None:
        return next((query for query in self.queries if query.query_id == query_id), None)

    def kill(self, query: CannedQuery) -> None:
        query.duration_ms = query.elapsed_ms()
        query.state, query.error, query.details = "CANCELLED", "INTERRUPT Error: killed by an administrator", None
        self.changes += 1

    def cluster(self) -> dict[str, Any]:
        def counts(name: str) -> dict[str, int]:
            values = [getattr(query, name) for query in self.queries]
            return {value: values.count(value) for value in set(values)}
        running = [query.summary() for query in self.queries if query.state == "RUNNING"]
        used = sum(worker["memory_used_bytes"] for worker in self.workers())
        return {"node": "driver", "version": "1.0.0", "duckdb_version": "v1.5.5", "protocol_version": 11,
                "started_us": self.started_us, "now_us": int(time.time() * 1e6), "role": self.role,
                "workers": {"active": WORKERS - len(self.drained), "draining": len(self.drained), "lost": 1},
                "threads": WORKERS * THREADS, "memory_used_bytes": used, "memory_limit_bytes": WORKERS << 34,
                "running_tasks": sum(query["tasks_running"] for query in running),
                "queries": {"running": len(running),
                            "queued": sum(query.state == "QUEUED" for query in self.queries),
                            "by_mode": counts("mode"), "by_state": counts("state")},
                "bytes_exchanged": 123_000_000_000 + sum(query["bytes_exchanged"] for query in running), "sessions": 2,
                "changes": self.changes}

    def workers(self) -> list[dict[str, Any]]:
        busy = any(query.state == "RUNNING" for query in self.queries)
        swing = int(time.time() * 3e8) % 3_000_000_000
        found = []
        for number in range(1, WORKERS + 2):
            name = f"worker-{number}"
            lost = number > WORKERS
            state = "LOST" if lost else "DRAINING" if name in self.drained else "ACTIVE"
            found.append({"id": name, "location": f"grpc+tls://10.0.0.{number}:8815", "state": state,
                          "threads": THREADS, "memory_used_bytes": 0 if lost else (number << 32) - swing // number,
                          "memory_limit_bytes": 1 << 34, "running_tasks": THREADS if busy and not lost else 0,
                          "kept_queries": 2, "kept_bytes": 3_000_000, "temporary_bytes": 0,
                          "heartbeat_age_ms": 92_000 if lost else 400 * number,
                          "sends_heartbeats": number != 2, "duckdb_version": "v1.5.4" if lost else "v1.5.5",
                          "protocol_version": 12, "extensions": [{"name": "httpfs", "version": "v1.5.5"},
                                                                 {"name": "icu", "version": "v1.5.5"}]})
        return [worker for worker in found if worker["id"] not in self.forgotten]

    def select(self, asked: dict[str, str]) -> dict[str, Any]:
        found = [query.summary() for query in self.queries]
        for name in ("state", "mode"):
            if asked.get(name):
                found = [query for query in found if query[name] == asked[name]]
        if word := asked.get("search", "").lower():
            found = [query for query in found if word in query["sql"].lower() or word in query["query_id"]]
        key = SORT_FIELDS[asked.get("sort") or "start"]
        found.sort(key=lambda query: query[key], reverse=asked.get("order", "desc") != "asc")
        offset, limit = int(asked.get("offset") or 0), int(asked.get("limit") or 100)
        return {"total": len(found), "offset": offset, "queries": found[offset:offset + limit]}


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A browser ends connections as it likes; anything else is an error of ours."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*_)


class _Handler(http.server.BaseHTTPRequestHandler):
    """Speaks as the node's own server does: the same addresses, headers and statuses."""

    pages: CannedPages
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        self.pages.requests.append(("GET", url.path))
        if not self._logged_in():
            self._login("", 401 if url.path.startswith(("/api/", "/assets/")) else 200)
        elif url.path == "/":
            self._file(ASSETS / "index.html")
        elif url.path.startswith("/assets/"):
            name = url.path.removeprefix("/assets/")
            self._file(VENDORED.get(name, ASSETS / Path(name).name))
        elif url.path == "/api/v1/events":
            self._events()
        else:
            asked = dict(urllib.parse.parse_qsl(url.query))
            self._json(*self._answer([urllib.parse.unquote(part) for part in url.path.split("/")[3:]], asked))

    def do_POST(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        self.pages.requests.append(("POST", url.path))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if url.path in ("/login", "/"):
            if urllib.parse.parse_qs(body).get("token") != [self.pages.token]:
                self._login("This token is not known here.", 403)
                return
            session = secrets.token_hex(16)
            self.pages.sessions_of_pages.add(session)
            self._send(303, b"", "text/plain", {"Location": "/",
                                                "Set-Cookie": f"session={session}; HttpOnly; SameSite=Strict; Path=/"})
        elif not self._logged_in():
            self._json(401, {"error": "You are not logged in."})
        elif self.headers.get("X-Duckherder") != "1":
            self._json(403, {"error": "The header X-Duckherder is missing."})
        elif url.path == "/logout":
            self.pages.sessions_of_pages.discard(self._session())
            self._json(200, {})
        else:
            self._json(*self._act([urllib.parse.unquote(part) for part in url.path.split("/")[3:]], body))

    def _answer(self, parts: list[str], asked: dict[str, str]) -> tuple[int, Any]:
        pages = self.pages
        match parts:
            case ["cluster"]:
                return 200, pages.cluster()
            case ["workers"]:
                return 200, {"workers": pages.workers()}
            case ["queries"]:
                return 200, pages.select(asked)
            case ["queries", query_id] if query := pages.find(query_id):
                return 200, query.detail()
            case ["sessions"]:
                now = int(time.time() * 1e6)
                return 200, {"sessions": [
                    {"session_id": 3, "client": "ipv4:10.0.0.7:40112", "protocol": "ATTACH", "read_only": False,
                     "state": "in transaction", "opened_us": now - 900_000_000, "transaction_us": now - 65_000_000,
                     "statement": "UPDATE t SET a = '<b>1</b>'"},
                    {"session_id": 4, "client": "ipv4:10.0.0.8:51200", "protocol": "Flight SQL", "read_only": True,
                     "state": "idle", "opened_us": now - 30_000_000, "transaction_us": None, "statement": None}]}
        return 404, {"error": "There is nothing of this name."}

    def _act(self, parts: list[str], body: str) -> tuple[int, Any]:
        pages = self.pages
        match parts:
            case ["queries", query_id, "kill"] if query := pages.find(query_id):
                pages.kill(query)
                return 200, {"killed": True}
            case ["workers", worker, "drain"]:
                pages.drained.add(worker)
                return 200, {"done": True}
            case ["workers", worker, "forget"]:
                pages.forgotten.add(worker)
                return 200, {"done": True}
            case ["sql"]:
                if "FAIL" in body:
                    return 400, {"error": "Parser Error: syntax error at or near \"FAIL\"\n\nLINE 1: FAIL\n        ^"}
                return 200, {"columns": [{"name": "i", "type": "BIGINT"}, {"name": "<b>text</b>", "type": "VARCHAR"}],
                             "rows": [[str(i), None if i % 7 == 3 else body] for i in range(250)], "truncated": True,
                             "duration_ms": 12.5}
        return 404, {"error": "There is nothing of this name."}

    def _session(self) -> str:
        return (self.headers.get("Cookie") or "").partition("session=")[2].partition(";")[0]

    def _logged_in(self) -> bool:
        return self._session() in self.pages.sessions_of_pages

    def _login(self, message: str, status: int) -> None:
        text = (ASSETS / "login.html").read_text().replace("<!--message-->", html.escape(message))
        self._send(status, text.encode(), "text/html", {}, " 'unsafe-inline'")

    def _file(self, path: Path) -> None:
        if path.exists():
            self._send(200, path.read_bytes(), TYPES[path.suffix])
        else:
            self._json(404, {"error": "There is nothing of this name."})

    def _json(self, status: int, value: Any) -> None:
        self._send(status, value if isinstance(value, bytes) else json.dumps(value).encode(), "application/json")

    def _send(self, status: int, data: bytes, kind: str, headers: dict[str, str] | None = None,
              style: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", POLICY.format(style=style))
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _events(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            while self._logged_in():
                self.wfile.write(f"retry: 1000\nevent: cluster\ndata: {json.dumps(self.pages.cluster())}\n\n".encode())
                self.wfile.flush()
                if self.pages.wait_ended(1.0):
                    break
        except OSError:
            pass  # The page was closed


def main() -> None:
    queries = many_queries(1000)
    with CannedPages(queries, int(sys.argv[1]) if len(sys.argv) > 1 else 8080) as pages:
        pages.add(sql=HOSTILE_SQL)
        many = pages.add(tasks=MANY_TASKS, duration_ms=95_000.0, skewed=True, spilled_bytes=3_400_000_000, retries=3)
        running = pages.start_query(SQL)
        pages.add(state="QUEUED")
        print(f"pages at {pages.url}, the token is {pages.token}\n100,000 tasks: {many.query_id}\nrunning: {running}",
              flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
