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

.PHONY: test
test: ## all tests; first installs what they need (Redis, PostgreSQL, Chromium) from Debian's packages
	.ci/deps
	$(MAKE) --no-print-directory assets
	go vet ./...
	@# Everything; many tests mostly wait: for a kill, a lease, a settle time. The longest package begins.
	go test -parallel 6 -timeout 20m ./cmd/wellpaced $$(go list ./... | grep -v '/cmd/wellpaced$$')
	@# Then once more with the race detector, without browsers and most of what takes minutes; of pure numbers, which take 15 times as long with
	@# it, and of SQLite in Go, which takes 3 times as long, what runs side by side.
	CGO_ENABLED=1 go test -race -short -parallel 6 -timeout 20m $$(go list ./... | grep -v -e '/throttle$$' -e /throttle/sim -e '/store$$')
	CGO_ENABLED=1 go test -race -parallel 6 -run 'TestManyProcesses|TestRedisAway|TestRestore_wholeMachine' ./cmd/wellpaced
	CGO_ENABLED=1 go test -race -run 'TestCompare|TestWhatIf$$' ./throttle ./throttle/sim
	CGO_ENABLED=1 go test -race -run '(?i)race|overlap|write|together|journal|crash|lost|once' ./store

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
