# The commands of every day; `make` alone lists them.
.PHONY: help build test golden bench figures all
help:
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile
build: ## all packages, and the command as ./leaktrend
	go build ./... && go build ./cmd/leaktrend
test: ## the tests that are quick
	go test -short ./...
golden: ## write what the command prints anew, as in README and docs: read the difference
	go test ./cmd/leaktrend -update
bench: ## what checks, profiles and replays cost, in the form of benchstat
	@go test -run '^$$' -bench 'Tick|Observe' -count 6 ./detector
	@go test -run '^$$' -bench 'Profiles|AlertPause' -benchtime 5x -count 6 ./detector/evidence
	@go test -run '^$$' -bench 'Replay$$' -count 6 ./cmd/leaktrend/internal/replay
	@go test -run '^$$' -bench Search -benchtime 3x -count 6 ./cmd/leaktrend/internal/lab/tune
figures: ## false alarms and leaks found, on generated processes
	LEAKTREND_FIGURES="43 100" go test -v -run Figures ./cmd/leaktrend/internal/lab/evaluate
all: ## all that a change must pass
	.ci/run
