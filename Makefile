# Needs python3 (3.11 to 3.13), make and a package registry; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := lang vm stdlib repl
LINKS := build/pkg/holdfast
# Random histories of domains that `make deep` compares with the model; 10,000 take two cores ten minutes.
HISTORIES ?= 10000

.PHONY: help run test deep slow real lint format bench clean

help:
	@echo 'make run     run the main job'
	@echo 'make test    run every test that is not slow'
	@echo 'make deep    run the slow tests of threads and domains: torture, deaths at random moments, histories, fuzzers'
	@echo 'make slow    run the slow tests'
	@echo 'make real    compare the answers of the main job with independent code, on all of the real data'
	@echo 'make lint    check style, format, types and import contracts'
	@echo 'make format  format the code, and mend what can be mended'
	@echo 'make bench   run the benchmarks'
	@echo 'make clean   remove everything that was built (worlds stay)'

run: $(VENV)/.run
	$(BIN)/python -m holdfast.repl.flights $(if $(FRESH),--fresh)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 -m 'not slow' --durations=10

slow: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m slow --durations=10 --hypothesis-profile=ci

deep: $(VENV)/.dev
	HOLDFAST_HISTORIES=$(HISTORIES) $(BIN)/python -m pytest -n 2 --dist worksteal -m slow --durations=5 \
	  tests/conformance tests/vm/test_restarts.py tests/vm/test_threads_crash.py tests/vm/test_threads_model.py \
	  tests/docs/test_marathon.py tests/security/test_histories.py tests/security/test_escapes.py \
	  tests/security/test_money.py tests/vm/test_stock.py tests/fuzz

real: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow -k test_real -rs tests/flights/test_flights.py

lint: $(VENV)/.dev $(LINKS)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	cd build/pkg && ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache
	cd build/pkg && PYTHONPATH=. ../../$(BIN)/lint-imports --config ../../pyproject.toml

format: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.bench
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# One stamp for each set of packages, so that a second call does nothing.
$(VENV)/.run: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v <= (3, 13))' || { \
	  echo "Holdfast needs Python 3.11, 3.12 or 3.13, but $(PYTHON) is: $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev $(VENV)/.bench: $(VENV)/.%: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

# The import names as a tree of links: mypy reads files, and knows nothing of editable installs.
$(LINKS):
	mkdir -p $@
	for name in $(PACKAGES); do ln -sfn ../../../$$name $@/$$name; done
	for name in api/*.py; do ln -sfn ../../../$$name $@/; done
