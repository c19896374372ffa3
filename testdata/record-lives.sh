#!/usr/bin/env bash
# usage: testdata/record-lives.sh [FOLDER]
#
# Records the recordings of lives/ again: two Go programs under load that are deployed every five minutes, in soak mode,
# where that is half a day. One loses goroutines from the fifth life on, when its next version comes; the other fills a
# cache that only its longest lives see full. Takes 55 minutes; needs Linux, Go, and ports 19081 to 19082 of 127.0.0.1.
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

# deploy PORT BINARY FLAGS... reads from its input one life a line: how many seconds it lasts, and its own flags.
deploy() {
	local port=$1 binary=$2 seconds flags child pause
	shift 2
	trap 'kill "$child" "$pause" 2>/dev/null; exit' TERM
	while read -r seconds flags; do
		# shellcheck disable=SC2086 # several flags
		"$work/$binary" -listen "127.0.0.1:$port" "$@" $flags 2>>"$work/$binary.log" &
		child=$!
		echo "$binary $(date -u +%FT%TZ) $flags" >&2
		sleep "$seconds" &
		pause=$!
		wait "$pause" || true
		kill "$child"
		wait "$child" || true
	done
}

(cd "$root" && go build -o "$work/" ./cmd/leaktrend ./testdata/programs/load ./testdata/programs/go-chan-send ./testdata/programs/go-cache)

healthy='300 -leak-share 0' leaking='300 -leak-share 0.006'
printf '%s\n' "$healthy"{,,,} "$leaking"{,,,,,,} | deploy 19081 go-chan-send &
pids+=($!)
printf '%s\n' 300 300 300 720 300 300 300 720 | deploy 19082 go-cache -entries 5000 -page 1024 &
pids+=($!)
sleep 1

"$work/load" -seed 1 -url http://127.0.0.1:19081/quote -rate 10 -swing 0.3 -period 6m 2>"$work/load-1.log" &
pids+=($!)
"$work/load" -seed 2 -url 'http://127.0.0.1:19082/page?key={key}' -rate 14 -swing 0.3 -period 6m -keys 8000 2>"$work/load-2.log" &
pids+=($!)

recorders=()
record() {
	"$work/leaktrend" record --url "http://127.0.0.1:$2/metrics" --soak 20m --interval 2s --duration 54m --force -o "$out/$1.csv" &
	pids+=($!)
	recorders+=($!)
}
record go-deploys 19081
record go-cache-deploys 19082
for pid in "${recorders[@]}"; do wait "$pid"; done
