#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Shows pycost on a Django site under load: make demo
#
# Starts gunicorn with two workers on Debian's Python 3.15, sends them requests,
# records them for some seconds as they run, and reports. Leaves only the
# interpreter's root in the cache (see tests/fetch.sh).
#
#   deploy/demo.sh [SECONDS]     how long to record (default 10)
set -euo pipefail
cd "$(dirname "$0")/.."

pycost=${PYCOST:-build/pycost}
seconds=${1:-10}
work=$(mktemp -d)
server='' load=''

say() { printf '\n\033[1m==> %s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n==> %s\n' "$*"; }
die() { echo "demo: $*" >&2; exit 1; }

end() {
    local pid
    for pid in $load $server; do
        kill "$pid" 2>/dev/null || continue
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM HUP

run() {
    printf '$ %s\n' "$(echo "$*" | sed "s|$work/||g; s|$pycost|pycost|")"
    "$@"
}

free_port() {
    local port
    for port in $(seq 18080 18180); do
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
    die "no free port from 18080 to 18180"
}

# The workers of a gunicorn master, once there are two.
workers() {
    local pids='' i
    for ((i = 0; i < 200; i++)); do
        kill -0 "$1" 2>/dev/null || { cat "$work/server.log" >&2; die "gunicorn did not start"; }
        read -r pids <"/proc/$1/task/$1/children" || true
        case $pids in *' '*) echo "${pids// /,}" && return ;; esac
        sleep 0.1
    done
    cat "$work/server.log" >&2
    die "gunicorn started no workers"
}

[ "$(id -u)" = 0 ] || die "attaches to processes and enters a root of its own: please run it as root"
[ -x "$pycost" ] || die "no $pycost: please run make first"

say "Python 3.15, Django and gunicorn, from Debian (fetched once)"
root=$(tests/fetch.sh web)
port=$(free_port)

say "gunicorn with two workers on 127.0.0.1:$port, and requests for seven pages"
tests/web/serve.sh "$port" 2 >"$work/server.log" 2>&1 &
server=$!
pids=$(workers "$server")
"$root/enter" python3.15 tests/web/load.py "$port" --requests 1000000 --seconds 600 \
    >"$work/load.log" 2>&1 &
load=$!
for ((i = 0; i < 200; i++)); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.1
done
sleep 2
echo "the workers are processes ${pids//,/ and }"

say "recording them for $seconds seconds, while they serve"
run "$pycost" record -p "$pids" -d "$seconds" -o "$work/shop.pycost"

say "what costs most"
run "$pycost" report "$work/shop.pycost" --limit 15

say "who calls the view shop.search: one of its wrappers"
run "$pycost" report "$work/shop.pycost" --callers shop.search | sed 1,/^$/d

say "what shop.search calls"
run "$pycost" report "$work/shop.pycost" --callees shop.search --limit 10 | sed 1,/^$/d

say "what each request costs, at full speed: for $seconds seconds"
run "$pycost" requests -p "$pids" -d "$seconds"

say "done: the workers were never stopped, and nothing stays behind in them"
