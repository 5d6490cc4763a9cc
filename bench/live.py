"""Every claim about the live path, one after the other: each part can be run alone.

    python bench/live.py [--only batches,kill,crowd,machines,restart,fuzz]

It takes about 45 minutes, with 500,000 simulated people and ten minutes of fuzzing in it. Let nothing else run beside it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = {
    "batches": ["live_batches.py"],
    "kill": ["live_kill.py"],
    "crowd": ["live_crowd.py"],
    "machines": ["live_machines.py"],
    "restart": ["live_restart.py"],
    "fuzz": ["live_fuzz.py"],
}


def main() -> int:
    """Run the chosen parts; the exit code says whether all held."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(PARTS))
    chosen = parser.parse_args().only.split(",")
    failed = []
    for part in chosen:
        script, *words = PARTS[part]
        print(f"\n== {part}: python bench/{' '.join([script, *words])}\n", flush=True)
        if subprocess.run([sys.executable, str(HERE / script), *words], check=False).returncode:
            failed.append(part)
    print(f"\n{'did not hold: ' + ', '.join(failed) if failed else 'all of it held'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
