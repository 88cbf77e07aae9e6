# Two commands for a stranger: `make demo` and `make test`. Both set up what they need.

PYTHON  ?= python3
VENV    ?= .venv
BIN     := $(VENV)/bin
EXTRAS  := torch,qat,prune,sim,synth,fpga,hls,report,litex,fusesoc,asic,demo,docs,dev
JOBS    ?= 2

FIGURES := proofs arithmetic exhaustive matrices fuzz netlists stress rtl_mutants python_mutants \
           malformed guided hostile crashes identical cycles repeats

.PHONY: demo docs test test-all trust lint setup tools clean help

help:
	@echo 'make demo      train, convert, simulate, synthesize, place and route; one table, one report'
	@echo 'make test      the default test suite'
	@echo 'make docs      the documentation as a site, in build/site'
	@echo 'make trust     every figure of docs/trust.md, some hours; a line each'
	@echo 'make test-all  lint, types, layers and every test, slow ones included (what CI runs)'

demo: setup
	$(BIN)/python examples/digits_demo.py

docs: setup
	$(BIN)/python docs/make_site.py

test: setup
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m 'not slow and not gpu'

test-all: setup lint
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m 'not gpu' --durations 50

trust: setup
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fuzz]'
	@failed=; for figure in $(FIGURES); do \
	  $(BIN)/python -m benchmarks.trust.$$figure || failed="$$failed $$figure"; \
	done; \
	$(BIN)/python -m pytest -n $(JOBS) tests/frontend/test_random_networks.py \
	  --first-seed 10120 --networks 180 || failed="$$failed random_networks"; \
	test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: $(VENV)/.ready tools

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	touch $@

# iverilog is the one tool that pip does not carry.
tools:
	@command -v iverilog > /dev/null || { \
	  echo 'installing iverilog'; \
	  if [ "$$(id -u)" = 0 ]; then run=; else run=sudo; fi; \
	  $$run apt-get -qq update && $$run apt-get -qq -y install iverilog > /dev/null; }

clean:
	rm -rf build dist $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
