# make run    set everything up and run one experiment; ARGS="dataset=bank strategy=salutary" for another
# make test   set everything up and run the tests; make test-all adds the slow ones
# make paper  every table and figure of the paper and ours: 2,600 runs, then the report; JOBS processes
PYTHON ?= python3
VENV := .venv
PYTEST := $(VENV)/bin/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal
ARGS ?= dataset=digits strategy=salutary_greedy

EXPERIMENTS := table4 figure1 figure3 figure5 label_everything label_noise table2 fair images networks figure6
JOBS ?= 2

.PHONY: run test test-all lint clean paper

run: $(VENV)/.installed
	$(VENV)/bin/salutary-run $(ARGS)

test: $(VENV)/.installed lint
	$(PYTEST) -m "not slow"

test-all: $(VENV)/.installed lint
	$(PYTEST)

# The timings of scaling are taken one run after the other. Jobs that fail (no celeba file, say) are listed, and
# missing in the report.
paper: $(VENV)/.installed
	for name in $(EXPERIMENTS); do \
	    $(VENV)/bin/salutary-run experiment=$$name hydra/launcher=joblib hydra.launcher.n_jobs=$(JOBS) || true; \
	done
	-$(VENV)/bin/salutary-run experiment=scaling
	$(VENV)/bin/salutary-report

lint: $(VENV)/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

clean:
	rm -rf $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@
