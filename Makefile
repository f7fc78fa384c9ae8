# make demo: the embedded default, end to end.   make test: all tests.
# make lint: what the code is held to.           make docs: the documentation, docs/_build/index.html.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-fast lint docs clean

demo: $(VENV)/.installed
	$(BIN)/snakemake --cores all
	@echo
	@echo "The report: results/demo/report.html (open it in a browser)"

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not integration"
	$(BIN)/python -m pytest -n 2 --dist loadfile -m integration

test-fast: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not integration"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/snakemake --lint

docs: $(VENV)/.installed-docs
	$(BIN)/sphinx-build -q --fresh-env --nitpicky --fail-on-warning --keep-going docs docs/_build
	@echo "The documentation: docs/_build/index.html (open it in a browser)"

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "crossres needs Python 3.11 or newer; name one with: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv module is missing: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# torch first: asked for by its exact version it is one wheel, CPU-only where the index has such a build.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing (a few minutes the first time)"
	$(INSTALL) torch==2.13.0
	$(INSTALL) -e '.[view]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) -e '.[dev]'
	$(INSTALL) --no-deps opensr-test satalign  # what they ask for beyond the dev extra (CLIP, LPIPS, LightGlue) is not used
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(INSTALL) -e '.[docs]'
	@touch $@

clean:
	rm -rf $(VENV) .venv-pgstac .snakemake .pytest_cache .mypy_cache .ruff_cache docs/_build
