"""The crowd against a real server: it comes, votes, writes, comes back after a storm, and its ledger finds what is lost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from essaim.cli import main
from essaim.live import hub as hubs
from essaim.live.crowd import rehearsal
from essaim.live.crowd.engine import Crowd
from essaim.live.crowd.ledger import check
from essaim.live.crowd.pace import Pace
from essaim.live.crowd.target import Target, TargetError, find
from essaim.live.spec import Seed
from tests.live.served import live_spec
from tests.live.servers import free_port

SOURCE = Path(__file__).resolve().parents[2] / "src"
STATEMENTS = 60


class Served:
    """A server with one room of 60 statements, in a process of its own; it can be killed."""

    def __init__(self, data: Path, *phases: str, **changes: Any) -> None:
        self.data, self.port = data, free_port()
        seeds = tuple(Seed(n, f"Énoncé {n}") for n in range(STATEMENTS))
        hubs.publish(data, live_spec(*phases, seeds=seeds, **changes))
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Target:
        self.start()
        return find(f"http://127.0.0.1:{self.port}/s/ABC123", own=None)

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "essaim.live.serve",
            str(self.data),
            "--port",
            str(self.port),
            "--wide",
        ]
        self.process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(SOURCE)})
        for _attempt in range(600):
            with contextlib.suppress(TargetError):
                find(f"http://127.0.0.1:{self.port}/live/room-1", own=None)
                return
            time.sleep(0.05)
        raise RuntimeError("the server does not answer")

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(15)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


def quick(people: int = 40, **changes: Any) -> Pace:
    """A crowd in a hurry: a batch every 0.3 s, for two seconds."""
    usual = {"minutes": 0.03, "join_over": 0.3, "every": 0.3, "ideas": 0.1, "votes": (1, 2)}
    return Pace(people, **(usual | changes))


def test_what_was_acknowledged_is_held(tmp_path: Path) -> None:
    said: list[str] = []
    with Served(tmp_path) as target:
        outcome = rehearsal.hold(
            target, quick(poll=0.5), connections=16, streams=3, clocks=True, within_ms=1e6, say=said.append
        )
    assert (outcome.faults(), outcome.holds) == ([], True)
    assert outcome.check is not None
    assert (outcome.check.lost, outcome.check.doubled, outcome.check.asked) == (0, 0, 40)
    assert outcome.spread is not None
    assert (outcome.spread.people, outcome.spread.uninformed) == (40, 0)
    assert len(outcome.tally.reads)
    assert "counts" in {event.name for event in outcome.events}
    assert {event.received for event in outcome.events} == {3}
    assert "batches/s" in said[-1]
    assert outcome.lines()[0].startswith("40 people: yes.")
    view = hubs.view(tmp_path, "room-1")
    written = [row.text for row in view.statements if not row.text.startswith("Énoncé")]
    assert written and all(text.startswith("essaim crowd ") for text in written), "recognisable"


def test_everybody_comes_back_after_a_storm(tmp_path: Path) -> None:
    with Served(tmp_path) as target:
        outcome = rehearsal.hold(target, quick(minutes=0.06, storm=True), connections=40, within_ms=1e6)
    assert outcome.faults() == []
    assert (outcome.storm_hit, outcome.storm_missing, len(outcome.tally.back)) == (40, 0, 40)


def test_a_killed_server_loses_and_doubles_nothing(tmp_path: Path) -> None:
    served = Served(tmp_path / "data")
    seconds = 0

    def kill(*_: object) -> None:
        nonlocal seconds
        seconds += 1
        if seconds == 2:
            served.kill()
            served.start()

    with served as target:
        crowd = Crowd(target, quick(minutes=0.08), connections=40, progress=kill)
        tally = crowd.run()
        found = check(target, crowd.people, crowd.ledger, crowd.room.before)
    assert tally.interruptions, "the kill was felt"
    assert (found.lost, found.doubled, found.faults) == (0, 0, [])
    crowd.ledger.write(tmp_path / "ledger.npz", crowd.people)
    written = np.load(tmp_path / "ledger.npz")
    votes = {(p, s): v for p, s, v in written["votes"].tolist()}
    matrix = hubs.view(tmp_path / "data", "room-1").vote_matrix
    assert len(votes) == len(matrix.values), "the file says what the journal holds"
    assert len(written["idea_texts"]) == len(crowd.ledger.ideas)


def test_the_ledger_finds_what_is_lost(tmp_path: Path) -> None:
    """A disk that forgets: the server goes on with a copy of its data from the middle of the run."""
    served = Served(tmp_path / "data")

    def copy(crowd: Crowd, _: object) -> None:
        if crowd.inside == 40 and not (tmp_path / "older").exists():
            shutil.copytree(tmp_path / "data", tmp_path / "older")

    with served as target:
        crowd = Crowd(target, quick(), connections=40, progress=copy)
        crowd.run()
        served.stop()
        shutil.rmtree(tmp_path / "data")
        shutil.copytree(tmp_path / "older", tmp_path / "data")
        served.start()
        found = check(target, crowd.people, crowd.ledger, crowd.room.before, settle_s=0.1)
    assert found.lost > 0
    assert found.doubled == 0
    assert any("not in the counts" in fault for fault in found.faults)


def test_the_ledger_finds_what_counts_twice(tmp_path: Path) -> None:
    with Served(tmp_path) as target:
        crowd = Crowd(target, quick(ideas=0.0), connections=40)
        crowd.run()
        known = {int(number) for number in crowd.ledger.standing()[crowd.ledger.standing()[:, 0] == 0][:, 1]}
        fresh = next(number for number in range(STATEMENTS) if number not in known)
        answer = httpx.post(
            f"http://127.0.0.1:{target.port}{target.path}/batch",
            json={"seq": 1, "votes": [[fresh, 1]]},
            headers={"Authorization": f"Bearer {crowd.people.ticket[0].decode()}"},
        )
        assert answer.json()["refused"] == []
        found = check(target, crowd.people, crowd.ledger, crowd.room.before)
    assert (found.lost, found.doubled) == (0, 1)


def test_people_wait_for_the_phase_that_takes_votes(tmp_path: Path) -> None:
    with Served(tmp_path, "draft") as target:
        crowd = Crowd(target, quick(ideas=0.5), connections=40)
        crowd.run()
        found = check(target, crowd.people, crowd.ledger, crowd.room.before)
    assert crowd.ledger.ideas
    assert not len(crowd.ledger.standing())
    assert (found.lost, found.doubled) == (0, 0)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    served = Served(tmp_path)
    with served:
        words = [
            "--people",
            "20",
            "--minutes",
            "0.02",
            "--join-over",
            "0.2",
            "--every",
            "0.3",
            "--within",
            "99999",
        ]
        assert main(["crowd", f"http://127.0.0.1:{served.port}/s/ABC123", *words, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["holds"], found["inside"]) == (True, 20)
        assert found["server_cores"] is not None
        assert main(["crowd", f"http://127.0.0.1:{served.port}/s/NOBODY", *words]) == 1
        assert "no session" in capsys.readouterr().err
    assert main(["crowd", f"http://127.0.0.1:{served.port}/s/ABC123", *words]) == 1
    assert "does not answer" in capsys.readouterr().err
