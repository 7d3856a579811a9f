"""A real Chromium, driven through the pipe of its own DevTools protocol: nothing but the browser is needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"),
]
_KEYS = {"ArrowDown": 40, "ArrowUp": 38, "Escape": 27, "Enter": 13, "Home": 36, "End": 35}


class Tab:
    """One tab: opens a page, presses keys, evaluates, and remembers what the page complained about."""

    def __init__(self, browser: _Pipe):
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **params)

    @property
    def complaints(self) -> list[str]:
        """Errors, warnings and refusals of the page so far."""
        told = []
        for event in self._browser.events:
            if event.get("sessionId") == self._session:
                if event["method"] == "Log.entryAdded":
                    told.append(event["params"]["entry"]["text"])
                elif event["method"] == "Runtime.exceptionThrown":
                    told.append(json.dumps(event["params"]["exceptionDetails"]))
                elif event["method"] == "Runtime.consoleAPICalled":
                    told.append(json.dumps(event["params"]["args"]))
        return told

    @property
    def requests(self) -> list[str]:
        """Addresses that the page asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self._browser.events
            if event.get("sessionId") == self._session and event["method"] == "Network.requestWillBeSent"
        ]

    def forget(self) -> None:
        """Begin anew with what the page complains about and asks for."""
        self._browser.events.clear()

    def size(self, width: int, height: int = 900) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def prefer(self, scheme: str) -> None:
        """What the reader's system prefers: `light` or `dark`."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", media="", features=[feature])

    def open(self, page: Path, fragment: str = "") -> None:
        """Open a page of `asap-hf explore` and wait until its trace is painted: before, the browser takes every step
        for hidden and tells no text of it."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=f"file://{page}{fragment}")
        self.until('document.getElementById("main")?.getAttribute("aria-busy") === "false"')
        self.settle()

    def until(self, condition: str) -> None:
        """Wait for a condition in the page."""
        for _ in range(6000):
            if self.evaluate(f"Boolean({condition})"):
                return
            time.sleep(0.05)
        raise AssertionError(f"it never came to {condition}; {self.complaints}")

    def settle(self) -> None:
        """Wait until what changed is painted."""
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def evaluate(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def texts(self, selector: str) -> list[str]:
        """What stands in the elements that a reader sees."""
        found = f"[...document.querySelectorAll({json.dumps(selector)})].filter(one => one.checkVisibility())"
        return list(self.evaluate(f"{found}.map(one => one.innerText)"))

    def press(self, *keys: str) -> None:
        """Press keys, each down and up, and wait for what they change."""
        for key in keys:
            text = {"text": key} if len(key) == 1 else {}
            code = {"windowsVirtualKeyCode": _KEYS[key]} if key in _KEYS else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text, **code)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key, **code)
        self.settle()

    def picture(self, file: Path) -> None:
        """What is in sight, as a PNG."""
        file.write_bytes(b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


class _Pipe:
    """The protocol: messages end in a NUL, answers carry the number of their question."""

    def __init__(self, questions: int, answers: int):
        self._questions, self._answers = questions, answers
        self._left = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._number += 1
        question = {"id": self._number, "method": method, "params": params}
        question |= {"sessionId": session} if session else {}
        rest = json.dumps(question).encode() + b"\0"
        while rest:
            rest = rest[os.write(self._questions, rest) :]
        while (message := self._read()).get("id") != self._number:
            self.events.append(message)
        if "error" in message:
            raise AssertionError(f"{method}: {message['error']}")
        return dict(message["result"])

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            block = os.read(self._answers, 1 << 16)
            if not block:
                raise AssertionError("Chromium ended")
            self._left += block
        message, self._left = self._left.split(b"\0", 1)
        return dict(json.loads(message))


@contextmanager
def chromium() -> Iterator[_Pipe]:
    """A browser with a profile of its own, which goes with it."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # The browser reads descriptor 3 and writes to 4.
        script = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        command = ["bash", "-c", script, "chromium", str(CHROMIUM), *_FLAGS, f"--user-data-dir={profile}"]
        process = subprocess.Popen(command, pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            browser = _Pipe(ours_out, ours_in)
            yield browser
            browser.call("Browser.close")
        finally:
            process.terminate()
            process.wait(30)
            os.close(ours_in)
            os.close(ours_out)
