# make run    set everything up and run one experiment; ARGS="dataset=bank strategy=salutary" for another
# make test   set everything up and run the tests; make test-all adds the slow ones
PYTHON ?= python3
VENV := .venv
ARGS ?= dataset=digits strategy=salutary_greedy

.PHONY: run test test-all lint clean

run: $(VENV)/.installed
	$(VENV)/bin/salutary-run $(ARGS)

test: $(VENV)/.installed lint
	$(VENV)/bin/python -m pytest -m "not slow"

test-all: $(VENV)/.installed lint
	$(VENV)/bin/python -m pytest

lint: $(VENV)/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

clean:
	rm -rf $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@
