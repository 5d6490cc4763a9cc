"""The specification of a room: nothing is lost on the way, and what cannot be used says why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from essaim.live.plan import PhaseWindow, Plan
from essaim.live.spec import FrameItem, Kind, Scale, Seed, SpecError, Unit, decode, encode, is_room
from tests.live.rooms import make_spec

BOTH = {"fr": "a", "en": "b"}


def test_round_trip() -> None:
    spec = make_spec(shown=(100_001,), hidden=(3,), public_url="https://example.org", moderation="before")
    assert decode(encode(spec)) == spec
    assert encode(decode(encode(spec))) == encode(spec)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"room": "../etc"}, "room:"),
        ({"room": ""}, "room:"),
        ({"number": 2**32}, "32 bits"),
        ({"code": "A B"}, "code:"),
        ({"rev": -1}, "rev:"),
        ({"kinds": (Kind("a", BOTH), Kind("a", BOTH))}, "appears twice"),
        ({"kinds": (Kind("a", {}),), "seeds": ()}, "at least one language"),
        ({"scales": (Scale("é", BOTH, BOTH, BOTH),)}, "letters"),
        ({"scales": (Scale("a", BOTH, {}, BOTH),)}, "at least one language"),
        ({"scales": (Scale("a", BOTH, BOTH, BOTH, 1),)}, "top"),
        ({"frame": (FrameItem(1, 9, "x", True),), "seeds": ()}, "parent 9"),
        ({"frame": (FrameItem(1, 2, "x", True), FrameItem(2, 1, "y", True)), "seeds": ()}, "inside itself"),
        ({"frame": (FrameItem(-1, None, "x", True),), "seeds": ()}, "between 0"),
        ({"units": (Unit(1, "x"), Unit(1, "y"))}, "appears twice"),
        ({"seeds": (Seed(100_000, "x"),)}, "99999"),
        ({"seeds": (Seed(1, "  "),)}, "no text"),
        ({"seeds": (Seed(1, "x", 77),)}, "not in the frame"),
        ({"seeds": (Seed(1, "x", None, "other"),)}, "not among the kinds"),
        ({"plan": Plan(1, (PhaseWindow("draft", -1),))}, "minutes"),
        ({"plan": Plan(1, (PhaseWindow("draft", 1, None, 5),))}, "without a start"),
        ({"plan": Plan(1, (PhaseWindow("draft", 1, 10, 5),))}, "ends before it starts"),
        ({"plan": Plan(1, (PhaseWindow("draft", 1, 1, 10), PhaseWindow("compare", 1, 5, 9)))}, "ahead of it"),
    ],
)
def test_refusals_say_why(changes: dict[str, Any], words: str) -> None:
    spec = make_spec(**changes)
    with pytest.raises(SpecError, match=words):
        encode(spec)


@pytest.mark.parametrize("field", ["room", "plan", "privacy", "lang"])
def test_missing_and_mistyped_fields_are_named(field: str) -> None:
    document = json.loads(encode(make_spec()))
    for wrong in ({key: value for key, value in document.items() if key != field}, document | {field: 5}):
        with pytest.raises(SpecError, match=field):
            decode(json.dumps(wrong).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"{", b"[" * 100_000])
def test_not_a_document(data: bytes) -> None:
    with pytest.raises(SpecError, match="not a room specification"):
        decode(data)


def test_room_names() -> None:
    assert is_room("a-B_9")
    assert not any(is_room(name) for name in ("", ".", "..", "a/b", "a b", "x" * 65, "é", "a\n"))
