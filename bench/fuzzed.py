"""What the fuzzer runs (started by bench/live_fuzz.py in `.venv-fuzz`): instruments the live path, then feeds it bytes."""

import sys

import atheris

MODULES = (
    "answers", "ballots", "deck", "exchange", "journal", "loading", "moment", "numbers", "participants", "plan", "records",
    "room", "standing", "statements", "text", "tickets", "votes", "waiting",
)  # fmt: skip

with atheris.instrument_imports(include=[f"essaim.live.{one}" for one in MODULES]):
    from tests.live.hostile_story import run

if __name__ == "__main__":
    if sys.argv[1] == "--reproduce":
        with open(sys.argv[2], "rb") as finding:
            run(finding.read())
        print("nothing was found with this one")
    else:
        atheris.Setup(sys.argv, run)
        atheris.Fuzz()
