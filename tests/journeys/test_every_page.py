"""Every page of the filled demo, light and dark, wide and at 320 px, in French and in English: axe finds nothing."""

from __future__ import annotations

import re

import pytest

from tests.journeys.conftest import no_sideways_scroll

PUBLIC = ("/", "/join/", "/accessibility/", "/account/login/", "/account/password/reset/", "/nothing-here/")
MEMBERS = (
    "/", "/sessions/", "/sessions/new/", "/sessions/?q=nothing", "/members/", "/members/invite/", "/units/", "/units/import/",
    "/organisation/", "/organisation/history/", "/profile/", "/account/2fa/", "/account/password/change/", "/style/",
)  # fmt: skip
OF_A_SESSION = ("", "settings/", "frame/", "statements/", "console/", "screen/", "results/")
LOOKS = [("light", 1440, "fr"), ("dark", 320, "fr"), ("dark", 1440, "en"), ("light", 320, "en")]


@pytest.fixture(scope="module")
def demo(start_server):
    return start_server("demo", "--people", "0")


@pytest.fixture(scope="module")
def sessions(demo, browser):
    """The addresses of the demo's three sessions."""
    context = browser.new_context()
    page = context.new_page()
    enter(page, demo)
    page.goto(demo.url + "/sessions/")
    found = set(re.findall(r"/sessions/([a-z0-9]{16})/", page.content()))
    context.close()
    assert len(found) == 3
    return sorted(found)


def enter(page, demo):
    page.goto(demo.url + "/")
    page.locator("form[action='/demo/enter/'] button").click()
    page.wait_for_url(demo.url + "/")


@pytest.mark.parametrize(("scheme", "width", "language"), LOOKS)
def test_every_page(scheme, width, language, demo, sessions, browser, axe):
    locale = "fr-FR" if language == "fr" else "en-GB"
    context = browser.new_context(
        locale=locale, color_scheme=scheme, viewport={"width": width, "height": 800}
    )
    page = context.new_page()
    errors = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))

    def look(address):
        answer = page.goto(demo.url + address)
        assert answer.status in (200, 404), address
        assert page.locator("html").get_attribute("lang") == language
        if not address.endswith("screen/") or width < 600:
            no_sideways_scroll(page)
        axe(page)

    for address in PUBLIC:
        look(address)
    errors[:] = [error for error in errors if "404" not in error]  # the page that does not exist
    enter(page, demo)
    for address in MEMBERS:
        look(address)
    for session in sessions:
        for part in OF_A_SESSION:
            look(f"/sessions/{session}/{part}")
    assert not errors, errors
    context.close()
