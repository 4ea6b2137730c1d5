# Five words are enough: setup, demo, test, lint, bench. Each sets up what it needs.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
TEST_STAMP := $(VENV)/.set-up-for-tests

export BITCOIND

.PHONY: help setup demo test fuzz lint fmt bench lock clean

help:
	@echo "make demo            a simulated site, its agent and the controller; prints the console's address"
	@echo "make demo CHECK=1    the same story without a person; exits non-zero where a step fails"
	@echo "make demo BITCOIND=/path/to/bitcoind    with a real node; make test and make bench know it too"
	@echo "make test            every test"
	@echo "make fuzz            the property tests again, on thousands of new examples"
	@echo "make lint            ruff, mypy, import-linter"
	@echo "make bench           every benchmark, one JSON line each"

setup: $(TEST_STAMP)

$(STAMP): requirements/dev.txt pyproject.toml setup/system-packages setup/environment
	@setup/system-packages demo $(PYTHON)
	@setup/environment $(PYTHON) $(VENV)
	@touch $(STAMP)

$(TEST_STAMP): $(STAMP)
	@setup/system-packages test $(PYTHON)
	@touch $(TEST_STAMP)

demo: $(STAMP)
	@$(BIN)/bes demo $(if $(CHECK),--check) $(if $(PRICES),--prices "$(PRICES)")

# Tests that start whole programs want the machine to themselves; the others share it.
ALONE := tests/benchmarks tests/browser tests/integration

test: setup
ifdef ARGS
	@$(BIN)/python -m pytest $(ARGS)
else
	@$(BIN)/python -m pytest --numprocesses=auto $(ALONE:%=--ignore=%)
	@$(BIN)/python -m pytest $(ALONE)
endif

fuzz: setup
	@$(BIN)/python -m pytest -m hypothesis --hypothesis-profile=search --timeout=1800 $(ARGS)

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fmt: $(STAMP)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMP)
	@$(BIN)/bes bench all

lock:
	@setup/lock $(VENV)

clean:
	rm -rf $(VENV) var dist .mypy_cache .ruff_cache .pytest_cache
