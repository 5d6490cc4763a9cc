"""Burnt invitation codes, in every store alike: the first seal of an index stands for good, whoever brings another."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from essaim.live import burnt, files
from essaim.live.errors import StoreError, UnknownRoomError
from essaim.live.store import Store
from tests.live.rooms import make_spec
from tests.live.stores import ROOM

Stores = Callable[[], Store]


def test_the_first_seal_stands(stores: Stores) -> None:
    one, other = stores(), stores()
    assert one.burnt(ROOM) == 0
    assert one.burn(ROOM, []) == []
    assert one.burn(ROOM, [(7, b"a" * 12), (99_999, b"b" * 12), (0, b"c" * 12)]) == [
        b"a" * 12,
        b"b" * 12,
        b"c" * 12,
    ]
    assert other.burn(ROOM, [(8, b"d" * 12), (7, b"e" * 12)]) == [b"d" * 12, b"a" * 12]
    assert one.burn(ROOM, [(5, b"f" * 12), (5, b"g" * 12)]) == [b"f" * 12, b"f" * 12]
    assert stores().burnt(ROOM) == other.burnt(ROOM) == 5
    one.write_spec(make_spec(room="room-2"))
    assert other.burnt("room-2") == 0
    assert other.burn("room-2", [(7, b"h" * 12)]) == [b"h" * 12]
    with pytest.raises(UnknownRoomError):
        one.burn("room-3", [(1, b"a" * 12)])


def test_of_many_at_once_one_wins_each_code(stores: Stores) -> None:
    told: dict[int, list[bytes]] = {}

    def run(number: int) -> None:
        store, dice = stores(), random.Random(number)
        indexes = dice.sample(range(40), 40)
        told[number] = []
        found: dict[int, bytes] = {}
        for start in range(0, 40, 10):
            some = indexes[start : start + 10]
            stand = store.burn(ROOM, [(index, b"%02d-%09d" % (number, index)) for index in some])
            found |= dict(zip(some, stand, strict=True))
        told[number] = [found[index] for index in range(40)]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 6
    assert len({tuple(one) for one in told.values()}) == 1
    assert all(seal.endswith(b"%09d" % index) for index, seal in enumerate(told[0]))
    assert stores().burnt(ROOM) == 40


def test_the_file_says_which_and_never_in_what_order(tmp_path: Path) -> None:
    seals = [(index, b"%012d" % index) for index in range(50)]
    written = []
    for order in (seals, seals[::-1], random.Random(1).sample(seals, 50)):
        path = tmp_path / str(len(written))
        for one in order:
            burnt.burn(path, [one])
        written.append(path.read_bytes())
    assert len(set(written)) == 1
    assert burnt.count(tmp_path / "0") == 50


def test_a_slot_that_is_not_whole_is_free(tmp_path: Path) -> None:
    path = tmp_path / "burnt"
    burnt.burn(path, [(0, b"a" * 12), (1, b"b" * 12)])
    path.write_bytes(path.read_bytes()[:-3])
    assert burnt.count(path) == 1
    assert burnt.burn(path, [(0, b"x" * 12), (1, b"c" * 12)]) == [b"a" * 12, b"c" * 12]


def test_when_the_disk_fails_nothing_new_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "burnt"
    burnt.burn(path, [(3, b"a" * 12)])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", _fail)
        with pytest.raises(StoreError):
            burnt.burn(path, [(3, b"b" * 12), (4, b"c" * 12)])
    assert burnt.count(path) == 1
    assert burnt.burn(path, [(4, b"d" * 12), (3, b"d" * 12)]) == [b"d" * 12, b"a" * 12]
    with files.locked(path) as file:
        assert os.fstat(file).st_size == 5 * 16


def _fail(file: int) -> None:
    raise OSError(5, "Input/output error")
