"""A headless Chromium spoken to over its debugging pipe: the standard library is enough."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)
_OPTIONS = (
    "--headless --no-sandbox --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars "
    # Software rendering, so that WebGL draws without a graphics card.
    "--use-angle=swiftshader --enable-unsafe-swiftshader --remote-debugging-pipe"
)
# The browser reads commands from descriptor 3 and answers on 4; the pipes may have any numbers,
# these two included, so they are first copied out of the way.
_LAUNCHER = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(n), fcntl.F_DUPFD, 64) for n in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.close(read)
os.close(write)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page:
    """One page in a fresh browser profile; requests, console messages and errors are recorded."""

    def __init__(self, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        assert CHROMIUM is not None
        self._profile = tempfile.mkdtemp(prefix="zeroflux-chromium-")
        to_browser_read, self._write = os.pipe()
        self._read, from_browser_write = os.pipe()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                _LAUNCHER,
                str(to_browser_read),
                str(from_browser_write),
                CHROMIUM,
                *_OPTIONS.split(),
                f"--user-data-dir={self._profile}",
                "about:blank",
            ],
            pass_fds=(to_browser_read, from_browser_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser_read)
        os.close(from_browser_write)
        self._buffer = b""
        self._next_id = 0
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._session: str | None = None
        try:
            self._prepare(width, height, dark)
        except BaseException:
            self.close()
            raise

    def _prepare(self, width: int, height: int, dark: bool) -> None:
        """Attach to the page and switch its reports on."""
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.resize(width, height)
        scheme = "dark" if dark else "light"
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )

    def resize(self, width: int, height: int) -> None:
        """Set the size of the window in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def open(self, path: Path, *, timeout: float = 60.0) -> None:
        """Open a file and wait until the page says that it is ready."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait_for("document.documentElement?.dataset.ready === 'true'", timeout=timeout)
        # Reports of the log arrive a little after what caused them.
        time.sleep(0.5)
        self.evaluate("0")

    def wait_for(self, expression: str, *, timeout: float = 20.0) -> None:
        """Wait until a JavaScript expression is true."""
        deadline = time.monotonic() + timeout
        while not self.evaluate(expression):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{expression} stayed false; errors so far: {self.errors}")
            time.sleep(0.1)

    def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression; promises are awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def screenshot(self, path: Path, *, selector: str | None = None) -> None:
        """Save a picture of the window or, with a selector, of one element."""
        options: dict[str, Any] = {"format": "png"}
        if selector is not None:
            self.evaluate(f"document.querySelector({json.dumps(selector)}).scrollIntoView()")
            box = self.evaluate(
                f"(r => [r.x + scrollX, r.y + scrollY, r.width, r.height])"
                f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
            )
            options |= {
                "clip": dict(zip(("x", "y", "width", "height"), box, strict=True), scale=1),
                "captureBeyondViewport": True,
            }
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", **options)["data"]))

    def close(self) -> None:
        """End the browser and remove its profile."""
        try:
            self._session = None
            self.call("Browser.close")
        except (BrokenPipeError, EOFError, TimeoutError):
            pass
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self._profile, ignore_errors=True)

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, method: str, *, timeout: float = 60.0, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result; events met on the way are recorded."""
        self._next_id += 1
        message: dict[str, Any] = {"id": self._next_id, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + timeout
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == self._next_id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._record(answer)

    def _receive(self, deadline: float) -> dict[str, Any]:
        """Next message of the browser."""
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError("Chromium did not answer in time.")
            chunk = os.read(self._read, 1 << 20)
            if not chunk:
                raise EOFError("Chromium closed its pipe.")
            self._buffer += chunk
        text, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(text)

    def _record(self, event: dict[str, Any]) -> None:
        """Keep requests, console errors and warnings, exceptions and log entries."""
        method, parameters = event.get("method", ""), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(str(parameters["exceptionDetails"])[:600])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "assert"):
            self.errors.append(str(parameters["args"])[:600])
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.errors.append(str(parameters["entry"])[:600])
