"""Reading votes from a file: any usual encoding and separator; every fault named with its line."""

from __future__ import annotations

import random

import pytest

from essaim.cli.votes_csv import BadVotesError, natural, read

PLAIN = "participant,statement,vote\nzoé,s1,1\nzoé,s2,-1\nbob,s1,0\n"
WANTED = [("zoé", "s1", 1), ("zoé", "s2", -1), ("bob", "s1", 0)]


def triples(content: bytes | str) -> list[tuple[str, str, int]]:
    votes = read(content.encode() if isinstance(content, str) else content)
    places = zip(votes.participant.tolist(), votes.statement.tolist(), votes.vote.tolist(), strict=True)
    return [(votes.participants[p], votes.statements[s], v) for p, s, v in places]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"], ids=str
)
@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "mac"])
def test_encodings_separators_and_line_ends(encoding: str, separator: str, end: str) -> None:
    text = PLAIN.replace(",", separator).replace("\n", end)
    assert triples(text.encode(encoding)) == WANTED


@pytest.mark.parametrize(
    "text",
    [
        "VOTE , Participant,extra,Statement\n1,zoé,x,s1\n-1,zoé,,s2\n0,bob,,s1\n",
        "voter-id,comment-id,vote\nzoé,s1,1\nzoé,s2,-1\nbob,s1,0",
        "participant,statement,vote\n\n zoé ,s1, +1\n\nzoé,s2,−1\nbob,s1,0.0\n,,\n\n",
        'participant,statement,vote,note\nzoé,s1,1,"two\nlines"\n"zoé","s2","-1","a ""b"", c"\nbob,s1,0,\n',
        "sep=;\nparticipant;statement;vote\nzoé;s1;1\nzoé;s2;-1,0\nbob;s1;0\n",
        "\n\nparticipant,statement,vote\nzoé,s1,1\nzoé,s2,-1.00\nbob,s1,-0\n",
    ],
    ids=["other columns", "published form", "blanks and signs", "quotes", "spreadsheet note", "blank head"],
)
def test_forms_of_the_same_votes(text: str) -> None:
    assert triples(text) == WANTED


def test_timestamps_give_the_order_whatever_the_order_of_the_lines() -> None:
    lines = ["30,a,s,1", "10,a,s,-1", "20,b,s,0", "25,b,s,1", "40,b,t,-1"]
    seen = set()
    for seed in range(10):
        random.Random(seed).shuffle(lines)
        seen.add(tuple(triples("timestamp,participant,statement,vote\n" + "\n".join(lines))))
    assert seen == {(("a", "s", -1), ("b", "s", 0), ("b", "s", 1), ("a", "s", 1), ("b", "t", -1))}


def test_a_timestamp_that_is_not_on_every_line_is_ignored() -> None:
    text = "timestamp,participant,statement,vote\n30,a,s,1\n,a,s,-1\n20,a,s,0\n"
    assert [vote for _, _, vote in triples(text)] == [1, -1, 0]


def test_labels_are_sorted_naturally_and_stay_as_they_are_written() -> None:
    text = "participant,statement,vote\n" + "".join(
        f"{p},s,1\n" for p in ("p10", "p2", "7", "07", "10", "É", "")
    )
    votes = read(text.removesuffix(",s,1\n").encode())
    assert votes.participants == ("07", "7", "10", "p2", "p10", "É")
    assert sorted(["b", "a10", "a9", "10", "9"], key=natural) == ["9", "10", "a9", "a10", "b"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        (" \n \n", "empty"),
        ("participant,statement,vote\n", "not a single vote"),
        ("a,b,1\nc,d,-1\n", "no column for the participant among: a, b, 1"),
        ("participant,vote\na,1\n", "no column for the statement"),
        ("participant,statement\na,b\n", "no column for the vote"),
        ("participant,statement,vote,vote\na,b,1,1\n", "2 columns are named 'vote'"),
        ("participant,statement,vote\na,b,1\na,c,2\n", "line 3: '2' is not a vote. Write 1 (agree)"),
        ("participant,statement,vote\na,b,yes\n", "line 2: 'yes' is not a vote"),
        ("participant,statement,vote\na,b,0.5\n", "line 2: '0.5' is not a vote"),
        ("participant,statement,vote\na,b,\n", "line 2: the vote is empty"),
        ("participant,statement,vote\n\n\n ,b,1\n", "line 4: the participant is empty"),
        ("participant,statement,vote\na,,1\n", "line 2: the statement is empty"),
        ("participant,statement,vote\na,b,1\na,b\n", "line 3: 2 columns where the header has at least 3"),
        ('participant,statement,vote\na,b,1\n"a,b,1\nc,d,1\n', "cannot be read"),
        ("sep=;\nparticipant;statement;vote\na;b;9\n", "line 3: '9' is not a vote"),
        (b"PK\x03\x04rest of a workbook", "workbook"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not a text file"),
        (b"participant,statement,vote\na,b,1\n" + b"\0", "not a text file"),
    ],
)
def test_what_is_wrong_is_said_with_the_line_and_what_to_do(content: str | bytes, said: str) -> None:
    with pytest.raises(BadVotesError) as refused:
        read(content.encode() if isinstance(content, str) else content)
    assert said in str(refused.value)


def test_a_quoted_line_break_does_not_shift_the_line_of_a_fault() -> None:
    text = 'participant,statement,vote,note\na,b,1,"one\ntwo\nthree"\na,b,8,\n'
    with pytest.raises(BadVotesError, match="line 5: '8'"):
        read(text.encode())
