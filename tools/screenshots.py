"""The pictures of the README, taken from the demo in a real browser: python -m tools.screenshots (needs Chromium).

Starts `essaim demo` on a free port with a folder of its own, lets the crowd vote for a minute, and takes the pictures.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

IMAGES = Path(__file__).resolve().parent.parent / "docs/images"
FLAGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"]
CROWD_S = 60


def main() -> int:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("no Chromium here", file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        environ = os.environ | {"ESSAIM_DATA_DIR": str(Path(folder) / "demo")}
        words = ["demo", "--host", "127.0.0.1", "--port", str(port)]
        child = subprocess.Popen([sys.executable, "-m", "essaim.cli", *words], env=environ)
        base = f"http://127.0.0.1:{port}"
        try:
            _wait(base)
            time.sleep(CROWD_S)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
                _take(browser, base)
                browser.close()
        finally:
            child.terminate()
            child.wait(20)
    return 0


def _wait(base: str) -> None:
    for _attempt in range(200):
        try:
            urllib.request.urlopen(base, timeout=2)
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the demo did not start")


def _take(browser: Any, base: str) -> None:
    for language, locale in (("fr", "fr-FR"), ("en", "en-GB")):
        desk = browser.new_context(locale=locale, viewport={"width": 1440, "height": 810})
        page = desk.new_page()
        page.goto(base)
        page.locator("form[action='/demo/enter/'] button").click()
        page.goto(base + "/sessions/")
        address = {
            title: page.get_by_role("link", name=title, exact=False).first.get_attribute("href")
            for title in ("Où agir", "Six semaines")
        }
        running, held = (re.findall(r"/sessions/([a-z0-9]{16})/", address[t] or "")[0] for t in address)
        page.goto(f"{base}/sessions/{running}/screen/")
        page.wait_for_selector("canvas[data-drawn]")
        page.wait_for_timeout(1500)
        page.screenshot(path=IMAGES / f"screen-{language}.png")
        page.goto(f"{base}/sessions/{running}/console/")
        page.wait_for_timeout(500)
        page.screenshot(path=IMAGES / f"console-{language}.png")
        page.set_viewport_size({"width": 1200, "height": 1500})
        page.goto(f"{base}/sessions/{held}/results/")
        page.screenshot(path=IMAGES / f"results-{language}.png")
        page.goto(f"{base}/sessions/{running}/")
        code = page.locator(".short-code code").inner_text().split()[0]
        desk.close()
        phones = browser.new_context(
            locale=locale, viewport={"width": 390, "height": 780}, device_scale_factor=2, color_scheme="light"
        )
        phone = phones.new_page()
        phone.goto(f"{base}/s/{code}")
        phone.click("#join button")
        phone.wait_for_selector("#ballot button.agree:visible")
        phone.screenshot(path=IMAGES / f"phone-{language}.png")
        phones.close()


if __name__ == "__main__":
    sys.exit(main())
