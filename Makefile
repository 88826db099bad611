# Every target brings what it needs: .ci/setup is quick when nothing is missing.
BIN := .venv/bin

.PHONY: test lint quick demo bench setup venv clean

test: setup lint
	$(BIN)/pytest

lint: venv
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports
	$(BIN)/mypy

# No engine, no package index, no Debian archive: under a minute.
quick: venv
	$(BIN)/pytest -m "not engine and not index and not archive"

demo: setup
	$(BIN)/python -m tests.demo

# Half an hour, on a machine that does nothing else; ARGS="service --rounds 1" is a quick look.
bench: setup
	$(BIN)/python -m bench $(ARGS)

setup:
	@.ci/setup

venv:
	@.ci/setup venv

clean:
	rm -rf .ci/.tools .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache dist
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
