# Two commands for a fresh clone: `make demo` and `make test`. Each sets up what it needs by itself.
# PYTHON=/path/to/python3.x names the Python to use; else the newest suitable one is found.

READY := .venv/ready
RUN := .venv/bin/python -m
CODE := $(wildcard collector tests bench migrations)

.PHONY: help setup demo test lint format types contracts check lock clean stale
.DEFAULT_GOAL := help
export PYTHON
# The tests start hundreds of processes, which have half as much to do when they find the bytecode of the last one.
unexport PYTHONDONTWRITEBYTECODE

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make the virtual environment .venv, or bring it up to date

demo: $(READY) ## show the collector at work, with a Binance of our own that fails now and then
	@.venv/bin/collector demo

test: $(READY) ## run all tests on SQLite and PostgreSQL, with branch coverage
	@$(RUN) coverage erase
	@$(RUN) coverage run -m pytest -n auto --dist worksteal --maxprocesses 8 --same-on-both-engines
	@$(RUN) coverage combine --quiet
	@$(RUN) coverage report

lint: $(READY) ## look for mistakes and for unformatted code
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .

format: $(READY) ## format the code
	@$(RUN) ruff check --fix-only .
	@$(RUN) ruff format .

types: $(READY) ## check the types
	@$(RUN) mypy $(CODE)

contracts: $(READY) ## check who imports whom
	@.venv/bin/lint-imports

check: lint types contracts test ## all of lint, types, contracts and test

lock: $(READY) ## renew requirements.lock: the newest versions that pyproject.toml allows
	@$(RUN) uv pip compile pyproject.toml --extra postgres --group dev \
		--universal --python-version 3.11 --generate-hashes --upgrade \
		--custom-compile-command "make lock" --quiet --no-config --output-file requirements.lock

clean: ## remove what was made, but the virtual environment
	@rm -rf .demo dist build htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# An environment that was made elsewhere (the folder has moved) or for another PYTHON is looked at again.
MADE_IN := $(shell sed -n 1p $(READY) 2>/dev/null)
MADE_FOR := $(shell sed -n 2p $(READY) 2>/dev/null)
ifneq ($(MADE_IN),$(CURDIR))
$(READY): stale
else ifneq ($(or $(PYTHON),$(MADE_FOR)),$(MADE_FOR))
$(READY): stale
endif

$(READY): requirements.lock pyproject.toml
	@.ci/setup
