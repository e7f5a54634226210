# make run          the service and its task worker on this machine, with demo data, on http://127.0.0.1:$(PORT)/
# make serve        the service and its task worker for production, on $(HOST):$(PORT)
# make test         each test on the databases on which its result may differ (with CI set, measures coverage)
# make test-fast    the inner loop, under a minute: on SQLite, without servers, fuzz tests, the admin and input
# make test-browser clicks through the pages in Chromium; without one, it is skipped
# make test-clients generates clients from the OpenAPI document with tools of npm and PyPI and uses them; needs npm
# make fuzz         sends hostile requests for long, on both databases (EXAMPLES=2000 a test; SEED=… repeats a run)
# make test-image   builds and runs what the Dockerfile does, without a container engine
# make cluster      three nodes with PostgreSQL, failover and the service on this machine, until Ctrl-C
# make cluster-test breaks such nodes under load; writes deploy/cluster/RESULTS.md (CLUSTER=--short for a part of it)
# make fault-test   breaks the database under the service, slows it down or freezes it; writes the table in docs/operations.md
#                   (FAULTS=--short for a part of it)
# make bench        measures the service; writes benchmarks/RESULTS.md (BENCH=--tiny to try it out)
# make compare      measures this tree against another revision, in turns (REV=main; BENCH=--tiny to try it out)
# make bench-reports  measures the staff's pages with a million bookings (BENCH=--tiny to try it out)
# make profile      draws where a booking's time goes: docs/images/profile.svg
# make lint         format, rules, types, flaws, migrations, deployment
# make audit-dependencies  checks the pinned versions for known vulnerabilities; needs the network
# make format       fixes what ruff can fix
# make screenshot   takes the README's pictures of a service that `make run` started
# make lock         pins the newest versions that requirements*.in allow
PORT ?= 8000
HOST ?= 127.0.0.1
WORKERS ?= 2
THREADS ?= 4
# pyenv builds Python without optimizations by default. The system's Python is faster and is used instead if it has the
# same version.
IS_OPTIMIZED = import sysconfig; exit("--enable-optimizations" not in str(sysconfig.get_config_var("CONFIG_ARGS")))
PRINT_VERSION = import sys; print(sys.version_info[:2])
HAS_VERSION = import ensurepip, sys; exit(str(sys.version_info[:2]) != sys.argv[1])
PYTHON ?= $(shell if ! python3 -c '$(IS_OPTIMIZED)' 2>/dev/null && \
  /usr/bin/python3 -c '$(HAS_VERSION)' "$$(python3 -c '$(PRINT_VERSION)')" 2>/dev/null; \
  then echo /usr/bin/python3; else echo python3; fi)
EXAMPLES ?= 2000
SEED ?= $(shell date +%s)
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
MANAGE := $(BIN)/python manage.py
# Enough to satisfy the settings; nothing is served or signed with it.
PRODUCTION := DEBUG=false SECRET_KEY=0123456789abcdefghijklmnopqrstuvwxyz-only-for-checks \
  TICKET_SIGNING_KEY=b25seS1mb3ItY2hlY2tzLW9ubHktZm9yLWNoZWNrcy0 \
  ALLOWED_HOSTS=tickets.example.com SECURE_SSL_REDIRECT=true SECURE_HSTS_SECONDS=31536000 \
  SECURE_HSTS_INCLUDE_SUBDOMAINS=true SECURE_HSTS_PRELOAD=true

# Without bytecode files, each process of the tests would compile the project again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := run
.PHONY: run serve test test-fast test-browser test-clients fuzz test-image cluster cluster-test fault-test bench compare bench-reports \
  profile lint audit-dependencies format lock screenshot clean

# An existing environment keeps its Python, because venv would mix the files of two.
ifdef UV
INSTALL = { test -x $(BIN)/python || uv venv --quiet --allow-existing --python $(PYTHON) $(VENV); } && uv pip install --quiet --python $(BIN)/python -r
else
INSTALL = { test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); } && $(BIN)/python -m pip install --quiet --disable-pip-version-check -r
endif

$(VENV)/.installed: requirements.txt
	$(INSTALL) requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements.txt requirements-stripe.txt requirements-photos.txt requirements-dev.txt
	$(INSTALL) requirements-dev.txt
	@touch $(VENV)/.installed $@

run: $(VENV)/.installed
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) demo
	@echo
	@echo "  API      http://127.0.0.1:$(PORT)/api/movies/"
	@echo "  Swagger  http://127.0.0.1:$(PORT)/swagger/"
	@echo "  Admin    http://127.0.0.1:$(PORT)/admin/"
	@echo
	@PUBLIC_URL=$${PUBLIC_URL:-http://127.0.0.1:$(PORT)} $(MANAGE) db_worker --parent $$$$ & exec $(MANAGE) runserver $(PORT)

serve: export DEBUG = false
serve: $(VENV)/.installed
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) demo --retire
	@PATH="$(abspath $(BIN)):$$PATH" deploy/build
	@$(MANAGE) db_worker --parent $$$$ & \
	  PATH="$(abspath $(BIN)):$$PATH" HOST=$(HOST) PORT=$(PORT) WORKERS=$(WORKERS) THREADS=$(THREADS) exec deploy/start

PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal

test: COVERED = $(if $(CI),--cov --cov-append --cov-report=,)
# On PostgreSQL in three processes, also on two cores: its tests of servers often wait.
test: $(VENV)/.installed-dev
	@rm -f .coverage .coverage.*
	env -u DATABASE_URL $(PYTEST) -m "not once and not once_on_postgresql" $(COVERED) $(if $(CI),--cov-fail-under=0)
	$(BIN)/python -m tests.postgres_server $(PYTEST) -n 3 -m "not once_on_sqlite" $(COVERED) $(if $(CI),--cov-report=term)

test-fast: $(VENV)/.installed-dev
	env -u DATABASE_URL $(PYTEST) -m "not server and not fuzz and not once_on_postgresql and not once_on_sqlite"

test-browser: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/browser -n 2 --dist worksteal

test-clients: $(VENV)/.installed-dev
	@if command -v npm >/dev/null; then \
	  npm ci --prefix tests/clients --no-progress && $(BIN)/python -m pytest tests/clients; \
	else echo "Skipped the test of generated clients: npm is not installed."; fi

fuzz: FUZZ = $(PYTEST) -v --hypothesis-seed=$(FUZZ_SEED) tests/admin/test_fuzz_queries.py tests/api/test_fuzz.py \
  tests/services/test_fuzz_hall.py tests/services/test_fuzz_money.py tests/services/test_fuzz_refunds.py
fuzz: FUZZ_SEED := $(SEED)
fuzz: export FUZZ_EXAMPLES = $(EXAMPLES)
fuzz: $(VENV)/.installed-dev
	@echo "The same run again: make fuzz EXAMPLES=$(EXAMPLES) SEED=$(FUZZ_SEED)"
	env -u DATABASE_URL $(FUZZ) tests/server/test_hostile.py
	$(BIN)/python -m tests.postgres_server $(FUZZ)

test-image: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/image

cluster: $(VENV)/.installed
	@$(BIN)/python -m deploy.cluster.run

cluster-test: $(VENV)/.installed-dev
	$(if $(CLUSTER),,CLUSTER_RESULTS=deploy/cluster/RESULTS.md) $(BIN)/python -m pytest -v tests/cluster $(CLUSTER)

fault-test: $(VENV)/.installed-dev
	$(if $(FAULTS),,FAULT_RESULTS=docs/operations.md) $(BIN)/python -m pytest tests/faults -s -q $(FAULTS)

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.run $(BENCH)

compare: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.compare $(REV) $(BENCH)

bench-reports: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.reports $(BENCH)

profile: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.profile $(BENCH)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --configfile bandit.yaml --recursive booking movieticket manage.py
	$(MANAGE) makemigrations --check --dry-run
	$(PRODUCTION) $(MANAGE) check --deploy --fail-level WARNING

audit-dependencies: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet pip-audit
	$(BIN)/pip-audit --no-deps --disable-pip --requirement requirements.txt --requirement requirements-stripe.txt --requirement requirements-photos.txt --vulnerability-service osv

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet uv
	for name in requirements requirements-stripe requirements-photos requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.10 \
	    --custom-compile-command "make lock" $$name.in -o $$name.txt; done

screenshot: $(VENV)/.installed-dev
	$(BIN)/python -m tests.browser.screenshots http://127.0.0.1:$(PORT)

clean:
	rm -rf $(VENV) staticfiles .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
