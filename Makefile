# Six words: run, test, check, bench, docs, clean. Nothing is needed before them but Python 3.11 and make.
PYTHON ?= python3
BIN    := .venv/bin
SITE   := $(BIN)/python -m
.DEFAULT_GOAL := run
.PHONY: run test check bench docs clean

.venv/ready: requirements/dev.txt pyproject.toml tools/hatch_build.py $(shell find src -name '*.po')
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --reinstall -e .
	@touch $@

run: .venv/ready          ## serve the filled demo organisation and print its address
	$(BIN)/essaim demo $(ARGS)

test: .venv/ready         ## every test (journeys need Chromium, and say so when it is absent)
	$(BIN)/pytest $(ARGS)

check: .venv/ready        ## style, types, borders between the parts, migrations, translations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/essaim manage makemigrations --check --dry-run
	$(SITE) tools.messages --check
	$(SITE) tools.reference --check

bench: .venv/ready        ## print every measured claim of the README beside its peer
	$(BIN)/python bench/opinion.py
	$(BIN)/python bench/live.py

docs: .venv/ready         ## regenerate the reference from the code and check every link
	$(SITE) tools.reference

clean:                    ## forget everything that can be made again (keeps var/, your data)
	rm -rf .venv .venv-peers .venv-fuzz .mypy_cache .ruff_cache .import_linter_cache .hypothesis
