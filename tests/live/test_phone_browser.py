"""The phone page in a real Chromium: what a person does, with and without script, and whether all can."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from essaim.live import hub as hubs
from essaim.live import plan as plans
from essaim.live import tickets
from essaim.live.plan import PhaseWindow, Plan
from tests.live.phones import LONG, Served, by_text, compare, join, statement, until, vote

axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
)


def test_a_whole_session(served: Served, phone: Callable[..., Any]) -> None:
    """Join, contribute, rate with a reason, vote, take back, see what became of it, the end."""
    spec = served.open()
    page = phone()
    join(page, served.url(spec))
    page.select_option("#idea select[name=item]", "3")
    page.check("#idea input[value=problem]", force=True)
    page.fill("#idea textarea", "On attend <b>trop</b> longtemps")
    page.click("#idea button.main")
    until(lambda: len(served.voices(spec)) == 1)
    row = by_text(served, spec, "On attend <b>trop</b> longtemps")
    assert (row.item, row.kind) == (3, "problem")
    page.wait_for_selector("#list .shown")
    assert "On attend <b>trop</b> longtemps" in page.inner_text("#list")

    page.click("nav a[href='#rate']")
    page.check("#rate [name=scale-maturity][value='2']", force=True)
    page.check("#rate [name=scale-importance][value='4']", force=True)
    page.fill("#rate textarea", "Rien n’est écrit")
    page.click("#rate button.main")
    until(lambda: len(served.voices(spec)) == 2)
    until(lambda: served.ratings(spec) == [2, 4])
    assert by_text(served, spec, "Rien n’est écrit").kind == "reason"
    assert page.input_value("#rate select") == "3"
    assert "1 sur 2" in page.inner_text("#rated").replace("\u202f", " ")

    spec = served.move(spec, plans.next_phase(spec.plan, hubs.clock()))
    page.wait_for_selector("#ballot")
    agreed = vote(page, "agree")
    mistaken = vote(page, "disagree")
    until(lambda: served.votes(spec) == 2)
    page.click("#back button")
    page.wait_for_function("text => document.getElementById('what').textContent == text", arg=mistaken)
    until(lambda: served.votes(spec) == 1)
    passed = vote(page, "skip")
    assert passed == mistaken
    until(lambda: served.votes(spec) == 2)
    until(lambda: by_text(served, spec, passed).passes == 1)
    assert by_text(served, spec, agreed).agrees == 1
    assert by_text(served, spec, passed).disagrees == 0

    page.click("nav a[href='#me']")
    assert page.inner_text("#map").strip()
    served.move(spec, plans.close(spec.plan, hubs.clock()))
    page.wait_for_selector("#end")
    assert "On attend" in page.inner_text("#list")


def test_members_enter_by_the_link_of_their_organisation(served: Served, phone: Callable[..., Any]) -> None:
    spec = served.open(privacy="identified")
    page = phone()
    page.goto(served.url(spec))
    assert not page.is_visible("#join button")
    expires = hubs.clock() // 1000 + 3600
    token = tickets.sign_pass(served.room(spec).key, spec.room, "member-7", "Awa Diallo", expires)
    page.goto(served.url(spec, f"?pass={token}"))
    page.click("header a")  # the other language does not lose the pass
    page.click("#join button")
    page.wait_for_selector("#join", state="hidden")
    assert page.get_attribute("html", "lang") == "en"
    assert token not in page.url
    page.fill("#idea textarea", "Under my name")
    page.check("#idea input[value=idea]", force=True)
    page.click("#idea button.main")
    until(lambda: [row.author for row in served.voices(spec)] == ["Awa Diallo"])


def test_the_keyboard_votes_only_from_the_vote(served: Served, phone: Callable[..., Any]) -> None:
    spec = served.open(compare())
    page = phone()
    join(page, served.url(spec))
    page.wait_for_selector("#ballot")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("1")
    first = statement(page)
    page.focus("#ballot .skip")
    page.keyboard.press("2")
    until(lambda: statement(page) != first)
    until(lambda: served.votes(spec) == 1)
    assert by_text(served, spec, first).disagrees == 1


def test_everything_by_forms_without_script(served: Served, phone: Callable[..., Any]) -> None:
    spec = served.open(moderation="before", privacy="pseudonymous")
    page = phone(java_script_enabled=False)
    page.goto(served.url(spec))
    page.fill("#join input[name=name]", "Abeille")
    page.select_option("#join select", "2")
    page.click("#join button")
    page.select_option("#idea select", "2")
    page.check("#idea input[value=idea]", force=True)
    page.fill("#idea textarea", "Sans script")
    page.click("#idea button.main")
    assert "Sans script" in page.inner_text("#mine")
    assert "relecture" in page.inner_text("#mine")
    page.check("#rate [name=scale-maturity][value='5']", force=True)
    page.fill("#rate textarea", "Parce que")
    page.click("#rate button.main")
    assert served.ratings(spec) == [5]
    assert {row.author for row in served.voices(spec)} == {"Abeille"}
    spec = served.move(spec, plans.next_phase(spec.plan, hubs.clock()))
    until(lambda: page.goto(served.url(spec)) and page.is_visible("#ballot"))
    first = statement(page)
    page.click("#ballot .agree")
    assert statement(page) != first
    assert by_text(served, spec, first).agrees == 1
    page.click("#back button")
    assert by_text(served, spec, first).agrees == 0
    spec = served.move(spec, plans.close(spec.plan, hubs.clock()))
    until(lambda: page.goto(served.url(spec)) and page.is_visible("#end"))


def test_where_one_stands(served: Served, phone: Callable[..., Any]) -> None:
    """Two camps; somebody who votes with one of them is told so, and sees what each says."""
    spec = served.camps
    page = phone()
    join(page, served.url(spec))
    page.wait_for_selector("#ballot")
    for _ in range(7):
        until(lambda: statement(page))
        odd = int(statement(page).split()[-1]) % 2
        vote(page, "agree" if odd else "disagree")
    until(lambda: served.votes(spec) == 307)
    page.click("nav a[href='#me']")
    page.wait_for_function("() => /groupe [AB]/.test(document.querySelector('#map .lead').textContent)")
    assert page.locator("#map svg circle").count() == 3
    assert page.locator("#map .groups > li").count() == 2
    assert page.locator("#map .groups li li").count() >= 2
    accessible(page)

    # The page itself stays small for those who have the script: the sentence, and no map.
    markup = page.request.get(served.url(spec)).text()
    assert re.search(r'<div id="map"><p class="lead">[^<]*groupe [AB]\.</p></div>', markup)


def accessible(page: Any) -> None:
    """Nothing that axe objects to, light and dark."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = axe.Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], scheme


STATES: dict[str, Callable[[Plan], Plan]] = {
    "join": lambda plan: plan,
    "wait": lambda plan: Plan(9, (PhaseWindow("draft", 5),)),
    "draft": lambda plan: plan,
    "compare": lambda plan: plans.next_phase(plan, hubs.clock()),
    "paused": lambda plan: plans.pause(plan, hubs.clock()),
    "closed": lambda plan: plans.close(plan, hubs.clock()),
}


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_320_px_no_sideways_scroll_and_axe(served: Served, phone: Callable[..., Any], lang: str) -> None:
    """Every state at 320 px, light and dark: nothing wider than the screen, nothing axe objects to."""
    first = served.open(title=LONG, question=LONG + " ?")
    page = phone(viewport={"width": 320, "height": 640}, locale=f"{lang}-FR")
    for state, moved in STATES.items():
        if state == "draft":
            spec = served.open(title=LONG, question=LONG + " ?")
            join(page, served.url(spec, f"?lang={lang}"))
            page.fill("#idea textarea", LONG)
            page.check("#idea input[value=idea]", force=True)
            page.click("#idea button.main")
            until(lambda spec=spec: len(served.voices(spec)) == 1)
        elif state in ("join", "wait"):
            spec = first
        if state != "join":
            spec = served.move(spec, moved(spec.plan))
        if state == "wait":
            join(page, served.url(spec, f"?lang={lang}"))
        place = {"paused": "compare", "closed": "end"}.get(state, state)
        until(lambda spec=spec, place=place: reached(page, served.url(spec, f"?lang={lang}"), place))
        assert page.get_attribute("html", "lang") == lang
        tabs = [one.get_attribute("href") for one in page.query_selector_all("nav a:not([hidden])")]
        for tab in (tabs or [None]) if page.is_visible("nav") else [None]:
            if tab:
                page.click(f"nav a[href='{tab}']")
            wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert wide[0] <= wide[1], (state, tab, wide)
            if lang == "fr":  # what axe looks at does not depend on the language
                accessible(page)


def reached(page: Any, url: str, place: str) -> bool:
    page.goto(url)
    return bool(page.get_attribute("body", "data-at") == place)


def test_the_unknown_room_is_friendly(served: Served, phone: Callable[..., Any]) -> None:
    page = phone()
    assert page.goto(f"http://localhost:{served.port}/s/NOWHERE").status == 404
    assert page.locator("h1").count() == 1
    accessible(page)
