"""`essaim journal verify | report [ROOM]`: read every journal again and say what is in it, also while a server runs."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from essaim.config.environment import BadSetting, read_environment

if TYPE_CHECKING:
    from essaim.live.examine import JournalReport
    from essaim.live.store import Store


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("journal", help="what participants sent: is all of it readable?")
    words = parser.add_subparsers(title="words", required=True, metavar="WORD")
    verify = words.add_parser("verify", help="exit 1 if anything is damaged, and say where")
    report = words.add_parser("report", help="what each worker wrote: segments, blocks, records, bytes")
    for command in (verify, report):
        command.add_argument(
            "room", nargs="?", metavar="ROOM", help="the session's identifier; all when it is absent"
        )
        command.add_argument("--json", action="store_true", help="for programs")
        command.add_argument(
            "--store",
            metavar="ADDRESS",
            help="a data folder or postgresql://… (default: ESSAIM_LIVE_STORE, or the data folder)",
        )
        command.set_defaults(func=run, all=command is report)


def run(options: argparse.Namespace) -> int:
    from essaim.live.errors import StoreError, UnknownRoomError
    from essaim.live.store import open_store

    try:
        store = open_store(options.store or read_environment().store_address)
        reports = _reports(store, options.room)
    except BadSetting as error:
        print(f"essaim: {error}", file=sys.stderr)
        return 2
    except UnknownRoomError:
        print(f"essaim: there is no session {options.room!r} in this store.", file=sys.stderr)
        return 1
    except StoreError as error:
        print(f"essaim: {error}", file=sys.stderr)
        return 1
    damaged = any(report.damaged for report in reports)
    if options.json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(reports)).decode())
    else:
        if options.all:
            _print_table(reports)
        _print_findings(reports)
    return 1 if damaged and not options.all else 0


def _reports(store: Store, room: str | None) -> list[JournalReport]:
    if room is not None:
        store.read_spec(room)
    return [
        report
        for name in ([room] if room is not None else store.rooms())
        for report in store.examine(name, _records)
    ]


def _records(payload: bytes | memoryview) -> int:
    import msgspec

    from essaim.live import records

    try:
        block = records.decode(payload)
    except msgspec.DecodeError as error:
        raise ValueError(f"no records: {error}") from error
    return len(block.others) + len(records.joins_of([block]).at) + len(records.votes_of([block]).at)


def _print_table(reports: list[JournalReport]) -> None:
    width = max([4, *(len(report.room) for report in reports)])
    print(
        f"{'room':{width}} {'worker':>6} {'segments':>8} {'blocks':>10} {'records':>12} {'bytes':>15} {'damaged':>8}  state"
    )
    for one in reports:
        state = "being written" if one.writing else "closed"
        print(
            f"{one.room:{width}} {one.worker:>6} {one.segments:>8} {one.blocks:>10,} {one.records:>12,} "
            f"{one.bytes:>15,} {len(one.damaged):>8}  {state}"
        )


def _print_findings(reports: list[JournalReport]) -> None:
    for one in reports:
        for damage in one.damaged:
            print(
                f"{one.room}, worker {one.worker}: DAMAGED {damage.where} from {damage.start} to {damage.end}: {damage.why}"
            )
        if one.torn:
            print(
                f"{one.room}, worker {one.worker}: {one.torn} bytes at the end were never acknowledged; "
                "they are cut off and kept aside when the room is next opened"
            )
        for name in one.kept:
            print(f"{one.room}, worker {one.worker}: a torn tail, never acknowledged, was kept aside: {name}")
    rooms = len({report.room for report in reports})
    blocks, records = sum(one.blocks for one in reports), sum(one.records for one in reports)
    damaged = sum(len(one.damaged) for one in reports)
    found = f"{damaged} damaged stretches" if damaged else "nothing damaged"
    print(f"{rooms} rooms, {len(reports)} journals, {blocks:,} blocks, {records:,} records: {found}")
