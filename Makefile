# Everything sets itself up: Python 3.11 to 3.13, git and make are all that a machine needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# One more than there are processors: a fifth of their time, tests wait for terminals and other processes
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
SERVICE_TESTS := $(addprefix tests/host/, test_service.py test_consoles_outside.py test_effect.py)

.PHONY: demo test check lint types contracts fault-test slow-test host-test host-service-test root-test bench fuzz docs pictures snapshots lock clean

demo: $(READY)  ## a tour of the embedded hive, no NixOS, no root
	$(BIN)/hivetui demo

test: $(READY)  ## the fast suite
	$(BIN)/pytest -n $(JOBS) --dist loadfile -m "not host and not faults and not bench and not fuzz and not slow" $(ARGS)

check: lint types contracts test  ## all that must hold before a commit

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

contracts: $(READY)  ## layers, cycles, reachability, sizes
	$(BIN)/lint-imports
	$(BIN)/pytest -n 0 tests/test_structure.py

fault-test: $(READY)  ## the engine killed before and after every durable step, and on disks that take no more
	$(BIN)/pytest -n $(JOBS) -m faults --timeout 600 $(ARGS)

slow-test: $(READY)  ## hostile text on every screen, a newcomer's minute with the demo, and what else takes long
	$(BIN)/pytest -n $(JOBS) --dist loadfile -m slow --timeout 300 $(ARGS)

host-test: $(READY)  ## on a disposable host: HIVE_HOST="command that runs its arguments there as root"
	$(BIN)/pytest -m host --timeout 1800 tests/host $(SERVICE_TESTS:%=--ignore %) $(HOST_ARGS) $(ARGS)

host-service-test: $(READY)  ## there: the engine as a service, clients and consoles from outside, previews and canaries
	$(BIN)/pytest -m host --timeout 1800 $(SERVICE_TESTS) $(ARGS)

bench: $(READY)  ## figures beside their peers
	$(BIN)/pytest -m bench -s tests/bench $(ARGS)

fuzz: $(READY)  ## mutated frames on each socket and the SSH door, and properties of parsers
	$(BIN)/pytest -n $(JOBS) -m fuzz --timeout 900 $(ARGS)

docs: $(READY)  ## docs/wire.md, from the tables that the engine answers by
	$(BIN)/python -m tests.service.wire_document docs/wire.md

pictures: $(READY)  ## the pictures of the README, made by the program anew
	$(BIN)/python -m tests.visual.pictures docs/pictures

snapshots: $(READY)  ## the pictures that tests compare with, after a change of the screens: look at them before you commit
	$(BIN)/pytest tests/visual --snapshot-update

lock:  ## make requirements.lock anew (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock" -o requirements.lock

$(READY): requirements.lock pyproject.toml
	@echo "Setting up $(VENV), once: about a minute"
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(READY)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
