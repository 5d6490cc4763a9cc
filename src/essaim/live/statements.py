"""The statements of a room: seeds and contributions, their status, tallies, and the row of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from essaim.live.records import RETRACTED, IdeaRecord
from essaim.live.spec import FIRST_CONTRIBUTION, REASON, RoomSpec, Seed

Status = Literal["shown", "waiting", "hidden"]
_COLUMN: Final = {1: 0, -1: 1, 0: 2}


@dataclass(frozen=True)
class StatementRow:
    """One statement as everybody may see it; `author` is empty in anonymous rooms, `at` 0 for a seed."""

    id: int
    text: str
    item: int | None
    kind: str | None
    origin: Literal["seed", "voice"]
    status: Status
    participant: int | None
    author: str
    at: int
    re: int | None
    agrees: int
    disagrees: int
    passes: int
    seen: int


@dataclass(frozen=True)
class Contribution:
    """A contribution with who brought it (a number) and when."""

    idea: IdeaRecord
    participant: int
    at: int


class Statements:
    """Every statement of a room by id; tallies follow the votes, rows are made when they change."""

    def __init__(self, spec: RoomSpec) -> None:
        self.contributions: dict[int, Contribution] = {}
        self._tallies: dict[int, list[int]] = {}
        self._rows: dict[int, StatementRow] = {}
        self._offerable: set[int] = set()
        self._authors: dict[int, str] = {}
        self.use(spec)

    def use(self, spec: RoomSpec) -> None:
        """Take the seeds and the moderation decisions of a new specification."""
        self._seeds: dict[int, Seed] = {seed.id: seed for seed in spec.seeds}
        self._shown, self._hidden = frozenset(spec.shown), frozenset(spec.hidden)
        self._after = spec.moderation == "after"
        self._rows.clear()

    def add(self, contribution: Contribution) -> bool:
        """Keep a contribution; say whether it is new (an id comes from one record only)."""
        number = contribution.idea.id
        if number in self.contributions:
            return False
        self.contributions[number] = contribution
        self._rows.pop(number, None)
        return True

    def name_author(self, participant: int, name: str, numbers: Iterable[int]) -> None:
        """Sign the contributions `numbers` of a participant; a join may be read after what it allowed."""
        self._authors[participant] = name
        for number in numbers:
            self._rows.pop(number, None)

    def settle(self, number: int) -> None:
        """Offer a contribution from now on: it is on the disk, its id means this text for good."""
        self._offerable.add(number)

    def count_vote(self, number: int, before: int | None, value: int) -> None:
        """Move the tallies of a statement from the value `before` to `value`."""
        tally = self._tallies.get(number)
        if tally is None:
            tally = self._tallies[number] = [0, 0, 0]
        if before is not None and before != RETRACTED:
            tally[_COLUMN[before]] -= 1
        if value != RETRACTED:
            tally[_COLUMN[value]] += 1
        self._rows.pop(number, None)

    def __contains__(self, number: object) -> bool:
        return number in self._seeds or number in self.contributions

    def votable(self, number: int) -> bool:
        """Say whether votes on this id are kept: it exists and is not the reason of a rating."""
        contribution = self.contributions.get(number)
        return number in self._seeds if contribution is None else contribution.idea.kind != REASON

    def status(self, number: int) -> Status:
        """Give the status of an existing statement: a decision first, then the rule of the room."""
        if number in self._hidden:
            return "hidden"
        if number in self._shown:
            return "shown"
        seed = self._seeds.get(number)
        if seed is not None:
            return "shown" if seed.shown else "hidden"
        return "shown" if self._after else "waiting"

    def seen(self, number: int) -> int:
        """Give the number of votes that stand on a statement, passes included."""
        return sum(self._tallies.get(number, ()))

    def author_of(self, number: int) -> int | None:
        """Give the participant who brought a statement, None for a seed."""
        contribution = self.contributions.get(number)
        return None if contribution is None else contribution.participant

    def on_offer(self) -> list[int]:
        """Give the ids that can be put to the vote now, ascending."""
        return [
            number
            for number in self.ids()
            if (number < FIRST_CONTRIBUTION or number in self._offerable)
            and self.votable(number)
            and self.status(number) == "shown"
        ]

    def ids(self) -> list[int]:
        """Give all ids, ascending."""
        return sorted([*self._seeds, *self.contributions])

    def row(self, number: int) -> StatementRow:
        """Give the row of a statement; KeyError if there is none."""
        row = self._rows.get(number)
        if row is None:
            row = self._rows[number] = self._made(number)
        return row

    def rows(self) -> tuple[StatementRow, ...]:
        """Give all rows in the order of ids."""
        return tuple(self.row(number) for number in self.ids())

    def _made(self, number: int) -> StatementRow:
        agrees, disagrees, passes = self._tallies.get(number, (0, 0, 0))
        seen, status = agrees + disagrees + passes, self.status(number)
        seed = self._seeds.get(number)
        if seed is not None:
            return StatementRow(
                number, seed.text, seed.item, seed.kind, "seed", status, None, "", 0, None,
                agrees, disagrees, passes, seen,
            )  # fmt: skip
        brought = self.contributions[number]
        idea = brought.idea
        return StatementRow(
            number, idea.text, idea.item, idea.kind, "voice", status, brought.participant,
            self._authors.get(brought.participant, ""), brought.at, idea.re, agrees, disagrees, passes, seen,
        )  # fmt: skip
