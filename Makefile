# For developers. Strangers and CI use ./demo and ./test, which need neither make nor anything installed.
BIN = .venv/bin
EMBEDDED = $(BIN)/python -m services.embedded --
FAST = tests/unit tests/laws tests/tidy
UV = UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 \
     --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links
.DEFAULT_GOAL := help
.PHONY: help setup check format-check lint types walls tidy format test test-all demo bench lock migrate psql clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

setup: ## Install what the project and its tests need
	sh deploy/bootstrap.sh dev

check: format-check lint types walls tidy ## Everything that needs no server: style, types, walls, house rules

format-check:
	@$(BIN)/ruff format --check --quiet . || { echo "make format repairs this"; exit 1; }

lint: ## Look for mistakes (ruff)
	$(BIN)/ruff check .

types: ## Check the types (mypy --strict)
	$(BIN)/mypy

walls: ## Check who imports whom (import-linter)
	$(BIN)/lint-imports --no-logo

tidy: ## Check the house rules
	$(BIN)/python -m pytest -q tests/tidy

format: ## Repair the format and what else can be repaired without thought
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .

test: ## The quick tests, without servers
	$(BIN)/python -m pytest -q -m "not servers" $(wildcard $(FAST))

test-all: ## Everything that must pass, with a private Postgres and RabbitMQ
	./test

demo: ## Both systems and the synchronisation between them, on this machine
	./demo

bench: setup ## Count HubSpot calls and writes per 1,000 edits, with private servers
	$(EMBEDDED) $(BIN)/python -m tests.bench

lock: ## Renew the pinned packages after a change in pyproject.toml
	$(UV) $(UPGRADE) --output-file requirements.txt pyproject.toml
	$(UV) $(UPGRADE) --extra dev --constraint requirements.txt --output-file requirements-dev.txt pyproject.toml

migrate: ## Bring the database at DATABASE_URL up to date
	$(BIN)/python -m sync_worker migrate

psql: ## A prompt on the database at DATABASE_URL, or on a fresh private one
	$(BIN)/python -m services.embedded -- sh -c 'exec psql "$$DATABASE_URL"'

clean: ## Remove caches, keep the environment
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .run build ./*.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
