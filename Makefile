# make help lists what there is.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

UI   := selfrefer/ui
DIST := $(UI)/dist/manifest.json
LINT := v2.15.0

.PHONY: help
help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

.PHONY: build
build: $(DIST) ## the binary, bin/wellpaced, with the page styles in it
	CGO_ENABLED=0 go build -trimpath -o bin/wellpaced ./cmd/wellpaced

.PHONY: demo
demo: build ## everything in one process, with a simulated town of patients
	bin/wellpaced demo

# Packages that run with the race detector, and tests of processes and calls beside each other that do.
RACED  := campaign campaign/queue campaign/suppress campaign/twilio campaign/twilio/emulator cmd/wellpaced/town selfrefer selfrefer/hook selfrefer/mail selfrefer/staff throttle/limit
BESIDE := ^(TestManyProcesses|TestRestore_wholeMachine|TestIdempotencyKeys.*)$$

.PHONY: test
test: ## all tests; first installs what they need (Redis, PostgreSQL, Chromium) from Debian's packages
	.ci/deps
	$(MAKE) --no-print-directory assets
	go vet ./...
	@# Each test once; many mostly wait: for a kill, a lease, a settle time. The longest package begins.
	go test -parallel 6 -timeout 20m -skip '$(BESIDE)' ./cmd/wellpaced $$(go list ./... | grep -v -e '/cmd/wellpaced$$' $(RACED:%=-e '/%$$'))
	@# With the race detector what things happen side by side in: browsers, pure numbers and SQLite in Go take three to fifteen times as long with it.
	CGO_ENABLED=1 go test -race -parallel 6 -timeout 20m $$(go list ./... | grep $(RACED:%=-e '/%$$'))
	CGO_ENABLED=1 go test -race -parallel 6 -timeout 20m -run '$(BESIDE)' ./cmd/wellpaced
	CGO_ENABLED=1 go test -race -parallel 6 -run 'TestCompare|TestWhatIf$$' ./throttle ./throttle/sim
	CGO_ENABLED=1 go test -race -parallel 6 -run '(?i)race|overlap|together' ./store ./selfrefer/desk ./campaign/desk

.PHONY: bench
bench: build ## measures what we promise to be fast at
	bin/wellpaced bench

.PHONY: soak
soak: build ## kills the program again and again on both engines, and counts who was texted twice and what was lost (3 minutes)
	.ci/deps
	bin/wellpaced soak --engine sqlite --minutes .6 --kills 20 --patients 1200
	bin/wellpaced soak --engine postgres --minutes .6 --kills 20 --patients 1200

.PHONY: lint
lint: bin/golangci-lint-$(LINT) ## gofmt, go vet, golangci-lint
	@unformatted=$$(gofmt -l cmd campaign selfrefer throttle store | grep -v node_modules || true); \
	if [[ -n $$unformatted ]]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	bin/golangci-lint-$(LINT) run

.PHONY: assets
assets: ## page styles and scripts, into selfrefer/ui/dist
	npm --prefix $(UI)/web ci --ignore-scripts
	npm --prefix $(UI)/web run --silent build

.PHONY: clean
clean: ## removes what make has made
	rm -rf bin $(UI)/web/node_modules
	find $(UI)/dist -mindepth 1 ! -name .gitkeep -delete

# A fresh checkout builds them; after a change in web/ so does the next make.
$(DIST): $(wildcard $(UI)/web/*.json $(UI)/web/*.js $(UI)/web/src/*)
	$(MAKE) --no-print-directory assets

bin/golangci-lint-$(LINT):
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT)
	mv bin/golangci-lint $@
