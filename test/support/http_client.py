"""Requests to a node's HTTP server, as a program or a browser would send them."""

import http.client
import json
import os
import urllib.parse
from pathlib import Path
from typing import Any

from support.waiting import PATIENCE

TIMEOUT_SECONDS = 20 * PATIENCE
ROLE_TOKENS = {role: f"{role}-token-0123456789" for role in ("read", "write", "admin")}


def cluster_token() -> str:
    return Path(os.environ["DUCKHERDER_TOKEN_FILE"]).read_text(encoding="ascii").strip()


def client_tokens(directory: Path, *roles: str) -> list[str]:
    """The flags of a node that takes a token for each role: ROLE_TOKENS."""
    tokens = directory / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text("".join(f"{role} {ROLE_TOKENS[role]}\n" for role in roles))
    return ["--client-tokens", str(tokens)]


class Answer:
    def __init__(self, response: http.client.HTTPResponse):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read().decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return self.json["error"]


class HttpClient:
    """One caller: with a token, with a cookie, or a stranger. Each request has a connection of its own."""

    def __init__(self, url: str, token: str | None = None, cookie: str | None = None):
        parts = urllib.parse.urlsplit(url)
        assert parts.hostname and parts.port
        self.host, self.port = parts.hostname, parts.port
        self.headers: dict[str, str] = {}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
        if cookie:
            self.headers["Cookie"] = cookie

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_SECONDS)

    def call(self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None) -> Answer:
        connection = self.connect()
        try:
            connection.request(method, path, body, {**self.headers, **(headers or {})})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str, **parameters: object) -> Answer:
        query = urllib.parse.urlencode(parameters)
        return self.call("GET", path + ("?" + query if query else ""))

    def post(self, path: str, body: str = "", headers: dict[str, str] | None = None) -> Answer:
        return self.call("POST", path, body, headers)

    def sql(self, statement: str) -> Answer:
        return self.post("/api/v1/sql", statement)
