#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds deploy/container/Dockerfile and runs what comes out of it: a collector, and an agent
# that finds, by its labels, a process of another container.
#
#   tests/fleet/image.sh
#
# Needs root, and Debian's packages podman, buildah, runc and debootstrap. No registry is asked:
# the recipe's base is made by debootstrap. What is built and stored is kept in
# ~/.cache/pycost/image-1, 3 GB; the first build takes 5 minutes. Not a part of `make check`.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C
top=$PWD status=0
cache=${PYCOST_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/pycost}
state=$cache/image-1
host=$state/host # in whose place of "/" engines keep what they know
base=docker.io/library/debian:bookworm-slim
port=$((20000 + RANDOM % 10000))
names=(pycost-test-serve pycost-test-agent pycost-test-shop)
busy='
def busy_in_a_container():
    sum(range(20000))
while True:
    busy_in_a_container()'
# What a container is allowed may not be more than what this machine allows.
limits=(--ulimit "nofile=$(ulimit -Hn):$(ulimit -Hn)" --ulimit "nproc=4096:4096")

pass() { echo "PASS $*"; }
fail() { echo "FAIL $*"; status=1; }
engine() {
	local program=$1
	shift
	"$program" --root "$host/var/lib/containers/storage" --runroot "$state/run" "$@"
}
pod() { engine podman --runtime runc --cgroup-manager cgroupfs "$@"; }
judge() { # NAME STATUS WORDS
	if [ "$2" = 0 ]; then pass "$1"; else fail "$1: $(tail -n 3 <<<"$3" | tr '\n' ' ')"; fi
}

needs() {
	local program
	[ "$(id -u)" = 0 ] || { echo "SKIP image: needs root"; exit 0; }
	for program in podman buildah runc debootstrap; do
		command -v "$program" >/dev/null || { echo "SKIP image: needs $program"; exit 0; }
	done
}

# The base, by the name that the recipe has for it.
base_image() {
	local mirror
	pod image exists "$base" && return
	mirror=$(. tests/fetch.sh && mirror) || return
	rm -rf "$state/base"
	debootstrap --variant=minbase bookworm "$state/base" "$mirror" >"$state/debootstrap.log" 2>&1 &&
		tar -C "$state/base" -c . | pod import - "$base" >/dev/null 2>&1 && rm -rf "$state/base"
}

image() {
	# What is fetched from elsewhere may be at hand already; its checksum is looked at within.
	mkdir -p "$state/fetched" && ln -f "$cache"/duckdb-*.tgz "$state/fetched/" 2>/dev/null
	engine buildah bud --isolation chroot --pull-never --layers --format docker \
		--volume "$state/fetched:/root/.cache/pycost" -f deploy/container/Dockerfile \
		-t pycost "$top" >"$state/build.log" 2>&1
}

run() { pod run "${limits[@]}" --network host "$@"; }
end() { pod rm -f -t 5 "${names[@]}" >/dev/null 2>&1; }

alone() {
	local said
	said=$(run --rm pycost --version 2>&1)
	judge "the image runs: ${said##*$'\n'}" $? "$said"
	said=$(run --rm --entrypoint ldd pycost /usr/bin/pycost 2>&1 | grep "not found")
	judge "it has all libraries" "$([ -z "$said" ]; echo $?)" "$said"
	said=$(run --rm --privileged --pid host pycost doctor 2>&1)
	judge "doctor says that it can measure" $? "$said"
}

answers() { # URL: within half a minute
	for _ in {1..60}; do
		curl -sf "$1" >/dev/null && return
		sleep 0.5
	done
	return 1
}

together() {
	local said root
	run -d --name pycost-test-serve pycost serve --listen "127.0.0.1:$port" \
		--store /var/lib/pycost/store >/dev/null
	answers "http://127.0.0.1:$port/health"
	judge "a collector of the image answers" $? "$(pod logs pycost-test-serve 2>&1)"
	root=$(tests/fetch.sh py311 2>/dev/null) || { fail "no Python to look at"; return; }
	said=$(run -d --name pycost-test-shop --label app=shop --label team=of-labels \
		--rootfs "$root:O" python3.11 -c "$busy" 2>&1)
	judge "a container of Python" $? "$said"
	cat >"$state/agent.yaml" <<-END
		collector: http://127.0.0.1:$port
		containers: /host
		listen: 127.0.0.1:$((port + 1))
		spool: { directory: /var/lib/pycost/spool }
		rules:
		- labels: { app: shop }
		  service: { label: app }
		  tags: { team: { label: team }, name: { label: container.name } }
	END
	run -d --name pycost-test-agent --privileged --pid host \
		-v "$state/agent.yaml:/etc/pycost/agent.yaml:ro" \
		-v "$host/var/lib/containers/storage/libpod:/host/var/lib/containers/storage/libpod:ro" \
		pycost agent --config /etc/pycost/agent.yaml >/dev/null
	answers "http://127.0.0.1:$((port + 1))/health"
	judge "an agent of the image answers" $? "$(pod logs pycost-test-agent 2>&1)"
	for _ in {1..100}; do
		said=$(pod exec pycost-test-serve /usr/bin/pycost query functions --url "http://127.0.0.1:$port" --since 10m \
			--by team,name --where service=shop 2>&1)
		grep -q of-labels <<<"$said" && break
		sleep 1
	done
	grep busy_in_a_container <<<"$said" | grep of-labels | grep -q pycost-test-shop
	judge "what a container's process costs, by its labels" $? "$(pod logs pycost-test-agent 2>&1) $said"
}

needs
mkdir -p "$host/var/lib/containers/storage"
base_image || { fail "the base cannot be made: see $state/debootstrap.log"; exit 1; }
image
judge "the image is built" $? "$(cat "$state/build.log")"
[ $status = 0 ] || exit 1
end
trap end EXIT
alone
together
exit $status
