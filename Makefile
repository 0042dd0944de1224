# Two commands to know: `make demo` and `make test`. Everything they install lives in .venv/ beside this file;
# `make test` also asks the system's package manager for a browser and a few libraries, where it may.
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
P3D := .venv-pytorch3d
WEB := headviz/viewers/web
INPUTS := pyproject.toml constraints.txt hatch_build.py $(VENV)/.created \
	$(wildcard $(WEB)/*.js $(WEB)/core/*.js $(WEB)/algorithms/*.js $(WEB)/*.json)

.PHONY: help setup demo test test-pytorch3d lint bench docs clean
.NOTPARALLEL:

help:
	@echo "make demo    serve the demo page on 127.0.0.1 (DEMO='--port 8000 --open' for another port and a browser)"
	@echo "make test    every check and every test"
	@echo "make test-pytorch3d   the tests beside PyTorch3D, in an environment of their own (5 GB)"
	@echo "make setup   only the environment, in $(VENV)"
	@echo "make lint    only style, types and layers"
	@echo "make bench   the measurements of the README"
	@echo "make docs    the site, in docs/_build/html"
	@echo "make clean   remove what the others made"

demo: $(VENV)/.demo
	@$(BIN)/headviz demo $(DEMO)

test: system lint
	GOMP_SPINCOUNT=2000 $(BIN)/python -m pytest -rs

# PyTorch3D's compiled code is made for one build of PyTorch, which is not the one headviz is tested with.
test-pytorch3d: $(P3D)/.ready
	GOMP_SPINCOUNT=2000 PYTHONPATH=. $(P3D)/bin/python -m pytest -rs tests/beside_pytorch3d

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -f apps/headviz_apps/*.pyi # Gradio writes these when it runs, and mypy would read them instead of the code
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: setup
	for name in photo trace extract viewers sculpt render; do $(BIN)/python tests/benchmarks/$$name.py $(BENCH) || exit 1; done

# docs/make_pages.py writes the live viewers that the pages show.
docs: setup
	[ ! -f docs/make_pages.py ] || GOMP_SPINCOUNT=2000 $(BIN)/python docs/make_pages.py
	$(BIN)/python -m sphinx -W --keep-going -q -j auto -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

setup: $(VENV)/.dev

clean:
	rm -rf $(VENV) $(P3D) dist build $(WEB)/dist $(WEB)/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis docs/_build docs/_static/viewers

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

$(P3D)/.ready: tests/beside_pytorch3d/requirements.txt
	@python=$$(sh .ci/find-python) && rm -rf $(P3D) && "$$python" -m venv $(P3D)
	$(P3D)/bin/python -m pip install --disable-pip-version-check -r tests/beside_pytorch3d/requirements.txt
	@touch $@
