# make alone lists the targets.

# The random worlds and the kills of soak, and how long fuzz spends on each
# target.
WORLDS   ?= 20000
KILLS    ?= 300
FUZZTIME ?= 5m

# The Go of the path, or the one in its usual place.
export PATH := $(PATH):/usr/local/go/bin

.PHONY: help test race fuzz soak mutants bench lint demo ci

help: ## list the targets
	@sed -nE 's/^([a-z]+): ## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

test: ## run the tests
	go test ./...

# What .ci/run tests with: the race detector, and a random order.
race: ## run the tests with the race detector, in random order
	.ci/run test

# What is found is kept in testdata/fuzz, to be committed with its cure.
fuzz: ## fuzz every target for FUZZTIME (5m)
	FUZZTIME=$(FUZZTIME) .ci/run fuzz

# The model test names the seed of a world it fails in: -model.seed repeats it.
# So does the crash test: -crash.seed. The other tests of what survives a crash
# depend on timing, so they are repeated.
soak: ## kill it KILLS (300) times, try WORLDS (20000) random worlds, and fuzz
	go test -timeout=0 -v -run '^TestCrash_' ./cmd/cfaudit -crash.kills=$(KILLS)
	go test -timeout=0 -run '^TestPoll_DeliversEveryEntryOnceUnderEveryFault$$' . -model.runs=$(WORLDS)
	go test -timeout=0 -count=20 ./ingest ./sink ./store ./cmd/cfaudit
	FUZZTIME=30s .ci/run fuzz

# Each is a fault that one of the tests has to notice.
mutants: ## put faults into the code, one at a time, and see the tests fail
	go run ./internal/mutants

# Six rounds, as benchstat wants them.
bench: ## run the benchmarks
	go test -run='^$$' -bench=. -benchmem -count=6 ./...

lint: ## check format, module files, vet and staticcheck
	.ci/run format tidy lint

demo: ## show what it does, without an account
	go run ./cmd/cfaudit demo

ci: ## run everything a change has to pass
	.ci/run
