"""The web page in a real browser.

`server` is what the tests of the page's own behaviour run against: an address, a token, and a way to start a query that
takes a while. `canned` is always the server of made-up answers, which has as many queries and tasks as a test wants.
"""

import contextlib
import itertools
import json
import re
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from support.browser import DESKTOP, PHONE, Browser, NoBrowser
from support.canned_pages import ASSETS, HOSTILE_SQL, MANY_TASKS, SQL, CannedPages, many_queries
from support.cluster import Cluster
from support.http_client import HttpClient, cluster_token
from support.waiting import PATIENCE, wait_until

PAGES = {"": "Cluster", "queries": "Queries", "sql": "SQL", "sessions": "Sessions",
         "worker/worker-1": "Worker worker-1"}
LIVE_SECONDS = 5.0
FIRST_PAINT_SECONDS = 2.0
#: Those of a list of 100 rows are about 3,000
MOST_ELEMENTS = 6000
QUERIES = 1000
A_PAGE = 100
LOGIN_FORM = "document.querySelector('input[name=token]')"
CONNECTED = "document.querySelector('.connection .pulse')"
CANVAS = "document.querySelector('.timeline canvas')"
DETAILS = "document.querySelector('.timeline-details')"
WHOLE_QUERY = "document.querySelector('.timeline-tools button:nth-of-type(3)')"
FOCUSED = "document.activeElement"


class Server(Protocol):
    @property
    def url(self) -> str: ...

    token: str

    def start_query(self, sql: str) -> str:
        """Its id. It runs on workers until it is killed, or for a minute."""
        ...


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    try:
        started = Browser(tmp_path_factory.mktemp("browser"))
    except NoBrowser as error:
        # A skipped test is easily overlooked, a warning stands at the end of the run
        warnings.warn(f"THE WEB PAGE IS NOT TESTED: {error}", stacklevel=1)
        pytest.skip(f"no browser: {error}")
    with started:
        yield started


@pytest.fixture
def canned() -> Iterator[CannedPages]:
    with CannedPages() as pages:
        yield pages


class RealServer:
    """A driver, and queries that run there until they are killed."""

    def __init__(self, cluster: Cluster):
        self.url, self.token = cluster.pages, cluster_token()
        self.client = HttpClient(self.url, self.token)
        self.names = itertools.count()

    def queries(self, **filters: object) -> list[dict]:
        return self.client.get("/api/v1/queries", limit=500, **filters).json["queries"]

    def start_query(self, sql: str) -> str:
        name = f"query {next(self.names)}"
        text = f"/* {sql} {name} */ SELECT count(*) FROM t AS a JOIN t AS b ON (a.i * b.i) % 7919 = a.k"
        threading.Thread(target=self._run, args=(text,), daemon=True).start()
        wait_until(lambda: self.queries(state="RUNNING", search=name), 20, lambda: f"{name} does not run")
        return self.queries(state="RUNNING", search=name)[0]["query_id"]

    def _run(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self.client.sql(text)

    def end(self) -> None:
        for query in self.queries():
            if query["state"] in ("RUNNING", "QUEUED"):
                self.client.post(f"/api/v1/queries/{query['query_id']}/kill")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("pages"), workers=2, threads=1, with_driver=True) as cluster:
        node = HttpClient(cluster.pages, cluster_token())
        assert node.sql("CREATE TABLE t AS SELECT i, i % 100 AS k FROM range(200000) r(i)").status == 200
        yield cluster


@pytest.fixture
def server(cluster: Cluster) -> Iterator[Server]:
    real = RealServer(cluster)
    yield real
    real.end()


def log_in(browser: Browser, server: Server) -> None:
    browser.open(server.url)
    browser.click("input[name=token]")
    browser.type(server.token)
    browser.press("Enter")
    browser.wait_for(CONNECTED)
    browser.errors.clear()


def opened(browser: Browser, server: Server) -> Iterator[Browser]:
    """Logged in, and free of errors at the end."""
    browser.forget()
    log_in(browser, server)
    yield browser
    assert browser.errors == []
    browser.forget_storage(server.url)


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Browser]:
    yield from opened(browser, server)


@pytest.fixture
def canned_page(browser: Browser, canned: CannedPages) -> Iterator[Browser]:
    yield from opened(browser, canned)


def go(page: Browser, server: Server, route: str, heading: str | None = None) -> None:
    page.open(f"{server.url}/#/{route}")
    if heading is not None:
        page.wait_for(f"document.querySelector('h1')?.innerText.startsWith({json.dumps(heading)})")


def rows_of(page: Browser) -> int:
    return page.evaluate("document.querySelectorAll('tbody tr').length")


def test_the_page_that_was_asked_for_comes_after_the_log_in(browser: Browser, server: Server):
    browser.forget()
    browser.open(f"{server.url}/#/queries?state=FAILED")
    for token in ("not the token", server.token):
        browser.click("input[name=token]")
        browser.type(token)
        browser.press("Enter")
        if token != server.token:
            browser.wait_for("document.querySelector('[role=alert]')?.innerText.length > 10")
    browser.wait_for("document.querySelector('h1')?.innerText === 'Queries'")
    assert browser.evaluate("location.hash") == "#/queries?state=FAILED"
    browser.errors.clear()
    browser.forget_storage(server.url)


def test_log_in_and_out(browser: Browser, server: Server):
    browser.forget()
    browser.open(server.url)
    assert browser.evaluate(f"{LOGIN_FORM}.type") == "password"
    browser.click("input[name=token]")
    browser.type("not the token")
    browser.press("Enter")
    browser.wait_for("document.querySelector('[role=alert]')?.innerText.length > 10")
    assert "not the token" not in browser.text()

    log_in(browser, server)
    cookie, = browser.cookies()
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    kept = browser.evaluate("document.cookie + JSON.stringify({...localStorage, ...sessionStorage})")
    assert server.token not in kept
    browser.evaluate("[...document.querySelectorAll('button')].find(b => b.innerText === 'Log out').click()")
    browser.wait_for(LOGIN_FORM)
    browser.reload()
    assert browser.evaluate(f"{LOGIN_FORM} !== null")


@pytest.mark.parametrize("route", PAGES)
def test_each_page_opens_without_errors(page: Browser, server: Server, route: str):
    go(page, server, route, PAGES[route])
    page.wait_for("!document.body.innerText.includes('Loading…')")
    assert page.evaluate("document.title").endswith("Duckherder")
    assert not page.exists(".error-box")


def test_unknown_page_and_query(page: Browser, server: Server):
    go(page, server, "nonsense", "There is no such page")
    go(page, server, "query/%25%zz", "Query")
    page.wait_for("document.querySelector('.error-box')")
    # The browser itself reports that the server has answered with 404
    page.errors.clear()


def test_kill_a_running_query(page: Browser, server: Server):
    query = server.start_query(SQL)
    go(page, server, f"query/{query}", "Query")
    page.wait_for("document.querySelector('.page-head .state-running')")
    page.click(".page-head .confirm > button")
    page.wait_for("document.querySelector('dialog').open")
    # The focus is where Enter does no harm
    assert page.evaluate(f"{FOCUSED}.innerText.trim()") == "Cancel"
    page.press("Escape")
    page.wait_for("!document.querySelector('dialog').open")
    assert page.exists(".page-head .state-running")

    page.click(".page-head .confirm > button")
    page.click("dialog[open] [data-confirm]")
    page.wait_for("document.querySelector('.page-head .state-cancelled, .page-head .state-failed')", LIVE_SECONDS)
    assert not page.exists(".page-head .confirm")


@pytest.mark.parametrize("route", ["", "queries"])
def test_a_new_query_appears_by_itself(page: Browser, server: Server, route: str):
    go(page, server, route, PAGES[route])
    page.evaluate("window.notReloaded = true")
    query = server.start_query("SELECT 'a new one' FROM range(1000)")
    page.wait_for(f"document.querySelector('a[href=\"#/query/{query}\"]')", LIVE_SECONDS)
    page.wait_for("document.querySelector('tbody .state-running')", LIVE_SECONDS)
    assert page.evaluate("window.notReloaded")


def test_dark_colours(page: Browser, server: Server):
    def is_dark() -> bool:
        channels = re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))
        return sum(map(int, channels[:3])) < 3 * 128

    page.set_dark(False)
    assert not is_dark()
    page.set_dark(True)
    assert is_dark()
    page.click(".theme-button")
    assert not is_dark()
    page.reload()
    page.wait_for(CONNECTED)
    assert not is_dark()
    # Back to what the system wants: nothing is stored any more
    page.click(".theme-button")
    assert is_dark()
    assert page.evaluate("localStorage.length") == 0


def test_hostile_query_text_stays_text(page: Browser, server: Server):
    query = server.start_query(HOSTILE_SQL)
    for route in ("", "queries"):
        go(page, server, route, PAGES[route])
        page.wait_for(f"document.querySelector('a[href=\"#/query/{query}\"]')?.innerText.includes('<img')")
    go(page, server, f"query/{query}", "Query")
    page.wait_for("document.querySelector('pre.sql')")
    assert HOSTILE_SQL in page.evaluate("document.querySelector('pre.sql').textContent")
    assert page.evaluate("document.querySelectorAll('img:not([src=\"/assets/icon.svg\"]), main script').length") == 0


def test_policy_forbids_inline_scripts(page: Browser, server: Server):
    page.evaluate("""(() => {
        const script = document.createElement('script');
        script.textContent = 'window.inlineHasRun = true';
        document.body.append(script);
    })()""")
    assert page.evaluate("window.inlineHasRun ?? null") is None
    assert "Content Security Policy" in page.errors.pop()


def test_keyboard(page: Browser, server: Server):
    go(page, server, "", "Cluster")
    page.evaluate("document.activeElement.blur()")
    page.press("Tab")
    assert page.evaluate(f"{FOCUSED}.className") == "skip"
    assert page.evaluate(f"{FOCUSED}.getBoundingClientRect().top >= 0")
    page.press("Enter")
    assert page.evaluate(f"{FOCUSED}.id") == "main"
    page.evaluate("document.querySelector('.brand').focus()")
    for expected in ("Cluster", "Queries"):
        page.press("Tab")
        assert page.evaluate(f"{FOCUSED}.innerText") == expected
        assert page.evaluate(f"getComputedStyle({FOCUSED}).outlineStyle") == "solid"
    page.press("Enter")
    page.wait_for("document.querySelector('h1').innerText === 'Queries'")
    # As after a page load, one goes on from the content
    page.wait_for(f"{FOCUSED}.id === 'main'")
    page.wait_for("document.querySelector('button.sort')")
    page.evaluate("[...document.querySelectorAll('button.sort')].find(b => b.innerText.includes('Time')).focus()")
    page.press("Enter")
    page.wait_for("document.querySelector('th[aria-sort=descending]')?.innerText.includes('Time')")
    page.press("Enter")
    page.wait_for("document.querySelector('th[aria-sort=ascending]')?.innerText.includes('Time')")


def test_every_control_has_a_name(page: Browser, server: Server):
    query = server.start_query(SQL)
    for route in (*PAGES, f"query/{query}"):
        go(page, server, route)
        page.wait_for("document.querySelector('h1') && !document.body.innerText.includes('Loading…')")
        nameless = page.evaluate("""[...document.querySelectorAll('a, button, input, select, textarea, [tabindex="0"]')]
            .filter(e => !(e.textContent.trim() || e.getAttribute('aria-label') || e.title || e.labels?.length))
            .map(e => e.outerHTML.slice(0, 200))""")
        assert nameless == []
        assert page.evaluate("document.querySelectorAll('h1').length") == 1


def test_phone_width(page: Browser, server: Server):
    query = server.start_query(HOSTILE_SQL + " " + "x" * 500)
    page.set_size(*PHONE)
    for route in (*PAGES, f"query/{query}"):
        go(page, server, route)
        page.wait_for("document.querySelector('h1') && !document.body.innerText.includes('Loading…')")
        page.wait_for("document.documentElement.scrollWidth <= innerWidth", 1.0)


def test_100000_tasks(canned_page: Browser, canned: CannedPages):
    query = canned.add(tasks=MANY_TASKS, duration_ms=95_000.0, skewed=True)
    # What the server needs to make them up is not the page's time
    query.detail()
    begin = time.monotonic()
    canned_page.open(f"{canned.url}/#/query/{query.query_id}")
    canned_page.wait_for(f"{CANVAS}?.dataset.painted === '{MANY_TASKS}'")
    assert time.monotonic() - begin < FIRST_PAINT_SECONDS * PATIENCE
    assert canned_page.evaluate("document.querySelectorAll('*').length") < MOST_ELEMENTS

    canned_page.evaluate(f"{CANVAS}.focus({{preventScroll: true}})")
    canned_page.press("ArrowRight")
    canned_page.wait_for(f"/^Stage \\d+, task \\d+ on worker-/.test({DETAILS}.innerText)")
    first = canned_page.text(".timeline-details")
    canned_page.press("ArrowRight")
    canned_page.wait_for(f"{DETAILS}.innerText !== {json.dumps(first)}")
    canned_page.press("+")
    canned_page.wait_for(f"!{WHOLE_QUERY}.disabled")
    canned_page.press("Escape")
    canned_page.wait_for(f"{WHOLE_QUERY}.disabled")
    # It has ended: nobody asks for eight megabytes each second
    time.sleep(2.5)
    assert canned.requests.count(("GET", f"/api/v1/queries/{query.query_id}")) == 1


def test_hovering_and_zooming_in_the_timeline(canned_page: Browser, canned: CannedPages):
    query = canned.add(tasks=96, duration_ms=8000.0, skewed=True)
    go(canned_page, canned, f"query/{query.query_id}", "Query")
    canned_page.wait_for(f"{CANVAS}?.dataset.painted")
    canned_page.evaluate(f"{CANVAS}.scrollIntoView({{block: 'center'}})")
    box = canned_page.evaluate(f"(b => [b.left, b.top, b.width, b.height])({CANVAS}.getBoundingClientRect())")
    middle = (box[0] + box[2] * 0.5, box[1] + 40)
    canned_page.move_mouse(*middle)
    canned_page.wait_for("document.querySelector('.tooltip')?.innerText.includes('rows in')")
    canned_page.click_at(*middle)
    canned_page.wait_for(f"{DETAILS}.innerText.includes('rows in')")
    for kind, x in (("mousePressed", middle[0]), ("mouseMoved", middle[0] + 120), ("mouseReleased", middle[0] + 120)):
        canned_page.call("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": middle[1], "button": "left",
                                                      "clickCount": 1})
    canned_page.wait_for(f"!{WHOLE_QUERY}.disabled")


def test_why_it_was_slow(canned_page: Browser, canned: CannedPages):
    query = canned.add(tasks=96, duration_ms=8000.0, skewed=True, retries=2, spilled_bytes=3_400_000_000)
    go(canned_page, canned, f"query/{query.query_id}", "Query")
    canned_page.wait_for("document.querySelector('.verdict')")
    verdict = canned_page.text(".verdict")
    for sentence in ("One task of stage 3 took much longer", "Memory was short", "Work was done again",
                     "Most of the time went into stage 2"):
        assert sentence in verdict
    # The worst comes first, and leads to its stage
    canned_page.click(".fact-bad a")
    canned_page.wait_for("document.querySelector('.graph-node.selected')?.getAttribute('aria-label').startsWith("
                         "'Stage 3')")
    canned_page.wait_for("[...document.querySelectorAll('#tasks tbody tr')].every(row => row.innerText.startsWith("
                         "'Stage 3'))")
    assert canned_page.evaluate("document.querySelectorAll('.graph-node').length") == 5
    assert canned_page.evaluate("document.querySelectorAll('.graph-edge').length") == 7

    local = canned.add(mode="LOCAL", duration_ms=120.0)
    go(canned_page, canned, f"query/{local.query_id}", "Query")
    canned_page.wait_for_text("no scan has at least 8192 rows")
    failed = canned.add(state="FAILED", error="Conversion Error: <b>\nLINE 2: …")
    go(canned_page, canned, f"query/{failed.query_id}", "Query")
    canned_page.wait_for("document.querySelector('#error pre')?.textContent.includes('<b>\\nLINE 2')")


def test_1000_queries(canned_page: Browser, canned: CannedPages):
    canned.queries[:] = many_queries(QUERIES)
    canned.changes += 1
    go(canned_page, canned, "queries", "Queries")
    canned_page.wait_for_text(f"1 – {A_PAGE} of 1,000")
    assert rows_of(canned_page) == A_PAGE
    canned_page.click("button[aria-label='Next page']")
    canned_page.wait_for_text("101 – 200 of 1,000")
    canned_page.evaluate("""(select => {
        select.value = 'FAILED';
        select.dispatchEvent(new Event('change', {bubbles: true}));
    })(document.querySelector('.filters select'))""")
    canned_page.wait_for("[...document.querySelectorAll('tbody tr')].every(row => row.innerText.includes('FAILED'))")
    canned_page.click("input[type=search]")
    canned_page.type("-- 999")
    canned_page.wait_for("location.hash.includes('search')")
    canned_page.evaluate("history.back()")
    canned_page.wait_for("document.querySelector('input[type=search]').value === ''")
    assert canned_page.evaluate("document.querySelector('.filters select').value") == "FAILED"


def test_sql(canned_page: Browser, canned: CannedPages):
    go(canned_page, canned, "sql", "SQL")
    canned_page.click("#sql-input")
    canned_page.type("SELECT '<b>bold</b>'")
    canned_page.press("Enter", "Control")
    canned_page.wait_for("document.querySelectorAll('.result tbody tr').length === 100")
    assert "<b>bold</b>" in canned_page.text(".result") and "NULL" in canned_page.text(".result")
    assert "there are more" in canned_page.text("main")
    # It is still there after a look at another page
    go(canned_page, canned, "queries", "Queries")
    go(canned_page, canned, "sql", "SQL")
    assert canned_page.evaluate("document.querySelector('#sql-input').value") == "SELECT '<b>bold</b>'"
    canned_page.click("#sql-input")
    canned_page.type(" FAIL")
    canned_page.press("Enter", "Control")
    canned_page.wait_for("document.querySelector('.error-text')?.innerText.includes('LINE 1')")
    assert not canned_page.exists(".result")
    # The browser itself reports the status 400
    canned_page.errors.clear()


def test_drain_and_forget_a_worker(canned_page: Browser, canned: CannedPages):
    go(canned_page, canned, "worker/worker-2", "Worker worker-2")
    canned_page.click(".page-head .confirm:nth-of-type(2) > button")
    canned_page.click("dialog[open] [data-confirm]")
    canned_page.wait_for("document.querySelector('.page-head .state-draining')", LIVE_SECONDS)
    canned_page.click(".page-head .confirm:nth-of-type(3) > button")
    canned_page.click("dialog[open] [data-confirm]")
    canned_page.wait_for_text("There is no worker of this name", LIVE_SECONDS)


def test_others_than_administrators_see_no_buttons(canned_page: Browser, canned: CannedPages):
    canned.role = "read"
    query = canned.start_query(SQL)
    canned_page.wait_for("!document.querySelector('.main-nav').innerText.includes('Sessions')", LIVE_SECONDS)
    go(canned_page, canned, f"query/{query}", "Query")
    canned_page.wait_for("document.querySelector('.page-head .state-running')")
    assert not canned_page.exists(".confirm")
    go(canned_page, canned, "worker/worker-2", "Worker")
    canned_page.wait_for_text("Extensions")
    assert not canned_page.exists(".confirm")


def test_a_session_that_has_ended_leads_to_the_log_in_and_back(canned_page: Browser, canned: CannedPages):
    go(canned_page, canned, "sql", "SQL")
    canned.sessions_of_pages.clear()
    canned_page.wait_for(LOGIN_FORM, 10.0)
    canned_page.click("input[name=token]")
    canned_page.type(canned.token)
    canned_page.press("Enter")
    canned_page.wait_for("document.querySelector('h1')?.innerText === 'SQL'")
    canned_page.errors.clear()


def test_a_lost_server_is_told(browser: Browser):
    browser.forget()
    with CannedPages() as pages:
        log_in(browser, pages)
    browser.wait_for("document.querySelector('.connection.lost')", LIVE_SECONDS)
    browser.errors.clear()


def test_assets_build_no_markup_and_ask_nobody_else():
    for path in sorted(ASSETS.iterdir()):
        text = path.read_text(encoding="utf-8")
        foreign = set(re.findall(r"https?://[^\s\"'`)]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not foreign, path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), path.name
    for path in ASSETS.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text), path.name
    assert (ASSETS / "login.html").read_text(encoding="utf-8").count("<!--message-->") == 1


def test_the_browser_leaves_nothing_behind(browser: Browser, tmp_path: Path):
    with Browser(tmp_path) as other:
        other.open("about:blank")
        other.set_size(*DESKTOP)
        pid = other.pid
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), 5.0, lambda: f"{pid} still runs")
