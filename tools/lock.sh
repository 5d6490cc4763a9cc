#!/bin/sh
# Write the hashed locks anew (no registry address is ever emitted). Run it after changing pyproject.toml.
set -eu
cd "$(dirname "$0")/.."
compile() { .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command tools/lock.sh "$@"; }
compile pyproject.toml -o requirements/run.txt
compile --all-extras pyproject.toml -o requirements/machines.txt
compile --all-extras --group dev pyproject.toml -o requirements/dev.txt
compile requirements/uv.in -o requirements/uv.txt
compile requirements/peers.in -o requirements/peers.txt
compile requirements/fuzz.in -o requirements/fuzz.txt
