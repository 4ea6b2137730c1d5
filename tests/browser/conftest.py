"""A real Chromium, and the console over a fake site in a process of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PASSWORD = "correct horse battery"
ROOT = Path(__file__).parents[2]


class Console:
    """A running controller; frozen, it is what a hung process looks like."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], switches: Path | None = None) -> None:
        self.url = f"http://localhost:{port}"
        self.process = process
        self._switches = switches

    @contextmanager
    def switched(self, name: str) -> Iterator[None]:
        """`silent`: no agent can be heard; `unknown`: nobody has described the site yet."""
        assert self._switches is not None
        switch = self._switches / name
        switch.touch()
        try:
            yield
        finally:
            switch.unlink()

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)


def _start(*arguments: str, switches: Path | None = None) -> Console:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.controller.console.serve", "--port", str(port), *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    console = Console(port, process, switches)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{console.url}/login", timeout=1).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return console
    process.kill()
    raise TimeoutError("the console did not start")


def _stop(console: Console) -> None:
    console.thaw()
    console.process.terminate()
    try:
        console.process.wait(5)
    except subprocess.TimeoutExpired:
        console.process.kill()
        console.process.wait()


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """200 miners, the first of them with a hostile name."""
    switches = tmp_path_factory.mktemp("switches")
    hostile = "<img src=x onerror=window.hacked=1>"
    running = _start("--hostile", hostile, "--switches", str(switches), switches=switches)
    yield running
    _stop(running)


@pytest.fixture(scope="module")
def large_console() -> Iterator[Console]:
    running = _start("--miners", "10000")
    yield running
    _stop(running)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=8000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


SignIn = Callable[..., Page]
Contexts = dict[tuple[str, str], BrowserContext]


@pytest.fixture(scope="module")
def contexts() -> Contexts:
    """One browser profile for each console and user, so that scripts are read once; they end with the browser."""
    return {}


@pytest.fixture
def sign_in(browser: Browser, contexts: Contexts) -> Iterator[SignIn]:
    """`sign_in(console, user=…, path=…)` gives a page that has shaken hands; its errors fail the test.

    A page is emptied, not closed: closing a single one can hang in Chromium, and the browser closes them all.
    """
    pages: list[Page] = []
    problems: list[str] = []

    def enter(console: Console, *, user: str = "anna", path: str = "") -> Page:
        key = (console.url, user)
        if key not in contexts:
            contexts[key] = browser.new_context(viewport={"width": 1600, "height": 1000})
        page = contexts[key].new_page()
        pages.append(page)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{console.url}/console/site/west-1{path}")
        if "/login" in page.url:
            page.fill("[name=name]", user)
            page.fill("[name=password]", PASSWORD)
            page.click("button")
        page.wait_for_function("window.did_handshake === true")
        return page

    yield enter
    for page in pages:
        page.goto("about:blank")
    assert problems == []
