# Everything that can be done here, as verbs. Nothing but make and Python 3.11 or newer is needed; the rest sets itself up.

ENGINE ?= embedded# what it runs on: embedded, or kafka: a real Kafka and a real Redis, found or started
TARGET ?= embedded# where make e2e finds its platform: embedded, kafka, or cluster
SOAK_MINUTES ?= 60# how long make soak goes on
WORKERS := $(shell expr 2 \* $$(getconf _NPROCESSORS_ONLN))# most tests wait more than they compute
ARGS ?=# more for the orderly command: make run ARGS="--port 9000"

ORDERLY := .venv/bin/orderly
RUNTIME := .venv/.runtime-ready
KAFKA := .venv/.kafka-ready
NEEDED := $(if $(filter kafka,$(ENGINE)),$(KAFKA),$(RUNTIME))
DEV := .venv/.dev-ready
CHART_TOOLS := .venv-tools/.chart-ready
PACKAGES := $(wildcard libs/*/pyproject.toml services/*/pyproject.toml)

export PYTHON
run demo: export ORDERLY_STARTED_AT := $(shell date +%s)

.DEFAULT_GOAL := help
.PHONY: help setup run demo up down status test check unit simulation integration exactly-once process-tests e2e cluster-tests chart image cluster-up cluster-test cluster-down cluster-faults faults soak bench observe observability sbom fuzz lock clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(DEV) ## Make .venv with everything, tools included

run: $(NEEDED) ## Start everything, tell the story of five orders, and stay until Ctrl-C
	@$(ORDERLY) run --engine $(ENGINE) $(ARGS)

demo: $(NEEDED) ## The same story, and exit: non-zero if an order ended otherwise than it should
	@$(ORDERLY) demo --engine $(ENGINE) $(ARGS)

up: $(NEEDED) ## Start the platform in the background
	@$(ORDERLY) up --detach --engine $(ENGINE) $(ARGS)

down: $(RUNTIME) ## Stop it
	@$(ORDERLY) down $(ARGS)

status: $(RUNTIME) ## Show services, ports, memory and health
	@$(ORDERLY) status $(ARGS)

test: $(DEV) ## Check everything there is to check
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=line check simulation # each uses one processor
	@$(MAKE) --no-print-directory unit integration process-tests faults

check: $(DEV) sbom ## Lint, formatting, types, imports; insecure code, secrets, licences, and the bill of materials
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy libs services tests bench deploy/observability
	.venv/bin/lint-imports
	.venv/bin/bandit -q -c pyproject.toml -r libs services bench deploy -ll
	git ls-files -z | xargs -0 .venv/bin/detect-secrets-hook --baseline .secrets.baseline
	.venv/bin/pip-licenses >build/licences.txt

sbom: $(DEV) ## Write what is shipped, with hashes, to build/sbom (CycloneDX): for the embedded engine, and with Kafka
	@mkdir -p build/sbom
	$(SBOM) requirements/runtime.lock -o build/sbom/orderly.cdx.json
	$(SBOM) requirements/kafka.lock -o build/sbom/orderly-kafka.cdx.json

unit: $(DEV) ## Unit and contract tests
	.venv/bin/pytest -n $(WORKERS) -m "not process and not simulation and not faults and not kafka and not redis and not cluster and not chart"

integration: $(DEV) ## The contracts on a real Kafka and a real Redis, started for it where they can be had
	.venv/bin/pytest -n 3 --dist loadfile -m "(kafka or redis) and not process and not faults"

simulation: $(DEV) ## The services in one thread, under thousands of adversarial schedules
	.venv/bin/pytest -m simulation tests/simulation

exactly-once: $(DEV) ## What delayed frames do to the client library's transactions, and that they do nothing to ours
	@.venv/bin/python -m tests.integration.exactly_once $(ARGS)

fuzz: $(DEV) ## schemathesis against a gateway of its own: ARGS="--examples 100 --seed 7"
	@PYTHONPATH=tests/e2e .venv/bin/python -m tests.security.fuzz $(ARGS)

process-tests: $(DEV) ## The real processes, as their users meet them
	.venv/bin/pytest -n 3 --dist loadfile -m process

e2e: $(DEV) ## What a customer and an operator go through, on TARGET=embedded, kafka, or cluster: the one that make cluster-up installed
	ORDERLY_TARGET=$(TARGET) .venv/bin/pytest -m process tests/e2e tests/telemetry $(ARGS)

cluster-tests: $(DEV) ## Discovery and leases on the Kubernetes cluster that KUBECONFIG names, in namespaces of their own
	.venv/bin/pytest -n 2 --dist loadfile -m cluster tests/cluster

chart: $(DEV) $(CHART_TOOLS) ## Hold chart and image to their tools: lint, schemas, unit tests, security, every value used
	.venv/bin/pytest -m chart tests/chart

image: ## Build the container image of all services
	deploy/cluster.sh image

cluster-up: ## Install the platform on the Kubernetes cluster that kubectl knows: kind, minikube; PROFILE=small, split, durable
	deploy/cluster.sh up $(ARGS)

cluster-test: ## Place an order there, and check the laws
	deploy/cluster.sh test

cluster-down: ## Remove it from there, with its data and keys
	deploy/cluster.sh down

cluster-faults: $(DEV) ## Restart, upgrade, scale and kill what is installed there under a constant load: ORDERLY_URL leads to its gateway
	.venv/bin/python -m tests.cluster.under_load $(ARGS)

faults: $(DEV) ## Seeded trouble under a constant load, on every platform, and how long each recovery took
	.venv/bin/pytest -m faults tests/faults $(ARGS)

soak: $(DEV) ## Seed after seed for SOAK_MINUTES, until a law breaks
	.venv/bin/python -m tests.faults --engine $(ENGINE) --minutes $(SOAK_MINUTES) $(ARGS)

observe: $(NEEDED) ## The platform under a load, with a real Prometheus and a real Jaeger beside it, until Ctrl-C
	@.venv/bin/python -m deploy.observability.observe --engine $(ENGINE) $(ARGS)

bench: $(RUNTIME) ## Measure what an order costs here: the tables of bench/README.md, in about twelve minutes
	@.venv/bin/python bench/embedded.py $(ARGS)

observability: $(DEV) ## Write anew what is made from code: docs/metrics.md, dashboards, alerting rules
	@.venv/bin/python -m deploy.observability $(ARGS)

lock: ## Write requirements/*.lock again from the pyproject.toml files
	$(COMPILE) libs/common/pyproject.toml libs/cli/pyproject.toml services/gateway/pyproject.toml -o requirements/runtime.lock
	$(COMPILE) libs/common/pyproject.toml libs/cli/pyproject.toml services/gateway/pyproject.toml --extra kafka -c requirements/runtime.lock -o requirements/kafka.lock
	$(COMPILE) libs/cli/pyproject.toml --extra redis -c requirements/runtime.lock -o requirements/redis.lock
	$(COMPILE) libs/common/pyproject.toml libs/cli/pyproject.toml services/gateway/pyproject.toml pyproject.toml --extra kafka --group dev \
	    -c requirements/runtime.lock -o requirements/dev.lock
	printf 'uv-build>=0.9,<0.14\n' | $(COMPILE) - -o requirements/build.lock
	printf 'checkov\nhadolint-bin\nkubernetes-validate\nshellcheck-py\n' | $(COMPILE) - -o requirements/chart.lock

clean: ## Remove environments and caches; the platform's data stays where it is
	rm -rf .venv .venv-tools .*_cache .hypothesis
	find libs services tests bench -name __pycache__ -prune -exec rm -rf {} +

SBOM := .venv/bin/python -W ignore -m cyclonedx_py requirements --pyproject libs/cli/pyproject.toml --output-reproducible

COMPILE := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	--no-annotate --no-emit-package orderly-common --no-emit-package orderly-laws

$(RUNTIME): requirements/runtime.lock requirements/setup.sh $(PACKAGES)
	@sh requirements/setup.sh runtime
	@touch $@

$(KAFKA): requirements/kafka.lock requirements/redis.lock requirements/setup.sh $(PACKAGES)
	@sh requirements/setup.sh kafka
	@touch $@ $(RUNTIME)

$(CHART_TOOLS): requirements/chart.lock tests/chart/helm-unittest/go.sum | $(DEV)
	@sh tests/chart/tools.sh
	@touch $@

$(DEV): requirements/dev.lock requirements/setup.sh $(PACKAGES)
	@sh requirements/setup.sh dev
	@touch $@ $(RUNTIME) $(KAFKA)
