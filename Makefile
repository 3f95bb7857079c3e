# Every target does its own set-up: Python 3.11+, git and a C compiler are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCK = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

.PHONY: help demo test property check format lock bench torture image-test clean

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): requirements-dev.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: $(READY) ## Stand-in Splunk, relay, samples of every resource; everything on this machine
	$(BIN)/relay demo

test: $(READY) ## The tests
	$(BIN)/python -m pytest

property: SEED := $(or $(SEED),$(shell date +%s))
property: $(READY) ## Thousands of arbitrary batches and faults against lanes (about ten minutes; SEED=n repeats a run)
	@echo "seed $(SEED)"
	PROPERTY_TIMES=$(or $(TIMES),50) $(BIN)/python -m pytest tests/unit/test_delivery_any_answer.py \
		tests/journey/test_delivery_property.py --hypothesis-seed=$(SEED) --hypothesis-show-statistics --timeout 0

check: $(READY) ## Format, lint, types, import contracts, tests with branch coverage: what CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --cov --cov-report=term

format: $(READY) ## Put the code in its one format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(READY) ## Pin every dependency again, with hashes and without index addresses
	$(LOCK) --output-file requirements.lock
	$(LOCK) --group dev --output-file requirements-dev.lock

torture: $(READY) ## Kill relays and PostgreSQL, cut networks and power, count what is lost (minutes; docs/torture.md)
	$(BIN)/python -m tests.torture $(or $(TORTURE),--trials 12 --jobs 2)

image-test: $(READY) ## Lint, build and run the container image; system tests against it
	$(BIN)/python tests/system/image.py

bench: $(READY) ## What the project calls fast, measured on this machine (some minutes)
	$(BIN)/python -m tests.bench

clean: ## Forget the virtual environment and every cache
	rm -rf $(VENV) build dist .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
