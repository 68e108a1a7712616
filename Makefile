# make run    set everything up and run one experiment; ARGS="dataset=bank strategy=salutary" for another
# make test   set everything up and run the tests; make test-all adds the slow ones
# make paper  every table and figure of the paper and ours: 2,600 runs, then the report; JOBS processes
# make release  what can be released, checked; REHEARSAL=1 before CHANGELOG.md has the date
# make docs   the documentation site, in build/docs; make links: whether its links to elsewhere lead somewhere
# make test-browser  audit.html and report.html in a Chromium, which the system must have, by Playwright and axe-core
# make lint   make wheel (what is released, and a check that it runs)   make test-lowest (the oldest dependencies)
PYTHON ?= python3
VENV := .venv
LOWEST := .venv-lowest
# A file stays with one process: what its tests share is made once.
XDIST := --numprocesses auto --maxprocesses 4 --dist loadfile
PYTEST := $(VENV)/bin/python -m pytest $(XDIST)
ARGS ?= dataset=digits strategy=salutary_greedy

EXPERIMENTS := table4 figure1 figure3 figure5 label_everything label_noise table2 fair images networks figure6
JOBS ?= 2
# Where an image sets it, each of the many processes that tests start would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-all test-lowest test-browser lint links reference docs dist wheel release clean paper

run: $(VENV)/.run
	$(VENV)/bin/salutary-run $(ARGS)

test: $(VENV)/.test lint
	$(PYTEST) -m "not slow"

# Coverage makes tests a third slower: not in every run.
test-all: $(VENV)/.test lint
	$(PYTEST) --cov --cov-report=
	$(VENV)/bin/coverage report --format=total | sed 's/.*/Coverage: &%/'

# In an environment of its own, without most extras: what needs one is skipped. Old packages may warn of each other.
test-lowest: $(LOWEST)/.test
	$(LOWEST)/bin/python -m pytest $(XDIST) -m "not slow" -W default

# The timings of scaling are taken one run after the other. Jobs that fail (no celeba file, say) are listed, and
# missing in the report.
paper: $(VENV)/.test
	for name in $(EXPERIMENTS); do \
	    $(VENV)/bin/salutary-run experiment=$$name hydra/launcher=joblib hydra.launcher.n_jobs=$(JOBS) || true; \
	done
	-$(VENV)/bin/salutary-run experiment=scaling
	$(VENV)/bin/salutary-report

# Of a real Chromium (Debian: apt install chromium); axe-core, which finds what a screen reader cannot use, is from npm.
test-browser: $(VENV)/.test $(VENV)/.browser
	$(VENV)/bin/python -m pytest -m browser

lint: $(VENV)/.test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

# The tables of docs/reference.md, from the comments in conf/.
reference: $(VENV)/.run
	$(VENV)/bin/python scripts/make_reference.py

# A warning is an error: a link that leads nowhere, a docstring that does not render.
docs: $(VENV)/.docs
	$(VENV)/bin/python -m sphinx --fail-on-warning --keep-going --quiet -c docs . build/docs
	@echo build/docs/index.html

# Whether links to elsewhere lead somewhere: needs the network.
links: $(VENV)/.docs
	$(VENV)/bin/python -m sphinx --quiet --builder linkcheck -c docs . build/links

dist: $(VENV)/.test
	rm -rf dist
	$(VENV)/bin/python -m build --quiet --outdir dist . >/dev/null

wheel: dist
	PYTHON=$(PYTHON) .ci/wheel dist/*.whl

# Whether this tree can be released: metadata, notes, and the README's commands from the wheel. REHEARSAL=1: no date needed.
release: dist
	PYTHON=$(PYTHON) .ci/release dist $(if $(REHEARSAL),rehearsal)

clean:
	rm -rf $(VENV) $(LOWEST) dist

# Whoever runs needs less than whoever tests. Compiling all that is installed takes longer than what is imported.
$(VENV)/.run: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --no-compile --constraint constraints.txt --editable .
	touch $@

$(VENV)/.test: $(VENV)/.run
	$(VENV)/bin/python -m pip install --quiet --no-compile --constraint constraints.txt --editable ".[test]"
	touch $@

$(VENV)/.browser: $(VENV)/.run
	@command -v chromium || command -v chromium-browser || command -v google-chrome || \
	    { echo "make test-browser: no Chromium is installed (Debian: apt install chromium)"; exit 1; }
	@command -v npm >/dev/null || { echo "make test-browser: npm is not installed"; exit 1; }
	$(VENV)/bin/python -m pip install --quiet --no-compile --constraint constraints.txt --editable ".[browser]"
	npm install --silent --no-save --no-audit --no-fund --prefix $(VENV)/axe axe-core@4
	touch $@

$(VENV)/.docs: $(VENV)/.run
	$(VENV)/bin/python -m pip install --quiet --no-compile --constraint constraints.txt --editable ".[docs]"
	touch $@

$(LOWEST)/.test: pyproject.toml constraints.txt .ci/lowest
	$(PYTHON) -m venv --clear $(LOWEST)
	$(PYTHON) .ci/lowest > $(LOWEST)/lowest.txt
	$(LOWEST)/bin/python -m pip install --quiet --constraint $(LOWEST)/lowest.txt --editable ".[test-core]"
	touch $@
