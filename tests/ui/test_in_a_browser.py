"""The style guide in a real browser: axe finds nothing, no sideways scroll, scripts do what they say."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ui.urls import Line

playwright_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = (
    os.environ.get("ESSAIM_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)
FLAGS = ["--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
pytestmark = [pytest.mark.urls("tests.ui.urls"), pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip("Chromium is not installed (apt install chromium), or set ESSAIM_TEST_CHROMIUM")
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # playwright keeps an event loop in this thread
    with playwright_api.sync_playwright() as play:
        found = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def visit(browser: Any, live_server: Any) -> Iterator[Any]:
    """Open a page in a fresh context; the test fails on any error of the console."""
    contexts, complaints = [], []

    def open_page(
        address: str, *, width: int = 1280, theme: str = "light", language: str = "fr", **options: Any
    ) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, locale=language, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(live_server.url + address)
        return page

    open_page.complaints = complaints  # type: ignore[attr-defined]
    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def until(page: Any, condition: str) -> None:
    """Wait for a JavaScript expression (Playwright's own waiting needs the eval that the policy forbids)."""
    deadline = time.monotonic() + 8
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"never true: {condition}"
        page.wait_for_timeout(50)


def violations(page: Any) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found]


@pytest.mark.parametrize("width", [320, 768, 1440])
@pytest.mark.parametrize(("theme", "language"), [("light", "fr"), ("dark", "en")])
def test_the_style_guide_is_accessible_and_never_scrolls_sideways(
    visit: Any, width: int, theme: str, language: str
) -> None:
    page = visit("/style/?toast=1", width=width, theme=theme, language=language)
    assert page.evaluate("document.documentElement.lang") == language
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.evaluate(
        "document.querySelectorAll('details').forEach(d => d.open = !d.dataset.hasOwnProperty('menu'))"
    )
    assert violations(page) == []
    small = page.evaluate(
        """[...document.querySelectorAll("a, button, summary, input, select")].filter(e => {
            const r = e.getBoundingClientRect()
            const inside = e.closest("p, li, .skip, label")
            return e.checkVisibility() && r.width && !inside && Math.min(r.width, r.height) < 24
        }).map(e => e.outerHTML.slice(0, 80))"""
    )
    assert small == []


@pytest.mark.parametrize("width", [320, 1920])
def test_the_big_screen_draws_a_hundred_thousand_people(visit: Any, width: int) -> None:
    page = visit("/style/screen/", width=width, reduced_motion="reduce")
    page.wait_for_selector("canvas[data-drawn='100000']")
    coloured = page.evaluate(
        """() => { const c = document.querySelector("canvas")
        const d = new Uint32Array(c.getContext("2d").getImageData(0, 0, c.width, c.height).data.buffer)
        return [d.filter(Boolean).length, new Set(d.filter(Boolean)).size] }"""
    )
    assert coloured[0] > 2_000
    assert coloured[1] > 3  # three groups, and their letters on a plate
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert violations(page) == []


def test_a_refused_form_comes_back_with_the_focus_on_its_errors(visit: Any) -> None:
    page = visit("/style/")
    page.fill("#id_title", "Gardé")
    page.click("form.card button.primary")
    page.wait_for_selector(".error-summary")
    until(page, "document.activeElement.classList.contains('error-summary')")
    assert page.input_value("#id_title") == "Gardé"
    assert violations(page) == []
    page.click(".error-summary a >> nth=0")
    assert page.evaluate("document.activeElement.id") == "id_email"


def test_the_theme_is_chosen_remembered_and_forgotten(visit: Any) -> None:
    page = visit("/style/")
    menu = page.locator("details.menu").last
    menu.locator("summary").click()
    page.click("[data-set-theme=dark] >> visible=true")
    assert page.evaluate("getComputedStyle(document.body.parentElement).colorScheme") == "dark"
    assert page.get_attribute("[data-set-theme=dark]", "aria-pressed") == "true"
    assert menu.get_attribute("open") is not None
    page.keyboard.press("Escape")
    assert menu.get_attribute("open") is None
    page.reload()
    assert page.get_attribute("html", "data-theme") == "dark"
    page.locator("details.menu").last.locator("summary").click()
    page.click("[data-set-theme=''] >> visible=true")
    page.reload()
    assert page.get_attribute("html", "data-theme") is None


def test_a_menu_closes_on_a_click_elsewhere(visit: Any) -> None:
    page = visit("/style/")
    page.locator("details.menu").last.locator("summary").click()
    page.click("h1")
    assert page.locator("details.menu[open]").count() == 0


def test_sections_open_on_a_phone_and_language_switches(visit: Any) -> None:
    page = visit("/style/", width=320)
    assert not page.is_visible("#sections")
    page.click(".nav-toggle")
    assert page.is_visible("#sections a >> nth=0")
    page.keyboard.press("Escape")
    assert not page.is_visible("#sections")
    page.locator("details.menu").last.locator("summary").click()
    page.click("button[name=language][value=en] >> visible=true")
    until(page, "document.documentElement.lang === 'en'")
    assert page.url.endswith("/style/")


def test_toasts_wait_for_the_pointer_and_errors_stay(visit: Any) -> None:
    page = visit("/")
    page.clock.install()
    page.goto(page.url + "style/?toast=1")
    page.wait_for_selector("[data-seen]")
    assert page.locator(".toast").count() == 3
    page.clock.run_for(5_000)
    assert page.locator(".toast").count() == 3
    page.clock.run_for(3_000)
    assert page.locator("[data-toast=short]").count() == 0
    page.hover("[data-toast=undo]")
    page.clock.run_for(20_000)
    assert page.locator("[data-toast=undo]").count() == 1
    page.mouse.move(0, 0)
    page.clock.run_for(13_000)
    assert page.locator("[data-toast=undo]").count() == 0
    page.click("[data-toast=stay] [data-close]")
    assert page.locator(".toast").count() == 0


def test_shortcuts_open_search_and_can_be_switched_off(visit: Any) -> None:
    page = visit("/style/")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.type("?/g")
    assert page.input_value("[name=q]") == "?/g"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    assert page.is_visible("#shortcuts")
    assert violations(page) == []
    page.uncheck("[data-keys]")
    page.click("#shortcuts button")
    page.keyboard.press("?")
    assert not page.is_visible("#shortcuts")
    page.reload()
    page.keyboard.press("?")
    assert not page.is_visible("#shortcuts")


def test_codes_are_copied_and_clocks_run(visit: Any) -> None:
    page = visit("/style/", language="en", permissions=["clipboard-read", "clipboard-write"])
    page.click("[data-copy=ABC234]")
    page.wait_for_selector("text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "ABC234"
    clock = page.locator("[data-countdown]").first
    before = clock.inner_text()
    until(page, f"document.querySelector('[data-countdown]').textContent !== '{before}'")
    assert clock.inner_text().startswith("12:")


def test_it_prints_the_content_and_not_the_controls(visit: Any) -> None:
    page = visit("/style/")
    page.emulate_media(media="print")
    assert not page.is_visible(".topbar")
    assert not page.is_visible(".filters")
    assert page.is_visible("h1")
    assert page.evaluate("getComputedStyle(document.querySelector('.table-scroll')).overflow") == "visible"


def test_without_javascript_nothing_dead_is_shown(visit: Any) -> None:
    page = visit("/style/?toast=1", java_script_enabled=False)
    assert page.locator(".needs-js >> visible=true").count() == 0
    assert page.locator(".toast form button").is_visible()
    page.click("form.card button.primary")
    assert page.locator(".error-summary").is_visible()


def test_a_stream_refreshes_says_when_it_is_lost_and_catches_up(visit: Any) -> None:
    Line.leave.clear()
    Line.broken = False
    page = visit("/page/")
    until(page, "document.getElementById('count').textContent.startsWith('asked')")
    asked = Line.asked
    Line.broken = True
    Line.leave.set()
    until(page, "document.getElementById('stream-hint').textContent === 'Reconnecting'")
    Line.leave.clear()
    Line.broken = False
    until(page, "document.getElementById('stream-hint').textContent === ''")
    page.wait_for_function(
        "n => Number(document.getElementById('count').textContent.slice(6)) > n", arg=asked
    )
    page.goto("about:blank")
    Line.leave.set()
    visit.complaints[:] = [one for one in visit.complaints if "503" not in one]  # the failure we asked for
