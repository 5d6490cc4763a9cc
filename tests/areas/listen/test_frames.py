"""Frames: outlines and tables as people write them, and what must be refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essaim.base.errors import Refused
from essaim.listen.sessions.frames import MAX_ITEMS, as_outline, parse_outline, parse_table


def shape(lines):
    return [(line.number, line.parent, line.label, line.depth, line.rated) for line in lines]


def test_an_outline_with_bullets_numbers_and_tabs():
    text = "1. Décider\n\t- Fixer les priorités\n\t- Arbitrer vite\n2) Produire\n    Qualité\n        Contrôler\n"
    assert shape(parse_outline(text)) == [
        (1, None, "Décider", 0, False),
        (2, 1, "Fixer les priorités", 1, True),
        (3, 1, "Arbitrer vite", 1, True),
        (4, None, "Produire", 0, False),
        (5, 4, "Qualité", 1, False),
        (6, 5, "Contrôler", 2, True),
    ]


def test_a_bare_number_is_a_label():
    assert [line.label for line in parse_outline("2026\n2027")] == ["2026", "2027"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_of_parents_in_any_encoding_and_separator(encoding, separator):
    rows = [
        ("id", "parent", "label"),
        ("1", "", "Décider"),
        ("2", "1", "Trancher"),
        ("3", "", "Éclairer"),
        ("4", "1", "Fixer"),
    ]
    content = "\r\n".join(separator.join(row) for row in rows).encode(encoding)
    assert shape(parse_table(content)) == [
        (1, None, "Décider", 0, False),
        (2, 1, "Trancher", 1, True),
        (3, 1, "Fixer", 1, True),
        (4, None, "Éclairer", 0, True),
    ]


def test_a_table_of_levels_with_merged_cells():
    content = "niveau 1;niveau 2\nDécider;Fixer\n;Trancher\nProduire;Planifier\n".encode()
    assert [(line.label, line.depth) for line in parse_table(content)] == [
        ("Décider", 0), ("Fixer", 1), ("Trancher", 1), ("Produire", 0), ("Planifier", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"id,parent,label\n1,2,A\n2,1,B\n", "cycle"),
        (b"id,parent,label\n1,1,A\n", "cycle"),
        (b"id,parent,label\n1,9,A\n", "parent"),
        (b"id,parent,label\n1,,A\n1,,B\n", "duplicate"),
        (b"id,label\n1,A\n", "columns"),
        (b"", "empty"),
        (b"PK\x03\x04\x00\x00", "not-text"),
        ("\n".join(f"Item {n}" for n in range(10_000)).encode(), "too-many"),
        (b'label,parent\n"never closed', "bad-csv"),
    ],
)
def test_a_bad_table_is_refused_with_its_reason(content, code):
    with pytest.raises(Refused) as refusal:
        parse_table(content)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("  \n\n", "empty"),
        ("\n".join(f"Item {n}" for n in range(10_000)), "too-many"),
        ("A\nA", "duplicate"),
        ("x" * 121, "label"),
        ("\n".join("    " * n + f"level {n}" for n in range(6)), "depth"),
        ("\u202e\u2066", "label"),
    ],
)
def test_a_bad_outline_is_refused_with_its_reason(text, code):
    with pytest.raises(Refused) as refusal:
        parse_outline(text)
    assert refusal.value.code == code


def test_bidi_and_invisible_characters_are_dropped():
    assert parse_outline("Fix\u202eer\u200b l\u2066es priorités")[0].label == "Fixer les priorités"


labels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 10**6)), min_size=1, max_size=60)


@given(labels)
def test_an_outline_reads_back_what_it_wrote(entries):
    """Any tree, written as an outline and read again, is the same tree."""
    depth, lines = -1, []
    for wanted, number in entries:
        depth = min(wanted, depth + 1)
        lines.append("    " * depth + f"item n{number} {len(lines)}")
    first = parse_outline("\n".join(lines))
    assert parse_outline(as_outline(first)) == first
    assert len(first) == len(entries) <= MAX_ITEMS
    assert all(line.parent is None or line.parent < line.number for line in first)
