"""Reading a whole journal at once: the votes of many blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from essaim.live.records import RETRACTED, Block
from essaim.live.spec import FIRST_CONTRIBUTION
from essaim.live.votes import CODES, EMPTY, Rows, Votes


class Journaled:
    """The votes of the plain batches of `blocks`, in the order written. Their rows are made when asked for.

    `count`: how many there are; `people`: one above the largest participant. `votes` numbers the statements now.
    """

    def __init__(self, blocks: Sequence[Block], votes: Votes) -> None:
        self._columns = [block.votes for block in blocks if len(block.votes.participant)]
        self.count = sum(len(one.value) for one in self._columns)
        self.people = 1 + max((int(one.participant.max()) for one in self._columns), default=-1)
        largest = max((int(one.statement.max(initial=0)) for one in self._columns), default=0)
        if largest < 10 * FIRST_CONTRIBUTION:  # flags are far quicker than sorting
            seen = np.zeros(largest + 1, dtype=bool)
            for one in self._columns:
                seen[one.statement] = True
            self._ids = np.flatnonzero(seen)
        else:
            self._ids = np.unique(np.concatenate([np.unique(one.statement) for one in self._columns]))
        self._numbers = np.array([votes.number(one) for one in self._ids.tolist()], dtype=np.int64)

    def rows(self) -> Rows:
        """Make the rows; costly where there are millions, and fit for a thread."""
        if not self._columns:
            return EMPTY
        columns, statement = self._columns, np.concatenate([one.statement for one in self._columns])
        if len(self._ids) and int(self._ids[-1]) < 10 * FIRST_CONTRIBUTION:
            table = np.zeros(int(self._ids[-1]) + 1, dtype=np.int64)
            table[self._ids] = self._numbers
            number = table[statement]
        else:
            number = self._numbers[np.searchsorted(self._ids, statement)]
        count = np.concatenate([one.count for one in columns])
        entry = np.repeat(np.concatenate([one.seq for one in columns]) * CODES - RETRACTED, count)
        entry += np.concatenate([one.value for one in columns])
        return Rows(
            np.repeat(np.concatenate([one.participant for one in columns]), count),
            number,
            entry,
            np.repeat(np.concatenate([one.at for one in columns]), count),
        )
