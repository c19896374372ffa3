#!/usr/bin/env bash
# usage: testdata/record-lives.sh [FOLDER]
#
# Records lives/go-deploys.csv again: a Go program under load that is deployed every five minutes, in soak mode, where that
# is half a day. From the fifth life on it loses goroutines, six requests in a thousand. Takes 55 minutes; needs Linux, Go,
# and port 19081 of 127.0.0.1.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$root/testdata/lives}
work=$(mktemp -d)
mkdir -p "$out"
ulimit -n 4096 # as a service's limit often is

pids=()
cleanup() {
	trap - EXIT INT TERM
	for ((i = ${#pids[@]} - 1; i >= 0; i--)); do kill "${pids[i]}" 2>/dev/null || true; done
	wait
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# deploy SHARE...: one life after the other, each with its share of requests that leak.
deploy() {
	local share child pause
	trap 'kill "$child" "$pause" 2>/dev/null; exit' TERM
	for share; do
		"$work/go-chan-send" -listen 127.0.0.1:19081 -leak-share "$share" 2>>"$work/go-chan-send.log" &
		child=$!
		sleep 300 &
		pause=$!
		wait "$pause" || true
		kill "$child"
		wait "$child" || true
	done
}

(cd "$root" && go build -o "$work/" ./cmd/leaktrend ./testdata/programs/load ./testdata/programs/go-chan-send)
deploy 0 0 0 0 .006 .006 .006 .006 .006 .006 .006 &
pids+=($!)
sleep 1
"$work/load" -seed 1 -url http://127.0.0.1:19081/quote -rate 10 -swing 0.3 -period 6m 2>"$work/load.log" &
pids+=($!)
"$work/leaktrend" record --url http://127.0.0.1:19081/metrics --soak 20m --interval 2s --duration 54m --force -o "$out/go-deploys.csv" &
pids+=($!)
wait $!
