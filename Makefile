# Every target builds .venv itself, with the versions that constraints.txt pins.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PINNED := --constraint constraints.txt --build-constraint constraints.txt
# uv takes a fifth of pip's time; pip is there for who has set up an index for pip alone.
define install
@echo "Installing $(2) into .venv ..."
@$(BIN)/uv pip install --quiet --python $(BIN)/python $(PINNED) $(1) || $(PIP) install $(PINNED) $(1)
endef

.PHONY: demo lab report fast test lowest coverage record check format docs dist bench soak fuzz clean

demo: .venv/.demo
	$(BIN)/callkit demo

lab: .venv/.notebooks
	$(BIN)/jupyter lab notebooks

# What the calls cost and where the minutes went, as pages that load nothing from elsewhere, and the
# tables behind them: make report CALLS=calls.parquet OUT=report. Without CALLS, data/calls.parquet.
CALLS ?=
OUT ?= report
report: .venv/.notebooks
	mkdir -p "$(OUT)"
	bin=$$(realpath "$(BIN)"); out=$$(realpath "$(OUT)"); \
	calls="$(CALLS)"; calls=$${calls:+$$(realpath "$$calls")}; \
	cd notebooks; for name in 02_cost 03_duration; do \
	  PYTHONWARNINGS=ignore::UserWarning "$$bin/papermill" --prepare-only --log-level ERROR \
	    -r calls "$$calls" -r out "$$out" $$name.ipynb - | \
	  "$$bin/jupyter" nbconvert --stdin --execute --KernelManager.transport=ipc --log-level ERROR \
	    --to html --template report --TemplateExporter.extra_template_basedirs=templates \
	    --no-input --output-dir "$$out" --output $$name || exit; \
	done
	@echo "02_cost.html and 03_duration.html are in $(OUT)"

# Each file's tests stay in one process; at most four processes, however large the machine.
fast: .venv/.installed
	$(BIN)/python -m pytest -q -m "not slow" -n logical --maxprocesses 4 --dist loadfile

# The slow ones want the processor, or the memory of a process, to themselves.
test: fast
	$(BIN)/python -m pytest -q -m slow

# The fast tests with the lowest versions that pyproject.toml allows, in an environment of its own.
lowest: $(BIN)/uv
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) .venv-lowest
	$(BIN)/uv pip install --quiet --python .venv-lowest --resolution lowest-direct \
	  --editable '.[notebooks]' --group test --group docs --group dist
	.venv-lowest/bin/python -m pytest -q -m "not slow" -n logical --maxprocesses 4 --dist loadfile

coverage: .venv/.installed
	$(BIN)/python -m pytest -q -m "not slow" -n logical --maxprocesses 4 --dist loadfile \
	  --cov=callkit --cov-branch --cov-report=term:skip-covered

# What the real API answers, with every personal value replaced; see tests/live.
record: .venv/.installed
	$(BIN)/python -m tests.live
	$(BIN)/python -m pytest -q tests/live/test_live.py -k recorded

check: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/basedpyright --pythonpath $(BIN)/python

docs: .venv/.installed
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --nitpicky -b html docs build/docs
	@echo "the documentation is in build/docs/index.html"

dist: .venv/.installed
	rm -rf dist
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	PYTHON=$(BIN)/python tests/smoke/wheel.sh

# Each is a ratio of things run side by side; the tables are kept in benchmarks/results.
bench: .venv/.bench
	$(BIN)/python -m benchmarks.normalise
	$(BIN)/python -m benchmarks.fetch
	$(BIN)/python -m benchmarks.limits
	$(BIN)/python -m benchmarks.accounts
	$(BIN)/python -m benchmarks.accounts --one-refused
	$(BIN)/python -m benchmarks.resuming
	$(BIN)/python -m benchmarks.date_range
	$(BIN)/python -m benchmarks.sid_lists
	$(BIN)/python -m benchmarks.page_decisions
	$(BIN)/python -m benchmarks.bulk_export
	$(BIN)/python -m benchmarks.breakdown
	$(BIN)/python -m benchmarks.importing
	$(BIN)/python -m benchmarks.structure

# The fault campaign over more calls and seeds, and a longer outage.
soak: .venv/.installed
	CALLKIT_CAMPAIGN_CALLS=50000 CALLKIT_CAMPAIGN_SEEDS=10 CALLKIT_OUTAGE_SECONDS=30 \
	  $(BIN)/python -m pytest -q tests/test_campaign.py

# A million damaged inputs: each gives a result or a documented error.
fuzz: .venv/.installed
	$(BIN)/python -m tests.fuzz

format: .venv/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BIN)/uv:
	$(PYTHON) -m venv .venv
	@$(PIP) install --constraint constraints.txt uv

.venv/.demo: $(BIN)/uv pyproject.toml constraints.txt
	$(call install,--editable '.[sandbox]',callkit and its sandbox)
	touch $@

.venv/.notebooks: $(BIN)/uv pyproject.toml constraints.txt
	$(call install,--editable '.[notebooks]',callkit and JupyterLab)
	touch $@

.venv/.installed: $(BIN)/uv pyproject.toml constraints.txt
	$(call install,--group dev --editable '.[notebooks]',callkit and what its tests need)
	touch $@

.venv/.bench: .venv/.installed
	$(call install,--group bench,what the benchmarks compare)
	touch $@

clean:
	rm -rf .venv .venv-lowest
