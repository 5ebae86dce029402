"""A Chromium without a window, driven by the DevTools protocol over a pair of pipes.

The pinned Chromium (third_party/versions.ini) is decompressed at its first use. Where it does not start, an installed
one is used; DUCKHERDER_CHROMIUM names one that is to be used instead of both.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

from support import paths
from support.process import die_with_parent
from support.waiting import PATIENCE

PINNED = paths.DEPS / "chromium"
UNPACKED = PINNED / "unpacked"
INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CALL_TIMEOUT_SECONDS = 30.0 * PATIENCE
START_TIMEOUT_SECONDS = 60.0 * PATIENCE
STOP_TIMEOUT_SECONDS = 10.0 * PATIENCE
POLL_SECONDS = 0.03
#: Above all numbers that subprocess may use for itself between fork and exec
FIRST_OWN_DESCRIPTOR = 64
DESKTOP = (1280, 900)
PHONE = (360, 740)

FLAGS = ["--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check",
         "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--disable-breakpad", "--password-store=basic", "--force-color-profile=srgb",
         "--disable-background-timer-throttling", "--disable-renderer-backgrounding"]
#: Puts our pipes where Chromium looks for them (commands come on 3, answers go to 4), then becomes Chromium
LAUNCH = """
import os, sys
commands, answers = int(sys.argv[1]), int(sys.argv[2])
os.dup2(commands, 3)
os.dup2(answers, 4)
os.close(commands)
os.close(answers)
os.execv(sys.argv[3], sys.argv[3:])
"""
#: node has brotli, which Python has not; npm, which fetched the package, brings node
DECOMPRESS = """
const fs = require('fs'), zlib = require('zlib'), {pipeline} = require('stream/promises');
pipeline(fs.createReadStream(process.argv[1]), zlib.createBrotliDecompress(), fs.createWriteStream(process.argv[2]))
    .catch(error => { console.error(String(error)); process.exit(1); });
"""
FONTS_CONF = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
"""
#: key name of the DOM -> (code, Windows key code, text)
KEYS = {
    "Tab": ("Tab", 9, ""), "Enter": ("Enter", 13, "\r"), "Escape": ("Escape", 27, ""), " ": ("Space", 32, " "),
    "End": ("End", 35, ""), "Home": ("Home", 36, ""), "ArrowLeft": ("ArrowLeft", 37, ""),
    "ArrowUp": ("ArrowUp", 38, ""), "ArrowRight": ("ArrowRight", 39, ""), "ArrowDown": ("ArrowDown", 40, ""),
    "+": ("Equal", 187, "+"), "-": ("Minus", 189, "-"),
}
MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}


class NoBrowser(Exception):
    """There is no Chromium here that starts; the message says what was tried."""


class BrowserError(Exception):
    """The browser refused a command, or a script on the page threw."""


def _decompress(node: str, source: Path, target: Path) -> None:
    done = subprocess.run([node, "-e", DECOMPRESS, str(source), str(target)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120 * PATIENCE)
    if done.returncode:
        raise NoBrowser(f"{source} cannot be decompressed: {done.stderr.strip()}")


def _unpack_pinned() -> Path:
    """The pinned program, decompressed by the first process that needs it while the others wait."""
    program = UNPACKED / "chromium"
    with open(PINNED / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if program.exists():
            return program
        node = shutil.which("node")
        if not node:
            raise NoBrowser("node is missing, which decompresses the pinned Chromium")
        # A name of its own until it is complete: an interrupted run leaves nothing that looks finished
        partial = PINNED / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        _decompress(node, PINNED / "chromium.br", partial / "chromium")
        for name in ("al2023", "fonts"):
            archive = partial / f"{name}.tar"
            _decompress(node, PINNED / f"{name}.tar.br", archive)
            with tarfile.open(archive) as tar:
                tar.extractall(partial / name, filter="data")
            archive.unlink()
        (partial / "fonts" / "fonts.conf").write_text(FONTS_CONF.format(fonts=UNPACKED / "fonts"))
        (partial / "chromium").chmod(0o755)
        partial.rename(UNPACKED)
    return program


def find_browser() -> tuple[Path, dict[str, str]]:
    """The program and what its environment needs. Raises NoBrowser."""
    if named := os.environ.get("DUCKHERDER_CHROMIUM"):
        return Path(named), {}
    tried = f"{PINNED} is not there (make test fetches it)"
    if (PINNED / "chromium.br").exists():
        try:
            program = _unpack_pinned()
            # A build without a window system needs few libraries, and brings those that a bare Debian lacks
            environment = {"LD_LIBRARY_PATH": str(UNPACKED / "al2023" / "lib"),
                           "FONTCONFIG_PATH": str(UNPACKED / "fonts")}
            done = subprocess.run([str(program), "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=START_TIMEOUT_SECONDS, env={**os.environ, **environment})
            if done.returncode == 0:
                return program, environment
            tried = f"{program} does not start: {done.stderr.strip()[-500:]}"
        except (NoBrowser, OSError, subprocess.TimeoutExpired) as error:
            tried = str(error)
    for name in INSTALLED:
        if found := shutil.which(name):
            return Path(found), {}
    raise NoBrowser(f"{tried}; none of {', '.join(INSTALLED)} is installed")


class Browser:
    """One process with one page. Use as a context manager; it ends exactly the process that it started."""

    def __init__(self, directory: Path):
        """`directory`: its profile and its log go there."""
        self.errors: list[str] = []
        self._numbers = 0
        self._buffer = b""
        self._answers: dict[int, dict[str, Any]] = {}
        self._session: str | None = None
        self._loaded = False
        program, environment = find_browser()
        command_read, self._commands = self._pipe()
        self._events, answer_write = self._pipe()
        self.log_path = directory / "browser.log"
        environment = {**os.environ, **environment, "HOME": str(directory), "XDG_CACHE_HOME": str(directory / "cache"),
                       "XDG_CONFIG_HOME": str(directory / "config")}
        with open(self.log_path, "w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", LAUNCH, str(command_read), str(answer_write), str(program), *FLAGS,
                 f"--user-data-dir={directory / 'profile'}", f"--window-size={DESKTOP[0]},{DESKTOP[1]}", "about:blank"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=directory, env=environment,
                pass_fds=(command_read, answer_write), preexec_fn=die_with_parent)
        os.close(command_read)
        os.close(answer_write)
        try:
            self._attach()
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _pipe() -> tuple[int, int]:
        """Numbers that cannot be those which the child gives to them."""
        ends = os.pipe()
        high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, FIRST_OWN_DESCRIPTOR) for end in ends)
        for end in ends:
            os.close(end)
        return high

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        try:
            self._send("Browser.close", {}, None)
        except OSError:
            pass  # It has ended by itself
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_SECONDS)
        for descriptor in (self._commands, self._events):
            if descriptor >= 0:
                os.close(descriptor)
        self._commands = self._events = -1

    def _attach(self) -> None:
        version = self.call("Browser.getVersion", timeout=START_TIMEOUT_SECONDS, session=None)
        self.version: str = version["product"]
        targets = self.call("Target.getTargets", session=None)["targetInfos"]
        page = next(target for target in targets if target["type"] == "page")
        attached = self.call("Target.attachToTarget", {"targetId": page["targetId"], "flatten": True}, session=None)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.set_size(*DESKTOP)

    # --- the protocol ---------------------------------------------------------------------------------------------

    def call(self, method: str, parameters: dict[str, Any] | None = None, timeout: float = CALL_TIMEOUT_SECONDS,
             session: str | None = "") -> dict[str, Any]:
        """Any command of the DevTools protocol, to the page unless `session` is None."""
        number = self._send(method, parameters or {}, self._session if session == "" else session)
        deadline = time.monotonic() + timeout
        while number not in self._answers:
            if not self._receive(deadline - time.monotonic()):
                raise TimeoutError(f"{method}: no answer within {timeout} s\n{self._log_end()}")
        answer = self._answers.pop(number)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    def _send(self, method: str, parameters: dict[str, Any], session: str | None) -> int:
        self._numbers += 1
        message = {"id": self._numbers, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._commands, data):]
        return self._numbers

    def _receive(self, seconds: float) -> bool:
        """Takes in what has come, waiting at most so long for something."""
        if not select.select([self._events], [], [], max(0.0, seconds))[0]:
            return False
        data = os.read(self._events, 1 << 20)
        if not data:
            raise BrowserError(f"the browser has ended\n{self._log_end()}")
        *messages, self._buffer = (self._buffer + data).split(b"\0")
        for text in messages:
            message = json.loads(text)
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._on_event(message["method"], message["params"])
        return True

    def _on_event(self, method: str, event: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Runtime.exceptionThrown":
            details = event["exceptionDetails"]
            thrown = details.get("exception", {}).get("description")
            self.errors.append(f"exception: {thrown or details['text']}")
        elif method == "Runtime.consoleAPICalled" and event["type"] in ("error", "assert"):
            values = [str(value.get("value", value.get("description"))) for value in event["args"]]
            self.errors.append("console: " + " ".join(values))
        elif method == "Log.entryAdded" and event["entry"]["level"] == "error":
            entry = event["entry"]
            self.errors.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}".strip())
        elif method == "Page.javascriptDialogOpening":
            # Nothing of ours opens one: it is the sign that foreign markup has run
            self.errors.append(f"dialog: {event['message']}")
            self._send("Page.handleJavaScriptDialog", {"accept": False}, self._session)

    def _log_end(self) -> str:
        return self.log_path.read_text(errors="replace")[-2000:]

    # --- what tests do --------------------------------------------------------------------------------------------

    def open(self, url: str) -> None:
        """Returns when the page and its scripts are loaded. Another fragment of the same page loads nothing."""
        self._loaded = False
        answer = self.call("Page.navigate", {"url": url})
        if "errorText" in answer:
            raise BrowserError(f"{url}: {answer['errorText']}")
        if "loaderId" in answer:
            self._wait_loaded(url)

    def reload(self) -> None:
        self._loaded = False
        self.call("Page.reload")
        self._wait_loaded("reload")

    def _wait_loaded(self, what: str) -> None:
        deadline = time.monotonic() + CALL_TIMEOUT_SECONDS
        while not self._loaded:
            if not self._receive(deadline - time.monotonic()):
                raise TimeoutError(f"{what}: not loaded within {CALL_TIMEOUT_SECONDS} s")

    def evaluate(self, script: str) -> Any:
        """The value of an expression of JavaScript; a promise is waited for."""
        answer = self.call("Runtime.evaluate", {"expression": script, "returnByValue": True, "awaitPromise": True,
                                                "userGesture": True})
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(f"{script}: {details.get('exception', {}).get('description', details['text'])}")
        return answer["result"].get("value")

    def wait_for(self, condition: str, seconds: float = 10.0) -> float:
        """Waits until the expression is true; returns after how many seconds it was."""
        seconds *= PATIENCE
        begin = time.monotonic()
        while True:
            try:
                if self.evaluate(f"Boolean({condition})"):
                    return time.monotonic() - begin
            except BrowserError:
                # While a page is being replaced there is nothing to ask, or half a page
                if time.monotonic() - begin > seconds:
                    raise
            if time.monotonic() - begin > seconds:
                raise AssertionError(f"after {seconds} s not: {condition}\n{self.text()[:3000]}\n{self.errors}")
            time.sleep(POLL_SECONDS)

    def wait_for_text(self, text: str, seconds: float = 10.0) -> float:
        return self.wait_for(f"document.body.innerText.includes({json.dumps(text)})", seconds)

    def text(self, selector: str = "body") -> str:
        return self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def exists(self, selector: str) -> bool:
        return self.evaluate(f"document.querySelector({json.dumps(selector)}) !== null")

    def click(self, selector: str, seconds: float = 10.0) -> None:
        """With the mouse, in the middle of the element, which must be there and not covered."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(f"{found} !== null", seconds)
        place = self.evaluate(f"""(element => {{
            element.scrollIntoView({{block: 'center', inline: 'center', behavior: 'instant'}});
            const box = element.getBoundingClientRect();
            const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
            const top = document.elementFromPoint(x, y);
            return {{x, y, hit: element === top || element.contains(top), cover: top?.outerHTML.slice(0, 200)}};
        }})({found})""")
        if not place["hit"]:
            raise BrowserError(f"{selector} is covered by {place['cover']}")
        self.click_at(place["x"], place["y"])

    def click_at(self, x: float, y: float) -> None:
        self.move_mouse(x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1})

    def move_mouse(self, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})

    def type(self, text: str) -> None:
        """Into what has the focus."""
        self.call("Input.insertText", {"text": text})

    def press(self, key: str, *modifiers: str) -> None:
        """A key by its name in the DOM: Tab, Enter, ArrowDown; modifiers: Control, Shift, Alt, Meta."""
        code, number, text = KEYS.get(key) or (f"Key{key.upper()}", ord(key.upper()), key)
        event = {"key": key, "code": code, "windowsVirtualKeyCode": number, "nativeVirtualKeyCode": number,
                 "modifiers": sum(MODIFIERS[name] for name in modifiers)}
        typed = {"text": text} if text and "Control" not in modifiers else {}
        self.call("Input.dispatchKeyEvent", {"type": "keyDown" if typed else "rawKeyDown", **event, **typed})
        self.call("Input.dispatchKeyEvent", {"type": "keyUp", **event})

    def set_size(self, width: int, height: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1,
                                                         "mobile": False})

    def set_dark(self, dark: bool) -> None:
        """What the system says that it prefers."""
        value = "dark" if dark else "light"
        self.call("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": value}]})

    def cookies(self) -> list[dict[str, Any]]:
        return self.call("Network.getCookies")["cookies"]

    def forget(self) -> None:
        """The next test begins without cookies, stored choices and errors of the one before."""
        self.open("about:blank")
        self.call("Network.clearBrowserCookies")
        self.call("Emulation.setEmulatedMedia", {"features": []})
        self.set_size(*DESKTOP)
        self.errors.clear()

    def forget_storage(self, origin: str) -> None:
        self.call("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "local_storage"})

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """A PNG of what is visible, or of the whole page."""
        answer = self.call("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": whole, **(
            {"clip": self._whole_page()} if whole else {})})
        path.write_bytes(base64.b64decode(answer["data"]))

    def _whole_page(self) -> dict[str, float]:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
