# Each target installs what it needs into $(VENV), from the hash-locked files in locks/. Three kinds of
# tools have their own environments: .venv-compare for the libraries that `make compare` trains,
# .venv-audit for the audit tools, and .venv-NAME for each model server that `make bench-peers` runs.

VENV ?= .venv
BIN := $(VENV)/bin
PEERS := mlserver bentoml litserve mlflow

# The supported versions are the classifiers in pyproject.toml. An interpreter counts only if it runs
# and can make an environment: a shim of pyenv may not run, and Debian's python3 may lack ensurepip.
VERSIONS := $(shell sed -n 's/.*"Programming Language :: Python :: \(3\.[0-9]*\)".*/\1/p' pyproject.toml)
DESCRIBE := import ensurepip, sys, venv; version = "%d.%d" % sys.version_info[:2]; \
	version in sys.argv[1:] or sys.exit(1); print(version, sys.executable)
find = for name in $(1); do $$name -c '$(DESCRIBE)' $(2) 2>/dev/null && break; done
named = python$(1) $(HOME)/.pyenv/versions/$(1)*/bin/python
PYTHON ?= $(lastword $(shell $(call find,python3 $(foreach version,$(VERSIONS),$(call named,$(version))),$(VERSIONS))))
# For a test that repeats itself many times.
NO_TIMEOUT := --timeout 0 --override-ini faulthandler_timeout=0

# An environment that exists keeps its Python, so a request for another one must not pass silently.
VERSION := import sys; print(sys.version_info[:2])
ifeq ($(origin PYTHON),command line)
ifneq ($(wildcard $(BIN)/python),)
ifneq ($(shell $(PYTHON) -c '$(VERSION)' 2>/dev/null),$(shell $(BIN)/python -c '$(VERSION)'))
$(error $(VENV) has another Python version than $(PYTHON). Name another folder with VENV=FOLDER)
endif
endif
endif

INSTALL = $(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:

.DELETE_ON_ERROR:
.PHONY: pythons serve test test-cluster fuzz soak overload audit train bench bench-peers compare format lock openapi screenshots

# Each supported version that is found, oldest first, with its interpreter; .ci/run reads it.
pythons:
	@$(foreach version,$(VERSIONS),$(call find,$(call named,$(version)) python3,$(version));) true

serve: $(VENV)/service $(if $(wildcard models/saved/*/model.json),,models/saved/notebook)
	$(BIN)/python -m app serve

test: $(VENV)/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	OPENBLAS_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile  # more would slow each other down

# Scores twenty million rows (or HOUSING_CLUSTER_ROWS) with one Dask worker and with two. Then runs
# ten rolling restarts of the replicas under load and kills one replica in each.
test-cluster: $(VENV)/test
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.cluster_long
	HOUSING_ROLLS=10 $(BIN)/pytest $(NO_TIMEOUT) tests/test_replicas.py

# Runs the fuzzer with a million requests, pipelined requests, schemathesis, killed writes and
# flipped bits of saved models, and restarts under load.
fuzz: $(VENV)/test
	$(BIN)/python -m tests.fuzz
	$(BIN)/python -m tests.fuzz.streams
	$(BIN)/python -m tests.fuzz.openapi
	HOUSING_KILLS=1000 HOUSING_BIT_FLIPS=10000 $(BIN)/pytest $(NO_TIMEOUT) tests/test_storage.py -k "kills or flips"
	HOUSING_RESTARTS=100 $(BIN)/pytest tests/test_server.py -k sigterm_fails

soak: $(VENV)/test
	$(BIN)/python -m tests.soak

# Sends ten times as many requests as the service can handle. Needs two idle cores.
overload: $(VENV)/test
	$(BIN)/python -m tests.overload

# Writes build/sbom.json, then asks PyPI for the advisories of every locked version.
audit: .venv-audit/audit
	mkdir -p build
	.venv-audit/bin/cyclonedx-py requirements --output-reproducible --of JSON \
		--output-file build/sbom.json locks/service.txt
	@for lock in service arrow cluster training test; do \
		.venv-audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
			--requirement locks/$$lock.txt || { \
			echo "The audit of locks/$$lock.txt failed: PyPI has advisories for it or is not" \
				"reachable. The SBOM is complete." >&2; exit 1; }; \
	done

train: $(VENV)/training
	$(BIN)/python -m training.retrain
	$(BIN)/python -m training.block_groups

bench: $(VENV)/bench
	$(BIN)/python -m benchmarks.fit
	$(BIN)/python -m benchmarks.starting
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.batches

bench-peers: $(VENV)/bench $(foreach peer,$(PEERS),.venv-$(peer)/peer)
	$(BIN)/python -m benchmarks.peers

compare: .venv-compare/compare
	.venv-compare/bin/python -m training compare
	.venv-compare/bin/python -m training compare --split blocked

format: $(VENV)/test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The OpenAPI document for client generators. A test compares it with /openapi.json.
openapi: $(VENV)/service
	$(BIN)/python -c 'import json; from app.main import create_app; \
		print(json.dumps(create_app().openapi(), indent=2))' > openapi.json

# Takes the screenshots of the page in the README.
screenshots: $(VENV)/test
	$(BIN)/python -m tests.screenshots

# Upgrades the locked versions within the ranges of pyproject.toml. Commit the changed files.
lock: $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet uv
	for extra in service arrow cluster training bench compare test audit; do \
		$(BIN)/uv pip compile --quiet --universal --python-version $(firstword $(VERSIONS)) --generate-hashes --upgrade \
			--no-header --no-annotate $$([ $$extra = service ] || echo --extra $$extra) \
			pyproject.toml --output-file locks/$$extra.txt || exit; \
	done
	for peer in $(PEERS); do \
		$(BIN)/uv pip compile --quiet --universal --python-version $(firstword $(VERSIONS)) --generate-hashes --upgrade \
			--no-header --no-annotate benchmarks/peers/$$peer/requirements.in \
			--output-file benchmarks/peers/$$peer/requirements.txt || exit; \
	done

models/saved/notebook: $(VENV)/training
	$(BIN)/python -m training notebook

$(VENV)/%: locks/%.txt $(VENV)/bin/python
	$(INSTALL) --requirement $<
	touch $@

.venv-compare/%: locks/%.txt .venv-compare/bin/python
	$(INSTALL) --requirement $<
	touch $@

.venv-audit/%: locks/%.txt .venv-audit/bin/python
	$(INSTALL) --requirement $<
	touch $@

.venv-%/peer: benchmarks/peers/%/requirements.txt .venv-%/bin/python
	$(INSTALL) --requirement $<
	touch $@

$(VENV)/bin/python .venv-compare/bin/python .venv-audit/bin/python $(PEERS:%=.venv-%/bin/python):
	@python="$(PYTHON)"; "$${python:-false}" -c '$(DESCRIBE)' $(VERSIONS) >/dev/null 2>&1 || { \
		version="$$("$${python:-false}" --version 2>&1 | head -n 1)"; \
		echo "Python must be one of $$(echo $(VERSIONS) | sed 's/ /, /g') with the module venv," \
			"got $${version:-none}; name one with PYTHON=/path/to/python." >&2; \
		exit 1; }; \
	"$$python" -m venv $(@:/bin/python=)
