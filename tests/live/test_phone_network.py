"""The phone page when the network, the clock, the ticket or the storage of the phone is bad."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from essaim.live import hub as hubs
from essaim.live import plan as plans
from essaim.live.phone import page as phone_page
from essaim.live.plan import PhaseWindow, Plan
from tests.live.phones import Served, by_text, compare, join, statement, told, until, vote


def test_a_phase_starts_by_itself_whatever_the_phone_believes_the_time_is(
    served: Served, phone: Callable[..., Any]
) -> None:
    now = hubs.clock()
    plan = Plan(1, (PhaseWindow("draft", 5, now + 3_000, now + 303_000),))
    spec = served.open(plan)
    page = phone()
    page.add_init_script("const real = Date.now; Date.now = () => real() - 86_400_000 * 3;")
    page.route("**/state", lambda route: route.abort())
    join(page, served.url(spec))
    page.wait_for_selector("#wait")
    assert re.search(r"0:0[0-3]", page.inner_text("#start"))
    page.wait_for_selector("#idea textarea", timeout=5_000)
    assert abs(hubs.clock() - now - 3_000) < 900
    assert re.search(r"[45]:\d\d", page.inner_text("#clock"))


def test_votes_without_network_count_once_when_it_is_back(served: Served, phone: Callable[..., Any]) -> None:
    """Three votes offline, the page reopened offline, three more: six on the server, not one more."""
    spec = served.open(compare())
    page = phone()
    join(page, served.url(spec))
    page.wait_for_function("() => navigator.serviceWorker.ready.then(() => caches.match(location.pathname))")
    page.reload()  # from here on the worker controls the page
    page.wait_for_selector("#ballot")
    page.context.set_offline(True)
    answered = [vote(page, name) for name in ("agree", "disagree", "skip")]
    told(page, "net", "3")
    page.reload()
    told(page, "net", "3")
    assert statement(page) not in answered
    page.context.set_offline(False)
    until(lambda: served.votes(spec) == 3)
    told(page, "net", None)
    for text, counts in zip(answered, ((1, 0, 0), (0, 1, 0), (0, 0, 1)), strict=True):
        row = by_text(served, spec, text)
        assert (row.agrees, row.disagrees, row.passes) == counts


def test_the_page_travels_once(
    served: Served, phone: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's copy comes from the browser's own cache: the weight of the page is paid once."""
    drawn: list[int] = []
    render = phone_page.render_page

    def counted(*arguments: Any, **options: Any) -> tuple[bytes, str]:
        drawn.append(1)
        return render(*arguments, **options)

    monkeypatch.setattr(phone_page, "render_page", counted)
    spec = served.open()
    page = phone()
    join(page, served.url(spec))
    page.wait_for_function("() => navigator.serviceWorker.ready.then(() => caches.match(location.pathname))")
    assert len(drawn) == 1


def test_a_lost_answer_is_asked_again_with_the_same_bytes(served: Served, phone: Callable[..., Any]) -> None:
    """The server took the batch but the answer broke; then 503 with Retry-After; then it goes through."""
    spec = served.open(compare())
    page = phone()
    join(page, served.url(spec))
    page.wait_for_selector("#ballot")
    sent: list[str] = []

    def broken(route: Any) -> None:
        sent.append(route.request.post_data)
        if len(sent) == 1:
            route.fetch()
            route.abort()
        elif len(sent) == 2:
            route.fulfill(status=503, headers={"Retry-After": "1"}, json={"code": "unavailable"})
        else:
            route.continue_()

    page.route("**/batch", broken)
    vote(page, "agree")
    until(lambda: page.wait_for_timeout(50) or len(sent) >= 3, 10)
    told(page, "net", None)
    assert len(set(sent)) == 1
    assert served.votes(spec) == 1


def test_leaving_at_once_loses_nothing(served: Served, phone: Callable[..., Any]) -> None:
    spec = served.open(compare())
    page = phone()
    join(page, served.url(spec))
    page.wait_for_selector("#ballot")
    page.click("#ballot .agree")
    page.goto("about:blank")
    until(lambda: served.votes(spec) == 1)


def test_a_pause_holds_and_a_resume_sends(served: Served, phone: Callable[..., Any]) -> None:
    spec = served.open(compare())
    page = phone()
    join(page, served.url(spec))
    page.wait_for_selector("#ballot")
    spec = served.move(spec, plans.pause(spec.plan, hubs.clock()))
    page.wait_for_selector("#hold")
    assert page.is_disabled("#ballot .agree")
    served.move(spec, plans.resume(spec.plan, hubs.clock()))
    page.wait_for_selector("#hold", state="hidden")
    vote(page, "agree")
    until(lambda: served.votes(spec) == 1)


def test_what_came_too_late_is_told(served: Served, phone: Callable[..., Any]) -> None:
    spec = served.open(compare())
    page = phone()
    join(page, served.url(spec))
    page.wait_for_selector("#ballot")
    page.context.set_offline(True)
    vote(page, "agree")
    vote(page, "agree")
    told(page, "net", "2")
    at = hubs.clock() - 60_000
    phases = tuple(
        msgspec.structs.replace(one, starts_at=at - 60_000, ends_at=at) for one in spec.plan.phases
    )
    served.move(spec, Plan(spec.plan.rev + 1, phases, closed_at=at))
    page.context.set_offline(False)
    told(page, "late", "2")
    assert served.votes(spec) == 0


def test_a_void_ticket_keeps_what_was_written(served: Served, phone: Callable[..., Any]) -> None:
    spec = served.open()
    page = phone()
    join(page, served.url(spec))
    page.wait_for_selector("#idea textarea")
    page.context.clear_cookies()
    page.fill("#idea textarea", "Gardez ceci")
    page.check("#idea input[value=idea]", force=True)
    page.click("#idea button.main")
    page.wait_for_timeout(600)
    if page.is_visible("#join button"):
        page.click("#join button")
    until(lambda: "Gardez ceci" in [row.text for row in served.voices(spec)])
    assert len(served.voices(spec)) == 1


def test_without_storage_nothing_breaks(served: Served, phone: Callable[..., Any]) -> None:
    spec = served.open(compare())
    page = phone()
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no'); }});"
    )
    join(page, served.url(spec))
    page.wait_for_selector("#ballot")
    for name in ("agree", "disagree", "skip"):
        vote(page, name)
    until(lambda: served.votes(spec) == 3)
