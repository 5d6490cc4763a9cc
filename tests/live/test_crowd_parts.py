"""The parts of the crowd by themselves: times, timers, whom it may talk to, how it waits, what it tells."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from essaim.cli import main
from essaim.live.crowd import wire
from essaim.live.crowd.engine import Crowd
from essaim.live.crowd.histogram import Histogram
from essaim.live.crowd.opinions import Opinions, planted
from essaim.live.crowd.pace import Pace, backoff, phase
from essaim.live.crowd.tally import Tally
from essaim.live.crowd.target import TargetError, find
from essaim.live.crowd.verdict import Outcome
from essaim.live.crowd.watching import Watched
from essaim.live.crowd.wheel import Wheel


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 0.999])
def test_quantiles_are_right_to_one_per_cent(share: float) -> None:
    durations = np.random.default_rng(3).lognormal(-4, 1.5, 20_000)
    histogram = Histogram()
    for part in np.array_split(durations, 7):
        histogram.add(part)
    exact = float(np.quantile(durations, share, method="inverted_cdf"))
    assert histogram.quantile(share) == pytest.approx(exact, rel=0.011)
    assert histogram.largest == durations.max() == histogram.quantile(1.0)
    assert len(histogram) == 20_000


def test_histograms_add_up_and_have_no_holes() -> None:
    one, other = Histogram(), Histogram()
    one.add([0.0, 1e-9, 0.001])
    other.add([5e8])  # far beyond the last bucket
    one.merge(other)
    assert len(one) == 4
    assert one.largest == 5e8
    assert Histogram().quantile(0.99) == 0.0
    assert len(one.counts) == len(Histogram().counts), "fixed memory"


def test_the_wheel_gives_everything_once_and_never_early() -> None:
    wheel = Wheel(100.0, 10.0)
    moments = np.random.default_rng(5).uniform(100, 108, 500)
    for token, at in enumerate(moments):
        wheel.put(float(at), token)
    wheel.put(50.0, 500)  # past: at the next tick
    got = [token for tokens in wheel.take(100.0011) for token in tokens]
    assert 500 in got
    for step in range(1, 900):
        now = 100 + step / 100
        for tokens in wheel.take(now):
            assert all(token == 500 or moments[token] <= now for token in tokens)
            got += tokens
    assert sorted(got) == list(range(501))


def test_waiting_honours_the_server_and_is_spread() -> None:
    delays = [backoff(tries, 3.0) for tries in (1, 1, 1, 1)]
    assert all(3 <= delay <= 6 for delay in delays)
    assert len(set(delays)) == 4
    assert all(0 <= backoff(tries, 0.0) <= min(16, 0.25 * 2**tries) for tries in range(1, 10))


def test_phases_follow_the_plan() -> None:
    plan = [
        {"name": "draft", "starts_at": 10, "ends_at": 20},
        {"name": "compare", "starts_at": 20, "ends_at": 30},
    ]
    state = {"phase": "draft", "paused": False, "frozen": False, "plan": plan}
    assert [phase(state, now) for now in (5, 10, 20, 29, 30)] == [
        "waiting",
        "draft",
        "compare",
        "compare",
        "closed",
    ]
    assert phase(state | {"paused": True}, 15) == "paused"
    assert phase(state | {"frozen": True}, 15) == "frozen"
    assert phase({}, 15) == "waiting"


@pytest.mark.parametrize(
    ("where", "own"),
    [
        ("http://192.0.2.7/s/ABC123", None),
        ("http://192.0.2.7/s/ABC123", "192.0.2.8"),
        ("https://[2001:db8::1]/live/room", None),
    ],
)
def test_another_machine_is_refused(where: str, own: str | None) -> None:
    with pytest.raises(TargetError, match="--i-run-this-server"):
        find(where, own=own)


@pytest.mark.parametrize(
    "where", ["ftp://127.0.0.1/s/A", "http:///s/A", "not a code!", "http://127.0.0.1:x/s/A"]
)
def test_nonsense_is_refused(where: str) -> None:
    with pytest.raises(TargetError):
        find(where, own=None)


def test_the_command_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crowd", "http://192.0.2.7/s/ABC123"]) == 1
    assert "--i-run-this-server 192.0.2.7" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["crowd", "ABC123", "--votes", "3-9"])


STATE = b"""{"rev":1,"phase":"compare","ends_at":null,"paused":false,"paused_at":null,"frozen":false,"plan":[{"name":\
"compare","starts_at":1,"ends_at":null}],"participants":0,"contributions":0,"votes":0,"now":1}"""
NEXT = b'[{"id":1,"text":"a","item":null,"kind":null},{"id":2,"text":"b","item":null,"kind":null}]'


class Moody(BaseHTTPRequestHandler):
    """Refuses each batch twice before it takes it, once with 503 and once by hanging up."""

    protocol_version = "HTTP/1.1"
    essaim = True
    batches: list[bytes] = []
    joins: list[bytes] = []

    def do_GET(self) -> None:
        if self.path.endswith("/state"):
            self.say(200, STATE)
        elif self.path.endswith("/frame"):
            self.say(200, b'{"privacy":"anonymous","kinds":[],"frame":[],"compare_ideas":false}')
        else:
            kind = b"urn:essaim:live:unknown-path" if self.essaim else b"about:blank"
            self.say(404, b'{"type":"%b"}' % kind)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/join"):
            self.joins.append(body)
            if len(self.joins) == 1:
                self.say(503, b'{"code":"waiting-room","number":"17-x","ahead":0}', "1")
                return
            self.say(201, b'{"ticket":"T","participant":1,"state":%b,"next":%b,"frame":{}}' % (STATE, NEXT))
            return
        self.batches.append(body)
        times = self.batches.count(body)
        if times == 1:
            self.say(503, b'{"code":"unavailable"}', "0")
        elif times == 2:
            self.close_connection = True
        else:
            seq = body.partition(b",")[0]
            self.say(200, seq + b',"refused":[],"state":%b,"next":%b}' % (STATE, NEXT))

    def say(self, status: int, body: bytes, retry: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if retry:
            self.send_header("Retry-After", retry)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def moody() -> Iterator[int]:
    Moody.batches, Moody.joins, Moody.essaim = [], [], True
    server = ThreadingHTTPServer(("127.0.0.1", 0), Moody)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # the crowd hangs up without a farewell
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_not_acknowledged_is_sent_again_unchanged(moody: int) -> None:
    target = find(f"http://127.0.0.1:{moody}/live/room", own=None)
    pace = Pace(1, minutes=0.02, join_over=0.01, every=0.5)
    tally = (crowd := Crowd(target, pace, connections=2)).run()
    acknowledged = len(tally.all_batches())
    assert acknowledged
    assert set(Counter(Moody.batches).values()) == {3}
    assert tally.refusals == {"503 waiting-room": 1, "503 unavailable": acknowledged}
    assert tally.interruptions == acknowledged
    assert not tally.errors
    assert b"17-x" not in Moody.joins[0] and b'"17-x"' in Moody.joins[1], "the number of the waiting room"
    assert crowd.ledger.votes[0].count(b"[") >= acknowledged


def test_a_server_that_is_not_essaim_is_left_alone(moody: int) -> None:
    Moody.essaim = False
    with pytest.raises(TargetError, match="does not say that it is Essaim"):
        find(f"http://127.0.0.1:{moody}/live/room", own=None)
    assert not Moody.joins


def test_heads_are_read_whatever_their_case() -> None:
    heads = wire.Heads()
    assert heads.read(b"HTTP/1.1 200 OK\r\ncontent-length: 12") == (200, 12)
    assert heads.read(b"HTTP/1.1 503 No\r\nX: y\r\nContent-LENGTH:  7 ") == (503, 7)
    for wrong in (b"HTTP/1.1 200 OK\r\nX: y", b"SSH-2.0", b"HTTP/1.1 2x0 OK\r\ncontent-length: 1"):
        with pytest.raises(wire.Malformed):
            heads.read(wrong)
    assert wire.retry_after(b"HTTP/1.1 503 No\r\nretry-after: 4") == 4
    assert wire.retry_after(b"HTTP/1.1 503 No") == 0


def test_groups_disagree_and_agree_among_themselves() -> None:
    opinions = Opinions([0, 1, 2], planted())
    opinions.learn({"id": n, "text": ""} for n in range(200))
    shares = np.array(
        [
            [sum(b",1]" in entry for entry in mind[b"%d" % n]) / len(mind[b"%d" % n]) for n in range(200)]
            for mind in opinions.minds
        ]
    )
    assert np.abs(shares[0] - shares[1]).mean() > 0.1
    assert all(len(entries) == 64 for mind in opinions.minds for entries in mind.values())


def test_events_are_told_apart() -> None:
    seen = Watched(streams=3)
    seen.bins["counts", 1] = Counter({100: 2, 104: 1, 1100: 3, 2100: 1})
    events = seen.events()
    assert [(one.at_ms, one.received, one.last) for one in events] == [
        (100, 3, 4),
        (1100, 3, 0),
        (2100, 1, 0),
    ]


def test_the_verdict_names_what_is_wrong() -> None:
    tally = Tally()
    tally.batches["steady"].add([2.0])
    tally.errors["500 ?"] += 3
    tally.interruptions = 2
    outcome = Outcome(10, 9, 4, 60.0, 1000.0, tally)
    assert not outcome.holds
    text = "\n".join(outcome.lines())
    for words in (
        "10 people: no.",
        "could not be compared",
        "3 × 500 ?",
        "2 connections broke",
        "1 people could",
    ):
        assert words in text
    assert "p99 2,000 ms is over 1,000 ms" in text
