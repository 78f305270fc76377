# Needs Python >= 3.11 and make; everything else goes into .venv and the model cache.
PYTHON ?= python3
BIN := .venv/bin
MODEL := INBEDDER_CACHE=$${INBEDDER_CACHE:-.cache}

.PHONY: demo test check fuzz bench docs docs-reference docs-outputs format clean

demo: .venv/ready  ## set up, and cluster the sample reviews by two questions
	$(MODEL) $(BIN)/inbedder cluster sample_data/reviews.csv --id id -i "What emotion is expressed?" -k 8 --format table
	$(MODEL) $(BIN)/inbedder cluster sample_data/reviews.csv --id id -i "Which product is it about?" -k 12 --format table

test: check  ## set up, lint, type-check, and run all tests, those of the real model too
	$(MODEL) $(BIN)/pytest -q -m slow

check: .venv/ready-dev  ## lint, types, layers, docstrings and the fast tests: no network, no model
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/flake8 inbedder_cli
	$(BIN)/pytest -q -n auto

fuzz: .venv/ready-dev  ## ten minutes of damaged files for everything that reads one; what breaks it is kept in .fuzz
	$(BIN)/python -m tests.fuzz --minutes 10

bench: .venv/ready-dev  ## how fast rows are read, and how each step grows with them
	$(MODEL) $(BIN)/python benchmarks/throughput.py
	$(MODEL) $(BIN)/python benchmarks/workers.py
	$(MODEL) $(BIN)/python benchmarks/growth.py

docs: .venv/ready-docs  ## build the documentation in build/docs: no network, no warning
	$(BIN)/sphinx-build -q -W --keep-going -c docs -b html . build/docs
	@echo "build/docs/docs/index.html"

docs-reference: .venv/ready-docs  ## write docs/options.md from the command line itself
	$(BIN)/python -m docs.tools.options

docs-outputs: .venv/ready-dev  ## run the commands of README and docs with the bundled encoder; write what they print
	$(MODEL) $(BIN)/python -m docs.tools.outputs
	$(MODEL) $(BIN)/python -m docs.tools.notebook
	$(MODEL) $(BIN)/python -m docs.tools.pictures

format: .venv/ready-dev  ## put the code into its usual form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what the other targets made here
	rm -rf .venv .cache build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .fuzz

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/ready-dev: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

.venv/ready-docs: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@
