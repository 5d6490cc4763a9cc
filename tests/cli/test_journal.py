"""`essaim journal`: what is in the journals, and an exit code when something is damaged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from essaim.live import records
from essaim.live.file_store import FileStore
from essaim.live.records import BatchRecord, JoinRecord
from tests.live.rooms import NOW, make_spec


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    store = FileStore(tmp_path)
    store.write_spec(make_spec())
    for worker in (0, 1):
        journal = store.journal("room-1", worker)
        journal.append(records.encode([JoinRecord(worker, NOW, "fr"), JoinRecord(worker + 2, NOW, "en")]))
        journal.append(records.encode([BatchRecord(worker, 1, NOW, ((1, 1), (2, -1)))]))
        journal.close()
    return store


def essaim(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "essaim.cli", "journal", *words],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_sound_journal(store: FileStore) -> None:
    done = essaim("verify", ESSAIM_DATA_DIR=store.address)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "1 rooms, 2 journals, 4 blocks, 6 records: nothing damaged\n"
    done = essaim("report", "room-1", "--json", "--store", store.address)
    assert done.returncode == 0
    reports = json.loads(done.stdout)
    assert [(one["worker"], one["segments"], one["blocks"], one["records"]) for one in reports] == [
        (0, 1, 2, 3),
        (1, 1, 2, 3),
    ]
    assert "room-1" in essaim("report", "--store", store.address).stdout


def test_a_damaged_journal(store: FileStore) -> None:
    path = store.folder("room-1") / "journal-1-000001.log"
    whole = bytearray(path.read_bytes())
    whole[50] ^= 1
    path.write_bytes(whole)
    done = essaim("verify", "--store", store.address)
    assert done.returncode == 1
    assert "room-1, worker 1: DAMAGED journal-1-000001.log from 20 to " in done.stdout
    assert path.read_bytes() == bytes(whole)
    assert essaim("report", "--store", store.address).returncode == 0


def test_blocks_that_hold_no_records_are_damage(store: FileStore) -> None:
    journal = store.journal("room-1", 0)
    journal.append(b"something else")
    done = essaim("verify", "room-1", "--store", store.address)  # also while it is being written
    assert done.returncode == 1
    assert "no records" in done.stdout
    journal.close()


def test_what_is_not_there(store: FileStore) -> None:
    done = essaim("verify", "room-2", "--store", store.address)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no session 'room-2'" in done.stderr
    assert essaim("verify", ESSAIM_LIVE_STORE="mysql://x").returncode == 2
    assert essaim("verify", "--store", "postgresql://127.0.0.1:1/nothing").returncode == 1
