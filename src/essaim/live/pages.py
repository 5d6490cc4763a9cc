"""The phone page under /s/: the page itself, and its forms for those without JavaScript (answered by 303)."""

from __future__ import annotations

import re
import secrets
import time
from typing import Final
from urllib.parse import quote

from essaim.live.ballots import JoinRequest, read_form
from essaim.live.exchange import Exchange
from essaim.live.hub import Hub
from essaim.live.live_room import LiveRoom
from essaim.live.messages import NO_STORE, Header, cookie, packed
from essaim.live.phone import page
from essaim.live.problems import RefusalError
from essaim.live.records import LANGUAGES
from essaim.live.routes import invitation, mark_cookie, session_cookie, ticket_cookie

LANGUAGE_COOKIE: Final = "essaim-language"
_HTML: Final = b"text/html; charset=utf-8"
_ASK_FIRST: Final = (b"cache-control", b"private, no-cache")
"""The browser may keep the page for its worker (the copy for offline use), but asks before showing it."""
_SCRIPT: Final = b"text/javascript; charset=utf-8"
_WAIT_S: Final = 3_600
_NOTICE: Final = re.compile(r"[a-z-]{1,40}")
_SHOWN_AT_ONCE: Final = (429, 503)
"""Refusals whose page is the answer: going back in the browser finds the form as it was filled in."""


async def serve(hub: Hub, exchange: Exchange) -> None:
    """Answer a request under /s/."""
    _, _, code, *rest = exchange.path.split("/")
    try:
        live = await hub.room_by_code(code)
    except RefusalError as refusal:
        if refusal.code != "unknown-room":
            raise
        body = page.render_unknown(_language(exchange, ""))
        headers = [*_headers(page.CSP), (b"x-robots-tag", b"noindex")]
        await exchange.reply(packed(exchange, 404, body, _HTML, headers))
        return
    action = "/".join(rest)
    if exchange.method in ("GET", "HEAD"):
        await _get(exchange, live, action)
    elif exchange.method == "POST" and action in _FORMS:
        await _post(exchange, live, action)
    else:
        raise RefusalError("method", "Use GET." if not action else "Use POST.")


async def _get(exchange: Exchange, live: LiveRoom, action: str) -> None:
    if action == "sw.js":
        scope = f"/s/{quote(live.room.spec.code)}".encode()
        headers = [(b"cache-control", b"no-cache"), (b"service-worker-allowed", scope)]
        await exchange.reply(packed(exchange, 200, page.SERVICE_WORKER, _SCRIPT, headers))
        return
    if action == "me":
        now = live.clock()
        participant = _who(exchange, live, now)
        if participant is None:
            raise RefusalError("bad-ticket")
        body = page.render_standing(live.room, participant, _language(exchange, live.room.spec.lang), now)
        await exchange.reply(packed(exchange, 200, body, _HTML, [NO_STORE]))
        return
    if action:
        raise RefusalError("unknown-path")
    query = exchange.query()
    notice = query.get("notice", "")
    await _page(exchange, live, 200, notice if _NOTICE.fullmatch(notice) else None, query)


async def _page(
    exchange: Exchange,
    live: LiveRoom,
    status: int,
    notice: str | None,
    query: dict[str, str],
    extra: list[Header] | None = None,
) -> None:
    now = live.clock()
    lang = _language(exchange, live.room.spec.lang, query.get("lang", ""))
    who, token, code = _who(exchange, live, now), query.get("pass") or None, query.get("code", "")
    shared = who is None and notice is None and token is None and not code
    if shared:
        body, csp = live.doors.page(live.room, lang, now)
    else:
        body, csp = page.render_page(live.room, who, lang, now, notice=notice, pass_token=token, code=code)
    headers = [*_headers(csp), *(extra or [])]
    if live.room.spec.codes is not None and not exchange.cookie(mark_cookie(live.name)):
        # The browser has it before it joins, so that it can come again if it never hears of its ticket.
        mark = secrets.token_urlsafe(16)
        headers.append(cookie(exchange, mark_cookie(live.name), mark, live.limits.ticket_s))
    if query.get("lang") in LANGUAGES:
        headers.append(_language_cookie(exchange, lang))
    await exchange.reply(packed(exchange, status, body, _HTML, headers, shared=shared))


async def _post(exchange: Exchange, live: LiveRoom, action: str) -> None:
    """Take one form; what went wrong is told on the page one comes back to."""
    exchange.check_same_site(live.room.spec.public_url)
    form = await exchange.form()
    headers: list[Header] = []
    try:
        if action == "join":
            notice = await _join(exchange, live, form, headers)
        else:
            notice = await _send(exchange, live, action, form)
    except RefusalError as refusal:
        if refusal.status in _SHOWN_AT_ONCE:
            retry = [(b"retry-after", b"%d" % (refusal.retry_after or 1))]
            if "number" in refusal.members:
                retry.append(cookie(exchange, _waiting_cookie(live), str(refusal.members["number"]), _WAIT_S))
            await _page(exchange, live, refusal.status, refusal.code, {}, retry)
            return
        notice = refusal.code
        if notice == "bad-code":
            notice += f"&code={quote(form.get('code', '')[:40])}"  # it is in the field again, to be corrected
    back = f"/s/{quote(live.room.spec.code)}" + (f"?notice={notice}" if notice else "")
    await exchange.redirect(back, headers)


async def _join(
    exchange: Exchange, live: LiveRoom, form: dict[str, str], headers: list[Header]
) -> str | None:
    now = live.clock()
    live.valves.write(live.commits, time.perf_counter())
    live.reserve()
    room = live.room
    lang = form.get("lang") or _language(exchange, room.spec.lang)
    request = JoinRequest(
        lang,
        _number(form.get("unit")),
        form.get("name") or None,
        form.get("pass") or None,
        code=form.get("code"),
    )
    invited = invitation(exchange, request, live, now)
    live.valves.join(exchange, exchange.cookie(_waiting_cookie(live)), room.key or b"", now)
    outcome = room.enter(request, now) if invited is None else await live.let_in(request, invited, now)
    await live.keep(outcome)
    headers.append(session_cookie(exchange, live, live.room.ticket(outcome.participant, now)))
    headers.append(_language_cookie(exchange, lang))
    return None


async def _send(exchange: Exchange, live: LiveRoom, action: str, form: dict[str, str]) -> str | None:
    live.valves.write(live.commits, time.perf_counter())
    now = live.clock()
    participant = _who(exchange, live, now)
    if participant is None:
        raise RefusalError("bad-ticket")
    wait = live.valves.take_batch(participant, now)
    if wait:
        raise live.valves.refuse_batch(wait)
    room = live.room
    ballot = read_form(action, form, room.next_seq(participant))
    outcome = room.take(participant, ballot, now)
    await live.keep(outcome)
    return outcome.refused[0].code if outcome.refused else None


def _waiting_cookie(live: LiveRoom) -> str:
    """Give the name of the cookie that holds a number of the waiting room, for pages without JavaScript."""
    return f"essaim-waiting-{live.name}"


_FORMS: Final = ("join", "vote", "idea", "rate")


def _who(exchange: Exchange, live: LiveRoom, now: int) -> int | None:
    """Give the participant of the cookie; a ticket that is no good any more is as none."""
    ticket = exchange.cookie(ticket_cookie(live.name))
    try:
        return None if ticket is None else live.room.admit(ticket, now)
    except RefusalError:
        return None


def _language(exchange: Exchange, of_room: str, asked: str = "") -> str:
    accepted = exchange.headers.get(b"accept-language", b"").decode("latin-1")
    return page.choose_language(of_room, asked, exchange.cookie(LANGUAGE_COOKIE) or "", accepted)


def _language_cookie(exchange: Exchange, lang: str) -> Header:
    return cookie(exchange, LANGUAGE_COOKIE, lang if lang in LANGUAGES else "", 365 * 24 * 3600)


def _headers(csp: str) -> list[Header]:
    return [
        (b"content-security-policy", csp.encode("ascii")),
        (b"referrer-policy", b"same-origin"),
        _ASK_FIRST,
    ]


def _number(text: str | None) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"\d{1,10}", text):
        raise RefusalError("malformed", "A number is expected.")
    return int(text)
