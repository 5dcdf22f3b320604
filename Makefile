# make demo: a model learns on an emulated Cortex-M4F. make test: the whole gate. Both install what they need.
BIN := .venv/bin
C_FILES := $(shell find firmware tools tests -name '*.c' -o -name '*.cpp' -o -name '*.h' -o -name '*.inc')

.PHONY: demo test lint format clean
.DEFAULT_GOAL := demo

demo: .venv/.ready-demo
	$(BIN)/edgelearn run --project examples/wearable --out demo-out

test: lint
	$(BIN)/pytest -n 2 $(ARGS)

lint: .venv/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror --style=file:firmware/.clang-format $(C_FILES)

format: .venv/.ready-test
	$(BIN)/ruff check --quiet --fix .
	$(BIN)/ruff format --quiet .
	$(BIN)/clang-format -i --style=file:firmware/.clang-format $(C_FILES)

# Nothing is installed again until one of these changes.
.venv/.ready-%: pyproject.toml tools/setup.sh
	tools/setup.sh $*
	touch $@

clean:
	rm -rf .venv build dist demo-out .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
