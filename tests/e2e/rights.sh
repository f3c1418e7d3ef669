#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# As nobody, with capabilities alone: which are enough, and does the message name the
# one that is missing?
#
#   CAP_SYS_ADMIN         to probe, since 2025 (CVE-2025-38466: Linux 6.16, and from
#                         5.10.240, 5.15.189, 6.1.146, 6.6.99, 6.12.39, 6.15.7 on);
#                         before it, CAP_BPF and CAP_PERFMON are enough
#   CAP_BPF, CAP_PERFMON  to sample, on every kernel
#   CAP_SYS_PTRACE        for processes of other users
#   CAP_SYS_CHROOT        for processes in another root, such as a container's
#   CAP_DAC_READ_SEARCH   where the interpreter lies in a directory closed to us
# shellcheck disable=SC1091,SC2015,SC2034,SC2154
. "$(dirname "$0")/lib.sh"
need_privilege

python=$work/python/bin/python3.9
mkdir -p "$work/python/bin" "$work/python/lib" "$work/for-all"
cp "$(root py39)/usr/bin/python3.9" "$python"
cp -r "$(root py39)/usr/lib/python3.9" "$work/python/lib/"
cp tests/oracle/burn.py tests/oracle/protocol.py "$work"
cp "$pycost" "$work/pycost"
chmod -R a+rX "$work"
chmod 755 "$work"
chmod 1777 "$work/for-all"

# A target of user UID; its process is in $target.
start_as() { # UID
	: >"$work/burn"
	(cd "$work" && exec setpriv --reuid="$1" --regid="$1" --clear-groups "$python" burn.py \
		--calls-per-second 20000 --seconds 900) >"$work/burn" 2>&1 &
	target=$!
	pids+=("$target")
	for _ in $(seq 300); do
		! grep -q elapsed "$work/burn" || return 0
		sleep 0.1
	done
	fail "a target of user $1" "does not start"
}
mode=--no-calibration
sample_with() { # CAPABILITY...
	mode=--mode=sample
	record_with "$@"
	mode=--no-calibration
}
record_with() { # CAPABILITY...
	local list='-all' name
	for name in "$@"; do list+=,+$name; done
	rm -f "$work/for-all/out"
	said=$(timeout 60 setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps="$list" \
		--ambient-caps="$list" --bounding-set="$list" "$work/pycost" record -p "$target" \
		-d 3 "$mode" -o "$work/for-all/out" 2>&1 >/dev/null)
	status=$?
}
name_of() { echo "CAP_${1^^}"; }

# Whether this kernel wants CAP_SYS_ADMIN is found by trying.
start_as 65534
record_with bpf perfmon
if [ $status = 0 ]; then probe=(bpf perfmon); else probe=(sys_admin); fi
echo "this kernel wants for probes: ${probe[*]}"
record_with "${probe[@]}"
judge "a process of one's own with ${probe[*]}" 0 recorded
record_with
judge "a process of one's own without any" 1 CAP_BPF
if [ "${probe[*]}" = sys_admin ]; then
	record_with bpf perfmon
	judge "CAP_BPF and CAP_PERFMON alone, on a kernel that wants more" 1 CAP_SYS_ADMIN
fi
sample_with bpf perfmon
judge "samples of a process of one's own" 0 recorded
# An unmended sysctl lets everyone sample.
if [ "$(cat /proc/sys/kernel/perf_event_paranoid)" -gt 0 ]; then
	sample_with bpf
	judge "samples without perfmon" 1 CAP_PERFMON
fi
sample_with perfmon
judge "samples without bpf" 1 CAP_BPF

start_as 0
sample_with bpf perfmon sys_ptrace
judge "samples of root's process" 0 recorded
sample_with bpf perfmon
judge "samples of root's process without sys_ptrace" 1 CAP_SYS_PTRACE
record_with "${probe[@]}" sys_ptrace
judge "root's process with ${probe[*]} and sys_ptrace" 0 recorded
record_with "${probe[@]}"
judge "root's process without sys_ptrace" 1 CAP_SYS_PTRACE
for one in "${probe[@]}"; do
	rest=()
	for other in "${probe[@]}"; do [ "$other" = "$one" ] || rest+=("$other"); done
	record_with "${rest[@]}" sys_ptrace
	judge "root's process without $one" 1 "$(name_of "$one")"
done

# Another root, below a directory of mode 0700.
all=("${probe[@]}" sys_ptrace sys_chroot)
start_target py315 || fail "the target" "does not start"
closed=$(stat -c %a "$(dirname "$(dirname "$(dirname "$(root py315)")")")")
[ "$closed" != 700 ] || all+=(dac_read_search)
record_with "${all[@]}"
judge "another root with ${all[*]}" 0 recorded
for one in sys_ptrace sys_chroot dac_read_search; do
	[[ " ${all[*]} " = *" $one "* ]] || { skip "another root without $one" "it is not needed here"; continue; }
	rest=()
	for other in "${all[@]}"; do [ "$other" = "$one" ] || rest+=("$other"); done
	record_with "${rest[@]}"
	judge "another root without $one" 1 "$(name_of "$one")"
done

# The same as file capabilities.
if command -v setcap >/dev/null; then
	list=$(for one in "${all[@]}"; do echo -n "cap_$one,"; done)
	setcap "${list%,}+ep" "$work/pycost"
	said=$(timeout 60 setpriv --reuid=65534 --regid=65534 --clear-groups "$work/pycost" record \
		-p "$target" -d 3 --no-calibration -o "$work/for-all/file" 2>&1 >/dev/null)
	status=$?
	judge "file capabilities" 0 recorded
else
	skip "file capabilities" "no setcap"
fi
kill -0 "$target" && pass "the target is well" || fail "the target is well" "it is gone"
summary
