"""The statements of a room: seeds and contributions, their status, tallies, and the row of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from essaim.live.records import IdeaRecord
from essaim.live.spec import REASON, RoomSpec, Seed
from essaim.live.votes import Votes

Status = Literal["shown", "waiting", "hidden"]
_NO_TALLY: Final = (0, 0, 0, 0)


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
    """Every statement of a room by id; tallies come from the votes, rows are made when they changed.

    `votable`: {id: its number in the votes} of what may be voted on.
    """

    def __init__(self, spec: RoomSpec, votes: Votes) -> None:
        self.contributions: dict[int, Contribution] = {}
        self.votable: dict[int, int] = {}
        self._votes = votes
        self._rows: dict[int, StatementRow] = {}
        self._cards: dict[int, bytes] = {}
        self._offerable: set[int] = set()
        self._authors: dict[int, str] = {}
        self.use(spec)

    def use(self, spec: RoomSpec) -> None:
        """Take the seeds and the moderation decisions of a new specification."""
        self._seeds: dict[int, Seed] = {seed.id: seed for seed in spec.seeds}
        self._shown, self._hidden = frozenset(spec.shown), frozenset(spec.hidden)
        self._after = spec.moderation == "after"
        self._rows.clear()
        self._cards.clear()
        voices = (one for one, known in self.contributions.items() if known.idea.kind != REASON)
        self.votable = {one: self._votes.number(one) for one in (*self._seeds, *voices)}
        self._offer = {place: None for one, place in self.votable.items() if self._offered(one)}

    def use_votes(self, votes: Votes) -> None:
        """Take the same votes in another form: numbers stay, tallies are made anew."""
        self._votes = votes

    def add(self, contribution: Contribution) -> bool:
        """Keep a contribution; say whether it is new (an id comes from one record only)."""
        number = contribution.idea.id
        if number in self.contributions:
            return False
        self.contributions[number] = contribution
        if contribution.idea.kind != REASON:
            self.votable[number] = self._votes.number(number)
        return True

    def name_author(self, participant: int, name: str, numbers: Iterable[int]) -> None:
        """Sign the contributions `numbers` of a participant; a join may be read after what it allowed."""
        # Of two joins of one number the same stands, in whatever order they come.
        self._authors[participant] = max(name, self._authors.get(participant, ""))
        for number in numbers:
            self._rows.pop(number, None)

    def settle(self, number: int) -> None:
        """Offer a contribution from now on: it is on the disk, its id means this text for good."""
        self._offerable.add(number)
        if self._offered(number):
            self._offer[self.votable[number]] = None

    def __contains__(self, number: object) -> bool:
        return number in self._seeds or number in self.contributions

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

    def on_offer(self) -> list[int]:
        """Give what can be put to the vote now, by their numbers in the votes."""
        return list(self._offer)

    def ids(self) -> list[int]:
        """Give all ids, ascending."""
        return sorted([*self._seeds, *self.contributions])

    def row(self, number: int) -> StatementRow:
        """Give the row of a statement; KeyError if there is none."""
        row, tally = self._rows.get(number), self._tally(number)
        if row is None or (row.disagrees, row.passes, row.agrees) != tally[1:]:
            row = self._rows[number] = self._made(number, tally)
        return row

    def card(self, number: int) -> bytes:
        """Give the JSON by which a statement (its number in the votes) is offered to phones."""
        card = self._cards.get(number)
        if card is None:
            row = self.row(self._votes.targets[number])
            card = msgspec.json.encode({"id": row.id, "text": row.text, "item": row.item, "kind": row.kind})
            self._cards[number] = card
        return card

    def rows(self) -> tuple[StatementRow, ...]:
        """Give all rows in the order of ids."""
        return tuple(self.row(number) for number in self.ids())

    def _offered(self, number: int) -> bool:
        known = number in self._seeds or number in self._offerable
        return known and number in self.votable and self.status(number) == "shown"

    def _tally(self, number: int) -> tuple[int, ...]:
        """Give how many votes stand by code: taken back, disagree, pass, agree."""
        place = self._votes.numbers.get(number)
        return _NO_TALLY if place is None else tuple(self._votes.tallies[4 * place : 4 * place + 4])

    def _made(self, number: int, tally: tuple[int, ...]) -> StatementRow:
        _, disagrees, passes, agrees = tally
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
