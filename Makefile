# Five words are enough: setup, demo, test, lint, bench. Each sets up what it needs.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up

.PHONY: help setup demo test lint fmt bench lock clean

help:
	@echo "make demo            a simulated site, its agent and the controller; prints the console's address"
	@echo "make demo CHECK=1    the same story without a person; exits non-zero where a step fails"
	@echo "make test            every test"
	@echo "make lint            ruff, mypy, import-linter"
	@echo "make bench           every benchmark, one JSON line each"

setup: $(STAMP)

$(STAMP): requirements/dev.txt pyproject.toml setup/system-packages setup/environment
	@setup/system-packages $(PYTHON)
	@setup/environment $(PYTHON) $(VENV)
	@touch $(STAMP)

demo: setup
	@$(BIN)/bes demo $(if $(CHECK),--check) $(if $(PRICES),--prices "$(PRICES)")

test: setup
	@$(BIN)/python -m pytest $(ARGS)

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fmt: setup
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup
	@$(BIN)/bes bench all

lock:
	@setup/lock $(VENV)

clean:
	rm -rf $(VENV) var dist .mypy_cache .ruff_cache .pytest_cache
