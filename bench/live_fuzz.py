"""Hostile participants: a coverage-guided fuzz of what reads their bytes, then of the servers over raw sockets.

    python bench/live_fuzz.py [--seconds 600] [--seed 1] [--only parsers|http]
    python bench/live_fuzz.py --reproduce FINDING

Parsers: bodies, forms, tickets, passes, waiting numbers, journals, and whole sessions of a room, mutated by libFuzzer
(atheris, from requirements/fuzz.txt in `.venv-fuzz`) towards code not reached yet; `tests/live/hostile.py` says what must
hold. Servers: the fast lane and the ASGI adapter, a tenth of that time each, `tests/live/hostile_http.py`.
A finding is written to a file, and the exit code is 1; 2 if the fuzzer cannot be installed.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT), str(ROOT / "bench")]

import peers  # noqa: E402
from tests.live.hostile import ODD  # noqa: E402
from tests.live.hostile_http import fuzz  # noqa: E402
from tests.live.hostile_story import TARGETS  # noqa: E402

LONGEST = 4_096
ROUND_S = 100  # the instrumentation keeps memory with every execution: begin anew before it is much
SLOWEST_S = 20
MEMORY_MB = 2_048
WORDS = (
    b'{"seq":',
    b'"votes":[[',
    b'"ideas":[{',
    b'"ratings":[[',
    b'"text":',
    b'"id":',
    b"null",
    b"\\u",
    b"-1",
    b"%F0",
)
BODIES = (
    b'{"seq":1,"votes":[[0,1],[1,-1],[2,0],[3,null]]}',
    b'{"seq":2,"ratings":[[2,"maturity",3]],"ideas":[{"id":"mark-0001","text":"a","item":2,"kind":"idea","re":0}]}',
    b'{"lang":"fr","unit":1,"name":"Ana","pass":"x","waiting":"1-2"}',
    b"sid=1&value=-1",
    b"id=mark-0001&text=a%20b&item=2&kind=idea&re=1",
    b"item=2&scale-maturity=3&id=mark-0002&text=a",
)
_STATUS = re.compile(r"#(\d+)\s+\w+\s.*?cov: (\d+) ft: (\d+) corp: (\d+)/\S+.* exec/s: (\d+)")


def main() -> int:
    """Fuzz for a while, and say what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("parsers", "http"))
    parser.add_argument("--reproduce", type=Path, metavar="FINDING")
    chosen = parser.parse_args()
    try:
        if chosen.reproduce is not None:
            return subprocess.run(command("--reproduce", str(chosen.reproduce)), env=environment()).returncode
        folder = Path(tempfile.mkdtemp(prefix="essaim-fuzz-"))
        failed = False
        if chosen.only != "parsers":
            for fast in (True, False):
                failed |= servers(folder, fast, chosen.seconds / 10, chosen.seed)
        if chosen.only != "http":
            failed |= parsers(folder, chosen.seconds, chosen.seed)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 2
    return 1 if failed else 0


def servers(folder: Path, fast: bool, seconds: float, seed: int) -> bool:
    """Fuzz one way of serving; say whether anything was found."""
    name = "fast lane" if fast else "ASGI adapter"
    data = folder / ("lane" if fast else "adapter")
    count = fuzz(data, fast=fast, seconds=seconds, dice=random.Random(seed))
    print(
        f"{name}: {count.connections} connections in {count.seconds:.0f} s, {count.answers} answers "
        f"({', '.join(f'{status}: {many}' for status, many in sorted(count.statuses.items()))}), "
        f"{count.silent} closed without one; beside it {count.good} good requests, slowest {count.slowest_s:.2f} s; "
        f"{len(count.findings)} findings",
        flush=True,
    )
    for place, finding in enumerate(count.findings):
        path = folder / f"{data.name}-{place}.txt"
        path.write_text(f"{finding.what}\n\n{finding.sent!r}\n")
        print(f"  {finding.what.splitlines()[0]}: {path}", flush=True)
    return bool(count.findings)


def parsers(folder: Path, seconds: int, seed: int) -> bool:
    """Fuzz what reads bytes, in rounds that share a corpus; say whether anything was found."""
    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir()
    for place, one in enumerate(seeds(random.Random(seed))):
        (corpus / f"{place:04}").write_bytes(one)
    tokens = ["".join(map(r"\x{:02x}".format, one)) for one in (*WORDS, *ODD) if 0 < len(one) < 64]
    words.write_text("".join(f'"{token}"\n' for token in tokens))
    runs, begun, found, first, last = 0, time.monotonic(), False, None, None
    while not found and (left := seconds - (time.monotonic() - begun)) >= 1:
        options = {
            "seed": seed + runs, "max_total_time": min(ROUND_S, round(left)), "max_len": LONGEST, "timeout": SLOWEST_S,
            "rss_limit_mb": MEMORY_MB, "dict": words, "artifact_prefix": f"{folder}/", "len_control": 0,
        }  # fmt: skip
        arguments = [f"-{name}={value}" for name, value in options.items()]
        ended = subprocess.run(
            command(*arguments, str(corpus)),
            env=environment(),
            capture_output=True,
            text=True,
            errors="replace",
        )
        statuses = [
            status for line in ended.stderr.splitlines() if (status := _STATUS.match(line)) is not None
        ]
        found = any(corpus.parent.glob("*-" + "[0-9a-f]" * 40))
        if found:
            print(ended.stdout[-6000:], ended.stderr[-3000:], f"kept in {folder}; see --reproduce", sep="\n")
        elif not statuses or ended.returncode:
            raise RuntimeError("the fuzzer did not run:\n" + ended.stderr[-3000:])
        if statuses:
            first, last = first or statuses[0], statuses[-1]
            runs += int(last[1])
            print(f"  {last[0]}", flush=True)
    if first is None or last is None:
        return found
    spent = time.monotonic() - begun
    print(
        f"parsers and rooms: {runs:,} executions of {len(TARGETS)} targets in {spent:.0f} s ({runs / spent:.0f}/s), corpus {last[4]}, "
        f"{last[2]} edges covered (seeds: {first[2]}), {last[3]} features; {'a finding' if found else 'nothing found'}"
    )
    return found


def seeds(dice: random.Random) -> list[bytes]:
    """Something to begin with, for each target."""
    made = [
        bytes([place]) + dice.randbytes(dice.randint(10, 600))
        for place in range(len(TARGETS))
        for _ in range(20)
    ]
    for place in range(len(TARGETS)):
        made += [bytes([place, choice, 1]) + body for body in BODIES for choice in range(3)]
    return made


def command(*arguments: str) -> list[str]:
    """Give the command of the fuzzer."""
    return ["nice", "-n", "15", str(peers.python("fuzz")), str(ROOT / "bench" / "fuzzed.py"), *arguments]


def environment() -> dict[str, str]:
    """Give its environment: what the product needs comes from the environment of the product."""
    paths = (ROOT / "src", ROOT, sysconfig.get_path("purelib"))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONHASHSEED": "0"}


if __name__ == "__main__":
    sys.exit(main())
