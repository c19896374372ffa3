#!/usr/bin/env bash
# Records the recordings of this folder again: starts the services and their load, lets them warm up, records all of them
# at the same time with `leaktrend record`, and ends everything it started, also on Ctrl-C.
set -euo pipefail

usage() {
	cat <<-END
	usage: testdata/record.sh [-w WARMUP] [-d DURATION] [-i INTERVAL] [-s SOAK] [-o FOLDER] [-l] [NAME...]

	Records NAME... (default: all) into FOLDER/NAME.csv.

	  -w  warm-up before the recordings begin, in seconds (default 600)
	  -d  length of the recordings, in seconds (default 1800; redis-long and go-cache-warmup take twice as long)
	  -i  sampling interval (default 1s)
	  -s  soak setting written into the recordings (default 20m; these two have none)
	  -o  folder to write to (default testdata/recordings)
	  -l  list the names and exit

	Needs Linux, Go, and of Debian's packages: redis-server nginx-light postgresql prometheus memcached nodejs python3 procps.
	LEAKTREND names a leaktrend to use instead of building one; PGBIN the folder of PostgreSQL's programs.
	All together take about half of one core and 1 GB of memory. Ports 19001 to 19099 of 127.0.0.1 must be free.
	END
}

healthy=(redis nginx postgres prometheus node memcached go-cache go-cache-warmup go-pool go-sawtooth go-longpoll redis-long)
leaking=(go-chan-send go-ticker go-body go-map go-subslice go-file go-thread go-sawtooth-leak go-reload go-restart python node-leak)

# recorded without soak mode, for twice the length, at 5s
physical=(redis-long go-cache-warmup)

warmup=600 duration=1800 interval=1s soak=20m
root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/testdata/recordings
while getopts w:d:i:s:o:lh flag; do
	case $flag in
	w) warmup=$OPTARG ;;
	d) duration=$OPTARG ;;
	i) interval=$OPTARG ;;
	s) soak=$OPTARG ;;
	o) out=$OPTARG ;;
	l) printf '%s\n' "${healthy[@]}" "${leaking[@]}"; exit ;;
	h) usage; exit ;;
	*) usage >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
names=("$@")
[ $# -gt 0 ] || names=("${healthy[@]}" "${leaking[@]}")
for name in "${names[@]}"; do
	[[ " ${healthy[*]} ${leaking[*]} " == *" $name "* ]] || { echo "no recording named $name" >&2; usage >&2; exit 2; }
done

work=$(mktemp -d)
chmod 755 "$work" # PostgreSQL and nginx drop their rights
mkdir -p "$out" "$work/bin" "$work/log"
PGBIN=${PGBIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)}
export PGCONNECT_TIMEOUT=3
ulimit -n 4096 # as a service's limit often is; without one, "open files" has no ceiling to speak of

pids=()
cleanup() {
	trap - EXIT INT TERM
	for ((i = ${#pids[@]} - 1; i >= 0; i--)); do kill "${pids[i]}" 2>/dev/null || true; done
	wait
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# start NAME COMMAND...: runs it in the background, logs to log/NAME.log, and sets pid.
start() {
	local name=$1
	shift
	"$@" >"$work/log/$name.log" 2>&1 </dev/null &
	pid=$!
	pids+=("$pid")
}

# await PID COMMAND...: waits until the command succeeds, and puts what it printed into answer; fails when the process has ended.
await() {
	until answer=$("${@:2}" 2>/dev/null); do
		kill -0 "$1" || { tail -n 3 "$work"/log/*.log >&2; exit 1; }
		sleep 0.2
	done
}

# prog NAME BINARY PORT FLAGS...: one of the Go programs.
prog() {
	local name=$1 binary=$2 port=$3
	shift 3
	start "$name" "$work/bin/$binary" -listen "127.0.0.1:$port" "$@"
	target[$name]="--url http://127.0.0.1:$port/metrics"
}

seed=0
# load NAME URL FLAGS...
load() {
	seed=$((seed + 1))
	start "load-$1-$seed" "$work/bin/load" -seed "$seed" -url "$2" "${@:3}"
}

# once NAME: true the first time it is asked.
declare -A started=()
once() { [ -z "${started[$1]:-}" ] && started[$1]=1; }

# drop_root COMMAND...: for servers that refuse to run as root.
drop_root() {
	if [ "$(id -u)" = 0 ]; then exec setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else exec "$@"; fi
}

# forever PAUSE COMMAND...: runs it again and again, as a supervisor does.
forever() {
	trap 'kill "$child"; exit' TERM
	while :; do
		"${@:2}" &
		child=$!
		wait "$child" || true
		sleep "$1" &
		child=$!
		wait "$child" || true
	done
}

# Each setup starts a service with its load and says in target[NAME] what to record. Leaks that go on when the recording
# begins began a minute before; others begin minutes into it.
declare -A target=()
before=$((warmup > 60 ? warmup - 60 : 0))s
into() { echo "$((warmup + duration * $1 / 100))s"; } # percent of the recording

setup_redis() {
	start redis redis-server --port 19001 --bind 127.0.0.1 --save '120 100' --dir "$work" --dbfilename redis.rdb
	target[redis]="--pid $pid"
	load redis redis://127.0.0.1:19001 -rate 60 -swing 0.6 -period 7m -burst 3 -burst-every 4m -keys 20000 -size 2000 -hold 300ms
}

setup_redis-long() {
	start redis-long redis-server --port 19002 --bind 127.0.0.1 --save '300 100' --dir "$work" --dbfilename redis-long.rdb
	target[redis-long]="--pid $pid"
	load redis-long redis://127.0.0.1:19002 -rate 50 -swing 0.5 -period 18m -burst 4 -burst-every 11m -burst-for 1m \
		-keys 8000 -size 4000 -hold 500ms
}

setup_nginx() {
	once nginx || return 0
	mkdir -p "$work/www"
	head -c 40000 /dev/zero | tr '\0' x >"$work/www/item"
	cat >"$work/nginx.conf" <<-END
	daemon off; worker_processes 1; pid $work/nginx.pid; error_log $work/log/nginx-error.log;
	events { worker_connections 1024; }
	http {
		access_log $work/log/nginx-access.log; keepalive_timeout 20s;
		client_body_temp_path $work/ngx1; proxy_temp_path $work/ngx2; fastcgi_temp_path $work/ngx3;
		uwsgi_temp_path $work/ngx4; scgi_temp_path $work/ngx5;
		upstream pages { server 127.0.0.1:19011; keepalive 8; }
		server {
			listen 127.0.0.1:19010; root $work/www;
			location = /slow { try_files /item =404; limit_rate 10k; }
			location /page { proxy_pass http://pages; proxy_http_version 1.1; proxy_set_header Connection ""; }
		}
	}
	END
	start nginx nginx -c "$work/nginx.conf"
	local master=$pid
	start nginx-backend "$work/bin/go-cache" -listen 127.0.0.1:19011 -entries 500
	load nginx 'http://127.0.0.1:19010/page?key={key}' -rate 10 -swing 0.5 -period 5m -keys 1000
	load nginx http://127.0.0.1:19010/slow -rate 4 -swing 0.8 -period 8m -burst 3 -burst-every 5m
	await "$master" pgrep -P "$master"
	target[nginx]="--pid $answer"
}

setup_postgres() {
	local data=$work/pg psql=("$PGBIN/psql" -h 127.0.0.1 -p 19020 -U postgres -At postgres) bench=("$PGBIN/pgbench" -h 127.0.0.1 -p 19020 -U postgres)
	mkdir "$data"
	[ "$(id -u)" != 0 ] || chown postgres "$data"
	(cd / && drop_root "$PGBIN/initdb" -D "$data" -U postgres -A trust --no-sync) >"$work/log/initdb.log" 2>&1
	start postgres drop_root "$PGBIN/postgres" -D "$data" -p 19020 -h 127.0.0.1 -k "$data" -c synchronous_commit=off -c work_mem=8MB
	await "$pid" "${psql[@]}" -c 'select 1'
	"${bench[@]}" -i -s 2 -q postgres >"$work/log/pgbench-init.log" 2>&1
	cat >"$work/report.sql" <<-'END'
	\set from random(1, 150000)
	SELECT count(*) FROM (SELECT row_number() OVER (ORDER BY abalance, filler, aid) FROM pgbench_accounts WHERE aid BETWEEN :from AND :from + 20000) r;
	END
	start pgbench env PGAPPNAME=recorded "${bench[@]}" -n -c 1 -R 12 -T 86400 -b tpcb-like@10 -b select-only@30 -f "$work/report.sql@1" postgres
	# The load of others swings: two minutes in six.
	# The load of others swings: two minutes in six.
	start pgbench-swing forever 240 "${bench[@]}" -n -c 6 -R 40 -T 120 -b tpcb-like postgres
	sleep 2 # pgbench looks around in a session of its own first
	target[postgres]="--pid $("${psql[@]}" -c "select pid from pg_stat_activity where application_name = 'recorded'")"
}

setup_prometheus() {
	{
		echo 'global: {scrape_interval: 5s}'
		echo 'scrape_configs:'
		echo '- job_name: prometheus'
		echo '  static_configs: [{targets: ["127.0.0.1:19030"]}]'
		echo '- job_name: go'
		echo '  static_configs: [{targets: ['
		for port in 11 50 51 52 53 60 61 62 63 64 65 66 67 68 69; do echo "    '127.0.0.1:190$port',"; done
		echo '  ]}]'
	} >"$work/prometheus.yml"
	start prometheus prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" --web.listen-address=127.0.0.1:19030
	target[prometheus]="--url http://127.0.0.1:19030/metrics"
	# What a dashboard asks for: sum by (job) (rate(prometheus_http_requests_total[5m])), and a list of series.
	load prometheus 'http://127.0.0.1:19030/api/v1/query?query=sum%20by%20(job)%20(rate(prometheus_http_requests_total%5B5m%5D))' \
		-rate 2 -swing 0.8 -period 6m -burst 4 -burst-every 5m
	load prometheus 'http://127.0.0.1:19030/api/v1/series?match%5B%5D=%7Bjob%3D%22prometheus%22%7D' -rate 0.5 -swing 0.8 -period 6m
}

setup_node() {
	start node node "$root/testdata/programs/service.js" 19040
	target[node]="--pid $pid"
	load node 'http://127.0.0.1:19040/page?key={key}' -rate 12 -swing 0.6 -period 6m -burst 3 -burst-every 4m -keys 3000
}

setup_node-leak() {
	start node-leak node "$root/testdata/programs/service.js" 19043 0.007 "$(into 25 | tr -d s)"
	target[node-leak]="--pid $pid"
	load node-leak 'http://127.0.0.1:19043/page?key={key}' -rate 10 -swing 0.5 -period 7m -burst 2 -burst-every 4m -keys 3000
}

setup_python() {
	start python python3 "$root/testdata/programs/leaky.py" --port 19041 --leak-after "${before%s}"
	target[python]="--pid $pid"
	load python 'http://127.0.0.1:19041/profile?user={key}' -rate 8 -swing 0.4 -period 5m -keys 100000000
}

setup_memcached() {
	start memcached memcached -u nobody -l 127.0.0.1 -p 19042 -m 16 -t 2
	target[memcached]="--pid $pid"
	# Filled to its cap by a minute of strong load first.
	start memcached-fill timeout 60 "$work/bin/load" -url memcached://127.0.0.1:19042 -rate 300 -keys 20000 -size 4000
	load memcached memcached://127.0.0.1:19042 -rate 40 -swing 0.7 -period 5m -burst 3 -burst-every 3m -keys 20000 -size 4000 -hold 400ms
}

cache_load() {
	load "$1" "http://127.0.0.1:$2/page?key={key}" -rate 14 -swing 0.5 -period 6m -burst 4 -burst-every 4m -keys 8000
}
setup_go-cache() {
	prog go-cache go-cache 19050
	cache_load go-cache 19050
}
late_go-cache-warmup() {
	prog go-cache-warmup go-cache 19054
	cache_load go-cache-warmup 19054
}
setup_go-pool() {
	prog go-pool go-pool 19051
	load go-pool http://127.0.0.1:19051/job -rate 14 -swing 0.85 -period 7m -burst 3 -burst-every 5m
}
setup_go-sawtooth() {
	prog go-sawtooth go-sawtooth 19052
	load go-sawtooth http://127.0.0.1:19052/render -rate 8 -swing 0.5 -period 6m
}
setup_go-longpoll() {
	prog go-longpoll go-longpoll 19053
	load go-longpoll http://127.0.0.1:19053/poll -rate 1.5 -swing 0.7 -period 8m -burst 3 -burst-every 5m -idle 20s
}

setup_go-chan-send() {
	prog go-chan-send go-chan-send 19060 -leak-after "$before" -leak-share 0.01
	load go-chan-send http://127.0.0.1:19060/quote -rate 10 -swing 0.6 -period 6m
}
setup_go-ticker() {
	prog go-ticker go-ticker 19061 -leak-after "$(into 30)" -leak-share 0.01
	load go-ticker http://127.0.0.1:19061/subscribe -rate 12 -swing 0.5 -period 5m
}
setup_go-body() {
	setup_nginx
	prog go-body go-body 19062 -upstream http://127.0.0.1:19010 -leak-after "$before" -leak-share 0.006
	load go-body http://127.0.0.1:19062/price -rate 10 -swing 0.5 -period 7m
}
setup_go-map() {
	prog go-map go-map 19063 -leak-after "$before" -leak-share 0.4
	load go-map http://127.0.0.1:19063/login -rate 10 -swing 0.5 -period 6m -burst 3 -burst-every 5m
}
setup_go-subslice() {
	prog go-subslice go-subslice 19064 -leak-after "$(into 27)" -leak-share 0.06
	load go-subslice http://127.0.0.1:19064/message -rate 10 -swing 0.4 -period 8m
}
setup_go-file() {
	prog go-file go-file 19065 -leak-after "$(into 33)" -leak-share 0.007
	load go-file http://127.0.0.1:19065/write -rate 10 -swing 0.6 -period 5m -burst 2 -burst-every 4m
}
setup_go-thread() {
	prog go-thread go-thread 19066 -leak-after "$before" -leak-share 0.004
	load go-thread http://127.0.0.1:19066/decode -rate 10 -swing 0.5 -period 6m
}
setup_go-sawtooth-leak() {
	prog go-sawtooth-leak go-sawtooth 19067 -leak-after "$before" -leak-share 0.12
	load go-sawtooth-leak http://127.0.0.1:19067/render -rate 8 -swing 0.5 -period 7m
}
setup_go-reload() {
	prog go-reload go-reload 19068 -leak-after "$before"
	load go-reload http://127.0.0.1:19068/config -rate 10 -swing 0.6 -period 6m
}
late_go-restart() {
	start go-restart forever 1 "$work/bin/go-chan-send" -listen 127.0.0.1:19069 -leak-share 0.04 -exit-after 6m
	target[go-restart]="--url http://127.0.0.1:19069/metrics"
	load go-restart http://127.0.0.1:19069/quote -rate 10 -swing 0.4 -period 5m
}

# record NAME INTERVAL SECONDS FLAGS...
recorders=()
record() {
	# shellcheck disable=SC2086 # a target is a flag and its value
	start "record-$1" "$LEAKTREND" record ${target[$1]} --interval "$2" --duration "$3s" "${@:4}" --force -o "$out/$1.csv"
	recorders+=("$pid")
}

[ -n "${LEAKTREND:-}" ] || (cd "$root" && go build -o "$work/bin/leaktrend" ./cmd/leaktrend)
LEAKTREND=${LEAKTREND:-$work/bin/leaktrend}
(cd "$root" && go build -o "$work/bin/" ./testdata/programs/...)

begin=$SECONDS
for name in "${names[@]}"; do
	if [ "$(type -t "setup_$name")" = function ]; then "setup_$name"; fi
done
echo "warming up ${#names[@]} services for $warmup s, logs in $work/log" >&2
start warm-up sleep $((warmup - (SECONDS - begin) > 0 ? warmup - (SECONDS - begin) : 0))
wait "$pid"
for name in "${names[@]}"; do
	if [ "$(type -t "late_$name")" = function ]; then
		"late_$name"
		start settle sleep 1
		wait "$pid"
	fi
done

for name in "${names[@]}"; do
	if [[ " ${physical[*]} " == *" $name "* ]]; then
		record "$name" 5s $((2 * duration))
	else
		record "$name" "$interval" "$duration" --soak "$soak"
	fi
done
start settle sleep 3
wait "$pid"
for pid in "${recorders[@]}"; do
	kill -0 "$pid" 2>/dev/null || { tail -qn 1 "$work"/log/record-*.log >&2; exit 1; }
done
echo "recording since $(date -u +%FT%TZ) for $duration s" >&2
failed=0
for pid in "${recorders[@]}"; do wait "$pid" || failed=1; done
[ "$failed" = 0 ] || tail -n 3 "$work"/log/record-*.log >&2
grep -Hm1 'leak begins' "$work"/log/*.log | sed "s|^$work/log/||" || true
exit "$failed"
