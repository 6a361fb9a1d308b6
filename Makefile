# Every verb a contributor needs. Nothing here needs root.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCK   := requirements.lock
ONLY   ?=
ARCH   ?= aarch64
PY     ?= 311

.PHONY: demo test check soak bench bundle messages lint types clean

$(VENV)/run: pyproject.toml $(LOCK)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c $(LOCK) -e .
	@touch $@

$(VENV)/test: $(VENV)/run
	$(BIN)/pip install -q -c $(LOCK) -e '.[test]'
	@touch $@

$(VENV)/lint: $(VENV)/test
	$(BIN)/pip install -q -c $(LOCK) -e '.[test,lint]'
	@touch $@

demo: $(VENV)/run  ## the main job on real input, in about a minute, with no hardware
	$(BIN)/fengsui demo

test: $(VENV)/test  ## the whole suite
	$(BIN)/python -m pytest -n 4

soak: $(VENV)/test  ## the same suite with every count at its full size
	FENGSUI_SOAK=1 $(BIN)/python -m pytest -n 2 -o timeout=0

check: lint types  ## what a reviewer would say first

lint: $(VENV)/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/lint
	$(BIN)/mypy

bench: $(VENV)/test  ## the figures, written to benchmarks/results.json; ONLY=name runs one
	$(BIN)/python -m benchmarks $(ONLY)

bundle: $(VENV)/test  ## a release for stations without a network, signed by BUNDLE_KEY=FILE; unsigned only by UNSIGNED=yes
	$(BIN)/fengsui bundle make --arch $(ARCH) --python $(PY) $(if $(BUNDLE_KEY),--key $(BUNDLE_KEY),$(if $(UNSIGNED),--unsigned))

messages:  ## compile what the translators wrote (agent/locale), after any change to a .po
	$(PYTHON) -m agent.po

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
