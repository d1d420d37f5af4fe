# PicShare's commands, for developers and CI. `make help` lists them. Options go in ARGS: make run ARGS='--port 9000'.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet
UNIT   := tests/unit
# Two processes more than processors, because tests wait for engines and browsers a third of their time.
PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 2)

# Without compiled modules each process that a test starts would compile all of them again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run check unit test soak mutate format bench bench-live texts docs screenshots references lock proto clean
.DEFAULT_GOAL := help

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
	@echo
	@echo "Options go in ARGS, as make run ARGS='--port 9000'; another Python in PYTHON, as make run PYTHON=python3.12."

run: $(VENV)/run.stamp ## the whole service in one process, in ./data
	@exec $(BIN)/picshare run $(ARGS)

check: $(VENV)/dev.stamp ## format, lint, types, unit tests (warnings are errors)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q $(UNIT)

unit: $(VENV)/dev.stamp ## the unit tests alone, in seconds
	$(BIN)/pytest -q $(UNIT)

test: $(VENV)/dev.stamp ## every test; installs the engines, the browser and the SDKs that it needs
	@tests/install-engines
	$(BIN)/pytest -n $(PROCESSES) --maxprocesses 4 \
	    --dist loadscope --no-loadscope-reorder $(ARGS)

soak: $(VENV)/dev.stamp ## test live recovery under faults for SOAK_SECONDS (300), from a random SOAK_SEED or a given one
	@tests/install-engines
	SOAK_SECONDS=$${SOAK_SECONDS:-300} SOAK_EXAMPLES=$${SOAK_EXAMPLES:-3000} \
	    $(BIN)/pytest -q -s --show-capture=no tests/unit/channels/hub/test_recovery_model.py tests/soak $(ARGS)

mutate: $(VENV)/mutate.stamp ## list the small mistakes that no test notices (hours; a part: ARGS=sessions, see ARGS=--help)
	@tests/install-engines
	@mutation/javascript/install
	$(BIN)/python -m mutation $(ARGS)

format: $(VENV)/dev.stamp ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/dev.stamp ## measure the service against its yardsticks; a table, and JSON in bench/results
	@tests/install-engines
	@bench/lighthouse/install
	$(BIN)/python -m bench $(ARGS)

bench-live: $(VENV)/dev.stamp ## compare the live layer with nchan, ws, Socket.IO and a loop in C
	@tests/install-engines
	@bench/sockets/peers/install
	$(BIN)/python -m bench.sockets $(ARGS)

texts: $(VENV)/run.stamp ## bring the catalogues in locales/ up to date with the texts in the sources
	@$(BIN)/python -m locales.update

docs: $(VENV)/run.stamp ## build the documentation as a site, which the service has at /docs/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

screenshots: $(VENV)/dev.stamp ## take the pictures of the documentation again, from a new service
	@tests/install-engines
	$(BIN)/python -m tests.browser.screenshots
	$(BIN)/python -m tests.browser.moving_picture

references: $(VENV)/dev.stamp ## take the pictures again with which the tests compare the main pages
	@tests/install-engines
	RETAKE_PICTURES=1 $(BIN)/pytest -q tests/browser/test_appearance.py

lock: ## pin every dependency again, with hashes and without index addresses (needs uv)
	uv pip compile pyproject.toml --extra loadtest --group build --universal --python-version 3.11 \
	    --generate-hashes --no-annotate --no-header -o requirements.lock
	uv pip compile pyproject.toml --extra acme --extra heic --extra loadtest --extra tracing --extra video --group build --group dev --universal --python-version 3.11 \
	    --generate-hashes --no-annotate --no-header -c requirements.lock -o requirements-dev.lock
	uv pip compile pyproject.toml --extra acme --extra heic --extra loadtest --extra tracing --extra video --group build --group dev --group mutate --universal \
	    --python-version 3.11 --generate-hashes --no-annotate --no-header -c requirements-dev.lock -o requirements-mutate.lock

proto: ## generate the Protobuf classes from channels/protocol/live.proto (needs uv)
	uvx --from 'grpcio-tools==1.85.1' python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. channels/protocol/live.proto

clean: ## remove everything that the commands created, except ./data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/sdk/node_modules bench/lighthouse/node_modules \
	    bench/sockets/peers/node_modules mutation/javascript/node_modules static/site

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "PicShare needs Python 3.11 or newer; choose one, for example: make run PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "Creating $(VENV) failed; on Debian and Ubuntu, install the package python3-venv."; exit 2; }

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing PicShare's dependencies into $(VENV), once; this takes a minute …"
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/run.stamp
	@echo "Installing the dependencies of checks and tests into $(VENV), once …"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/mutate.stamp: requirements-mutate.lock $(VENV)/dev.stamp
	@echo "Installing the dependencies of the mutation tests into $(VENV), once …"
	@$(PIP) --require-hashes -r requirements-mutate.lock
	@touch $@
