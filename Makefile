# `make demo` and `make test` do all their set-up; nothing but Python 3.11 (or newer) and make is needed.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
SETUP  := pyproject.toml constraints.txt

# `python -c` and `pytest` in this folder would otherwise take ./datasets for Hugging Face's package of that name.
export PYTHONSAFEPATH := 1

.PHONY: help demo test soak lint lint-style lint-types lint-image format docs bench clean
help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

demo: $(VENV)/.train  ## make a small multi-centre trial, export it, validate it, train on it
	rm -rf demo-trial
	$(BIN)/trialbids demo demo-trial

test: $(VENV)/.dev  ## the whole test suite
	$(BIN)/pytest -n auto --dist loadfile

soak: $(VENV)/.dev  ## the laws again, with very many more examples (hours)
	PYTHONPATH=tests $(BIN)/pytest -p soak --hypothesis-profile=soak -n auto --dist loadfile

lint: lint-style lint-types lint-image  ## format, lint, types, Dockerfile; and that the type checker really looks

lint-style: $(VENV)/.dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check

lint-types: $(VENV)/.dev
	$(BIN)/basedpyright
	.ci/planted-error $(BIN)

lint-image: $(VENV)/.dev
	$(BIN)/hadolint Dockerfile

format: $(VENV)/.dev  ## format the code and sort its imports
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(VENV)/.dev  ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/.dev  ## against dcm2niix, dcm2bids, heudiconv, MONAI, TorchIO and pybids; how sensitive the checks are
	$(BIN)/python benchmarks/export.py
	$(BIN)/python benchmarks/qc_headers.py
	$(BIN)/python benchmarks/qc_speed.py
	$(BIN)/python benchmarks/qc.py
	$(BIN)/python benchmarks/loading.py

clean:  ## remove all that make has made
	rm -rf $(VENV) .venv-peers demo-trial site build dist src/*.egg-info .pytest_cache .ruff_cache .hypothesis

# One environment, two sizes: `dev` holds all that `train` holds. The stamps make the second call instant; a change of
# the requirements installs again.
$(VENV)/.train: $(SETUP) | $(BIN)/pip
	test $(VENV)/.dev -nt pyproject.toml -a $(VENV)/.dev -nt constraints.txt || \
	    $(BIN)/pip install --quiet --constraint constraints.txt --editable '.[train]'
	touch $@

$(VENV)/.dev: $(SETUP) | $(BIN)/pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,docs]'
	touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "trialbids needs Python 3.11 or newer; found '$(PYTHON)'. Say which: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
