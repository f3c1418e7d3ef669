# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2015
# What the end-to-end tests in shell share: verdicts, targets, and a directory that
# goes with them.  To be sourced; then: end with `summary`.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
export LC_ALL=C.UTF-8
top=$PWD
pycost=${PYCOST:-$top/build/pycost}
case $pycost in /*) ;; *) pycost=$top/$pycost ;; esac
work=$(mktemp -d "${TMPDIR:-/tmp}/pycost-e2e-XXXXXX")
passed=0 failed=0 skipped=0
pids=()

clean_up() {
	[ ${#pids[@]} = 0 ] || { kill -KILL "${pids[@]}"; wait "${pids[@]}"; } 2>/dev/null
	! mountpoint -q "$work/disk" || umount "$work/disk"
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

pass() { echo "PASS $1"; passed=$((passed + 1)); }
fail() { echo "FAIL $1: $2"; failed=$((failed + 1)); }
skip() { echo "SKIP $1: $2"; skipped=$((skipped + 1)); }
summary() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ $failed = 0 ]
	exit
}
need_privilege() {
	[ "$(id -u)" = 0 ] && [ -e /sys/kernel/btf/vmlinux ] && return
	skip "$(basename "$0")" "needs root and a kernel with BPF and BTF"
	summary
}

root() { tests/fetch.sh "$1" 2>/dev/null; }

# Starts burn.py, slow enough to be no bother, with some thousand call paths; its
# process is in $target.
start_target() { # py39|py315 [PREFIX...]
	local enter python=python3.9
	enter=$(root "$1")/enter
	[ "$1" = py39 ] || python=python3.15
	shift
	: >"$work/burn"
	(cd tests/oracle && exec "$@" "$enter" $python burn.py \
		--calls-per-second 20000 --functions 500 --paths 5000 --seconds 900) >"$work/burn" 2>&1 &
	target=$!
	pids+=("$target")
	for _ in $(seq 300); do
		! grep -q elapsed "$work/burn" || return 0
		sleep 0.1
	done
	return 1
}

# Runs pycost; what it says is in $said, its exit status in $status.
run_pycost() {
	said=$(timeout 60 "$pycost" "$@" 2>&1 >/dev/null </dev/null)
	status=$?
}

# That it ends with STATUS and says all of the TEXTs, on lines of its own name.
says() { # NAME STATUS TEXT... -- ARGUMENT...
	local name=$1 expected=$2 texts=() text
	shift 2
	while [ "$1" != -- ]; do texts+=("$1"); shift; done
	shift
	run_pycost "$@"
	judge "$name" "$expected" "${texts[@]}"
}
judge() { # NAME STATUS TEXT...: of what $said and $status hold
	local name=$1 expected=$2 text
	shift 2
	if [ "$status" != "$expected" ]; then
		fail "$name" "exit status $status, not $expected: $(tr '\n' ' ' <<<"$said")"
		return
	fi
	for text in "$@"; do
		grep -qF -- "$text" <<<"$said" || {
			fail "$name" "does not say '$text': $(tr '\n' ' ' <<<"$said")"
			return
		}
	done
	pass "$name"
}
