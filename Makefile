# Every target builds .venv itself, with the versions that constraints.txt pins.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test check format bench soak clean

demo: .venv/.installed
	$(BIN)/callkit demo

test: .venv/.installed
	$(BIN)/python -m pytest -q

check: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Each is a ratio of things run side by side; the tables are kept in benchmarks/results.
bench: .venv/.bench
	$(BIN)/python -m benchmarks.normalise
	$(BIN)/python -m benchmarks.fetch
	$(BIN)/python -m benchmarks.limits
	$(BIN)/python -m benchmarks.resuming
	$(BIN)/python -m benchmarks.breakdown

# The fault campaign over more calls and seeds, and a longer outage.
soak: .venv/.installed
	CALLKIT_CAMPAIGN_CALLS=50000 CALLKIT_CAMPAIGN_SEEDS=10 CALLKIT_OUTAGE_SECONDS=30 \
	  $(BIN)/python -m pytest -q tests/test_campaign.py

format: .venv/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) install --constraint constraints.txt pip
	$(PIP) install --constraint constraints.txt --build-constraint constraints.txt --group dev --editable '.[sandbox]'
	touch $@

.venv/.bench: .venv/.installed
	$(PIP) install --constraint constraints.txt --group bench
	touch $@

clean:
	rm -rf .venv
