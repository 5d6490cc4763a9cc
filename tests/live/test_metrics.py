"""What is counted, how it is written for Prometheus, who may read it; liveness and readiness."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from essaim.live import metrics, monitor
from essaim.live.addresses import Proxies, is_loopback
from essaim.live.metrics import BATCH_BOUNDS_S, PLACE_BYTES, Board, Histogram, Metrics
from essaim.live.monitor import Monitored, store_check
from essaim.live.store import open_store

LINE = re.compile(r'^[a-z_]+\{([a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\} -?[0-9.e+-]+$')


def filled() -> Metrics:
    found = Metrics()
    found.took(5, 0.012)
    found.took(3, 0.3)
    found.joins += 1
    found.answered("join", 201)
    found.answered("state", 200)
    found.answered("state", 304)
    found.answered("batch", 409)
    found.refused("paused")
    found.commit_seconds.add(0.002)
    found.gauges = lambda: {"connections": 7, "rooms": 1}
    return found


def series(text: bytes) -> dict[str, float]:
    """The lines of an exposition, checked for their form."""
    lines = text.decode().splitlines()
    assert text.endswith(b"\n")
    types = [line for line in lines if line.startswith("# TYPE")]
    assert len(types) == len(set(types))
    values = [line for line in lines if not line.startswith("#")]
    assert all(LINE.match(line) for line in values), [line for line in values if not LINE.match(line)]
    found = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in values}
    assert len(found) == len(values), "the same series twice"
    return found


def test_the_text_of_one_process() -> None:
    found = series(metrics.text([("0", filled().counts())], {"0": 2}, now=0))
    assert found['essaim_batches_total{worker="0"}'] == 2
    assert found['essaim_votes_total{worker="0"}'] == 8
    assert found['essaim_requests_total{route="batch",status="2xx",worker="0"}'] == 2
    assert found['essaim_requests_total{route="batch",status="4xx",worker="0"}'] == 1
    assert found['essaim_requests_total{route="state",status="2xx",worker="0"}'] == 1
    assert found['essaim_requests_total{route="state",status="3xx",worker="0"}'] == 1
    assert found['essaim_refusals_total{code="paused",worker="0"}'] == 1
    assert found['essaim_batch_seconds_bucket{le="0.01",worker="0"}'] == 0
    assert found['essaim_batch_seconds_bucket{le="0.02",worker="0"}'] == 1
    assert found['essaim_batch_seconds_bucket{le="+Inf",worker="0"}'] == 2
    assert found['essaim_batch_seconds_count{worker="0"}'] == 2
    assert found['essaim_batch_seconds_sum{worker="0"}'] == pytest.approx(0.312)
    assert found['essaim_connections{worker="0"}'] == 7
    assert found['essaim_starts_total{worker="0"}'] == 2
    assert found['essaim_resident_memory_bytes{worker="0"}'] > 1_000_000
    assert 'essaim_streams{worker="0"}' not in found


def test_a_bound_belongs_to_its_bucket() -> None:
    times = Histogram(BATCH_BOUNDS_S)
    for value in (BATCH_BOUNDS_S[0], BATCH_BOUNDS_S[-1], 1e9):
        times.add(value)
    assert (times.counts[0], times.counts[-2], times.counts[-1]) == (1, 1, 1)


def test_labels_are_escaped() -> None:
    one = Metrics()
    one.refused('a"b\\c\nd')
    assert rb'code="a\"b\\c\nd"' in metrics.text([("0", one.counts())], {}, now=0)


def test_the_board_is_shared_with_forked_processes() -> None:
    board = Board(["0", "1"])
    assert board.read("0") is None
    pid = os.fork()
    if pid == 0:
        board.write("1", filled().counts())
        os._exit(0)
    os.waitpid(pid, 0)
    seen = board.read("1")
    assert seen is not None and seen["batches"] == 2
    assert board.read("0") is None
    again = Metrics()
    again.resume(seen)
    again.took(1, 0.01)
    found = series(metrics.text([("0", filled().counts()), ("1", again.counts())], {}, now=0))
    assert found['essaim_batches_total{worker="1"}'] == 3
    assert found['essaim_requests_total{route="batch",status="2xx",worker="1"}'] == 3
    assert found['essaim_requests_total{route="batch",status="4xx",worker="1"}'] == 1
    assert found['essaim_batch_seconds_bucket{le="+Inf",worker="1"}'] == 3


def test_half_written_counts_are_not_read() -> None:
    board = Board(["0"])
    board.write("0", filled().counts())
    board._memory[20] ^= 1
    assert board.read("0") is None


def test_a_place_is_large_enough() -> None:
    full = Metrics()
    for route in range(20):
        for status in range(30):
            full.answered(f"a-route-{route}", 200 + status)
    for code in range(200):
        full.refused(f"a-rather-long-code-of-a-refusal-{code}")
    board = Board(["0"])
    board.write("0", full.counts())
    assert board.read("0") is not None, PLACE_BYTES


# Over HTTP


async def inner(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"inner"})


def ask(app: Monitored, path: str, *, client: str = "127.0.0.1", method: str = "GET", **headers: str) -> Any:
    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as one:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await one.request(method, path, headers=named)

    return asyncio.run(go())


def test_metrics_are_for_this_machine_only() -> None:
    app = Monitored(inner, checks={})
    answer = ask(app, "/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'essaim_up{worker="0"}' in series(answer.content)
    assert ask(app, "/metrics", client="::1").status_code == 200
    assert ask(app, "/metrics", client="192.0.2.7").status_code == 403
    for name in ("x_forwarded_for", "x_real_ip", "forwarded", "x_forwarded_proto", "via"):
        assert (
            ask(app, "/metrics", **{name: "127.0.0.1"}).status_code == 403
        )  # through a proxy of this machine


def test_a_token_opens_them_to_others() -> None:
    app = Monitored(inner, checks={}, token="a-token")
    assert ask(app, "/metrics", client="192.0.2.7", authorization="Bearer a-token").status_code == 200
    assert ask(app, "/metrics", client="192.0.2.7", authorization="Bearer a-tokem").status_code == 401
    assert ask(app, "/metrics", authorization="Basic a-token").status_code == 401
    refused = ask(app, "/metrics")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")


def test_any_worker_answers_for_all() -> None:
    board = Board(["0", "1", "2", monitor.SUPERVISOR])
    board.write("1", filled().counts())
    board.write(monitor.SUPERVISOR, {"starts": {"0": 1, "1": 4}})
    app = Monitored(inner, checks={}, name="0", board=board)
    found = series(ask(app, "/metrics").content)
    assert found['essaim_batches_total{worker="1"}'] == 2
    assert found['essaim_starts_total{worker="1"}'] == 4
    assert found['essaim_up{worker="0"}'] == found['essaim_up{worker="1"}'] == 1
    assert 'essaim_up{worker="2"}' not in found  # it never wrote
    later = metrics.text([("1", filled().counts() | {"at": 100.0})], {}, now=200.0)
    assert series(later)['essaim_up{worker="1"}'] == 0


def test_liveness_and_other_paths() -> None:
    app = Monitored(inner, checks={"database": lambda: 1 / 0})  # a process that cannot serve is alive
    assert ask(app, "/health/live").json() == {"live": True}
    assert ask(app, "/health/live", method="HEAD").content == b""
    assert ask(app, "/health/live", method="POST").status_code == 405
    assert ask(app, "/health/").status_code == 418
    assert ask(app, "/").text == "inner"


def test_readiness_says_which_check_fails(tmp_path: Path) -> None:
    good = {"store": store_check(open_store(tmp_path / "data"))}
    answer = ask(Monitored(inner, checks=good), "/health/ready")
    assert (answer.status_code, answer.json()) == (
        200,
        {"ready": True, "checks": {"running": "ok", "store": "ok"}},
    )
    (tmp_path / "file").write_text("")
    bad = {"store": store_check(open_store(tmp_path / "file")), "database": lambda: None}
    answer = ask(Monitored(inner, checks=bad), "/health/ready")
    assert (answer.status_code, answer.json()["checks"]) == (
        503,
        {"running": "ok", "store": "failed", "database": "ok"},
    )
    ending = Monitored(inner, checks=good)
    ending.stopping = lambda: True
    answer = ask(ending, "/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "checks": {"running": "failed"}})


def test_readiness_is_not_a_way_to_load_the_server() -> None:
    asked = []
    app = Monitored(inner, checks={"store": lambda: asked.append(1)})

    async def go() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as one:
            await asyncio.gather(*(one.get("/health/ready") for _ in range(50)))
            await one.get("/health/ready")

    asyncio.run(go())
    assert len(asked) == 1


# Addresses


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the left part is what a client claims
        ("127.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("127.0.0.1", '"[2001:db8::7]:4711"', "2001:db8::7"),
        ("127.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9, nonsense, 10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", "10.9.9.9, 10.1.2.3", "10.9.9.9"),
        ("192.0.2.7", "203.0.113.9", "192.0.2.7"),  # not a proxy of ours
        ("", "203.0.113.9", ""),
    ],
)
def test_the_client_behind_proxies(peer: str, forwarded: str, client: str) -> None:
    assert Proxies(["127.0.0.1", "10.0.0.0/8"]).client(peer, forwarded) == client


def test_without_proxies_nothing_is_believed() -> None:
    assert not Proxies()
    assert Proxies().client("127.0.0.1", "203.0.113.9") == "127.0.0.1"
    with pytest.raises(ValueError):
        Proxies(["proxy.example.org"])


def test_loopback() -> None:
    assert is_loopback("127.3.2.1") and is_loopback("::1") and is_loopback("::ffff:127.0.0.1")
    assert not is_loopback("192.0.2.1") and not is_loopback("") and not is_loopback("localhost")
