"""The command line as its users call it: each command in a process of its own, on a data folder of its own."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

CONVERSATIONS = (
    "15-per-hour-seattle",
    "scoop-hivemind.biodiversity",
    "austria-climate.5twd2jsnkf.2022-08-08",
    "vtaiwan.uberx",
)


@pytest.fixture
def essaim(tmp_path):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ESSAIM_")}
    environ["ESSAIM_DATA_DIR"] = str(tmp_path / "data")

    def run(*words, given="", **settings):
        return subprocess.run(
            [sys.executable, "-m", "essaim.cli", *map(str, words)],
            env=environ | {f"ESSAIM_{name.upper()}": value for name, value in settings.items()},
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def wide_counts(path: Path) -> tuple[Counter, Counter]:
    """The counts by statement and by participant of a published participants-votes.csv."""
    statements: Counter = Counter()
    people: Counter = Counter()
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for column, vote in row.items():
                if column.isdigit() and vote:
                    statements[int(column), int(vote)] += 1
                    people[int(row["participant"])] += 1
    return statements, people


def exported_counts(text: str) -> tuple[Counter, Counter]:
    rows = list(csv.DictReader(io.StringIO(text)))
    statements = Counter((int(row["statement"]), int(row["vote"])) for row in rows)
    return statements, Counter(int(row["participant"]) for row in rows)


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_an_imported_conversation_has_exactly_the_published_counts(name, essaim, real_data):
    folder = real_data / "polis" / name
    imported = essaim("import", "polis", folder)
    assert imported.returncode == 0, imported.stderr
    exported = essaim("export", "session", imported.stdout.strip(), "--votes")
    assert exported_counts(exported.stdout) == wide_counts(folder / "participants-votes.csv")


def test_a_replay_through_http_ends_with_exactly_the_published_counts(essaim, real_data):
    folder = real_data / "polis" / CONVERSATIONS[0]
    source = essaim("import", "polis", folder).stdout.strip()
    replay = essaim("replay", source)
    assert replay.returncode == 0, replay.stderr
    exported = essaim("export", "session", replay.stdout.strip(), "--votes")
    statements, people = exported_counts(exported.stdout)
    wanted_statements, wanted_people = wide_counts(folder / "participants-votes.csv")
    assert statements == wanted_statements
    assert sorted(people.values()) == sorted(wanted_people.values())


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "comments.csv is missing"),
        ({"comments.csv": "a,b\n1,2\n"}, "has no column comment-id"),
        (
            {"comments.csv": "comment-id,comment-body,moderated\nx,Text,1\n"},
            "line 2: 'x' is not a whole number",
        ),
        (
            {
                "comments.csv": "comment-id,comment-body,moderated\n0,Text,1\n",
                "votes.csv": "timestamp,comment-id,voter-id,vote\n1,0,0,7\n",
            },
            "line 2: 7 is not between -1 and 1",
        ),
    ],
)
def test_a_bad_source_is_refused_with_its_line(files, said, essaim, tmp_path):
    folder = tmp_path / "conversation"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    done = essaim("import", "polis", folder)
    assert done.returncode == 2
    assert said in done.stderr


def test_an_organisation_is_founded_once(essaim):
    words = (
        "found",
        "Altura",
        "--email",
        "claire@altura.example",
        "--name",
        "Claire Morel",
        "--password-stdin",
    )
    first = essaim(*words, given="abeilles-du-soir-26\n")
    assert (first.returncode, first.stdout.strip()) == (0, "altura")
    again = essaim(*words, given="abeilles-du-soir-26\n")
    assert again.returncode == 1
    assert "claire@altura.example" in again.stderr
    weak = essaim("found", "B", "--email", "b@b.example", "--name", "B", "--password-stdin", given="1234\n")
    assert weak.returncode == 1


def test_an_unknown_setting_is_refused_with_a_hint(essaim):
    done = essaim("serve", prot="80")
    assert done.returncode == 2
    assert "ESSAIM_PROT is not a setting" in done.stderr
    assert "ESSAIM_PORT" in done.stderr


@pytest.mark.parametrize("words", [("export", "session", "nosuch", "--votes"), ("replay", "nosuch")])
def test_an_unknown_session_is_said(words, essaim):
    done = essaim(*words)
    assert done.returncode == 1
    assert "nosuch" in done.stderr


def test_the_demo_never_removes_what_it_did_not_make(essaim, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "precious").write_text("votes")
    done = essaim("demo")
    assert done.returncode == 2
    assert (tmp_path / "data" / "precious").read_text() == "votes"


def test_a_session_with_contributions_ratings_and_votes_is_replayed_whole(essaim, tmp_path):
    """The demo's closed session has all three; contributions get new numbers in the replay, the counts are the same."""
    fill = (
        "from essaim.cli.setup import prepare; prepare()\n"
        "from essaim.cli.demo_data import fill; fill('abeilles-du-soir-26')\n"
        "from essaim.listen.sessions.models import Session\n"
        "print(Session.objects.get(title__startswith='Six').id)\n"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ESSAIM_")}
    environ |= {"ESSAIM_DATA_DIR": str(tmp_path / "data"), "ESSAIM_DEMO": "yes"}
    filled = subprocess.run(
        [sys.executable, "-c", fill], env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    replay = essaim("replay", filled.stdout.strip())
    assert replay.returncode == 0, replay.stderr
    assert replay.stderr.count("the same") == 5
