"""Real servers and a real browser. Journeys are skipped, saying so, where there is no Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = (
    os.environ.get("ESSAIM_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "abeilles-du-soir-26"


@dataclass(frozen=True)
class Server:
    """A running `essaim`: where it answers and where its data are."""

    url: str
    data: Path
    environ: dict[str, str]

    def essaim(self, *words: str, given: str = "") -> str:
        """Run one command on the same data folder and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "essaim.cli", *words],
            env=self.environ,
            input=given,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout.strip()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium, or set ESSAIM_TEST_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Start `essaim WORDS…` on a free port with a data folder of its own; every server is ended at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> Server:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        data = tmp_path_factory.mktemp("server") / "data"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("ESSAIM_")}
        environ |= {"ESSAIM_DATA_DIR": str(data), "ESSAIM_HOST": "127.0.0.1", "ESSAIM_PORT": str(port)}
        with (data.parent / "log").open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "essaim.cli", *words], env=environ, stdout=log, stderr=log
            )
        started.append(child)
        url = f"http://127.0.0.1:{port}"
        for _attempt in range(300):
            try:
                urllib.request.urlopen(url + "/join/", timeout=2)
                return Server(url, data, environ)
            except (urllib.error.URLError, OSError):
                if child.poll() is not None:
                    break
                time.sleep(0.1)
        pytest.fail((data.parent / "log").read_text()[-3000:])

    yield start
    for child in started:
        child.terminate()
    for child in started:
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()


@pytest.fixture(scope="session")
def axe() -> Callable[[Any], None]:
    """Check a page against WCAG 2.2 A and AA; fail with the violations."""
    from axe_playwright_python.sync_playwright import Axe

    checker = Axe()
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

    def check(page: Any) -> None:
        found = checker.run(page, options=rules).response["violations"]
        said = [f"{one['id']}: {one['help']}\n    {one['nodes'][0]['html'][:200]}" for one in found]
        assert not found, f"{page.url}\n" + "\n".join(said)

    return check


def no_sideways_scroll(page: Any) -> None:
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{page.url} scrolls sideways by {wide} px at {page.viewport_size['width']} px"
