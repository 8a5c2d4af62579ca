# Everything here runs from .venv, which the first command that needs it makes. What must be there beforehand:
# Python 3.11, 3.12 or 3.13 with venv, and the package registries (or a pip configuration that stands in for them).
#
#   PYTHON=...   the Python to make .venv from, if not the first one found that fits
#   ARGS=...     more for the command behind a target: make up ARGS="--replicas generator=2", make test ARGS=tests/unit
#
# make chaos takes SCENARIO=spend, waiting or ledger, SEED=n, KILLS=n, POLICY=strict or settle, and NAIVE=1 for the
# handler that everybody writes first, which must be caught paying twice.
#
# make bench takes ROW=name, a row of docs/benchmarks.md, and its options in ARGS: make bench ROW=storing ARGS=--large.

PYTHON ?=
ARGS ?=
SCENARIO ?= spend
SEED ?= 1
KILLS ?= 60
POLICY ?= strict
NAIVE ?=
ROW ?=
# Test files run side by side, each worker on servers of its own (0.7 GB): most of a run is waiting.
WORKERS ?= 2
BIN = .venv/bin
PACKAGES = bench darkroom gateway generator_service ledger_service schemas stage uploader_service

.DEFAULT_GOAL := help
.PHONY: help demo up down test chaos bench check schemas hooks lock clean environment-local environment-dev

help: ## What can be asked for
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1 \2/p' Makefile | while read -r name what; do printf '  make %-8s%s\n' "$$name" "$$what"; done

demo: environment-local ## From nothing: start everything, make four pictures, save them under out/, stop everything
	@exec $(BIN)/darkroom demo $(ARGS)

up: environment-local ## Start Kafka, PostgreSQL, S3 and the services; Ctrl-C stops them, their data is kept
	@exec $(BIN)/darkroom up $(ARGS)

down: environment-local ## Stop what make up started, from another terminal
	@exec $(BIN)/darkroom down $(ARGS)

test: environment-dev ## The whole suite, on a real Kafka, PostgreSQL and S3
	@exec $(BIN)/pytest -n $(WORKERS) --dist loadfile $(ARGS)

chaos: environment-dev ## Kill, pause, lose and replay, then count what was paid: make chaos SEED=1 KILLS=60
	@exec $(BIN)/python -m tests.chaos --scenario $(SCENARIO) --seed $(SEED) --kills $(KILLS) --policy $(POLICY) \
		$(if $(NAIVE),--naive) $(ARGS)

bench: environment-dev ## Figures beside the limit this machine shows: make bench ROW=storing; no ROW lists them
	@exec $(BIN)/python -m bench $(or $(ROW),--help) $(if $(ROW),$(ARGS))

check: environment-dev ## Lint, types, imports, security and the repository's own rules; stops at the first that fails
	@$(call checking,ruff (lint),$(BIN)/ruff check .)
	@$(call checking,ruff (format),$(BIN)/ruff format --check .)
	@$(call checking,mypy,$(BIN)/mypy)
	@$(call checking,import-linter,$(BIN)/lint-imports --no-logo)
	@$(call checking,bandit,$(BIN)/bandit --configfile pyproject.toml --recursive --quiet -ll $(PACKAGES))
	@$(call checking,schemas,$(BIN)/darkroom schemas check)
	@$(call checking,repository,$(BIN)/pytest tests/repository)
	@echo 'check: all is well'

schemas: environment-dev ## Write the facts' JSON Schemas, the AsyncAPI and the OpenAPI document anew from the code
	@exec $(BIN)/darkroom schemas write

hooks: environment-dev ## Run the quick checks at each git commit
	@$(BIN)/prek install

lock: environment-dev ## Write the requirements files anew from pyproject.toml; ARGS=--upgrade takes newer versions
	@$(LOCK) --extra local --extra dev -o requirements-dev.txt
	@$(LOCK) --extra local -c requirements-dev.txt -o requirements-local.txt
	@$(LOCK) -c requirements-dev.txt -o requirements.txt
	@grep -c '==' requirements.txt requirements-local.txt requirements-dev.txt

clean: ## Remove .venv and what the tools left behind; pictures and the local stack's data stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build darkroom.egg-info
	find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +

environment-local environment-dev: environment-%:
	@PYTHON='$(PYTHON)' .ci/environment $*

LOCK = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate $(ARGS)

# $(call checking,name,command): one line when it passes, and all it said when it fails.
checking = printf 'check: %-15s' '$(1)'; \
	if said=$$($(2) 2>&1); then echo ok; \
	else printf 'FAILED\n%s\n\nmake check: %s failed, as said above. To see it alone: %s\n' "$$said" '$(1)' '$(2)' >&2; exit 1; fi
