# A fresh machine needs Python 3.10 or newer and make. Each target makes its own environment.
PYTHON ?= python3
VENV := .venv
SECONDS := 60
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
UV := $(BIN)/uv
# The package and one dependency group, in the versions of the lock.
INSTALL = $(UV) pip install --quiet --constraints $(LOCK) --build-constraints constraints.txt -e .
LOCK := constraints.txt
# Processes for the tests: two more than cores, because some tests wait. At most six, because some measure the pace.
PROCESSES := $(shell $(PYTHON) -c "import os; print(min(os.cpu_count() + 2, 6))")

# The folders with tests that measure the pace. Collecting all tests again would take longer than these.
ALONE = $(shell grep -rl "mark[.]alone" tests --include="*.py" | xargs -n1 dirname | sort -u)

.PHONY: demo test test-long test-integrations test-browser test-redis test-databases test-airflow test-airflow-live test-airflow-tasks test-spark test-orchestrators test-packaging test-container test-lowest environments \
	torture soundness fuzz coverage mutants lint format docs dist bench bench-quick sample-data lock clean

# The Python of `make test-lowest`: the oldest that pyproject.toml allows.
OLDEST ?= python3.10

demo: $(VENV)/.base ## load the sample data into an embedded sandbox
	@$(BIN)/python -m interakt_loader demo --folder demo-output

test: $(VENV)/.test ## all tests: on all cores, then those that measure the pace, alone
	$(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal -m "not alone"
	$(BIN)/python -m pytest -m alone $(ALONE)

test-long: $(VENV)/.test ## the same with eight times the examples, and the whole of the largest real table
	INTERAKT_LONG=1 $(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal -m "not alone"

test-integrations: test-redis test-databases test-packaging test-container test-airflow test-spark test-orchestrators test-browser ## tests with real Redis, PostgreSQL, MariaDB, Airflow, Spark, Dagster, Prefect, dbt, Chromium, built packages and the image

test-redis: $(VENV)/.test ## one rate limit for several processes: needs redis-server
	$(BIN)/python -m pytest tests/external/redis

test-databases: $(VENV)/.test ## loads from PostgreSQL and MariaDB: needs both servers installed; it starts its own
	$(BIN)/python -m pytest tests/external/databases

test-airflow: test-airflow-live test-airflow-tasks ## tasks in a real Airflow; an Airflow that is too old is refused

test-airflow-live: $(VENV)-test-airflow/.ready ## those that need a scheduler
	$(VENV)-test-airflow/bin/python -m pytest tests/external/airflow/live

test-airflow-tasks: $(VENV)-test-airflow/.ready $(VENV)-airflow2/.ready $(VENV)-test-spark/.ready ## the others; one of them also runs Spark
	$(VENV)-test-airflow/bin/python -m pytest tests/external/airflow --ignore tests/external/airflow/live

test-browser: $(VENV)-test-browser/.ready ## the HTML report and the sandbox's page: needs Chromium
	$(VENV)-test-browser/bin/python -m pytest tests/external/browser

test-spark: $(VENV)-test-spark/.ready ## loads in a real Spark, local and as a cluster: needs Java
	$(VENV)-test-spark/bin/python -m pytest tests/external/spark

test-orchestrators: $(VENV)-test-orchestrators/.ready ## the page for Dagster, Prefect and dbt, with each of them
	$(VENV)-test-orchestrators/bin/python -m pytest tests/external/orchestrators

test-packaging: $(VENV)-test-packaging/.ready ## the built wheel on each Python that is found, and its types
	$(VENV)-test-packaging/bin/python -m pytest tests/external/packaging

test-container: $(VENV)-test-packaging/.ready ## the image and the recipes for containers: needs Linux and root, but no Docker
	$(VENV)-test-packaging/bin/python -m pytest tests/external/container

test-lowest: $(VENV)-lowest/.ready ## all tests, with the lowest versions that pyproject.toml allows: OLDEST=python3.10
	$(VENV)-lowest/bin/python -m pytest -n $(PROCESSES) --dist worksteal -m "not alone"

environments: $(patsubst %,$(VENV)-%/.ready,test-packaging test-airflow airflow2 test-browser test-spark test-orchestrators docs) ## make the environments of those targets now

torture: $(VENV)/.test ## 200 loads, killed with kill -9 at random moments and run again
	INTERAKT_TORTURE=200 $(BIN)/python -m pytest tests/torture -s --timeout 7200

fuzz: $(VENV)-fuzz/.ready ## random bytes for the parsers of answers and mapping files: SECONDS=600 for longer
	$(VENV)-fuzz/bin/python -m tests.hostile.fuzz answer --seconds $(SECONDS)
	$(VENV)-fuzz/bin/python -m tests.hostile.fuzz wait --seconds $(SECONDS)
	$(VENV)-fuzz/bin/python -m tests.hostile.fuzz mapping --seconds $(SECONDS)

# This test counts processor time, which measuring the coverage would change.
UNMEASURED := not byte_at_a_time

coverage: $(VENV)/.test ## fail unless the tests run all branches of the pure modules and 95 % of the package
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(PROCESSES) --dist worksteal -m "not alone" -k "$(UNMEASURED)"
	$(BIN)/coverage combine --quiet
	$(BIN)/python -m tests.coverage

mutants: $(VENV)/.test ## put small mistakes into the modules that decide, one by one: which does no test detect?
	$(BIN)/python -m tests.mutants

soundness: $(VENV)/.test ## thousands of random histories of the scheduler, and orders of its threads
	INTERAKT_SOUNDNESS=5000 $(BIN)/python -m pytest tests/soundness tests/sending/test_engine.py -s

lint: $(VENV)/.dev ## ruff, mypy and vulture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/vulture

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)-docs/.ready ## the site of docs/, in site/ (with --quiet, mkdocs would not fail on warnings)
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/python -m mkdocs build --strict --config-file docs/mkdocs/mkdocs.yml

dist: $(VENV)-test-packaging/.ready ## sdist and wheel, checked, in dist/
	rm -rf dist
	$(VENV)-test-packaging/bin/python -m build --no-isolation
	$(VENV)-test-packaging/bin/python -m twine check --strict dist/*

bench: $(VENV)-bench/.ready ## measure this package and others on this machine, in the same work
	$(VENV)-bench/bin/python -m benchmarks

bench-quick: $(VENV)-bench/.ready ## the same in less than two minutes, less exact
	$(VENV)-bench/bin/python -m benchmarks --quick

sample-data: $(VENV)/.base ## write sample_data/ again; a fixed seed gives the same files
	$(BIN)/python -m interakt_loader.sandbox.demo_data sample_data

# With dev come the groups test and lint.
LOCKED := dev test-airflow test-browser test-packaging test-spark bench fuzz docs

COMPILE = $(UV) pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes --no-annotate \
	--custom-compile-command "make lock"
# Dagster, Prefect and dbt need older versions of what Airflow and others need.
ORCHESTRATORS := tests/external/orchestrators/constraints.txt

lock: $(UV) ## renew constraints.txt: every version of every group and extra, for each Python and system
	$(COMPILE) --all-extras $(addprefix --group ,$(LOCKED)) --output-file constraints.txt pyproject.toml
	$(COMPILE) --group test-orchestrators --output-file $(ORCHESTRATORS) pyproject.toml

clean:
	rm -rf $(VENV) $(VENV)-* demo-output site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .fuzz .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@echo "making $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)

$(UV): | $(BIN)/python
	@$(PIP) install uv

# The stamps: an environment is updated when pyproject.toml or the lock changes.
$(VENV)/.base: pyproject.toml | $(BIN)/python
	@echo "installing interakt_loader (once)"
	@$(PIP) install -e .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(UV)
	@echo "installing interakt_loader and the tools for its tests (once)"
	@$(INSTALL) --compile-bytecode --python $(BIN)/python --group test
	@touch $@ $(VENV)/.base

$(VENV)/.dev: pyproject.toml constraints.txt | $(UV)
	@echo "installing interakt_loader and the tools for its tests and checks (once)"
	@$(INSTALL) --compile-bytecode --python $(BIN)/python --group dev
	@touch $@ $(VENV)/.base $(VENV)/.test

$(VENV)-test-orchestrators/.ready: LOCK := $(ORCHESTRATORS)
# as pip does: the benchmark measures starts
$(VENV)-bench/.ready: BYTECODE := --compile-bytecode
$(VENV)-%/.ready: pyproject.toml constraints.txt | $(UV)
	@echo "making $(VENV)-$*, with interakt_loader and the group $* (once)"
	@$(PYTHON) -m venv $(VENV)-$*
	@$(INSTALL) $(BYTECODE) --python $(VENV)-$*/bin/python --group $*
	@touch $@

# The lock has one version of Airflow. This older one is only imported, to see how it is refused.
$(VENV)-airflow2/.ready: pyproject.toml | $(UV)
	@echo "making $(VENV)-airflow2, with interakt_loader and an Airflow that is too old (once)"
	@$(PYTHON) -m venv $(VENV)-airflow2
	@$(UV) pip install --quiet --python $(VENV)-airflow2/bin/python -e . "apache-airflow==2.11.2"
	@touch $@

$(VENV)-lowest/.ready: pyproject.toml | $(UV)
	@echo "making $(VENV)-lowest, with the lowest versions that pyproject.toml allows (once)"
	@$(OLDEST) -m venv --clear $(VENV)-lowest
	@$(UV) pip install --quiet --python $(VENV)-lowest/bin/python --resolution lowest-direct \
		-e '.[remote,excel,plot,redis,sql,databases,lake]' --group test
	@touch $@
