"""Reading a whole journal at once: the votes of many blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from essaim.live.records import RETRACTED, Block, votes_of
from essaim.live.spec import FIRST_CONTRIBUTION
from essaim.live.votes import CODES, EMPTY, Rows, Votes


class Journaled:
    """The votes of the plain batches of `blocks`, in the order written. Their rows are made when asked for.

    `count`: how many there are; `people`: one above the largest participant. `votes` numbers the statements now.
    """

    def __init__(self, blocks: Sequence[Block], votes: Votes) -> None:
        self._columns = votes_of(blocks)
        self.count = len(self._columns.value)
        self.people = 1 + int(self._columns.participant.max()) if self.count else 0
        statement = self._columns.statement
        if int(statement.max(initial=0)) < 10 * FIRST_CONTRIBUTION:  # flags are far quicker than sorting
            seen = np.zeros(int(statement.max(initial=0)) + 1, dtype=bool)
            seen[statement] = True
            self._ids = np.flatnonzero(seen)
        else:
            self._ids = np.unique(statement)
        self._numbers = np.array([votes.number(one) for one in self._ids.tolist()], dtype=np.int64)

    def rows(self) -> Rows:
        """Make the rows; costly where there are millions, and fit for a thread."""
        columns = self._columns
        if not self.count:
            return EMPTY
        if int(self._ids[-1]) < 10 * FIRST_CONTRIBUTION:
            table = np.zeros(int(self._ids[-1]) + 1, dtype=np.int64)
            table[self._ids] = self._numbers
            number = table[columns.statement]
        else:
            number = self._numbers[np.searchsorted(self._ids, columns.statement)]
        entry = np.repeat(columns.seq * CODES - RETRACTED, columns.count)
        entry += columns.value
        return Rows(
            np.repeat(columns.participant.astype(np.int64), columns.count),
            number,
            entry,
            np.repeat(columns.at, columns.count),
        )
