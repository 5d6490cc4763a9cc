"""Durable vote batches a second on one processor, beside nginx, a bare protocol and a Django view, in the same run.

Every server but nginx checks the ticket, takes the batch, and answers after the group commit that holds it is on the
disk; nginx answers `return 200` and does no work. The server has one processor, the load (wrk) the other. A server that
was not busy was held back by the load, or by others on this machine: compare the processor time then.

    python bench/live_batches.py [--seconds 6] [--connections 512] [--rounds 3] [--only lane,floor]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT), str(ROOT / "bench")]

from live_servers import ROOM  # noqa: E402
from tests.live.rooms import make_spec  # noqa: E402

from essaim.live import hub as hubs  # noqa: E402
from essaim.live.ballots import JoinRequest  # noqa: E402
from essaim.live.hub import Hub  # noqa: E402
from essaim.live.limits import WIDE  # noqa: E402
from essaim.live.plan import PhaseWindow, Plan  # noqa: E402
from essaim.live.spec import Seed  # noqa: E402

VOTES = 5
STATEMENTS = 500
PARTICIPANTS = 8_192
SERVER_CPU, LOAD_CPU = 0, 1
KINDS = ("nginx", "floor", "lane", "adapter", "django-async", "django-wsgi")
SAYS = {
    "nginx": "nginx, return 200, no work",
    "floor": "bare asyncio.Protocol + httptools + uvloop",
    "lane": "the product: fast lane, Django mounted",
    "adapter": "the product: ASGI adapter, Django mounted",
    "django-async": "async Django view, usual middlewares",
    "django-wsgi": "Django view in 8 threads, usual middlewares",
}
NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 "{{}}"; }} }}
}}
"""
# Whoever has answered waits for all others before they answer again, so that no ticket is under way twice.
LOAD = """
local tickets = {}
for line in io.lines("%(tickets)s") do tickets[#tickets + 1] = line end
local who, turn = 0, 0
local format = string.format
function request()
  who = who + 1
  if who > #tickets then who, turn = 1, turn + 1 end
  local first = (turn * %(votes)d + who * 7) %% %(statements)d
  local lap, votes = math.floor(turn * %(votes)d / %(statements)d), {}
  for n = 0, %(votes)d - 1 do
    votes[n + 1] = format("[%%d,%%d]", (first + n) %% %(statements)d, (who + n + lap) %% 3 - 1)
  end
  local body = format('{"seq":%%d,"votes":[%%s]}', turn + 1, table.concat(votes, ","))
  return format("POST /live/%(room)s/batch HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Type: application/json\\r\\n" ..
    "Authorization: Bearer %%s\\r\\nContent-Length: %%d\\r\\n\\r\\n%%s", tickets[who], #body, body)
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(format('RESULT {"answers":%%d,"us":%%d,"p50":%%f,"p99":%%f,"refused":%%d,"broken":%%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), e.status,
    e.connect + e.read + e.write + e.timeout))
end
"""


async def prepare(folder: Path) -> None:
    """Make a room with its people, as they are after a join each, and write their tickets down."""
    now = hubs.clock()
    plan = Plan(1, (PhaseWindow("compare", 600, now - 1000, now + 36_000_000),))
    seeds = tuple(Seed(n, f"Statement {n}, as long as statements are") for n in range(STATEMENTS))
    hubs.publish(folder / "data", make_spec(plan=plan, seeds=seeds, room=ROOM))
    hub = Hub(folder / "data", ranks=False, limits=WIDE)
    await hub.start()
    live = await hub.room(ROOM)
    tickets = []
    for number in range(PARTICIPANTS):
        live.reserve()
        outcome = live.room.enter(JoinRequest("fr"), now)
        if number % 256 == 255:
            await live.keep(outcome)
        elif outcome.record is not None:
            live.commits.add(outcome.record)
        tickets.append(live.room.ticket(outcome.participant, now))
    await hub.close()
    (folder / "tickets").write_text("\n".join(tickets) + "\n")
    words = {
        "tickets": folder / "tickets", "votes": VOTES, "statements": STATEMENTS, "room": ROOM
    }  # fmt: skip
    (folder / "load.lua").write_text(LOAD % words)


def measure(kind: str, folder: Path, seconds: float, connections: int) -> dict[str, float]:
    """Start a server on a copy of the room, load it, end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    data = folder / "run"
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(folder / "data", data)
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path[:3]), "ESSAIM_DATA_DIR": str(data)}
    command = [sys.executable, str(ROOT / "bench" / "live_servers.py"), kind, str(port), str(data)]
    if kind == "nginx":
        (data / "nginx.conf").write_text(NGINX.format(folder=data, port=port))
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        command = [nginx, "-p", str(data), "-c", str(data / "nginx.conf"), "-e", str(data / "error.log")]
    child = subprocess.Popen(["taskset", "-c", str(SERVER_CPU), *command], env=environ)
    try:
        wait_for(port, child)
        load(folder, port, 1.0, connections)  # the room is opened, the caches are warm
        before = processor(child.pid)
        found = load(folder, port, seconds, connections)
        used = (processor(child.pid) - before) / (found["batches"] * seconds) * 1e6
        return found | {"cpu": used, "memory": memory(child.pid), "busy": used * found["batches"] / 1e6}
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(20)


def load(folder: Path, port: int, seconds: float, connections: int) -> dict[str, float]:
    command = ["taskset", "-c", str(LOAD_CPU), "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s"]
    command += ["--timeout", "20s", "-s", str(folder / "load.lua"), f"http://127.0.0.1:{port}/"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, Any] = json.loads(said.partition("RESULT ")[2])
    return {
        "batches": found["answers"] / found["us"] * 1e6,
        "p50": found["p50"] / 1000,
        "p99": found["p99"] / 1000,
        "wrong": found["refused"] + found["broken"],
    }


def wait_for(port: int, child: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if child.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("a server did not start")


def processor(pid: int) -> float:
    """Give the processor time of a process, and of those it started, in seconds."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(processor(int(child)) for child in children)


def memory(pid: int) -> float:
    """Give the memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--connections", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(KINDS), help=f"some of {', '.join(KINDS)}")
    options = parser.parse_args()
    kinds = [kind for kind in KINDS if kind in options.only.split(",")]
    for tool in ("wrk", "taskset"):
        if shutil.which(tool) is None:
            print(f"this bench needs {tool} (Debian: apt-get install wrk util-linux nginx-light)")
            return 2
    if not (shutil.which("nginx") or Path("/usr/sbin/nginx").exists()):
        print("nginx is not installed: its line is left out")
        kinds = [kind for kind in kinds if kind != "nginx"]
    if (os.cpu_count() or 1) < 2:
        print("one processor only: server and load share it, and the figures say little")
        globals()["LOAD_CPU"] = 0
    print(
        f"{options.connections} connections, {VOTES} votes a batch, {options.seconds:g} s a round, loopback"
    )
    print(
        f"{'':14}{'batches/s':>12}{'votes/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'CPU us':>8}{'busy':>6}{'MB':>6}"
    )
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    costs: dict[str, list[float]] = {kind: [] for kind in kinds}
    wrong = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(prepare(folder))
        for _round in range(options.rounds):
            for kind in kinds:
                found = measure(kind, folder, options.seconds, options.connections)
                rates[kind].append(found["batches"])
                costs[kind].append(found["cpu"])
                wrong += found["wrong"]
                print(
                    f"{kind:14}{found['batches']:12,.0f}{found['batches'] * VOTES:12,.0f}"
                    f"{found['p50']:10.1f}{found['p99']:10.1f}{found['cpu']:8.1f}"
                    f"{found['busy']:6.0%}{found['memory']:6.0f}"
                    + (f"  {found['wrong']:.0f} wrong answers" if found["wrong"] else ""),
                    flush=True,
                )
    print("\nlane, as a multiple: of the rate, and by processor time a batch (median of rounds)")
    views = [kind for kind in kinds if kind.startswith("django")]
    best = max(views, key=lambda kind: statistics.median(rates[kind]), default=None)
    for kind in kinds:
        if kind == "lane" or "lane" not in kinds or (kind in views and kind != best):
            continue
        ratio = statistics.median(ours / its for ours, its in zip(rates["lane"], rates[kind], strict=True))
        cost = statistics.median(its / ours for ours, its in zip(costs["lane"], costs[kind], strict=True))
        goal = {"floor": "≥ 0.9", "nginx": "≥ 0.4", best: "≥ 20"}.get(kind, "")
        print(f"  {ratio:6.2f} {cost:6.2f} × {SAYS[kind]}{f'  (goal {goal})' if goal else ''}")
    print("every answer was 200" if not wrong else f"{wrong:.0f} answers were not 200")
    return 0 if not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
