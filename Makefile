# Each target sets up all it needs, on a fresh machine too.
.PHONY: run help test bench lint format setup setup-test lock clean

help:
	@echo "make run     start the hub with its simulators; pages at the printed address"
	@echo "make test    all checks and tests"
	@echo "make bench   all benchmarks; writes docs/benchmarks.md"
	@echo "make lint    the checks without the tests"
	@echo "make format  mend what the tools can mend"
	@echo "make lock    write the exact versions of all libraries anew"

run: setup
	.venv/bin/python -m shuniu demo --cases 40 --keep

test: setup-test
	.venv/bin/python -P scripts/check.py

# One alone, and its switches: .venv/bin/python -m bench NAME --help
bench: setup-test
	.venv/bin/python -P -m bench all --write --dead-receiver --destinations 5 --ordered

lint: setup-test
	.venv/bin/python -P scripts/check.py --static

format: setup-test
	.venv/bin/python -m ruff check --fix .
	.venv/bin/python -m ruff format .

setup:
	scripts/setup run

setup-test:
	scripts/setup test

lock: setup-test
	scripts/lock

# What setting up and checking left; never the hub's own state in .shuniu/.
clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
