"""A strict receiver of OTLP/HTTP with JSON, which keeps the spans that it gets."""

import http.server
import json
import re
import threading

HEX = {"traceId": 32, "spanId": 16, "parentSpanId": 16}
KEYS = {"traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes",
        "links", "status"}


def checked_spans(body: bytes) -> list[dict]:
    """All spans of a request; an error for anything that the protocol's JSON form does not have."""
    message = json.loads(body)
    assert set(message) == {"resourceSpans"}
    spans = []
    for resource in message["resourceSpans"]:
        assert set(resource) == {"resource", "scopeSpans"}
        names = {attribute["key"]: attribute["value"] for attribute in resource["resource"]["attributes"]}
        assert set(names) == {"service.name", "service.instance.id", "service.version"}
        for scope in resource["scopeSpans"]:
            assert set(scope) == {"scope", "spans"}
            spans += [{**span, "resource": names} for span in scope["spans"]]
    for span in spans:
        assert set(span) <= KEYS | {"resource"}, span
        for key, length in HEX.items():
            if key in span:
                assert re.fullmatch(f"[0-9a-f]{{{length}}}", span[key]) and int(span[key], 16), span
        assert 0 < int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
        assert isinstance(span["startTimeUnixNano"], str) and span["kind"] in (1, 2)
        for attribute in span["attributes"]:
            (kind, value), = attribute["value"].items()
            assert kind in ("stringValue", "intValue") and isinstance(value, str), attribute
            assert kind == "stringValue" or value.isdigit()
    return spans


class Collector:
    """Use as a context manager."""

    def __init__(self) -> None:
        self.spans: list[dict] = []
        self.problems: list[str] = []
        self.status = 200
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    assert self.path == "/v1/traces" and self.headers["Content-Type"] == "application/json"
                    if collector.status == 200:
                        collector.spans += checked_spans(body)
                except Exception as error:  # noqa: BLE001 the test has to see it
                    collector.problems.append(repr(error))
                self.send_response(collector.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self) -> "Collector":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        assert not self.problems

    def of_query(self, identifier: str) -> list[dict]:
        roots = [span for span in self.spans if value(span, "duckherder.query_id") == identifier]
        return [span for span in self.spans if roots and span["traceId"] == roots[0]["traceId"]]


def value(span: dict, key: str) -> str | None:
    for attribute in span["attributes"]:
        if attribute["key"] == key:
            return next(iter(attribute["value"].values()))
    return None
