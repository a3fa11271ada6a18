# Two commands: `make lab` starts tuilab, `make test` runs every check and test. `make bench` measures what is fast.
# PYTHON=python3.12 chooses an interpreter; VENV=/path puts the environment elsewhere.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: lab test check bench clean

lab: $(VENV)/.lab
	@$(BIN)/tuilab

# Tests of the whole program, which train on every core, have the machine to themselves; the others share its cores.
WHOLE := tests/end_to_end

test: check
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal --ignore=$(WHOLE)
	$(BIN)/python -m pytest $(WHOLE)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.peers --install
	$(BIN)/python -m benchmarks

$(VENV)/.python:
	@test -n "$(PYTHON)" || { echo "tuilab needs Python 3.11 or newer; install one or say make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.lab: $(VENV)/.python pyproject.toml constraints.txt
	$(INSTALL) -e '.[fast]'
	@$(BIN)/python -m compileall -q tuilab
	@echo "compiling the training kernel for this processor, once (about half a minute)"
	@$(BIN)/python -W ignore -m tuilab.engine --compile || echo "it could not be compiled; training goes on without it, more slowly" >&2
	@touch $@

$(VENV)/.dev: $(VENV)/.lab
	$(INSTALL) -e '.[fast,dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
