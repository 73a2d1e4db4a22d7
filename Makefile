# Everything a fresh machine needs is here: Python 3.10 or newer and make. Each target fills .venv by itself.
PYTHON ?= python3
VENV := .venv
SECONDS := 60
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Of tests: two more than cores, as some of them wait; not many, as some of them are about pace.
PROCESSES := $(shell $(PYTHON) -c "import os; print(min(os.cpu_count() + 2, 6))")

.PHONY: demo test test-long test-integrations test-browser test-redis test-airflow test-spark test-packaging test-lowest environments \
	torture soundness fuzz coverage mutants lint format docs dist bench bench-quick sample-data clean

# What `make test-lowest` runs on: the oldest Python that pyproject.toml allows.
OLDEST ?= python3.10

demo: $(VENV)/.base ## load the sample data into an embedded sandbox
	@$(BIN)/python -m interakt_loader demo --folder demo-output

test: $(VENV)/.test ## run all tests: on all cores, and then those that are about pace, alone
	$(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal -m "not alone"
	$(BIN)/python -m pytest -m alone

test-long: $(VENV)/.test ## the same with eight times the examples, and with the largest real table whole
	INTERAKT_LONG=1 $(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal -m "not alone"

test-integrations: test-redis test-packaging test-airflow test-spark test-browser ## against the real things that the loader works with

test-redis: $(VENV)/.test ## one call limit for several processes: needs redis-server
	$(BIN)/python -m pytest tests/integration/redis

test-airflow: $(VENV)-test-airflow/.ready ## tasks of a real Airflow
	$(VENV)-test-airflow/bin/python -m pytest tests/integration/airflow

test-browser: $(VENV)-test-browser/.ready ## the HTML report and the sandbox's page: needs Chromium
	$(VENV)-test-browser/bin/python -m pytest tests/integration/browser

test-spark: $(VENV)-test-spark/.ready ## loads of a real Spark, alone and as a cluster: needs Java
	$(VENV)-test-spark/bin/python -m pytest tests/integration/spark

test-packaging: $(VENV)-test-packaging/.ready ## the wheel alone, on each Python that is found; its types from outside
	$(VENV)-test-packaging/bin/python -m pytest tests/integration/packaging

test-lowest: $(VENV)-lowest/.ready ## all tests, with the lowest versions that pyproject.toml allows: OLDEST=python3.10
	$(VENV)-lowest/bin/python -m pytest -n $(PROCESSES) --dist worksteal -m "not alone"

environments: $(patsubst %,$(VENV)-%/.ready,test-packaging test-airflow test-browser test-spark docs) ## what those need, ahead of them

torture: $(VENV)/.test ## 200 loads killed with kill -9 at random moments, and run again
	INTERAKT_TORTURE=200 $(BIN)/python -m pytest tests/torture -s --timeout 7200

fuzz: $(VENV)-fuzz/.ready ## any bytes for the parsers of answers and of mapping files; SECONDS=600 for longer
	$(VENV)-fuzz/bin/python -m tests.hostile.fuzz answer --seconds $(SECONDS)
	$(VENV)-fuzz/bin/python -m tests.hostile.fuzz wait --seconds $(SECONDS)
	$(VENV)-fuzz/bin/python -m tests.hostile.fuzz mapping --seconds $(SECONDS)
# What measuring itself spoils: processor time is counted there.
UNMEASURED := not byte_at_a_time

coverage: $(VENV)/.test ## what the tests run: all branches of the pure modules, 95 % of the package
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(PROCESSES) --dist worksteal -m "not alone" -k "$(UNMEASURED)"
	$(BIN)/coverage combine --quiet
	$(BIN)/python -m tests.coverage

mutants: $(VENV)/.test ## small mistakes put into the deciding modules, one by one: which ones does no test see?
	$(BIN)/python -m tests.mutants

soundness: $(VENV)/.test ## thousands of histories of the schedule, and of the engine's threads in any order
	INTERAKT_SOUNDNESS=5000 $(BIN)/python -m pytest tests/soundness tests/sending/test_engine.py -s

lint: $(VENV)/.lint ## ruff, mypy, and what nobody calls
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/vulture

format: $(VENV)/.lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)-docs/.ready ## the site of docs/, into site/; with --quiet no warning would count
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/python -m mkdocs build --strict --config-file docs/mkdocs/mkdocs.yml

dist: $(VENV)-test-packaging/.ready ## sdist and wheel, into dist/, checked
	rm -rf dist
	$(VENV)-test-packaging/bin/python -m build --no-isolation
	$(VENV)-test-packaging/bin/python -m twine check --strict dist/*

bench: $(VENV)-bench/.ready ## the figures in the README, and what others need for the same, measured on this machine
	$(VENV)-bench/bin/python -m benchmarks

bench-quick: $(VENV)-bench/.ready ## the like of them in under two minutes
	$(VENV)-bench/bin/python -m benchmarks --quick

sample-data: $(VENV)/.base ## make sample_data/ anew; the seed makes it the same
	$(BIN)/python -m interakt_loader.sample_data sample_data

clean:
	rm -rf $(VENV) $(VENV)-* demo-output site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .fuzz .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@echo "making $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)

# An environment of its own for an extra: what others need is none of ours. uv, which pip brings, makes it in a third of
# the time.
$(VENV)-%/.ready: pyproject.toml
	@echo "making $(VENV)-$*, with interakt_loader and what its extra $* needs (once)"
	@$(PYTHON) -m venv $(VENV)-$*
	@$(VENV)-$*/bin/python -m pip --disable-pip-version-check --quiet install uv
	@$(VENV)-$*/bin/uv pip install --quiet --compile-bytecode --python $(VENV)-$*/bin/python -e '.[$*]'
	@touch $@

# pip knows no lowest versions, uv does.
$(VENV)-lowest/.ready: pyproject.toml
	@echo "making $(VENV)-lowest, with the lowest versions that pyproject.toml allows (once)"
	@$(OLDEST) -m venv --clear $(VENV)-lowest
	@$(VENV)-lowest/bin/python -m pip --disable-pip-version-check --quiet install uv
	@$(VENV)-lowest/bin/uv pip install --quiet --python $(VENV)-lowest/bin/python --resolution lowest-direct \
		-e '.[remote,excel,plot,redis,test]'
	@touch $@

# A stamp a set of requirements: made again when pyproject.toml changes.
$(VENV)/.base: pyproject.toml | $(VENV)/bin/python
	@echo "installing interakt_loader (once)"
	@$(PIP) install -e .
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	@echo "installing interakt_loader and what its tests need (once)"
	@$(PIP) install -e '.[test]'
	@touch $@ $(VENV)/.base

$(VENV)/.lint: pyproject.toml | $(VENV)/bin/python
	@echo "installing interakt_loader and what its checks need (once)"
	@$(PIP) install -e '.[test,lint]'
	@touch $@ $(VENV)/.base $(VENV)/.test
