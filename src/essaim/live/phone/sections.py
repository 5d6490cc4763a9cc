"""The parts of the page, one function each: join, wait, vote, contribute, rate, my place, contributions, end."""

from __future__ import annotations

import secrets
from functools import cached_property
from html import escape as e
from typing import Any, Final
from urllib.parse import quote

from essaim.live.phone.drawing import group_map, sentence
from essaim.live.phone.texts import french, say
from essaim.live.plan import phase_at
from essaim.live.room import Room
from essaim.live.spec import FrameItem, Text

LONGEST: Final = 280
TO_PLACE: Final = 7
"""Votes after which somebody has a place on the map (the engine counts from that many)."""
_SCRIPT_SEQ: Final = 10**12
_PLACE_OF_PHASE: Final = {"waiting": "wait", "between": "wait", "closed": "end"}
_TICK: Final = '<path d="M4.5 12.5l5 5 10-11"/>'
_CROSS: Final = '<path d="M6 6l12 12M18 6L6 18"/>'
_STEP: Final = '<path d="M5 5l7 7-7 7M13 5l7 7-7 7"/>'


class Seen:
    """What one participant sees of a room at one instant, in one language."""

    def __init__(
        self, room: Room, participant: int | None, lang: str, now: int, pass_token: str | None, code: str = ""
    ) -> None:
        self.room, self.participant, self.lang, self.now = room, participant, lang, now
        self.spec, self.pass_token, self.code = room.spec, pass_token, code
        self.phase = phase_at(room.spec.plan, now)
        self.at = _PLACE_OF_PHASE.get(self.phase.name, self.phase.name)
        if participant is None and self.at != "end":
            self.at = "join"
        self.path = f"/s/{quote(room.spec.code)}"
        self.hold = ""
        if self.at in ("draft", "compare") and (self.phase.frozen or self.phase.paused):
            self.hold = self.say("frozen" if self.phase.frozen else "paused")
        # What people wrote is in the language of the room, whatever the language of the page.
        self.room_lang = "" if room.spec.lang == lang else f' lang="{room.spec.lang}"'

    def say(self, key: str, n: int | str = "", m: int | str = "") -> str:
        """Give a text in the language of the page."""
        return say(self.lang, key, n, m)

    def typeset(self, text: str) -> str:
        """Give a facilitator's sentence with the spaces of the room's language."""
        return french(text) if self.spec.lang == "fr" else text

    def label(self, text: Text) -> str:
        """Give a facilitator's text in the page's language, else the room's, else any."""
        return text.get(self.lang) or text.get(self.spec.lang) or next(iter(text.values()), "")

    @cached_property
    def me(self) -> dict[str, Any]:
        """What the participant may know of themselves."""
        return {} if self.participant is None else self.room.me(self.participant)

    @cached_property
    def rated(self) -> list[FrameItem]:
        """The items of the frame to rate, in order."""
        return [item for item in self.spec.frame if item.rated] if self.spec.scales else []

    @property
    def by_script(self) -> bool:
        """Say whether answers came from the script: it numbers batches by the time, forms count from 1."""
        return self.participant is not None and self.room.next_seq(self.participant) > _SCRIPT_SEQ

    @property
    def still_drafting(self) -> bool:
        """Say whether people draft now or may do so later: a part that cannot come again is not sent."""
        return self.phase.name == "draft" or any(
            window.name == "draft" and (window.ends_at is None or window.ends_at > self.now)
            for window in self.spec.plan.phases
        )

    @property
    def stopped(self) -> str:
        """The attribute that makes a button or a group of fields wait while nothing is taken."""
        return " disabled" if self.hold else ""


def every(seen: Seen) -> str:
    """Give all parts, in the order of the page."""
    parts = (join, wait, tabs, vote, idea, rate, end, me, mine)
    return "".join(part(seen) for part in parts)


def clock(seen: Seen) -> str:
    """The phase and the time left."""
    ends_at = seen.phase.ends_at
    left = "" if ends_at is None or seen.phase.paused else _minutes(ends_at - seen.now)
    shown = seen.at in ("draft", "compare")
    name = e(seen.say(seen.phase.name)) if shown else ""
    return (
        f'<p id="now"{_hidden(not shown)}><span id="phase">{name}</span>'
        f'<span id="clock" role="timer" aria-label="{e(seen.say("left"))}">{left}</span></p>'
    )


def join(seen: Seen) -> str:
    """The way in: one button, and what is kept in one line."""
    spec = seen.spec
    if seen.participant is not None:  # a ticket that ends brings a new page
        return '<section id="join" hidden><form></form></section>'
    shut = spec.privacy == "identified" and not seen.pass_token
    fields = ""
    if spec.codes is not None:
        fields += (
            f'<label>{e(seen.say("code"))}<input name="code" required minlength="10" maxlength="40" '
            f'autocomplete="off" autocapitalize="characters" spellcheck="false" value="{e(seen.code)}" '
            f'aria-describedby="once"></label><p id="once"><small>{e(seen.say("once"))}</small></p>'
        )
    if spec.privacy == "pseudonymous":
        fields += (
            f'<label>{e(seen.say("name"))}<input name="name" required maxlength="40" autocomplete="nickname">'
            "</label>"
        )
    if spec.units:
        units = "".join(f'<option value="{unit.id}">{e(unit.label)}' for unit in spec.units)
        fields += (
            f'<label>{e(seen.say("unit"))}<select name="unit"><option value="">{e(seen.say("unit_none"))}{units}'
            "</select></label>"
        )
    token = e(seen.pass_token or "")
    way = f"/sessions/{e(spec.room)}/enter/"  # the organisation's own page, which knows its members
    closed = (
        f'<p id="pass">{e(seen.say("pass"))}</p><p><a href="{way}">{e(seen.say("enter"))}</a></p>'
        if shut
        else ""
    )
    return (
        f'<section id="join"{_hidden(seen.at != "join")}>{closed}'
        f'<form method="post" action="{seen.path}/join"{_hidden(shut)}>{fields}'
        f'<input type="hidden" name="lang" value="{seen.lang}"><input type="hidden" name="pass" value="{token}">'
        f'<button class="main">{e(seen.say("join"))}</button></form></section>'
    )


def wait(seen: Seen) -> str:
    """Before the start and between two phases."""
    title = seen.say("between" if seen.phase.name == "between" else "waiting")
    return (
        f'<section id="wait"{_hidden(seen.at != "wait")}><h2 id="soon" tabindex="-1">{e(title)}</h2>'
        f'<p id="start"></p><p>{e(seen.say("wait"))}</p><p id="room">{e(_room(seen))}</p>'
        f'<noscript><p><a href="{seen.path}">{e(seen.say("refresh"))}</a></p></noscript></section>'
    )


def tabs(seen: Seen) -> str:
    """Links to the parts of this phase; the script shows one part at a time."""
    shown = _tabs(seen)
    links = "".join(
        f'<a href="#{tab}"{_hidden(tab not in shown)}>{e(seen.say("tab_" + tab))}</a>'
        for tab in ("vote", "idea", "rate", "me")
    )
    label = e(seen.say("sections"))
    return f'<nav id="tabs" aria-label="{label}"{_hidden(len(shown) < 2)}>{links}</nav>'


def vote(seen: Seen) -> str:
    """One statement at a time, three large buttons within reach of the thumb."""
    on = seen.at == "compare"
    row = None
    if on and seen.participant is not None:
        row = next(iter(seen.room.next_for(seen.participant, 1)), None)
    votes = {} if seen.participant is None else seen.room.votes_of(seen.participant)
    last = next(reversed(votes), None) if votes else None
    answer = {1: "agree", -1: "disagree", 0: "skip"}.get(votes[last], "skip") if last is not None else ""
    buttons = "".join(
        f'<button name="value" value="{value}" class="{name}"><svg viewBox="0 0 24 24" aria-hidden="true">{icon}'
        f"</svg>{e(seen.say(name))}</button>"
        for value, name, icon in ((1, "agree", _TICK), (-1, "disagree", _CROSS), (0, "skip", _STEP))
    )
    text = e(row.text) if row else ""
    told = e(seen.say("last", seen.say(answer))) if answer else ""
    return (
        f'<section id="vote" tabindex="-1"{_hidden(not on)}><h2 class="sr">{e(seen.say("vote"))}</h2>'
        f'<p class="meter"><span id="done">{e(progress(seen.lang, len(votes), row is not None))}</span>'
        f'<progress id="dots" max="{TO_PLACE}" value="{min(len(votes), TO_PLACE)}" aria-labelledby="done"'
        f"{_hidden(row is None or len(votes) >= TO_PLACE)}></progress></p>"
        f'<div class="card" aria-live="polite" aria-atomic="true"><p id="tag">{e(_tag(seen, row))}</p>'
        f'<blockquote id="what"{seen.room_lang} dir="auto">{text}</blockquote>'
        f'<a id="reply" href="#idea"{_hidden(not (row and seen.spec.compare_ideas))}>{e(seen.say("reply"))}</a>'
        f'<div id="none"{_hidden(bool(row))}><h3>{e(seen.say("none"))}</h3><p>{e(seen.say("none_more"))}</p></div></div>'
        f'<form id="back" class="row" method="post" action="{seen.path}/vote#vote"{_hidden(last is None)}>'
        f'<span id="last">{told}</span><input type="hidden" name="sid" value="{"" if last is None else last}">'
        f'<button class="link" name="value" value=""{seen.stopped}>{e(seen.say("undo"))}</button></form>'
        f'<form id="ballot" method="post" action="{seen.path}/vote#vote"{_hidden(not row)}>'
        f'<input type="hidden" name="sid" value="{row.id if row else ""}">'
        f'<fieldset class="votes"{seen.stopped}>{buttons}</fieldset></form></section>'
    )


def progress(lang: str, votes: int, more: bool) -> str:
    """Say how far somebody is: to their place on the map first, then how many answers they gave."""
    return say(lang, "to_place", TO_PLACE - votes) if more and votes < TO_PLACE else say(lang, "votes", votes)


def idea(seen: Seen) -> str:
    """A contribution: a place in the frame, a kind, a short text."""
    spec, on = seen.spec, "idea" in _tabs(seen)
    place = kinds = answer = ""
    if spec.frame:
        place = (
            f'<fieldset class="where"><label>{e(seen.say("item"))}<select name="item"><option value="">'
            f"{e(seen.say('item_none'))}{_options(spec.frame)}</select></label></fieldset>"
        )
    if spec.kinds:
        chips = "".join(
            f'<label><input type="radio" name="kind" value="{e(kind.id)}" required><span>'
            f"{e(seen.label(kind.label))}</span></label>"
            for kind in spec.kinds
        )
        kinds = f'<fieldset class="chips where"><legend>{e(seen.say("kind"))}</legend>{chips}</fieldset>'
    row = None
    if seen.at == "compare" and on and seen.participant is not None:
        row = next(iter(seen.room.next_for(seen.participant, 1)), None)
    if spec.compare_ideas:
        answer = (
            f'<label id="re"{_hidden(not row)}><input type="checkbox" name="re" value="{row.id if row else ""}">'
            f'<span>{e(seen.say("re"))} <q{seen.room_lang} dir="auto">{e(row.text) if row else ""}</q></span></label>'
        )
    return (
        f'<section id="idea"{_hidden(not on)}><h2 tabindex="-1">{e(seen.say("idea"))}</h2>'
        f'<form method="post" action="{seen.path}/idea#idea"><input type="hidden" name="id" value="{_nonce()}">'
        f'{answer}{place}{kinds}<label>{e(seen.say("text"))}<textarea name="text" rows="4" required '
        f'maxlength="{LONGEST}" aria-describedby="count"></textarea></label>'
        f'<div class="row"><span id="count">0 / {LONGEST}</span>'
        f'<button class="main"{seen.stopped}>{e(seen.say("send"))}</button></div></form></section>'
    )


def rate(seen: Seen) -> str:
    """One item at a time on each scale; the list of items is the way to go to another one."""
    if not seen.rated or not seen.still_drafting:
        return ""
    given = {} if seen.participant is None else seen.room.ratings_of(seen.participant)
    scales = seen.spec.scales
    full = [item for item in seen.rated if all((item.id, scale.id) in given for scale in scales)]
    here = next((item for item in seen.rated if item not in full), seen.rated[0])
    grids = "".join(
        f'<fieldset class="scale"><legend>{e(seen.label(scale.label))}</legend>'
        + "".join(
            f'<label><input type="radio" name="scale-{scale.id}" value="{value}"'
            f"{' checked' if given.get((here.id, scale.id)) == value else ''}><span>{value}"
            f"{_end(seen, value, scale.top, scale.low, scale.high)}</span></label>"
            for value in range(1, scale.top + 1)
        )
        + f'<p class="ends" aria-hidden="true"><span>{e(seen.label(scale.low))}</span>'
        f"<span>{e(seen.label(scale.high))}</span></p></fieldset>"
        for scale in scales
    )
    told = seen.say("rated", len(full), len(seen.rated))
    return (
        f'<section id="rate"{_hidden("rate" not in _tabs(seen))}><h2 tabindex="-1">{e(seen.say("rate"))}</h2>'
        f'<p class="meter"><span id="rated">{e(told)}</span><progress id="bar" max="{len(seen.rated)}" '
        f'value="{len(full)}" aria-labelledby="rated"></progress></p>'
        f'<form method="post" action="{seen.path}/rate#rate"><label>{e(seen.say("rate_item"))}'
        f'<select name="item">{_options(seen.spec.frame, only_rated=True, chosen=here.id)}</select></label>{grids}'
        f'<input type="hidden" name="id" value="{_nonce()}"><label>{e(seen.say("reason"))}'
        f'<textarea name="text" rows="2" maxlength="{LONGEST}"></textarea></label>'
        f'<button class="main"{seen.stopped}>{e(seen.say("save"))}</button></form></section>'
    )


def me(seen: Seen) -> str:
    """Where the participant stands, and what each group says."""
    on = seen.participant is not None and seen.at in ("compare", "end")
    inside = ""
    if on and seen.by_script and seen.at == "compare":
        inside = sentence(seen.lang, seen.me)  # the script asks for the map when it is looked at
    elif on:
        inside = group_map(seen.lang, seen.me, seen.room_lang)
    return (
        f'<section id="me"{_hidden(not on)}><h2 tabindex="-1">{e(seen.say("me"))}</h2>'
        f'<div id="map">{inside}</div></section>'
    )


def mine(seen: Seen) -> str:
    """What became of the participant's contributions."""
    on = seen.participant is not None and seen.at in ("draft", "compare", "end")
    return (
        f'<section id="mine"{_hidden(not on)}><h2>{e(seen.say("mine"))}</h2>'
        f'<ul id="list">{fates(seen)}</ul></section>'
    )


def fates(seen: Seen) -> str:
    """The contributions of the participant, the last one first."""
    rows = "".join(_fate(seen, row) for row in reversed(seen.me.get("mine", ())))
    return rows or f'<li class="none">{e(seen.say("mine_none"))}'


def standing(seen: Seen) -> str:
    """What the script asks for again as time goes by: the inside of the map, a rule, the inside of the list."""
    return f"{group_map(seen.lang, seen.me, seen.room_lang)}<hr>{fates(seen)}"


def end(seen: Seen) -> str:
    """Thanks, and what comes next."""
    joined = seen.participant is not None
    title = seen.say("end" if joined else "closed")
    return (
        f'<section id="end"{_hidden(seen.at != "end")}><h2 tabindex="-1">{e(title)}</h2>'
        f'<p>{e(seen.say("end_joined" if joined else "end_late"))}</p><p id="late" role="status"></p></section>'
    )


def _tabs(seen: Seen) -> list[str]:
    if seen.at == "draft":
        return ["idea", "rate"] if seen.rated and seen.still_drafting else ["idea"]
    if seen.at == "compare":
        return ["vote", "idea", "me"] if seen.spec.compare_ideas else ["vote", "me"]
    return []


def _options(frame: tuple[FrameItem, ...], *, only_rated: bool = False, chosen: int | None = None) -> str:
    """The tree as options, children under their parent, each level moved in."""
    below: dict[int | None, list[FrameItem]] = {}
    for item in frame:
        below.setdefault(item.parent, []).append(item)
    out: list[str] = []
    stack = [(item, 0) for item in reversed(below.get(None, []))]
    while stack:
        item, depth = stack.pop()
        inset = "" if only_rated else "\u2003" * depth
        if item.rated or not only_rated:
            mark = " selected" if item.id == chosen else ""
            out.append(f'<option value="{item.id}"{mark}>{inset}{e(item.label)}')
        stack += [(child, depth + 1) for child in reversed(below.get(item.id, []))]
    return "".join(out)


def _fate(seen: Seen, row: dict[str, Any]) -> str:
    status = "status_waiting" if row["status"] == "waiting" else row["status"]
    parts = [seen.say(status)]
    if row["seen"]:
        parts += [
            seen.say("seen", row["seen"]), seen.say("agrees", row["agrees"]), seen.say("disagrees", row["disagrees"]),
        ]  # fmt: skip
    return (
        f'<li><p{seen.room_lang} dir="auto">{e(row["text"])}</p>'
        f'<small class="{row["status"]}">{e(" · ".join(parts))}</small>'
    )


def _tag(seen: Seen, row: Any) -> str:
    if row is None:
        return ""
    item = next((one.label for one in seen.spec.frame if one.id == row.item), "")
    kind = next((seen.label(one.label) for one in seen.spec.kinds if one.id == row.kind), "")
    return " · ".join(part for part in (item, kind) if part)


def _end(seen: Seen, value: int, top: int, low: Text, high: Text) -> str:
    """What a screen reader hears beside the first and the last value of a scale."""
    text = low if value == 1 else high if value == top else None
    return f'<i class="sr"> {e(seen.label(text))}</i>' if text else ""


def _room(seen: Seen) -> str:
    return seen.say("room", seen.room.people.count) if seen.room.people.count > 1 else ""


def _minutes(ms: int) -> str:
    seconds = max(0, ms) // 1000
    return f"{seconds // 60}:{seconds % 60:02d}"


def _hidden(yes: bool) -> str:
    return " hidden" if yes else ""


def _nonce() -> str:
    return secrets.token_urlsafe(9)
