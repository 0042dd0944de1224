# Two commands to know: `make demo` and `make test`. Everything they install lives in .venv/ beside this file;
# `make test` also asks the system's package manager for a browser and a few libraries, where it may.
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
WEB := headviz/viewers/web
INPUTS := pyproject.toml constraints.txt hatch_build.py $(VENV)/.created \
	$(wildcard $(WEB)/*.js $(WEB)/*.mjs $(WEB)/*.css $(WEB)/*.json)

.PHONY: help setup demo test lint bench clean
.NOTPARALLEL:

help:
	@echo "make demo    serve the demo page on 127.0.0.1 (DEMO='--port 8000 --open' for another port and a browser)"
	@echo "make test    every check and every test"
	@echo "make setup   only the environment, in $(VENV)"
	@echo "make lint    only style, types and layers"
	@echo "make bench   the measurements of the README"
	@echo "make clean   remove what the others made"

demo: $(VENV)/.demo
	@$(BIN)/headviz demo $(DEMO)

test: system lint
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -rs

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -f apps/headviz_apps/*.pyi # Gradio writes these when it runs, and mypy would read them instead of the code
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: setup
	$(BIN)/python tests/benchmarks/photo.py $(BENCH)

setup: $(VENV)/.dev

clean:
	rm -rf $(VENV) dist build $(WEB)/dist $(WEB)/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: system
system:
	@sh .ci/system-packages tests

# The environments: `dev` has all that `demo` has. A stamp is newer than all that its environment is made from.
$(VENV)/.created:
	@sh .ci/system-packages
	@python=$$(sh .ci/find-python) && echo "creating $(VENV) with $$python" && rm -rf $(VENV) && "$$python" -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(INPUTS)
	$(PIP) install -c constraints.txt -e ".[demo]"
	@touch $@

$(VENV)/.dev: $(INPUTS)
	$(PIP) install -c constraints.txt -e ".[dev]"
	@touch $@ $(VENV)/.demo
