# make without a target lists the targets.

# The random worlds and the kills of soak, and how long fuzz spends on each
# target.
WORLDS   ?= 2000
KILLS    ?= 300
FUZZTIME ?= 5m

# The accounts of fleet-soak, and those of the fleets that fleet-figures measures.
ACCOUNTS ?= 2000
FLEETS   ?= 1000,5000,20000

# The benchmarks to run, and where.
BENCH    ?= .
BENCHDIR ?= ./...
BENCHSTAT = golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

# The Go in the PATH, or the one in its usual place.
export PATH := $(PATH):/usr/local/go/bin

# What builds a release, and what a dry run leaves out: the signature, which needs
# an identity, and the image, which needs Docker and a base image.
GORELEASER = go run github.com/goreleaser/goreleaser/v2@v2.15.1
DRYSKIP   ?= sign,docker,publish

# The vulnerability database: a folder, or empty for that of the Go project.
VULNDB ?=

# Where browser keeps pictures of the report.
SHOTS ?= $(CURDIR)/shots

.PHONY: help test race fuzz soak fleet-soak mutants bench figures fleet-figures browser pictures otel recipes lint vuln licenses operations demo release-dry reproduce release image ci

help: ## list the targets
	@sed -nE 's/^([a-z-]+): ## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

test: ## run the tests
	go test ./...

# What .ci/run tests with: the race detector, and a random order.
race: ## run the tests with the race detector, in random order
	.ci/run test

# Inputs that fail are kept in testdata/fuzz, to be committed with the fix.
fuzz: ## fuzz every target for FUZZTIME (5m)
	FUZZTIME=$(FUZZTIME) .ci/run fuzz

# The model test names the seed of a world it fails in: -model.seed repeats it.
# So does the crash test: -crash.seed. The other tests of what survives a crash
# depend on timing, so they are repeated.
soak: ## kill it KILLS (300) times, try WORLDS (2000) random worlds, and fuzz
	go test -timeout=0 -v -run '^TestCrash_' ./cmd/cfaudit -crash.kills=$(KILLS)
	go test -timeout=0 -v -run '^TestPoll_DeliversEveryEntryOnceUnderEveryFault$$' . -model.runs=$(WORLDS)
	go test -timeout=0 -count=2 ./ingest ./sink ./store ./cmd/cfaudit
	FUZZTIME=10s .ci/run fuzz

# Three workers and 2,000 accounts, kill -9 and a restart of the database. It
# starts a Postgres server of its own from the installed binaries.
fleet-soak: ## kill workers and the database of a fleet of ACCOUNTS (2000)
	go test -timeout=0 -count=1 -v -run '^TestFleet_Killed' ./cmd/cfaudit \
		-fleet.accounts=$(ACCOUNTS) -fleet.interval=60s -fleet.kills=6

# Each is a fault that one of the tests has to notice.
mutants: ## put faults into the code, one at a time, and see the tests fail
	go run ./internal/mutants

# Six rounds of all benchmarks rather than six runs of each in a row, so that other
# load on the machine affects all alike; on one core, because CPU is what is compared.
# The other figures of docs/performance.md come from figures.
bench: ## run the benchmarks (BENCH=Page for some) and compare them
	rm -f bench.out
	for round in 1 2 3 4 5 6; do \
		go test -run='^$$' -bench='$(BENCH)' -cpu=1 $(BENCHDIR) | tee -a bench.out; \
	done
	go run $(BENCHSTAT) -row .fullname bench.out
	go run $(BENCHSTAT) -filter '.unit:cpu-ns/entry .name:Normalize' -row '.name /entries' -col '/work@(cfaudit python)' bench.out
	go run $(BENCHSTAT) -filter '.unit:cpu-ns/entry .name:(Page OR HTTP)' -row '.name /entries' -col '/work@(connector fetch validate scan struct map sdk python)' bench.out

figures: ## measure what is not a benchmark: requests, delays, memory, weight
	go test -count=1 -v -run '^Test(Cost|Weight|Bounds)_' . -figures -update | grep -vE '^(=== |PASS$$)'

fleet-figures: ## measure a worker and its database with FLEETS (1000,5000,20000) accounts
	CFAUDIT_TEST_NO_SKIP=1 go test -timeout=0 -count=1 -v -run '^TestFleetFigures' ./cmd/cfaudit \
		-fleet.figures=$(FLEETS) | grep -vE '^(=== |PASS$$)'

# It needs chromium and says so if there is none. The target test covers what needs
# no browser.
browser: ## look at the report in a headless browser and keep pictures in SHOTS
	go test -count=1 -v -run '^TestPage_' ./internal/report -browser -shots='$(SHOTS)'

# The terminal is drawn from what the command writes; the report needs chromium, as
# browser does. The plot of docs/performance.md comes from figures.
pictures: ## draw docs/demo.svg and docs/report.png again
	go test -count=1 -run '^TestPictures_DrawTheDemo$$' ./cmd/cfaudit -pictures
	go test -count=1 -v -run '^TestPage_PictureForTheDocumentation$$' ./internal/report -browser -picture='$(CURDIR)/docs/report.png' | grep -vE '^(=== |PASS$$)'

# The modules of the collector's components come from the module proxy.
otel: ## build a collector with the receiver, and kill it KILLS times
	otelcol/build.sh bin/otelcol-cloudflare
	go test -C otelcol -count=1 -v -run '^TestCollector_' . -collector='$(CURDIR)/bin/otelcol-cloudflare' -kills=$(KILLS)

# rsyslog and rsyslog-gnutls, and what else is run, are installed or in bin.
recipes: ## run the recipes with Loki, VictoriaLogs, a collector and what is installed
	recipes/programs.sh bin
	otelcol/build.sh bin/otelcol-cloudflare
	go test -C recipes -count=1 -v . -programs='$(CURDIR)/bin'

lint: ## check format, module files, vet and staticcheck
	.ci/run format tidy lint

# The database can be downloaded from https://vuln.go.dev/vulndb.zip. With a copy of
# it, and the tools in the module cache, this needs no network.
vuln: ## look for known vulnerabilities in what is called (VULNDB: a folder with the database)
	GOFLAGS= go run -C tools golang.org/x/vuln/cmd/govulncheck -C .. \
		$(if $(VULNDB),-db file://$(abspath $(VULNDB))) ./...

# .ci/run licenses fails when this has not been run after a change.
licenses: ## list the licences in the command, and write THIRD_PARTY_NOTICES
	go run -C tools ./licenses -C .. -notices ../THIRD_PARTY_NOTICES

# The list of operations is in the documentation that comes with the SDK. A new
# operation then fails a test until it has a rule or is listed as needing none.
operations: ## list the operations that change something, of the SDK in go.mod
	grep -rhoE 'title="(post|put|patch|delete) /[^"]*' --include=api.md \
		"$$(go list -m -f '{{.Dir}}' github.com/cloudflare/cloudflare-go/v7)" | sed 's/^title="//' | \
	awk '{ method = toupper($$1); path = $$2 } \
		sub("/{accounts_or_zones}/{account_or_zone_id}", "", path) { print method, "/accounts/{account_id}" path; path = "/zones/{zone_id}" path } \
		{ print method, path }' | LC_ALL=C sort -u -k2,2 -k1,1 > internal/product/testdata/operations.txt

demo: ## show what it does, without an account
	go run ./cmd/cfaudit demo

# From a clone, so that it holds only what is committed.
release-dry: ## build a release of the last commit into dist, without publishing
	rm -rf dist
	clone=$$(mktemp -d) && trap 'rm -rf "$$clone"' EXIT && \
		git clone -q . "$$clone" && (cd "$$clone" && $(GORELEASER) release --snapshot --clean --skip=$(DRYSKIP)) && \
		mv "$$clone/dist" dist
	packaging/scripts/check-release.sh dist

# Its own cache, so that it compiles all of it again, and nothing of the first build
# is in the second.
reproduce: release-dry ## build a release twice, in two places, and compare the checksums
	place=$$(mktemp -d) && trap 'rm -rf "$$place"' EXIT && \
		git clone -q . "$$place/elsewhere" && mkdir "$$place/tmp" "$$place/home" && \
		TMPDIR="$$place/tmp" GOMODCACHE="$$(go env GOMODCACHE)" GOCACHE="$$place/cache" HOME="$$place/home" \
			$(MAKE) -C "$$place/elsewhere" release-dry && \
		for list in dist/*_checksums.txt; do \
			LC_ALL=C sort "$$list" >"$$place/first"; \
			LC_ALL=C sort "$$place/elsewhere/$$list" | diff "$$place/first" - || { echo "FAIL: the second build differs" >&2; exit 1; }; \
			echo "the same twice: $$(wc -l <"$$list") files"; \
		done

# The workflow does this on a tag. The notes are the section of the changelog for the
# version, or the one for what is not released yet.
release: ## release the tag of this commit, as a draft
	packaging/scripts/notes.sh "$$(git describe --tags --exact-match)" > "$${TMPDIR:-/tmp}/cfaudit-notes.md"
	$(GORELEASER) release --clean --release-notes "$${TMPDIR:-/tmp}/cfaudit-notes.md"

image: ## build the container image cfaudit:dev with Docker
	context=$$(mktemp -d) && trap 'rm -rf "$$context"' EXIT && mkdir -p "$$context/linux/amd64" "$$context/packaging/container" && \
		CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -trimpath -ldflags='-s -w' -o "$$context/linux/amd64/cfaudit" ./cmd/cfaudit && \
		cp LICENSE THIRD_PARTY_NOTICES "$$context" && cp -r packaging/container/state "$$context/packaging/container" && \
		docker build --platform linux/amd64 -t cfaudit:dev -f packaging/container/Dockerfile "$$context"

ci: ## run everything a change has to pass
	.ci/run
