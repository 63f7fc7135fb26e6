# `make demo` shows etude at work, `make test` checks it. Both install what they need into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DISTRIBUTIONS := shared services/searcher services/scheduler services/trial_runner services/metrics services/standalone
CODE := shared services tests examples bench docs/screenshots

# The tests start hundreds of Pythons, each of which would compile everything that it imports.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test every-test unit simulate soak lint types servers generate bench-quality bench-peers bench-decisions bench-scheduling bench-trial-start bench-busy-slots bench-query-scale screenshots clean

help:
	@echo "make demo      tune a small network on this machine (the first time two minutes, which install)"
	@echo "make test      install, lint, check types, run every test on a real RabbitMQ and mongod"
	@echo "make unit      the unit tests alone"
	@echo "make simulate  SEEDS=2000 simulated installations in which everything goes wrong (half an hour)"
	@echo "make soak      MINUTES=30 on real servers, of which something is killed, stopped or cut off all the time"
	@echo "make generate  write docs/asyncapi.yaml and docs/experiment-config.schema.json anew from the models"
	@echo "make bench-quality, bench-peers, bench-decisions, bench-scheduling, bench-trial-start, bench-busy-slots, bench-query-scale: see bench/README.md"
	@echo "make clean     remove what the other targets made"

demo: $(VENV)/.demo
	$(BIN)/etude run examples/digits/adaptive.yaml examples/digits

test: $(VENV)/.tests servers lint
	@$(MAKE) --no-print-directory --jobs 2 types every-test

every-test: $(VENV)/.tests
	$(BIN)/python -m pytest tests -n 4 --dist worksteal

unit: $(VENV)/.tests
	$(BIN)/python -m pytest tests/unit -n 2

SEEDS := 2000
simulate: $(VENV)/.tests
	$(BIN)/python -m tests.simulation.simulate --seeds $(SEEDS) $(if $(SEED),--seed $(SEED))

MINUTES := 30
soak: $(VENV)/.tests servers
	$(BIN)/python -m tests.chaos.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

lint: $(VENV)/.tests
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/lint-imports

types: $(VENV)/.tests
	$(BIN)/mypy shared/etude services/searcher/etude_searcher services/scheduler/etude_scheduler \
		services/trial_runner/etude_trial_runner services/metrics/etude_metrics services/standalone/etude_standalone

generate: $(VENV)/.demo
	$(BIN)/python -m etude.bus.asyncapi > docs/asyncapi.yaml
	$(BIN)/python -m etude.config.schema > docs/experiment-config.schema.json

bench-quality: $(VENV)/.bench
	$(BIN)/python bench/search_quality.py

bench-peers: $(VENV)/.bench
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r bench/requirements-peers.txt
	$(BIN)/python bench/search_quality.py --peers .venv-peers/bin/python

bench-decisions: $(VENV)/.demo
	$(BIN)/python bench/decisions.py

bench-trial-start: $(VENV)/.tests servers
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r bench/requirements-peers.txt
	$(BIN)/python bench/trial_start.py --peers .venv-peers/bin/python

bench-busy-slots: $(VENV)/.tests servers
	$(BIN)/python bench/busy_slots.py

bench-scheduling: $(VENV)/.demo
	$(BIN)/python bench/scheduling.py

bench-query-scale: $(VENV)/.tests servers
	$(BIN)/python bench/query_scale.py

screenshots: $(VENV)/.tests servers
	$(BIN)/python docs/screenshots/take.py

servers:
	sh tests/servers/install.sh

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "etude needs Python 3.11 or later; say which with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python constraints.txt $(DISTRIBUTIONS:=/pyproject.toml)
	@echo "Installing torch, etude and scikit-learn into $(VENV): the first time this takes some minutes."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch $(DISTRIBUTIONS:%=-e %) scikit-learn
	touch $@

$(VENV)/.tests: $(VENV)/.demo tests/requirements.txt
	@echo "Installing what the tests need into $(VENV)."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r tests/requirements.txt
	touch $@

$(VENV)/.bench: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check onnxruntime
	touch $@

clean:
	rm -rf $(VENV) .venv-peers .etude .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
