"""Phones for the tests: real Chromium pages against a real server with rooms to open."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from essaim.live import hub as hubs
from essaim.live.plan import Plan
from essaim.live.room import Room
from essaim.live.spec import RoomSpec
from essaim.live.statements import StatementRow
from tests.live.rooms import load_votes, make_spec, running
from tests.live.served import real_server

CHROMIUM = (
    os.environ.get("ESSAIM_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE = {"width": 390, "height": 844}
HURRY = """
const wait = setTimeout;
window.setTimeout = (run, ms, ...more) => wait(run, ms > 5000 ? ms / 20 : ms >= 1000 ? ms / 4 : ms, ...more);
"""
"""The page looks for a new state every ten seconds or so; here twenty times as often, and gathers votes
for a quarter of its second."""
LONG = "L’intergouvernementalisation des anticonstitutionnellement-nommées procédures"


class Served:
    """A server on its own data folder, with rooms to open in it."""

    def __init__(self, data: Path) -> None:
        self.data, self.port, self.rooms = data, 0, 0

    def load_camps(self) -> None:
        """Make a room where two camps have voted; only possible before a server holds it."""
        self.camps = self.open(compare())
        load_votes(
            self.data,
            self.camps.room,
            [
                (who, sid, (1 if who % 2 else -1) * (1 if sid % 2 else -1))
                for who in range(30)
                for sid in range(10)
            ],
        )

    def open(self, plan: Plan | None = None, **changes: Any) -> RoomSpec:
        """Publish a new room; by default its draft phase began a minute ago."""
        self.rooms += 1
        now = hubs.clock()
        spec = make_spec(
            plan or running("draft", "compare", now=now - 60_000),
            room=f"room-{self.rooms}",
            number=self.rooms,
            code=f"CODE{self.rooms}",
            **changes,
        )
        hubs.publish(self.data, spec)
        return spec

    def move(self, spec: RoomSpec, plan: Plan, **changes: Any) -> RoomSpec:
        """Publish a facilitator's decision."""
        spec = msgspec.structs.replace(spec, rev=spec.rev + 1, plan=plan, **changes)
        hubs.publish(self.data, spec)
        return spec

    def url(self, spec: RoomSpec, query: str = "") -> str:
        return f"http://localhost:{self.port}/s/{spec.code}{query}"

    def room(self, spec: RoomSpec) -> Room:
        """The room as the server has it now, a second ahead of its views."""
        hub = hubs.running()
        assert hub is not None
        assert hub.loop is not None
        return asyncio.run_coroutine_threadsafe(hub.room(spec.room), hub.loop).result(5).room

    def votes(self, spec: RoomSpec) -> int:
        return self.room(spec).votes.live

    def ratings(self, spec: RoomSpec) -> list[int]:
        return sorted(self.room(spec).ratings.copy().standing().value.tolist())

    def voices(self, spec: RoomSpec) -> list[StatementRow]:
        """What participants wrote."""
        return [row for row in self.room(spec).statements.rows() if row.origin == "voice"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("phone")
    served = Served(data)
    served.load_camps()
    with real_server(data) as served.port:
        yield served


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (apt install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="the playwright package is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def phone(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens pages that fail the test on any script error or policy violation."""
    contexts, faults = [], []

    def opened(**options: Any) -> Any:
        context = chromium.new_context(**({"viewport": PHONE, "locale": "fr-FR"} | options))
        contexts.append(context)
        context.add_init_script(HURRY)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None,
        )
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something to become true on the server."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def join(page: Any, url: str) -> None:
    page.goto(url)
    page.click("#join button")
    page.wait_for_selector("#join", state="hidden")


def told(page: Any, place: str, word: str | None) -> None:
    """Wait until a message says `word`, or says nothing."""
    page.wait_for_function(
        "([place, word]) => { const text = document.getElementById(place).textContent;"
        " return word ? text.includes(word) : !text; }",
        arg=[place, word],
    )


def statement(page: Any) -> str:
    return str(page.inner_text("#what"))


def vote(page: Any, name: str) -> str:
    """Give one answer, and the statement it was about."""
    text = statement(page)
    page.wait_for_timeout(260)
    page.click(f"#ballot .{name}")
    page.wait_for_function("text => document.getElementById('what').textContent != text", arg=text)
    return text


def by_text(served: Served, spec: RoomSpec, text: str) -> Any:
    return next(row for row in served.room(spec).statements.rows() if row.text == text)


def compare(now: int | None = None) -> Plan:
    return running("compare", now=(now or hubs.clock()) - 60_000)
