# Every target does its own set-up: Python 3.11+, git and a C compiler are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SPLUNK := .venv-splunk
LOOK := .look
JOBS ?= logical
# Each worker has servers of its own; who is done takes over what another has not begun.
PYTEST = $(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

.PHONY: help setup demo serve unit test check lint types format goldens property torture attack bench image-test lock upgrade \
	splunk-app splunk-app-inspect splunk-app-look release clean

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): tools/install.py requirements-dev.lock requirements-build.lock pyproject.toml
	@$(PYTHON) tools/install.py --develop $(VENV)
	@touch $@

setup: $(READY) ## The virtual environment, exactly as requirements-dev.lock says

demo: $(READY) ## Stand-in Splunk, relay, samples of every resource; everything on this machine
	$(BIN)/relay demo

serve: $(READY) ## The relay between its stand-ins, started again whenever the code changes (Control-C ends it)
	$(BIN)/python tools/serve.py

unit: $(READY) ## The unit tests, on every save
	$(PYTEST) tests/unit -m "not slow"

test: $(READY) ## The tests but those marked slow, and a line that says how many those are
	$(PYTEST) -m "not slow"

property: SEED := $(or $(SEED),$(shell date +%s))
property: $(READY) ## Thousands of arbitrary batches and faults against lanes (about ten minutes; SEED=n repeats a run)
	@echo "seed $(SEED)"
	PROPERTY_TIMES=$(or $(TIMES),50) $(BIN)/python -m pytest tests/unit/test_delivery_any_answer.py \
		tests/journey/test_delivery_property.py --hypothesis-profile property --hypothesis-seed=$(SEED) \
		--hypothesis-show-statistics --timeout 0

check: lint types $(SPLUNK)/.ready ## Format, lint, types, import contracts, tests with branch coverage: what CI runs
	$(PYTEST) --hypothesis-profile full --cov --cov-report=term

lint: $(READY) ## Format, lint and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(READY) ## Types, strictly
	$(BIN)/mypy

format: $(READY) ## Put the code in its one format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

console-pictures: $(READY) ## The pictures of docs/console.md, taken of the console as it is; look at them
	$(BIN)/python -m tests.browser.pictures

goldens: $(READY) ## Write the golden events and docs/events.schema.json anew; read the difference before it is committed
	$(BIN)/python -m tests.goldens

lock: $(READY) ## Pin what pyproject.toml asks for, with hashes and without index addresses; pins that still fit stay
	$(LOCK) $(UPGRADE) pyproject.toml --output-file requirements.lock
	$(LOCK) $(UPGRADE) pyproject.toml --group dev --constraint requirements.lock --output-file requirements-dev.lock
	$(LOCK) $(UPGRADE) --group build --output-file requirements-build.lock
	$(LOCK) $(UPGRADE) --group splunk --no-emit-package painter --output-file requirements-splunk.lock

upgrade: ## Pin the newest release of everything
	$(MAKE) lock UPGRADE=--upgrade

torture: $(READY) ## Kill relays and PostgreSQL, cut networks and power, count what is lost (minutes; docs/torture.md)
	$(BIN)/python -m tests.torture $(or $(TORTURE),--trials 12 --jobs 2)

image-test: $(READY) ## Lint, build and run the container image; system tests against it
	$(BIN)/python tests/system/image.py

.PHONY: base console-pictures deploy-check deploy-renders deploy-rules deploy-lock

base: TAG := $(shell sed -nE 's/^FROM ([^@ ]+)(@[^ ]+)? AS base$$/\1/p' Dockerfile)
base: ## Name the image's base by the digest that its tag has now (needs docker with buildx, and the registry)
	@digest=$$(docker buildx imagetools inspect $(TAG) --format '{{.Manifest.Digest}}') \
		&& echo "$$digest" | grep -qxE 'sha256:[0-9a-f]{64}' \
		|| { echo "base: the digest of $(TAG) cannot be had: $$digest" >&2; exit 1; } \
		&& sed -i.before -E "s|^FROM .* AS base$$|FROM $(TAG)@$$digest AS base|" Dockerfile && rm Dockerfile.before

# Apart from .venv: Helm, kustomize, Kubernetes' schemas and checkov take 600 MB.
DEPLOY := .venv-deploy
$(DEPLOY)/.ready: deploy/check.lock deploy/check-kustomize.lock
	@test -x $(DEPLOY)/bin/python || $(PYTHON) -m venv $(DEPLOY)
	@$(DEPLOY)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes \
		--only-binary :all: --requirement deploy/check.lock
	@$(DEPLOY)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes \
		--only-binary :all: --ignore-requires-python --python-version 3.14 --upgrade --target $(DEPLOY)/kustomize \
		--requirement deploy/check-kustomize.lock
	@touch $@

deploy-check: $(DEPLOY)/.ready ## Render chart and kustomizations with the real tools, compare with what is kept, validate
	$(DEPLOY)/bin/python -m tests.deploy.check

deploy-renders: $(DEPLOY)/.ready ## Write the renders that are kept anew; read the difference before it is committed
	$(DEPLOY)/bin/python -m tests.deploy.check --write

deploy-rules: $(READY) ## Write the alert rules for the Prometheus Operator anew
	$(BIN)/python -m tests.deploy.renders

deploy-lock: $(READY) ## Pin the tools of deploy-check
	$(subst make lock,make deploy-lock,$(LOCK)) $(UPGRADE) deploy/check.in --output-file deploy/check.lock

attack: $(READY) ## Attack the port of a relay, with honest hooks beside it: who is refused, how late, how much memory (minutes)
	$(BIN)/python -m tests.attack

bench: $(READY) ## What the project calls fast, measured on this machine (some minutes)
	$(BIN)/python -m tests.bench

splunk-app: $(READY) ## Pack the add-on and the app for Splunk into dist/
	$(BIN)/python -m deploy.splunk.generate.pack

$(SPLUNK)/.ready: requirements-splunk.lock
	@$(PYTHON) tools/install.py --lock $< $(SPLUNK)
	@touch $@

splunk-app-inspect: $(READY) $(SPLUNK)/.ready ## AppInspect over both packages; their fields against Splunk's data models
	$(BIN)/python -m pytest tests/journey/test_splunk_app_inspect.py

$(LOOK)/.ready: tests/splunk_app/look/package-lock.json
	@mkdir -p $(LOOK)
	@cp tests/splunk_app/look/package.json tests/splunk_app/look/package-lock.json tests/splunk_app/look/.npmrc $(LOOK)
	cd $(LOOK) && npm ci --no-update-notifier
	@touch $@

splunk-app-look: $(READY) $(LOOK)/.ready ## Draw the app's dashboards with Splunk's own code (npm, Chromium; some minutes)
	$(BIN)/python -m tests.splunk_app.looking $(LOOK_OPTIONS)

release: $(READY) ## One version everywhere and its section in the changelog: make release VERSION=0.2.0
	$(BIN)/python tools/release.py $(VERSION)
	$(BIN)/python -m deploy.splunk.generate

clean: ## Forget the virtual environment and every cache
	rm -rf $(VENV) $(DEPLOY) $(SPLUNK) $(LOOK) build dist .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
