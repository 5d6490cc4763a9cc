"""The participant's page for one state of one participant: a whole HTML document, usable with and without script.

All parts that the script may need are in the document, those of other moments with `hidden`; the script only
moves that attribute and fills texts in. Without script, what is shown is what can be done now.
"""

from __future__ import annotations

import json
import re
from html import escape as e
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from essaim.live.answers import AHEAD
from essaim.live.phone import sections
from essaim.live.phone.assets import CSP, SCRIPT, SERVICE_WORKER, STYLE
from essaim.live.phone.sections import Seen
from essaim.live.phone.texts import LANGUAGES, TEXTS, refusal, say
from essaim.live.phone.texts import SCRIPT as SCRIPT_TEXTS
from essaim.live.room import Room

__all__ = ["CSP", "SERVICE_WORKER", "choose_language", "render_page", "render_standing", "render_unknown"]

_MARK: Final = (
    '<svg class="mark" viewBox="0 0 24 24" aria-hidden="true"><path d="M12 1l9.5 5.5v11L12 23l-9.5-5.5v-11z"/>'
    '<circle cx="12" cy="8.5" r="1.9"/><circle cx="8.7" cy="14" r="1.9"/><circle cx="15.3" cy="14" r="1.9"/></svg>'
)


def render_page(
    room: Room,
    participant: int | None,
    lang: str,
    now: int,
    *,
    notice: str | None = None,
    pass_token: str | None = None,
    code: str = "",
) -> tuple[bytes, str]:
    """Give (HTML, Content-Security-Policy) of the page as `participant` (None: not joined) sees it at `now`.

    `notice`: the code of a refusal to explain; `pass_token`: what lets a member into an identified room;
    `code`: an invitation code to put into its field.
    """
    spec = room.spec
    seen = Seen(room, participant, lang, now, pass_token, code)
    other = "en" if lang == "fr" else "fr"
    # Whoever comes with a pass or a code must not lose it with the language.
    brought = {name: value for name, value in (("pass", pass_token), ("code", code)) if value}
    link = urlencode({"lang": other} | brought)
    said = e(refusal(lang, notice)) if notice else ""
    body = (
        f'<header><p>{_MARK}<b{seen.room_lang} dir="auto">{e(seen.typeset(spec.title))}</b></p>'
        f'<a href="?{e(link)}" lang="{other}" hreflang="{other}">{LANGUAGES[other]}</a></header>'
        f'<main>{sections.clock(seen)}<div id="notes"><p id="hold"{_hidden(not seen.hold)}>{e(seen.hold)}</p>'
        f'<p id="net" role="status"></p><p id="said" role="status"{" class=bad" if said else ""}>{said}</p></div>'
        f'<h1{seen.room_lang} dir="auto">{e(seen.typeset(spec.question))}</h1>{sections.every(seen)}</main>'
        f"<footer>{e(say(lang, spec.privacy))}</footer>"
    )
    document = _document(
        lang,
        f"{spec.title} · Essaim",
        f'<body data-at="{seen.at}">{body}'
        f'<script type="application/json" id="boot">{_embedded(_boot(seen))}</script>'
        f"<script>{SCRIPT}</script>",
    )
    return document, CSP


class Doors:
    """The page of those who have not joined, made once for all who come within a moment: a crowd comes at once."""

    GOOD_MS: Final = 200

    def __init__(self) -> None:
        self._made: dict[str, tuple[int, Room, int, tuple[bytes, str]]] = {}

    def page(self, room: Room, lang: str, now: int) -> tuple[bytes, str]:
        """Give (HTML, Content-Security-Policy) as `render_page` does for nobody in particular."""
        known = self._made.get(lang)
        if known and known[1:3] == (room, room.spec.rev) and 0 <= now - known[0] < self.GOOD_MS:
            return known[3]
        made = render_page(room, None, lang, now)
        self._made[lang] = (now, room, room.spec.rev, made)
        return made


def render_standing(room: Room, participant: int, lang: str, now: int) -> bytes:
    """Give the two fragments that the script puts into a page already open: my place, my contributions."""
    return sections.standing(Seen(room, participant, lang, now, None)).encode()


def render_unknown(lang: str) -> bytes:
    """Give the page for a code that no room has."""
    return _document(
        lang,
        f"{say(lang, 'unknown')} · Essaim",
        f'<body data-at="join"><header><p>{_MARK}<b>Essaim</b></p></header><main><h1>{e(say(lang, "unknown"))}</h1>'
        f"<p>{e(say(lang, 'unknown_more'))}</p></main>",
    )


def choose_language(spec_lang: str, query_lang: str, cookie: str, accept_language: str) -> str:
    """Choose the language: asked for, chosen before, wanted by the browser, of the room, French."""
    for lang in (query_lang, cookie):
        if lang in LANGUAGES:
            return lang
    wanted: list[tuple[float, str]] = []
    for part in accept_language.split(",")[:20]:
        match = re.fullmatch(r"\s*([a-zA-Z]{1,8})(?:-[\w-]*)?\s*(?:;\s*q=(\d(?:\.\d{0,3})?))?\s*", part)
        if match and match[1].lower() in LANGUAGES:
            wanted.append((float(match[2] or 1), match[1].lower()))
    best = max(wanted, key=lambda one: one[0], default=(0.0, ""))
    if best[0] > 0:
        return best[1]
    return spec_lang if spec_lang in LANGUAGES else "fr"


def _document(lang: str, title: str, body: str) -> bytes:
    return (
        f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>{e(title)}</title><link rel="icon" href="data:,"><style>{STYLE}</style></head>'
        f"{body}</body></html>"
    ).encode()


def _hidden(yes: bool) -> str:
    return " hidden" if yes else ""


def _boot(seen: Seen) -> dict[str, object]:
    """What the script starts from, so that it asks for nothing to begin."""
    room, who = seen.room, seen.participant
    asks = {"bad-pass": seen.spec.privacy == "identified"}
    asks["bad-code"] = asks["code-used"] = seen.spec.codes is not None and who is None
    boot: dict[str, object] = {
        "room": room.spec.room,
        "path": f"/s/{quote(room.spec.code)}",
        "who": who,
        "state": msgspec.json.decode(room.state_bytes(seen.now)[1]),
        "t": {key: TEXTS[seen.lang][key] for key in SCRIPT_TEXTS if asks.get(key, True)},
    }
    if who is not None:
        boot["next"] = msgspec.json.decode(room.next_cards(who, AHEAD)) if seen.at == "compare" else []
        boot["n"] = len(room.votes_of(who))
        boot["rated"] = {f"{item} {scale}": value for (item, scale), value in room.ratings_of(who).items()}
    return boot


def _embedded(document: dict[str, object]) -> str:
    """Give JSON that cannot leave its element, whatever people wrote."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
