"""What is found in the journals of a room when all of them are read: the same report for every store."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from essaim.live import journal
from essaim.live.errors import LockedError
from essaim.live.files import Lock
from essaim.live.journal import HEADER, Scan

Count = Callable[[bytes | memoryview], int]
"""How many records a payload holds; raises ValueError if it does not hold records."""
SETTLE_S: Final = 0.3


class Damage(msgspec.Struct, frozen=True):
    """A stretch that cannot be read: bytes `start` to `end` of a segment, or numbers of blocks of a table."""

    where: str
    start: int
    end: int
    why: str


class JournalReport(msgspec.Struct, kw_only=True):
    """The journal of one worker. `torn`: bytes at its end, never acknowledged; `kept`: such tails kept aside."""

    room: str
    worker: int
    writing: bool
    segments: int = 0
    blocks: int = 0
    records: int = 0
    bytes: int = 0
    torn: int = 0
    damaged: list[Damage] = []
    kept: list[str] = []


def examine_files(folder: Path, room: str, count: Count) -> list[JournalReport]:
    """Read every journal in the folder of a room, touching nothing, also while a server writes them."""
    reports = []
    for worker, known in journal.segments(folder).items():
        report = JournalReport(room=room, worker=worker, writing=_held(folder / f"lock-{worker}"))
        for number, path in known:
            _examine_segment(path, number == known[-1][0], report, count)
            kept = folder.glob(f"{path.name}.torn-*")
            report.kept += sorted(one.name for one in kept if one.suffix != ".json")
        reports.append(report)
    return reports


def _examine_segment(path: Path, last: bool, report: JournalReport, count: Count) -> None:
    found, blocks, records, bad = _read(path, count)
    if report.writing and last and (found.torn or found.damaged):
        # It may have been read while a block was being written.
        time.sleep(SETTLE_S)
        found, blocks, records, bad = _read(path, count)
    report.segments += 1
    report.blocks += blocks
    report.records += records
    report.bytes += found.size
    report.damaged += [Damage(path.name, *stretch, "unreadable") for stretch in found.damaged]
    report.damaged += bad
    if not found.marker:
        if found.size > HEADER:
            report.damaged.append(Damage(path.name, 0, found.size, "not a journal"))
        return
    if found.torn and last and not journal.whole_block(path, found):
        report.torn = found.torn
    elif found.torn:
        report.damaged.append(Damage(path.name, found.good_end, found.size, "unreadable"))


def _read(path: Path, count: Count) -> tuple[Scan, int, int, list[Damage]]:
    found, blocks, records, bad = Scan(), 0, 0, []
    for payload in journal.read(path, found):
        blocks += 1
        try:
            records += count(payload)
        except ValueError as error:
            bad.append(Damage(path.name, found.good_end - len(payload), found.good_end, str(error)))
    return found, blocks, records, bad


def _held(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        Lock(path).release()
    except LockedError:
        return True
    except OSError:  # another user's: whether it is held cannot be asked
        return False
    return False
