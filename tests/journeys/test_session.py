"""A whole session in real browsers: a facilitator creates, runs and closes it while three people take part, one of them
offline for a while, one without JavaScript, one in English on a 320 px phone. At the end every vote is there, once."""

from __future__ import annotations

import json
import re

import pytest

from tests.journeys.conftest import PASSWORD, no_sideways_scroll

STATEMENTS = [f"Affirmation numéro {n}." for n in range(1, 7)]


@pytest.fixture(scope="module")
def server(start_server):
    running = start_server("serve")
    running.essaim(
        "found",
        "Altura",
        "--email",
        "claire@altura.example",
        "--name",
        "Claire Morel",
        "--password-stdin",
        given=PASSWORD,
    )
    return running


def log_in(page, server):
    page.goto(server.url + "/account/login/")
    page.fill("input[type=email]", "claire@altura.example")
    page.fill("input[type=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(server.url + "/")


def prepare(page, server):
    """Create the session from a template; write its frame and statements; return its id and code."""
    page.goto(server.url + "/sessions/new/")
    page.check("input[name=template][value=ideas]")
    page.fill("input[name=title]", "Nos idées du trimestre")
    page.click("form.narrow button.primary")
    session_id = re.search(r"/sessions/([a-z0-9]{16})/", page.url).group(1)
    page.goto(f"{server.url}/sessions/{session_id}/frame/")
    page.fill("textarea[name=outline]", "Accueillir\n    Répondre\n    Orienter\nProduire")
    page.click("form[enctype] button.primary")
    assert page.locator("aside .tree").first.inner_text().split() == [
        "Accueillir",
        "Répondre",
        "Orienter",
        "Produire",
    ]
    page.click("button[name=save]")
    page.goto(f"{server.url}/sessions/{session_id}/statements/")
    page.fill("textarea[name=texts]", "\n".join(STATEMENTS))
    page.click("form.card button.primary")
    for _seed in range(3):  # the template's own statements are taken back
        page.locator("ul.rows form input[value=no] + button").first.click()
    page.goto(f"{server.url}/sessions/{session_id}/")
    return session_id, page.locator(".short-code code").inner_text().split()[0]


def vote_without_script(page, button):
    page.locator(f"#ballot button.{button}").click()
    page.wait_for_load_state()


def vote(phone, button):
    """Press as a person does: the page takes a second tap within a blink for a slip of the finger."""
    phone.wait_for_timeout(500)
    before = phone.locator("#what").inner_text()
    phone.click(button)
    phone.wait_for_function("before => document.querySelector('#what').innerText !== before", arg=before)
    return before


def test_s3_facilitator_and_three_participants(server, browser, axe):
    desk = browser.new_context(locale="fr-FR", viewport={"width": 1280, "height": 900})
    console = desk.new_page()
    log_in(console, server)
    session_id, code = prepare(console, server)
    axe(console)

    screen = desk.new_page()
    screen.goto(f"{server.url}/sessions/{session_id}/screen/")
    assert code in screen.content()
    console.goto(f"{server.url}/sessions/{session_id}/console/")
    console.click("#clock button.primary")
    console.wait_for_selector("#clock [data-countdown]")

    # Three people come in.
    contexts = {
        "offline": browser.new_context(
            locale="fr-FR", viewport={"width": 390, "height": 780}, has_touch=True
        ),
        "plain": browser.new_context(
            locale="fr-FR", viewport={"width": 768, "height": 900}, java_script_enabled=False
        ),
        "english": browser.new_context(
            locale="en-GB", viewport={"width": 320, "height": 640}, color_scheme="dark"
        ),
    }
    phones = {name: context.new_page() for name, context in contexts.items()}
    for name, phone in phones.items():
        phone.goto(f"{server.url}/s/{code}")
        assert phone.locator("html").get_attribute("lang") == ("en" if name == "english" else "fr")
        phone.click("#join button")
        phone.wait_for_selector("#idea textarea")
        no_sideways_scroll(phone)

    # Draft: each says something; the console hears of it by itself.
    for name, phone in phones.items():
        phone.locator("#idea label:has(input[name=kind])").first.click()
        phone.fill("#idea textarea[name=text]", f"Une idée de {name}")
        phone.click("#idea button.main")
    for name in phones:
        console.wait_for_selector(f"#voices >> text=Une idée de {name}")
    axe(console)
    axe(phones["offline"])
    axe(phones["english"])

    # One is hidden, then shown again by the undo of the toast.
    row = console.locator("li.voice", has_text="Une idée de plain")
    row.locator("button").click()
    console.wait_for_selector("li.voice[data-status=hidden]")
    console.locator(".toast form button").last.click()
    console.wait_for_load_state()
    assert console.locator("li.voice[data-status=hidden]").count() == 0

    # Compare.
    with console.expect_response(re.compile("/clock/next/")):
        console.locator("#clock form[action$='/clock/next/'] button").click()
    console.wait_for_selector("#clock form[action$='/clock/pause/']")
    phones["plain"].goto(
        f"{server.url}/s/{code}"
    )  # without script the page changes when one asks for it again
    for phone in phones.values():
        phone.wait_for_selector("#ballot button.agree:visible")
        no_sideways_scroll(phone)
    axe(phones["offline"])
    axe(phones["english"])

    contexts["offline"].set_offline(True)
    for _vote in range(3):
        vote(phones["offline"], "#ballot button.agree")
    for _vote in range(4):
        vote_without_script(phones["plain"], "disagree")
    first = vote(phones["english"], "#ballot button.agree")
    vote(phones["english"], "#back button")
    assert phones["english"].locator("#what").inner_text() == first
    phones["english"].wait_for_timeout(500)
    phones["english"].click("#ballot button.skip")

    def votes():
        return json.loads(console.request.get(f"{server.url}/live/{session_id}/state").text())["votes"]

    def until(expected):
        for _attempt in range(100):
            if votes() == expected:
                return
            console.wait_for_timeout(200)
        raise AssertionError(f"{votes()} votes, {expected} expected")

    until(5)  # four without JavaScript, one in English; those of the offline phone wait on it
    contexts["offline"].set_offline(False)
    until(8)

    # Close, read the results, freeze.
    console.locator("#clock form[action$='/clock/close/'] button").click()
    console.wait_for_selector("#clock form[action$='/clock/freeze/']")
    phones["english"].reload()
    axe(phones["english"])
    console.locator("#clock form[action$='/clock/freeze/'] button").click()
    console.wait_for_selector("#clock form[action$='/clock/unfreeze/']")
    console.goto(f"{server.url}/sessions/{session_id}/results/")
    axe(console)
    assert console.locator(".digest code").count() == 1
    ballots = json.loads(
        console.request.get(f"{server.url}/sessions/{session_id}/results/ballots.json").text()
    )
    assert sorted(ballot["vote"] for ballot in ballots) == [-1, -1, -1, -1, 0, 1, 1, 1]
    exported = server.essaim("export", "session", session_id, "--votes").splitlines()
    assert exported[0] == "participant,statement,vote" and len(exported) == 9
    for context in (*contexts.values(), desk):
        context.close()


def test_two_facilitators_press_at_once(server, browser):
    """Both see the same button; the second press says who was first and changes nothing."""
    contexts = [browser.new_context(locale="fr-FR") for _person in range(2)]
    pages = [context.new_page() for context in contexts]
    for page in pages:
        log_in(page, server)
    session_id, _code = prepare(pages[0], server)
    for page in pages:
        # No live updates: the second one does not know yet what the first one does.
        page.route("**/stream", lambda route: route.abort())
        page.goto(f"{server.url}/sessions/{session_id}/console/")
    for page in pages:
        page.click("#clock button.primary")
        page.wait_for_selector("#clock form[action$='/clock/pause/']")
    assert "Claire Morel" in pages[1].locator(".toast").last.inner_text()
    history = pages[0].request.get(f"{server.url}/sessions/{session_id}/").text()
    assert history.count("Démarrée") == 1
    for context in contexts:
        context.close()


def test_a_facilitator_who_loses_the_network_finds_the_session_as_it_is(server, browser):
    context = browser.new_context(locale="fr-FR")
    page = context.new_page()
    log_in(page, server)
    session_id, _code = prepare(page, server)
    page.goto(f"{server.url}/sessions/{session_id}/console/")
    page.click("#clock button.primary")
    page.wait_for_selector("#clock [data-countdown]")
    ends = page.locator("#clock [data-countdown]").get_attribute("data-countdown")
    context.set_offline(True)
    page.click("#clock form[action$='/clock/pause/'] button")
    page.wait_for_timeout(500)
    context.set_offline(False)
    state = json.loads(page.request.get(f"{server.url}/live/{session_id}/state").text())
    assert state["phase"] == "draft" and not state["paused"] and str(state["ends_at"]) == ends
    page.reload()
    page.click("#clock form[action$='/clock/pause/'] button")
    page.wait_for_selector("#clock form[action$='/clock/resume/']")
    context.close()
