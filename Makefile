# `make` prints the targets. What they do beyond a line or two is in infra/; infra/README.md lists their variables.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

LOCAL_DIR ?= .local
TOOLS     := .local/tools/bin
# The programs of a build of the whole workspace: building one package alone would build its dependencies once more.
BUILT      = $(or $(CARGO_TARGET_DIR),target)
export LOCAL_DIR
export STACK_ENV = $(abspath $(LOCAL_DIR)/stack.env)

.PHONY: help
help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- On this machine ----

.PHONY: up down run test test-browser check bench
up: ## start local AWS and deploy the stack to it; again after a change
	@infra/local/up

down: ## stop what `make up` started
	@infra/local/down

run: up ## up, then one whole cycle over the demo tenants, shown
	@$(BUILT)/debug/demo

bench: ## what runs cost, by size of the tenant; built for release, which takes minutes
	@cargo build --workspace --release --bins
	@$(BUILT)/release/bench
	@printf '\npages of the console, for a plan of 100,000 changes                     aim 100 ms, 30,000 bytes\n'
	@cargo test --quiet --release --package console --test all a_plan_of_100_000 -- --nocapture | sed -n 's/^page/ /p'

# The tests have a stack of their own, beside a running one, whose variables the caller's environment may hold.
test: export LOCAL_DIR = .local/test
test: export AWS_PORT = 4666
test: export GRAPH_PORT = 4667
test: export SCHEDULES = DISABLED
test: export GRAPH_ENDPOINT =
test: export LOGIN_ENDPOINT =
test: ## every test; nothing has to run before it
	@trap infra/local/down EXIT; infra/local/up; cargo test --workspace; tests/browser/run

test-browser: ## the console in a real browser, on the stack that `make up` started [STORIES=stories/sign-in.test.mjs]
	@tests/browser/run $(STORIES)

check: ## format, lints, template, scripts
	@source infra/local/common.sh; venv tools
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	$(TOOLS)/cfn-lint infra/template.yaml
	$(TOOLS)/shellcheck -x infra/bootstrap infra/build infra/deploy infra/fix infra/invoke infra/move-secrets infra/local/up infra/local/down .ci/run tests/browser/run
	@python3 -m py_compile infra/local/extended-ministack.py && rm -rf infra/local/__pycache__
	@for file in tests/browser/*.mjs tests/browser/stories/*.mjs tests/browser/stories/*/*.mjs; do node --check "$$file"; done

# ---- In an account ----

.PHONY: build deploy bootstrap
build: ## the binaries for Lambda (ARCH=arm64 or x86_64)
	@infra/build

deploy: build ## BUCKET=… MAIL_FROM=… OPERATOR_MAIL=… [STAGE=…] [STACK=…] [PARAMETERS="Key=value …"]
	@infra/deploy

bootstrap: ## STAGE=…: let the account hand out identity tokens; print what Entra must have for federated credentials
	@infra/bootstrap

# ---- Operating: on the local stack, or wherever STACK_ENV and the AWS variables point ----

# The text of a mail, rather than all of the answer.
AS_MAIL := python3 -c 'import json, sys; m = json.load(sys.stdin); \
  print("To: {to}\nSubject: {subject}\n\n{text}".format(**m) if "text" in m else json.dumps(m, indent=4))'

.PHONY: invoke tenants tenant fix move-secrets sync preview apply release undo explain dispatch report roll-up
invoke: ## FUNCTION=Admin EVENT='{"action": "list_tenants"}'
	@infra/invoke $(FUNCTION) "$$EVENT"

tenants: ## all tenants
	@infra/invoke Admin '{"action": "list_tenants"}'

tenant: ## TENANT=contoso: its settings and the state of its connection
	@infra/invoke Admin '{"action": "get_tenant", "tenant": "$(TENANT)"}'

fix: ## TENANT=contoso [DAY=2028-11-22]: renew its secret or certificate by hand, guided
	@infra/fix "$(TENANT)" "$(DAY)"

move-secrets: ## TO=kms or secrets-manager: keep the secrets of all tenants there from now on
	@infra/move-secrets "$(TO)"

sync: ## TENANT=contoso: what the schedule does
	@infra/invoke Sync '{"action": "sync", "tenant": "$(TENANT)"}'

preview: ## TENANT=contoso: plan, and change nothing
	@infra/invoke Sync '{"action": "preview", "tenant": "$(TENANT)"}'

apply: ## TENANT=contoso RUN=…: carry out that plan
	@infra/invoke Sync '{"action": "apply", "tenant": "$(TENANT)", "run": "$(RUN)"}'

release: ## TENANT=contoso RUN=…: carry out what the brake held, or an undo
	@infra/invoke Sync '{"action": "release", "tenant": "$(TENANT)", "run": "$(RUN)"}'

undo: ## TENANT=contoso RUN=…: plan the inverse of a run, to be reviewed and applied
	@infra/invoke Sync '{"action": "undo", "tenant": "$(TENANT)", "run": "$(RUN)"}'

explain: ## TENANT=contoso ADDRESS=ann@contoso.com: the way of one address through the rules
	@infra/invoke Sync '{"action": "explain", "tenant": "$(TENANT)", "address": "$(ADDRESS)"}'

dispatch: ## queue the tenants that are due
	@infra/invoke Dispatch '{}'

report: ## TENANT=contoso [DATE=2026-11-22]: the day's report, shown and not sent
	@infra/invoke Report '{"tenant": "$(TENANT)", "date": "$(or $(DATE),$(shell date -u +%F))", "preview": true}' | $(AS_MAIL)

roll-up: ## [DATE=2026-11-22]: the operator's roll-up, shown and not sent
	@infra/invoke Report '{"date": "$(or $(DATE),$(shell date -u +%F))", "preview": true}' | $(AS_MAIL)
