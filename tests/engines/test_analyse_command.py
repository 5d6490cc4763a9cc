"""`essaim analyse opinion`: what it prints, its exit codes, and that the order of lines changes nothing."""

from __future__ import annotations

import argparse
import io
import json
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from essaim.cli import analyse as command
from essaim.engines.opinion import analyse
from essaim.engines.votes import from_triples
from essaim.live.projections import RoomView
from tests.engines.conftest import DATA, planted

KEYS = [
    "software",
    "method",
    "votes",
    "map",
    "participants",
    "groups",
    "consensus",
    "group_aware_consensus",
    "statements",
]


def lines(people: int = 60, cards: int = 12, *, person: str = "p{}", card: str = "s{}") -> list[str]:
    matrix, _ = planted(people, cards, share=0.8, seed=3)
    return [
        f"{person.format(p)},{card.format(s)},{v}"
        for p, s, v in zip(
            matrix.participants[matrix.rows()].tolist(),
            matrix.statements[matrix.indices].tolist(),
            matrix.values.tolist(),
            strict=True,
        )
    ]


def write(path: Path, rows: list[str]) -> str:
    path.write_text("participant,statement,vote\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return str(path)


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert command.main(["opinion", *arguments]) == 0
    return capsys.readouterr().out


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    return dict(json.loads(output(capsys, "--json", *arguments)))


def test_the_document_says_what_the_engine_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = lines()
    found = document(capsys, write(tmp_path / "votes.csv", rows))
    assert list(found) == KEYS
    triples = [row.split(",") for row in rows]
    opinion = analyse(
        from_triples(
            *([int(row[i].lstrip("ps")) for row in triples] for i in (0, 1)), [int(r[2]) for r in triples]
        )
    )
    assert [[p["x"], p["y"]] for p in found["participants"]] == opinion.coordinates.tolist()
    assert [p["participant"] for p in found["participants"]] == [f"p{i}" for i in opinion.participants]
    letters = [group.label for group in opinion.groups]
    assert [p["group"] for p in found["participants"]] == [
        letters[g] if g >= 0 else None for g in opinion.group
    ]
    assert [g["size"] for g in found["groups"]] == [group.size for group in opinion.groups]
    for described, group in zip(found["groups"], opinion.groups, strict=True):
        assert described["members"] == [
            f"p{opinion.participants[i]}" for i in np.flatnonzero(opinion.group == group.id)
        ]
        said = [(r["statement"], r["agree"], r["score"]) for r in described["representative"]]
        assert said == [(f"s{r.statement}", r.agree, r.score) for r in group.representative]
    assert [c["statement"] for c in found["consensus"]["agree"]] == [
        f"s{c.statement}" for c in opinion.consensus_agree
    ]
    assert [s["agrees"] for s in found["statements"]] == opinion.agrees.tolist()
    assert [s["priority"] for s in found["statements"]] == opinion.priorities.tolist()
    assert found["map"]["variance_explained"] == opinion.variance.tolist()
    aware = [c["value"] for c in found["group_aware_consensus"]]
    assert aware == sorted(opinion.group_aware.tolist(), reverse=True)
    for statement in found["statements"]:
        assert statement["low"] <= statement["agree_share"] <= statement["high"]
        assert statement["seen"] == statement["agrees"] + statement["disagrees"] + statement["passes"]
        for key in ("agrees", "disagrees", "seen"):  # everybody here has enough votes to be in a group
            assert sum(group[key] for group in statement["groups"]) == statement[key]


def test_the_order_of_lines_changes_no_byte(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = lines()
    first = output(capsys, "--json", write(tmp_path / "votes.csv", rows))
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        assert output(capsys, "--json", write(tmp_path / "votes.csv", rows)) == first


def test_the_last_vote_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = lines()
    changed = [row.rsplit(",", 1)[0] + ",0" for row in rows[:40]] + rows
    first, second = (document(capsys, write(tmp_path / "votes.csv", r)) for r in (rows, changed))
    assert second["votes"].pop("lines") == first["votes"].pop("lines") + 40
    assert first == second


def test_labels_of_any_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = document(capsys, write(tmp_path / "plain.csv", lines()))
    rows = lines(person="Zoé {} 中", card='"a, ""{}"" b"')
    odd = document(capsys, write(tmp_path / "odd.csv", rows))
    assert odd["participants"][10]["participant"] == "Zoé 10 中"
    assert odd["statements"][2]["statement"] == 'a, "2" b'
    assert [(p["x"], p["y"], p["group"]) for p in odd["participants"]] == [
        (p["x"], p["y"], p["group"]) for p in plain["participants"]
    ]
    assert odd["votes"]["digest"] != plain["votes"]["digest"]


def test_the_digest_is_the_one_a_live_session_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = lines(person="{}", card="{}")
    found = document(capsys, write(tmp_path / "votes.csv", rows))
    matrix = from_triples(*np.array([[int(cell) for cell in row.split(",")] for row in rows]).T)
    view = RoomView.__new__(RoomView)
    object.__setattr__(view, "facts", SimpleNamespace(matrix=matrix))
    assert found["votes"]["digest"] == f"sha256:{view.vote_digest}"
    rows[0] = rows[0][:-1] + ("0" if rows[0][-1] != "0" else "1")
    assert (
        document(capsys, write(tmp_path / "votes.csv", rows))["votes"]["digest"] != found["votes"]["digest"]
    )


def test_rejected_statements_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    votes = write(tmp_path / "votes.csv", lines())
    assert command.main(["opinion", votes, "--json", "--rejected", "s1, s11", "--rejected", "s3,nobody"]) == 0
    captured = capsys.readouterr()
    assert "'nobody'" in captured.err
    found = json.loads(captured.out)
    assert found["method"]["rejected"] == ["s1", "s3", "s11"]
    shown = {r["statement"] for g in found["groups"] for r in g["representative"]}
    shown |= {c["statement"] for side in found["consensus"].values() for c in side}
    shown |= {c["statement"] for c in found["group_aware_consensus"]}
    assert shown
    assert not shown & {"s1", "s3", "s11"}
    assert [s["statement"] for s in found["statements"] if s["rejected"]] == ["s1", "s3", "s11"]


def test_grouping_and_threshold_are_passed_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    votes = write(tmp_path / "votes.csv", lines())
    assert document(capsys, votes, "--grouping", "polis")["method"]["grouping"] == "polis"
    few = document(capsys, votes, "--min-votes", "12")
    assert few["map"]["counted"] == max(15, sum(p["votes"] >= 12 for p in few["participants"]))


def test_a_summary_to_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, write(tmp_path / "votes.csv", lines()))
    assert text.startswith("60 participants, 12 statements, ")
    assert "Group A: " in text
    assert "Most people agree:" in text


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Input:
        buffer = io.BytesIO(("participant,statement,vote\n" + "\n".join(lines())).encode("utf-16"))

    monkeypatch.setattr(sys, "stdin", Input)
    assert document(capsys, "-")["votes"]["participants"] == 60


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        ("participant,statement,vote\na,b,3\n", "line 2: '3' is not a vote"),
        (None, "No such file"),
    ],
)
def test_bad_files_exit_with_2(
    content: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "votes.csv"
    if content is not None:
        path.write_text(content)
    assert command.main(["opinion", str(path), "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert str(path) in captured.err


@pytest.mark.parametrize(
    "rows", [["a,s,1"], ["a,s,0", "b,s,0"], ["a,s,1", "b,t,1"]], ids=["one", "same", "apart"]
)
@pytest.mark.parametrize("grouping", ["grid", "polis"])
def test_tiny_files_have_a_result(
    rows: list[str], grouping: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    votes = write(tmp_path / "votes.csv", rows)
    found = document(capsys, votes, "--grouping", grouping)
    assert found["votes"]["count"] == len(rows)
    assert found["map"]["groups"] >= 1
    assert output(capsys, votes, "--grouping", grouping)


def test_the_parser_gives_the_function_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    assert parser.parse_args(["analyse", "opinion", "x.csv"]).func is command.run_opinion
    with pytest.raises(SystemExit) as stopped:
        parser.parse_args(["analyse", "opinion", "--help"])
    assert stopped.value.code == 0
    told = capsys.readouterr().out
    assert all(key in told for key in KEYS)


def test_it_runs_as_a_module_and_needs_no_django(tmp_path: Path) -> None:
    votes = write(tmp_path / "votes.csv", lines())
    code = (
        "import sys; from essaim.cli.analyse import main; code = main(['opinion', sys.argv[1], '--json']); "
        "sys.exit(code or ('django' in sys.modules and 9) or 0)"
    )
    for command_line in (["-c", code, votes], ["-m", "essaim.cli.analyse", "opinion", votes, "--json"]):
        done = subprocess.run(
            [sys.executable, *command_line],
            capture_output=True,
            check=False,
            env={"PYTHONPATH": str(Path(command.__file__).parents[2]), "PYTHONIOENCODING": "ascii"},
        )
        assert done.returncode == 0, done.stderr.decode()
        assert json.loads(done.stdout)["votes"]["participants"] == 60


@pytest.mark.parametrize("name", ["vtaiwan.uberx", "15-per-hour-seattle"])
def test_published_files_in_any_order(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = DATA / name / "votes.csv"
    if not source.is_file():
        pytest.skip(f"real conversation not found in {source.parent} (set ESSAIM_TEST_DATA)")
    first = output(capsys, "--json", str(source))
    header, *rows = source.read_text(encoding="utf-8").splitlines()
    random.Random(7).shuffle(rows)
    (tmp_path / "votes.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
    assert output(capsys, "--json", str(tmp_path / "votes.csv")) == first
