"""Coming in with an invitation code in a real browser: from a card's QR, typed by hand, used twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from essaim.live import invitations
from essaim.live.file_store import FileStore
from tests.live.phones import Served, told, until

axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
)


def code(served: Served, room: str, index: int = 0) -> str:
    return invitations.write(FileStore(served.data).key(room), index)


def test_a_code_brought_by_the_address(served: Served, phone: Callable[..., Any]) -> None:
    """The card's QR: one button, nothing to type; the code leaves the address."""
    spec = served.open(codes=5)
    page = phone()
    page.goto(served.url(spec, f"#code={code(served, spec.room)}"))
    assert page.input_value("[name=code]") == code(served, spec.room)
    assert page.url == served.url(spec)
    page.click("#join button")
    page.wait_for_selector("#join", state="hidden")
    assert served.room(spec).people.count == 1
    page.fill("#idea textarea", "Avec mon code")
    page.check("#idea input[value=idea]", force=True)
    page.click("#idea button.main")
    until(lambda: len(served.voices(spec)) == 1)

    # Another phone with the same code is told so, and may try another one.
    other = phone()
    other.goto(served.url(spec, f"#code={code(served, spec.room)}"))
    other.click("#join button")
    told(other, "said", "déjà servi")
    other.fill("[name=code]", "0000-000000")
    other.click("#join button")
    told(other, "said", "pas valable")
    other.fill("[name=code]", code(served, spec.room, 1).lower().replace("-", " "))
    other.click("#join button")
    other.wait_for_selector("#join", state="hidden")
    assert served.room(spec).people.count == 2


def test_a_lost_answer_is_not_a_lost_code(served: Served, phone: Callable[..., Any]) -> None:
    """The room took the join and the phone never heard of it: pressing again is the same participant."""
    spec = served.open(codes=5)
    page = phone()
    page.goto(served.url(spec))
    lost = []

    def lose(route: Any) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch().status)
            route.abort()

    page.route("**/join", lose)
    page.fill("[name=code]", code(served, spec.room))
    page.click("#join button")
    page.wait_for_selector("#join", state="hidden")
    assert lost == [201]
    assert served.room(spec).people.count == 1


def test_without_javascript(served: Served, phone: Callable[..., Any]) -> None:
    spec = served.open(codes=5)
    page = phone(java_script_enabled=False)
    page.goto(served.url(spec))
    page.fill("[name=code]", "0000-000000")
    page.click("#join button")
    assert "pas valable" in page.inner_text("#said")
    assert page.input_value("[name=code]") == "0000-000000", "to be corrected"
    page.fill("[name=code]", code(served, spec.room))
    page.click("#join button")
    assert page.is_visible("#idea")
    assert served.room(spec).people.count == 1


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_the_field_at_320_px_and_axe(served: Served, phone: Callable[..., Any], lang: str) -> None:
    spec = served.open(codes=5, privacy="pseudonymous")
    page = phone(viewport={"width": 320, "height": 640}, locale=f"{lang}-FR")
    page.goto(served.url(spec, f"?lang={lang}&code={code(served, spec.room)}"))
    assert page.input_value("[name=code]") == code(served, spec.room)
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1]
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = axe.Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], scheme
