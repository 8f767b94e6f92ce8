# Every target sets up .venv by itself the first time and is quick afterwards.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run
DEV := $(VENV)/.dev
E2E := $(VENV)/e2e

.PHONY: help setup demo test e2e lint bench chaos soak screenshots clean

help:
	@echo "make demo         the live screen on a simulated exchange"
	@echo "make test         all tests"
	@echo "make e2e          a whole day in tmux, from the wheel's install on, with its pictures"
	@echo "make lint         ruff, mypy, import-linter"
	@echo "make bench        benchmarks beside their peers, as a table and as bench.json"
	@echo "make chaos        an engine killed TIMES=1000 times, and SESSIONS=1000 simulated days of"
	@echo "                  faults in virtual time; what was lost, invented or doubled"
	@echo "make soak         MINUTES=120 of demo at 5,000 ticks/s under faults; memory and files watched"
	@echo "make screenshots  the README's pictures, from a seeded demo"
	@echo "make setup        the virtual environment alone"

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kitetui needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(RUN): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEV): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,oracle]'
	@touch $@ $(RUN)

setup: $(DEV)

demo: $(RUN)
	@$(BIN)/kitetui --demo

test: $(DEV)
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

e2e: $(DEV)
	rm -rf $(E2E)
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir $(E2E)/wheels .
	$(PYTHON) -m venv $(E2E)/venv
	$(E2E)/venv/bin/python -m pip install --quiet --disable-pip-version-check $(E2E)/wheels/*.whl
	KITETUI_PROGRAM=$(abspath $(E2E))/venv/bin/kitetui KITETUI_PICTURES=screenshots/day \
	  $(BIN)/python -m pytest tests/e2e/test_whole_day.py

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict kitetui
	$(BIN)/lint-imports

bench: $(DEV)
	$(BIN)/python -m tests.bench

TIMES ?= 1000
SESSIONS ?= 1000
SEED ?= 1
chaos: $(DEV)
	$(BIN)/python -m tests.simulation.seeds --count $(SESSIONS) --first $(SEED)
	$(BIN)/python -m tests.chaos.kills --times $(TIMES) --seed $(SEED)

MINUTES ?= 120
soak: $(DEV)
	$(BIN)/python -m tests.chaos.soak --minutes $(MINUTES) --seed $(SEED)

screenshots: $(DEV)
	$(BIN)/python -m tests.screenshots

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
