"""The phone page as bytes: weight, escaping, both languages, forms for every state, and its own policy."""

from __future__ import annotations

import asyncio
import base64
import gzip
import html
import json
import re
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from essaim.live import plan as plans
from essaim.live.phone import assets, page, texts
from essaim.live.plan import PhaseWindow, Plan
from essaim.live.room import Room
from essaim.live.spec import FrameItem, Kind, RoomSpec, Scale, Seed, Unit
from tests.live.rooms import MINUTE, NOW, enter, idea, make_room, make_spec, running, send
from tests.live.served import live_spec, serving

BUDGET = 10_000
HOSTILE = "</script><script>alert(1)</script><!--\"'><img src=x onerror=alert(1)>&lt;\u2028"


def rendered(room: Room, who: int | None = 0, lang: str = "fr", now: int = NOW + 1, **more: Any) -> str:
    """The page as text."""
    return page.render_page(room, who, lang, now, **more)[0].decode()


def joined(plan: Plan | None = None, **changes: Any) -> Room:
    """A room with one participant, number 0, who came in before the plan was what it is."""
    room = make_room(**changes)
    enter(room)
    if plan is not None:
        room.use(msgspec.structs.replace(room.spec, rev=room.spec.rev + 1, plan=plan))
    return room


def paused(*names: str) -> Plan:
    return plans.pause(running(*names), NOW)


STATES: dict[str, Plan] = {
    "waiting": Plan(1, (PhaseWindow("draft", 10), PhaseWindow("compare", 10))),
    "draft": running("draft", "compare", minutes=10),
    "compare": running("compare", minutes=10),
    "paused": paused("compare"),
    "closed": plans.close(running("compare"), NOW),
}


class Forms(HTMLParser):
    """The forms that can be seen (nothing around them is hidden), with their fields and buttons."""

    VOID = ("meta", "link", "input", "br", "path", "circle", "img", "option", "li")

    def __init__(self, document: str) -> None:
        super().__init__()
        self.around: list[tuple[str, bool]] = []
        self.seen: dict[str, set[str]] = {}
        self.form: str | None = None
        self.sections: set[str] = set()
        self.feed(document)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        known = dict(attributes)
        hidden = "hidden" in known or (bool(self.around) and self.around[-1][1])
        if tag == "section" and not hidden:
            self.sections.add(str(known["id"]))
        if tag == "form" and not hidden:
            self.form = str(known["action"]).split("/")[-1].split("#")[0]
            self.seen.setdefault(self.form, set())
        if self.form is not None and not hidden and known.get("name") and "disabled" not in known:
            self.seen[self.form].add(str(known["name"]))
        if tag not in self.VOID:
            self.around.append((tag, hidden))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.form = None
        if tag in self.VOID:
            return
        while self.around and self.around.pop()[0] != tag:
            pass


def company() -> RoomSpec:
    """A room as a company would prepare it: 3 dimensions, 12 processes, 2 scales, 5 kinds, 20 seeds."""
    kinds = ("Problème", "Cause", "Idée", "Force", "Question")
    places = [FrameItem(i, None, f"Dimension {i} du management", False) for i in range(3)]
    processes = ("Objectifs", "Décider", "Recruter", "Former", "Reconnaître", "Planifier")
    processes += ("Acheter", "Livrer", "Mesurer", "Apprendre", "Informer", "Coopérer")
    places += [FrameItem(10 + i, i // 4, f"{name} et suivre", True) for i, name in enumerate(processes)]
    words = "Les décisions arrivent trop tard sur le terrain et personne ne sait qui les a prises, point"
    return make_spec(
        STATES["compare"],
        title="Assises du management 2026",
        question="Qu’est-ce qui vous empêche de bien travailler, et que proposez-vous d’y changer ?",
        kinds=tuple(Kind(f"kind{i}", {"fr": one, "en": one}) for i, one in enumerate(kinds)),
        frame=tuple(places),
        scales=(
            Scale("maturity", {"fr": "Maturité"}, {"fr": "inexistante"}, {"fr": "exemplaire"}),
            Scale("importance", {"fr": "Importance"}, {"fr": "accessoire"}, {"fr": "vitale"}),
        ),
        units=tuple(Unit(i, name) for i, name in enumerate(("Nord", "Sud", "Est", "Ouest", "Siège"))),
        seeds=tuple(Seed(i, f"{words} {i}", 10 + i % 12, "kind0") for i in range(20)),
    )


@pytest.mark.parametrize("phase", ["draft", "compare"])
@pytest.mark.parametrize("lang", ["fr", "en"])
def test_everything_the_page_asks_for_is_under_10_kB(tmp_path: Path, lang: str, phase: str) -> None:
    """The weight on the wire: the page of a participant, and the only thing it asks for, its worker."""
    spec = company()
    spec = msgspec.structs.replace(spec, plan=live_spec(phase).plan)

    async def scenario() -> int:
        async with serving(tmp_path, spec) as (client, _):
            await client.post("/s/ABC123/join", data={"lang": lang})
            total, paths = 0, ["/s/ABC123"]
            while paths:
                request = client.build_request("GET", paths.pop(), headers={"Accept-Encoding": "gzip"})
                answer = await client.send(request, stream=True)
                raw = b"".join([chunk async for chunk in answer.aiter_raw()])
                assert answer.status_code == 200
                total += len(raw)
                if answer.headers["content-type"].startswith("text/html"):
                    text = gzip.decompress(raw).decode()
                    found = re.findall(r'(?:src|href)="([^"#?][^"]*)"', text)
                    assert all(one.startswith(("data:", "/s/ABC123")) for one in found)
                    paths.append("/s/ABC123/sw.js")
            return total

    total = asyncio.run(scenario())
    print(f"phone page, {phase}, {lang}: {total} bytes on the wire")
    assert total < BUDGET


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("who", [0, None])
def test_hostile_texts_stay_texts(state: str, who: int | None) -> None:
    label = {"fr": HOSTILE, "en": HOSTILE}
    room = make_room(
        running("draft", "compare"),
        title=HOSTILE,
        question=HOSTILE,
        kinds=(Kind("idea", label),),
        frame=(FrameItem(1, None, HOSTILE, True), FrameItem(2, 1, HOSTILE, True)),
        scales=(Scale("scale", label, label, label),),
        units=(Unit(1, HOSTILE),),
        seeds=(Seed(1, HOSTILE, 2, "idea"), Seed(2, HOSTILE, 2, "idea")),
        privacy="pseudonymous",
    )
    ticket = enter(room, name="<b>moi</b>")
    send(room, ticket, 1, ideas=[idea("mark-0001", HOSTILE)])
    room.use(msgspec.structs.replace(room.spec, rev=2, plan=STATES[state]))
    document = rendered(room, who, now=NOW + 2, notice=HOSTILE, pass_token=HOSTILE)
    assert document.count("<script") == 2
    assert document.count("</script>") == 2
    assert "<img" not in document
    assert "onerror=alert(1)>" not in document
    boot = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', document, re.DOTALL)
    assert boot is not None
    assert "<" not in boot[1]
    decoded = json.loads(boot[1])
    if who == 0 and state == "compare":
        assert decoded["next"][0]["text"] == HOSTILE
    assert html.escape(HOSTILE) in document


def test_the_fragments_of_an_open_page_are_escaped_too() -> None:
    room = make_room(running("draft"), seeds=(Seed(1, HOSTILE),))
    send(room, enter(room), 1, ideas=[idea("mark-0001", HOSTILE), idea("mark-0002", "<hr>")])
    fragments = page.render_standing(room, 0, "fr", NOW + 2).decode()
    assert html.escape(HOSTILE.rstrip("\u2028")) in fragments
    assert "<img" not in fragments
    assert "<script" not in fragments
    assert fragments.count("<hr>") == 1


def test_the_two_languages_say_the_same_things() -> None:
    french, english = texts.TEXTS["fr"], texts.TEXTS["en"]
    assert french.keys() == english.keys()
    for key, phrase in french.items():
        other = english[key]
        both = [
            sorted(set(re.findall(r"\{\w+\}", " ".join([one] if isinstance(one, str) else one))))
            for one in (phrase, other)
        ]
        assert both[0] == both[1], key
        assert isinstance(phrase, tuple) == isinstance(other, tuple), key
    assert set(texts.SCRIPT) <= french.keys()


def test_french_typography() -> None:
    for key, phrase in texts.TEXTS["fr"].items():
        for text in [phrase] if isinstance(phrase, str) else phrase:
            assert not re.search(r"[ \w][;!?»]", re.sub(r"\u202f[;!?»]", "", text)), key
            assert not re.search(r"(?<!\u00a0):", text), key
            assert "'" not in text, key
            assert "..." not in text, key
            assert not re.search(r"\b(tu|ton|tes|toi)\b", text), key


def test_plurals_follow_the_language() -> None:
    assert texts.say("fr", "people", 0) == "0 personne"
    assert texts.say("fr", "people", 1) == "1 personne"
    assert texts.say("fr", "people", 12_345) == "12\u202f345 personnes"
    assert texts.say("en", "people", 0) == "0 people"
    assert texts.say("en", "people", 1) == "1 person"
    assert texts.say("en", "people", 12_345) == "12,345 people"


def test_every_text_is_used() -> None:
    """A text nobody sees is one more to translate: each is said by the page, the script or a refusal."""
    folder = Path(page.__file__).parent
    used = "".join(
        (folder / name).read_text("utf-8") for name in ("page.py", "sections.py", "drawing.py", "phone.js")
    )
    said = set(re.findall(r"[a-z_-]+", used)) | set(texts._REFUSALS)
    built = {"tab_vote", "tab_idea", "tab_rate", "tab_me", "anonymous", "pseudonymous", "identified"}
    reasons = {"not-enough-votes", "too-few-people"}
    assert set(texts.TEXTS["en"]) - said - built - reasons == set()


@pytest.mark.parametrize(
    ("state", "who", "expected"),
    [
        ("waiting", None, {"join": {"lang", "unit", "pass"}}),
        ("waiting", 0, {}),
        (
            "draft",
            0,
            {
                "idea": {"id", "item", "kind", "text"},
                "rate": {"id", "item", "scale-maturity", "scale-importance", "text"},
            },
        ),
        (
            "compare",
            0,
            {"vote": {"sid", "value"}, "idea": {"id", "item", "kind", "text", "re"}},
        ),
        ("compare", None, {"join": {"lang", "unit", "pass"}}),
        ("closed", 0, {}),
        ("closed", None, {}),
    ],
)
def test_each_state_has_its_forms_without_script(
    state: str, who: int | None, expected: dict[str, set[str]]
) -> None:
    seen = Forms(rendered(joined(STATES[state]), who)).seen
    assert seen.keys() == expected.keys()
    for action, fields in expected.items():
        assert seen[action] >= fields - {"re"}
        assert seen[action] <= fields


def test_a_pause_disables_what_would_be_sent() -> None:
    document = rendered(joined(STATES["paused"]))
    buttons = re.findall(
        r"<(?:button|fieldset)[^>]*>", re.search(r'<section id="vote".*?</section>', document)[0]
    )
    assert buttons
    assert all("disabled" in one for one in buttons if "value=" not in one)
    assert html.escape(texts.say("fr", "paused")) in document


def test_identified_rooms_need_the_link_of_the_organisation() -> None:
    room = make_room(privacy="identified")
    without = rendered(room, None)
    assert "join" not in Forms(without).seen
    assert html.escape(texts.say("fr", "pass")) in without
    with_pass = rendered(room, None, pass_token="a-pass")
    assert "pass" in Forms(with_pass).seen["join"]
    assert 'value="a-pass"' in with_pass
    assert "pass=a-pass" in re.search(r"<header>.*?</header>", with_pass)[0]


def test_the_last_answer_can_be_taken_back_without_script() -> None:
    room = make_room()
    send(room, enter(room), 1, votes=[[3, 1], [5, -1]])
    document = rendered(room)
    assert html.escape(texts.say("fr", "last", texts.say("fr", "disagree"))) in document
    back = re.search(r'<form id="back".*?</form>', document)
    assert back is not None
    assert 'name="sid" value="5"' in back[0]


def test_groups_are_told_in_words_and_drawn() -> None:
    room = make_room()
    for who in range(24):
        side = 1 if who % 2 else -1
        send(room, enter(room), 1, votes=[[sid, side if sid % 2 else -side] for sid in range(10)])
    from essaim.engines import opinion
    from essaim.engines.votes import from_triples

    columns = room.votes.copy().standing()
    statement = [room.votes.targets[one] for one in columns.target.tolist()]
    room.use_opinion(opinion.analyse(from_triples(columns.participant, statement, columns.value)))
    assert room.opinion is not None
    document = rendered(room)
    section = re.search(r'<section id="me".*?</section>', document)
    assert section is not None
    groups = room.me(0)["groups"]
    assert groups
    assert section[0].count("<circle") == len(groups) + 1
    for group in groups:
        assert html.escape(texts.say("fr", "group", group["label"])) in section[0]
        for one in group["says"]:
            assert html.escape(one["text"]) in section[0]


@pytest.mark.parametrize("state", STATES)
def test_the_policy_matches_the_page(state: str) -> None:
    document, csp = page.render_page(joined(STATES[state]), 0, "fr", NOW + 1)
    text = document.decode()
    for element, directive in (("script", "script-src"), ("style", "style-src")):
        found = re.findall(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)
        assert len(found) == 1
        digest = base64.b64encode(sha256(found[0].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in csp
    assert "unsafe" not in csp
    assert "default-src 'none'" in csp
    assert "frame-ancestors 'none'" in csp
    markup = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", text, flags=re.DOTALL)
    assert not re.search(r"\sstyle\s*=", markup)
    assert not re.search(r"\son\w+\s*=", markup)


def test_the_page_is_a_whole_document_with_unique_ids() -> None:
    for lang in ("fr", "en"):
        text = rendered(joined(), lang=lang)
        assert text.startswith(f'<!doctype html><html lang="{lang}">')
        ids = re.findall(r'\sid="([^"]+)"', text.split("<script>")[0])
        assert len(ids) == len(set(ids))
        for target in re.findall(r'(?:for|aria-labelledby|aria-describedby)="([^"]+)"', text):
            assert target in ids
    unknown = page.render_unknown("en").decode()
    assert html.escape(texts.say("en", "unknown")) in unknown


def test_small_sources_keep_their_meaning() -> None:
    """No text runs over several lines: taking indentation away cannot change one."""
    folder = Path(page.__file__).parent
    for name in ("phone.js", "sw.js"):
        source = (folder / name).read_text("utf-8")
        assert all(line.count("`") % 2 == 0 for line in source.splitlines()), name
        assert "//" not in assets.small_js(source).replace("://", ""), name
    assert "/*" not in assets.STYLE


@pytest.mark.parametrize(
    ("query", "cookie", "accepted", "of_room", "expected"),
    [
        ("en", "fr", "fr", "fr", "en"),
        ("xx", "en", "fr", "fr", "en"),
        ("", "", "de, en;q=0.8, fr;q=0.7", "fr", "en"),
        ("", "", "fr-CA;q=0.9, en;q=0.3", "en", "fr"),
        ("", "", "en;q=0", "fr", "fr"),
        ("", "", "*;q=0.5, (", "en", "en"),
    ],
)
def test_language(query: str, cookie: str, accepted: str, of_room: str, expected: str) -> None:
    assert page.choose_language(of_room, query, cookie, accepted) == expected


def test_waiting_shows_when_it_starts_and_the_clock_runs() -> None:
    plan = Plan(1, (PhaseWindow("draft", 10, NOW + MINUTE, NOW + 11 * MINUTE),))
    boot = json.loads(re.search(r'id="boot">(.*?)</script>', rendered(joined(plan)))[1])
    assert boot["state"]["plan"][0]["starts_at"] == NOW + MINUTE
    assert boot["state"]["now"] == NOW + 1


def test_a_crowd_at_the_door_is_given_one_page() -> None:
    room, doors = make_room(), page.Doors()
    first = doors.page(room, "fr", NOW)
    enter(room)
    assert doors.page(room, "fr", NOW + doors.GOOD_MS - 1) is first
    assert doors.page(room, "en", NOW)[0] != first[0]
    later = doors.page(room, "fr", NOW + doors.GOOD_MS)
    assert b'"participants":1' in later[0] and b'"participants":0' in first[0]
    room.use(make_spec(rev=2, title="Un autre titre"))
    assert b"Un autre titre" in doors.page(room, "fr", NOW + doors.GOOD_MS + 1)[0], "a change is seen at once"
