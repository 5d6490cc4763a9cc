"""The ledger: everything that was acknowledged, compared at the end with what the server holds."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from essaim.live.crowd.people import People
from essaim.live.crowd.target import Reader, Target

SAMPLE: Final = 2_000
_MOST_FAULTS: Final = 20


class Ledger:
    """What the server said it keeps: about 11 bytes a vote."""

    def __init__(self, people: int) -> None:
        self.votes: list[bytes] = [b""] * people
        """Person → the votes acknowledged, one batch after the other, each `[statement,vote],`."""
        self.ideas: list[tuple[int, str]] = []
        self.joins = 0
        self.joins_retried = 0
        """Joins sent again: each may have let in somebody whose ticket never came."""
        self.unsure: Counter[int] = Counter()
        """Person → votes and ideas sent and never acknowledged: they may be kept or not."""

    def standing(self) -> npt.NDArray[np.int64]:
        """Give (person, statement, vote) of all that must stand: the last vote of a person on a statement."""
        text = b"".join(self.votes).translate(None, b"[]").rstrip(b",")
        pairs = np.array(text.split(b",") if text else [], dtype=np.int64).reshape(-1, 2)
        persons = np.repeat(np.arange(len(self.votes)), [one.count(b"[") for one in self.votes])
        statements, places = np.unique(pairs[:, 0], return_inverse=True)
        # Of equal keys the first one is given: the log is turned round, so that it is the last one.
        _, places = np.unique((persons * len(statements) + places)[::-1], return_index=True)
        return np.column_stack([persons, pairs])[::-1][places]

    def write(self, file: Path, people: People) -> None:
        """Write a numpy archive: `votes` (participant, statement, vote), `idea_participants`, `idea_texts`."""
        votes = self.standing()
        votes[:, 0] = np.array(people.number, dtype=np.int64)[votes[:, 0]]
        owners = np.array([people.number[person] for person, _ in self.ideas], dtype=np.int64)
        texts = np.array([text for _, text in self.ideas], dtype=np.str_)
        with file.open("wb") as out:
            np.savez_compressed(out, votes=votes, idea_participants=owners, idea_texts=texts)


@dataclass
class Check:
    """What the comparison found; `asked`: people whose own account (GET me) was read."""

    acknowledged: int
    lost: int = 0
    doubled: int = 0
    asked: int = 0
    faults: list[str] = field(default_factory=list)

    def say(self, fault: str) -> None:
        """Keep the first faults, in words."""
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(fault)


def check(
    target: Target,
    people: People,
    ledger: Ledger,
    before: dict[str, Any],
    *,
    sample: int = SAMPLE,
    settle_s: float = 5.0,
) -> Check:
    """Compare the ledger with the server: the counts of the room, then each person, or `sample` of them.

    `settle_s`: how long the workers of a server may take to tell each other what they hold.

    `before`: the state when the crowd came. The counts are exact as long as nobody else takes part.
    Raises TargetError when the server does not answer.
    """
    votes = ledger.standing()
    found = Check(len(votes) + len(ledger.ideas) + ledger.joins)
    line = target.connection()
    try:
        by_count = _counts(line, target, ledger, len(votes), before, found, settle_s)
        by_person = _people(line, target, people, ledger, votes, sample, found)
    finally:
        line.close()
    # The counts see everybody, the accounts say who: what both see is one loss.
    found.lost = max(by_count[0], by_person[0])
    found.doubled = max(by_count[1], by_person[1])
    return found


def _counts(
    line: Reader,
    target: Target,
    ledger: Ledger,
    votes: int,
    before: dict[str, Any],
    found: Check,
    settle_s: float,
) -> tuple[int, int]:
    unsure = sum(ledger.unsure.values())
    wanted = {
        "participants": (ledger.joins, ledger.joins_retried),
        "votes": (votes, unsure),
        "contributions": (len(ledger.ideas), unsure),
    }
    until = time.monotonic() + settle_s
    while True:  # several workers tell each other what they hold, a moment later
        state = line.json(f"{target.path}/state")
        grown = {name: state[name] - before.get(name, 0) for name in wanted}
        if all(grown[name] >= least for name, (least, _) in wanted.items()) or time.monotonic() > until:
            break
        time.sleep(0.25)
    lost = doubled = 0
    for name, (least, more) in wanted.items():
        missing, extra = max(0, least - grown[name]), max(0, grown[name] - least - more)
        lost, doubled = lost + missing, doubled + extra
        if missing:
            found.say(f"{missing} {name} acknowledged, and not in the counts of the room")
        if extra:
            found.say(f"{extra} {name} more in the room than were acknowledged (or somebody else took part)")
    return lost, doubled


def _people(
    line: Reader,
    target: Target,
    people: People,
    ledger: Ledger,
    votes: npt.NDArray[np.int64],
    sample: int,
    found: Check,
) -> tuple[int, int]:
    voted = np.bincount(votes[:, 0], minlength=people.count) if len(votes) else np.zeros(people.count, int)
    texts: dict[int, list[str]] = {}
    for person, text in ledger.ideas:
        texts.setdefault(person, []).append(text)
    here = [person for person in range(people.count) if people.number[person] >= 0]
    asked = here if len(here) <= sample else random.Random(7).sample(here, sample)  # noqa: S311
    lost = doubled = 0
    for person in asked:
        found.asked += 1
        status, body = line.get(f"{target.path}/me", people.ticket[person].decode("ascii"))
        said: dict[str, Any] = json.loads(body) if status == 200 else {"votes": 0, "mine": []}
        if status != 200:
            lost += 1
            found.say(f"participant {people.number[person]} is not known any more ({status})")
        unsure = ledger.unsure[person]
        kept = Counter(one["text"] for one in said["mine"])
        missing = max(0, int(voted[person]) - said["votes"])
        missing += sum(1 for text in texts.get(person, ()) if not kept[text])
        extra = max(0, said["votes"] - int(voted[person]) - unsure)
        extra += sum(n - 1 for n in kept.values() if n > 1)
        if missing or extra:
            found.say(
                f"participant {people.number[person]}: {voted[person]} votes acknowledged, {said['votes']} held"
            )
        lost, doubled = lost + missing, doubled + extra
    shared = Counter(people.number[person] for person in here)
    for number, times in shared.items():
        if times > 1:
            doubled += 1
            found.say(f"participant {number} was given to {times} people")
    return lost, doubled
