# Everything happens in .venv, which is made when needed. ARGS goes to the program that is run:
#   make run ARGS="--data ~/try"     make test-fast ARGS="-k pathtext -x"
# PYTHON names the Python to use when the one that is found is not the one you want.

ARGS ?=
SECONDS ?= 600
SEED ?=
PYTHON ?=
export PYTHON

.PHONY: help run test test-fast torture soak bench check lint types packaging web web-check web-dev format lock clean

help: ## say what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 12

run: ## set everything up and start the daemon
	@sh tools/venv.sh run
	@exec .venv/bin/hikazed run $(ARGS)

test: ## all tests, with whatever they need (as root this may install Debian packages)
	@sh tools/venv.sh dev
	@sh tools/test.sh $(ARGS)

test-fast: ## the tests that start no program, on all cores, for every minute
	@sh tools/venv.sh dev
	@exec .venv/bin/pytest -n auto --dist worksteal \
		-m "not journey and not browser and not comfyui and not slow and not packaging" $(ARGS)

torture: ## stories of storms and crashes until the time is over: make torture SECONDS=3600 SEED=1 (600 if left out)
	@sh tools/venv.sh dev
	@exec .venv/bin/python -m tests.torture.run --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(ARGS)

soak: ## storm and rest in turn, and whether anything of the daemon grows: make soak SECONDS=3600 (600 if left out)
	@sh tools/venv.sh dev
	@exec .venv/bin/python -m tests.torture.soak --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(ARGS)

bench: ## what it can do, each figure beside a floor: make bench ARGS="hash scan"
	@sh tools/venv.sh run
	@exec .venv/bin/python -m bench $(ARGS)

check: lint types packaging web-check ## what CI checks besides the tests

lint: ## ruff: rules and format
	@sh tools/venv.sh dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: ## pyright, strict where pyproject.toml says so
	@sh tools/venv.sh dev
	.venv/bin/pyright

packaging: ## build the wheel, install it elsewhere, and see that it is whole
	@sh tools/venv.sh dev
	.venv/bin/pytest -m packaging tests/test_packaging.py

web: ## build the page anew: web/dist, which is committed
	@sh tools/venv.sh dev
	@sh tools/web.sh build

web-check: ## the page: eslint, types, its own tests, and whether web/dist is what its sources give
	@sh tools/venv.sh dev
	@sh tools/web.sh check

web-dev: ## serve the page from its sources, with the daemon behind it (HIKAZE_URL, if it is not at 127.0.0.1:8790)
	@sh tools/venv.sh dev
	@sh tools/web.sh dev

format: ## let ruff put the code into form
	@sh tools/venv.sh dev
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

lock: ## write the lock files anew (newest versions: make lock ARGS=--upgrade)
	@sh tools/venv.sh dev
	@sh tools/lock.sh $(ARGS)

clean: ## remove what make made; no library is touched
	rm -rf .venv .cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info web/node_modules
