# Everything is set up in .venv from the hash-locked files in locks/; nothing else is touched.
# The large libraries that the recipes are compared with stay apart from it, in .venv-compare.

BIN := .venv/bin
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
INSTALL = $(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:

.DELETE_ON_ERROR:
.PHONY: serve test train bench compare format lock

serve: .venv/service $(if $(wildcard models/saved/*/model.json),,models/saved/notebook)
	$(BIN)/python -m app serve

test: .venv/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest

train: .venv/training
	$(BIN)/python -m training.again

bench: .venv/training
	$(BIN)/python -m benchmarks.fit

compare: .venv-compare/compare
	.venv-compare/bin/python -m training compare
	.venv-compare/bin/python -m training compare --split blocked

format: .venv/test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Newer versions within pyproject.toml's ranges; commit what it writes.
lock: .venv/bin/python
	$(BIN)/python -m pip install --quiet uv
	for extra in service training compare test; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
			--no-header --no-annotate $$([ $$extra = service ] || echo --extra $$extra) \
			pyproject.toml --output-file locks/$$extra.txt || exit; \
	done

models/saved/notebook: .venv/training
	$(BIN)/python -m training notebook

.venv/%: locks/%.txt .venv/bin/python
	$(INSTALL) --requirement $<
	touch $@

.venv-compare/%: locks/%.txt .venv-compare/bin/python
	$(INSTALL) --requirement $<
	touch $@

.venv/bin/python .venv-compare/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer must be installed, however none was found." >&2; exit 1; }
	$(PYTHON) -m venv $(@:/bin/python=)
