PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := src tests docs/hooks

.PHONY: demo check docs lock test test-gpu lint clean

$(STAMP): pyproject.toml constraints.txt constraints-torch.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --constraint constraints-torch.txt --editable '.[train,serve,tracking,scale,docs,dev]'
	touch $(STAMP)

# The main job in one run: train, evaluate, export, locate, report (out/demo/report.html).
demo: $(STAMP)
	$(BIN)/heimdall demo --output out/demo

lint: $(STAMP)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

# While working: everything static, and the quick tests of what differs from SINCE (a commit or branch; default main).
check: lint
	$(BIN)/python tests/changed.py $(SINCE)

# The documentation as a site, for `python3 -m http.server --directory out/site`; it needs nothing from the network.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# What the images install, with hashes, after a change of constraints.txt or of a dependency.
lock: $(STAMP)
	PATH=$(BIN):$$PATH $(BIN)/python docker/lock.py

# There is one Docker engine, so its tests run alone; the others three files at a time, each on one core of two: many wait.
test: lint
	$(BIN)/pytest -m docker
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not docker" --numprocesses 3 --dist loadfile --no-loadscope-reorder

# Skipped, with the reason, where there is no card.
test-gpu: $(STAMP)
	$(BIN)/pytest -m gpu tests/gpu

clean:
	rm -rf $(VENV) out
