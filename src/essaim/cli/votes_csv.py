"""Votes in a text file, as spreadsheets and other tools write them: any usual encoding and separator.

One line a vote: columns `participant, statement, vote` (or the openly published `voter-id, comment-id,
vote`), in any order and among any others. Labels are any text. The order in which votes were given is that of
a `timestamp` column when every line has a whole number there, else that of the lines. Whatever is wrong is
refused with the line at fault and what to do about it.
"""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

COLUMNS = (
    ("participant", ("participant", "voter-id", "voter_id")),
    ("statement", ("statement", "comment-id", "comment_id")),
    ("vote", ("vote",)),
)
SEPARATORS = ",;\t"
_VOTES = {"1": 1, "+1": 1, "-1": -1, "0": 0, "+0": 0, "-0": 0}
_DIGITS = frozenset("0123456789")
_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-"})  # what word processors make of a hyphen
_SEP_LINE = re.compile(r"sep=(.)\r?\n?|sep=(.)\r", re.IGNORECASE)


class BadVotesError(ValueError):
    """The file cannot be read as votes; the message says where and what to do."""


@dataclass(frozen=True, eq=False)
class VotesFile:
    """The votes of a file in their order.

    Participant, statement: (N,) places in the label lists; vote: (N,).
    """

    participants: tuple[str, ...]
    statements: tuple[str, ...]
    participant: npt.NDArray[np.int64]
    statement: npt.NDArray[np.int64]
    vote: npt.NDArray[np.int64]


def decode(content: bytes) -> str:
    """The text of a file: UTF-8 or UTF-16, with or without a mark, else Windows-1252.

    Raises BadVotesError when it is not text (a workbook, an archive, an image).
    """
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise BadVotesError(
            "this is a workbook or an archive, not text. Save the sheet as CSV and try again."
        )
    encodings = ["utf-8-sig", "cp1252"]
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif 0 in content[:2] and content[:2] != b"\0\0":  # UTF-16 without its mark: every other byte is zero
        encodings = ["utf-16-le" if content[1] == 0 else "utf-16-be"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.removeprefix("\ufeff")
    raise BadVotesError("this is not a text file. Save the votes as CSV (UTF-8) and try again.")


def read(content: bytes) -> VotesFile:
    """The votes of a file. Raises BadVotesError for what cannot be read, naming the line."""
    import numpy as np

    text = decode(content)
    if not text.strip():
        raise BadVotesError(f"the file is empty. {_wanted()}")
    people, cards = _Labels("participant"), _Labels("statement")
    who, what, vote = array("q"), array("q"), array("b")
    values: dict[str, int] = {}
    times: list[str] = []
    for line, a, b, c, when in _records(text):
        value = values.get(c)
        if value is None:
            value = values[c] = _vote(c, line)
        who.append(people.place(a, line))
        what.append(cards.place(b, line))
        vote.append(value)
        times.append(when)
    if not len(vote):
        raise BadVotesError("there is a header but not a single vote. Add one line a vote below it.")
    person, participants = people.sorted()
    card, statements = cards.sorted()
    order = _order(times)
    return VotesFile(
        participants,
        statements,
        person[np.frombuffer(who, dtype=np.int64)[order]],
        card[np.frombuffer(what, dtype=np.int64)[order]],
        np.frombuffer(vote, dtype=np.int8).astype(np.int64)[order],
    )


def _order(times: list[str]) -> npt.NDArray[np.int64] | slice:
    """The places of votes from the earliest to the latest; the file's order decides between equal times."""
    import numpy as np

    try:
        return np.argsort(np.array([int(when) for when in times], dtype=np.int64), kind="stable")
    except (ValueError, OverflowError):  # no such column, or one that is not a clock on every line
        return slice(None)


def natural(label: str) -> tuple[tuple[int, int, str], ...]:
    """A key that puts p2 before p10 (digits compare as numbers, and before letters)."""
    return tuple(
        (0, int(part), part) if part[0] in _DIGITS else (1, 0, part)
        for part in re.split(r"([0-9]+)", label)
        if part
    )


class _Labels:
    """Labels in order of first sight; spaces around them do not count."""

    def __init__(self, column: str) -> None:
        self.column = column
        self.known: dict[str, int] = {}
        self.labels: dict[str, int] = {}

    def place(self, raw: str, line: int) -> int:
        found = self.known.get(raw)
        if found is None:
            label = raw.strip()
            if not label:
                raise BadVotesError(
                    f"line {line}: the {self.column} is empty. Fill it in or remove the line."
                )
            found = self.known[raw] = self.labels.setdefault(label, len(self.labels))
        return found

    def sorted(self) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
        """(place in natural order of each label seen, the labels in natural order)."""
        import numpy as np

        ordered = tuple(sorted(self.labels, key=natural))
        rank = np.empty(len(ordered), dtype=np.int64)
        rank[[self.labels[label] for label in ordered]] = np.arange(len(ordered))
        return rank, ordered


def _records(text: str) -> Iterator[tuple[int, str, str, str, str]]:
    """(line, participant, statement, vote, timestamp or nothing) of every line that is not blank."""
    given = _SEP_LINE.match(text)  # a spreadsheet's own note on its separator
    start = given.end() if given else 0
    marks = (given.group(1) or given.group(2)) + SEPARATORS if given else SEPARATORS
    separator, (a, b, c), when = _columns(text[start:], marks, 2 if given else 1)
    widest = max(a, b, c) + 1
    reader = csv.reader(io.StringIO(text[start:], newline=""), delimiter=separator, strict=True)
    offset, header = (1 if given else 0), True
    try:
        for row in reader:
            if len(row) >= widest and row[a] and row[b] and row[c]:
                if header:
                    header = False
                    continue
                clock = row[when] if 0 <= when < len(row) else ""
                yield reader.line_num + offset, row[a], row[b], row[c], clock
            elif any(cell.strip() for cell in row):
                line = reader.line_num + offset
                if len(row) < widest:
                    raise BadVotesError(
                        f"line {line}: {len(row)} columns where the header has at least {widest}. "
                        "Complete the line or remove it."
                    )
                yield line, row[a], row[b], row[c], ""
    except csv.Error as error:
        raise BadVotesError(
            f"line {reader.line_num + offset} cannot be read: {error}. Look for a quotation mark left open."
        ) from error


def _columns(text: str, marks: str, line: int) -> tuple[str, tuple[int, int, int], int]:
    """The separator whose header has the wanted columns, their places, and that of the timestamp (or -1)."""
    best: tuple[int, str, list[str]] = (-1, marks[0], [])
    for mark in dict.fromkeys(marks):
        try:
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
            header = next((row for row in rows if any(cell.strip() for cell in row)), [])
        except csv.Error:
            continue
        names = [cell.strip().casefold() for cell in header]
        known = sum(any(name in accepted for name in names) for _, accepted in COLUMNS)
        if known > best[0] or (known == best[0] and len(names) > len(best[2])):
            best = known, mark, names
    names = best[2]
    places = []
    for column, accepted in COLUMNS:
        chosen = next((name for name in accepted if name in names), None)
        if chosen is None:
            found = ", ".join(name or "(empty)" for name in names[:12])
            raise BadVotesError(f"line {line}: no column for the {column} among: {found}. {_wanted()}")
        if names.count(chosen) > 1:
            raise BadVotesError(f"line {line}: {names.count(chosen)} columns are named {chosen!r}. Keep one.")
        places.append(names.index(chosen))
    clock = names.index("timestamp") if names.count("timestamp") == 1 else -1
    return best[1], (places[0], places[1], places[2]), clock


def _vote(raw: str, line: int) -> int:
    text = raw.strip().translate(_MINUS)
    value = _VOTES.get(re.sub(r"[.,]0*$", "", text))
    if value is None:
        what = f"{raw.strip()!r} is not a vote" if raw.strip() else "the vote is empty"
        raise BadVotesError(
            f"line {line}: {what}. Write 1 (agree), -1 (disagree) or 0 (pass), or remove the line."
        )
    return value


def _wanted() -> str:
    return (
        "The first line names the columns: participant, statement, vote (or voter-id, comment-id, vote), "
        "separated by commas, semicolons or tabs; then one line a vote."
    )
