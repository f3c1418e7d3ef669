#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bad input of every kind: each has a message of its own, and exit status 1 or 2.
# shellcheck disable=SC1091,SC2015,SC2034,SC2154
. "$(dirname "$0")/lib.sh"
need_privilege

start_target py315 || { fail "the target" "does not start"; summary; }
good=$target
sleep 300 &
sleeper=$!
pids+=("$sleeper")
out=$work/out.pycost

# ---- who to measure ----
says "no such process" 1 "no such process" -- record -p 4194303 -d 1 -o "$out"
[ ! -e "$out" ] && pass "no recording is left of it" || fail "no recording is left of it" "there is one"
says "not Python" 1 "not Python" -- record -p "$sleeper" -d 1 -o "$out"
says "a kernel thread" 1 "not Python" -- record -p 2 -d 1 -o "$out"
says "one of two PIDs is bad: a warning" 0 "not Python" "recorded" -- \
	record -p "$good,$sleeper" -d 1 --no-calibration -o "$out"
says "PID 0" 2 "not a list of PIDs" -- record -p 0
says "PID of text" 2 "not a list of PIDs" -- record -p 12x
says "nobody matches" 1 "no process matches" -- record --match 'no-such-[p]rocess' -o "$out"
says "a bad regular expression" 2 "regular expression" -- record --match '(' -o "$out"
says "no such cgroup" 2 "no cgroup" -- record --cgroup no-such-cgroup -o "$out"
says "nobody named" 2 "say what to record" -- record
says "a bad duration" 2 "number of seconds" -- record -p "$good" -d -1
says "a bad metric" 2 "none of instructions" -- record -p "$good" --metric time
says "kernel mode of a metric that has it" 2 "task-clock has the kernel's time" -- \
	record -p "$good" --kernel --metric task-clock
says "the same in top" 2 "task-clock has the kernel's time" -- \
	top -p "$good" --kernel --metric task-clock
says "sorted by what is not counted" 2 "needs --kernel" -- top -p "$good" --sort kernel
# Only a machine with a counter can do it, and the others say why not.
run_pycost record -p "$good" -d 1 --no-calibration --kernel -o "$out"
if [ "$status" = 0 ]; then
	judge "kernel mode" 0 "and in kernel mode"
else
	judge "kernel mode where nothing counts it" 1 "--kernel: no counter of kernel mode: " "counter"
	[ ! -e "$out" ] && pass "no recording is left of that either" ||
		fail "no recording is left of that either" "there is one"
fi
rm -f "$out"
says "too many paths" 2 "not a number" -- record -p "$good" --max-paths 99999999

# ---- requests ----
printf 'routes:\n  - /a\nfields:\n  - header: Authorization\n' >"$work/bad.yaml"
printf 'short' >"$work/short.key"
says "what is secret" 2 "the header 'cookie' is never stored" -- \
	record -p "$good" --requests-only --field header:Cookie
says "a file that asks for it" 2 "bad.yaml:4: the header 'authorization' is never stored" -- \
	record -p "$good" --requests-only --config "$work/bad.yaml"
says "no such file" 2 "cannot read" -- record -p "$good" --requests-only --config "$work/none.yaml"
says "a key that is too short" 2 "less than 16 bytes" -- \
	record -p "$good" --requests-only --user-key "$work/short.key"
says "a pattern without a slash" 2 "must begin with '/'" -- \
	record -p "$good" --requests-only --route shop
says "a back end by name" 2 "getent hosts" -- \
	record -p "$good" --requests-only --backend db=database:5432
says "routes of what is not looked at" 2 "needs --requests" -- record -p "$good" --route /shop
says "samples and no samples" 2 "takes none" -- record -p "$good" --requests-only --rate 99
says "two modes" 2 "a mode of its own" -- record -p "$good" --requests-only --mode sample
says "an endpoint of no requests" 2 "goes with --requests=1/N" -- \
	record -p "$good" --requests-only --endpoint '/shop/*'
says "a share that is none" 2 "neither 1/N nor all" -- record -p "$good" --requests=2/3

# A process that ends while pycost attaches: at any moment, so some are recorded.
ends() {
	local i bad=
	for i in 0.02 0.05 0.1 0.2 0.3 0.4 0.6; do
		start_target py39 || return
		(sleep $i; kill -KILL "$target") &
		run_pycost record -p "$target" -d 2 --no-calibration -o "$out"
		wait $! "$target" 2>/dev/null
		case $status:$said in
		0:*recorded* | 1:*"it ended while"* | 1:*"no such process"*) ;;
		*) bad+="after $i s: $status $said; " ;;
		esac
	done
	[ -z "$bad" ] && pass "a target that dies while attaching" ||
		fail "a target that dies while attaching" "$bad"
}
ends

# ---- where to write ----
says "an output that cannot be written" 1 "cannot write /nonexistent/x" -- \
	record -p "$good" -d 1 -o /nonexistent/x
says "a directory as output" 1 "cannot write $work" -- record -p "$good" -d 1 -o "$work"
says "a full device" 1 "No space left" -- record -p "$good" -d 2 --no-calibration -o /dev/full
mkdir -p "$work/disk"
if mount -t tmpfs -o size=16k none "$work/disk" 2>/dev/null; then
	says "a full disk" 1 "No space left" -- \
		record -p "$good" -d 3 --no-calibration -o "$work/disk/x"
	umount "$work/disk"
else
	skip "a full disk" "cannot mount a tmpfs"
fi
kill -0 "$good" && pass "the target is well" || fail "the target is well" "it is gone"

# ---- recordings ----
run_pycost record -p "$good" -d 4 --no-calibration -o "$work/good.pycost"
judge "a good recording" 0 "recorded"
"$pycost" report "$work/good.pycost" >/dev/null || fail "it can be read" "it cannot"
says "no kernel mode in it" 1 "record with --kernel" -- report "$work/good.pycost" --sort kernel
says "nor a flame graph of it" 1 "record with --kernel" -- report "$work/good.pycost" -f folded-kernel
size=$(stat -c %s "$work/good.pycost")
says "no such recording" 1 "No such file" -- report "$work/none"
: >"$work/empty"
says "an empty recording" 1 "$work/empty:" -- report "$work/empty"
head -c 6 "$work/good.pycost" >"$work/stub"
says "a recording of six bytes" 1 "$work/stub:" -- report "$work/stub"
echo "hello, this is no recording at all" >"$work/text"
says "not a recording" 1 "not a pycost recording" -- report "$work/text"
says "a directory" 1 "$work:" -- report "$work"
head -c $((size * 3 / 4)) "$work/good.pycost" >"$work/part"
says "three quarters of a recording, as JSON: read, and told as incomplete" 0 "warning: incomplete" -- \
	report "$work/part" -f json
for middle in $((size / 3)) $((size / 2)) $((size * 2 / 3)); do
	cp "$work/good.pycost" "$work/flipped"
	printf '\377\376\375' | dd of="$work/flipped" bs=1 seek=$middle conv=notrunc status=none
	run_pycost report "$work/flipped" -f json
	if [ "$status" -le 1 ] && grep -q "damaged" <<<"$said"; then
		pass "a damaged recording at byte $middle of $size"
	else
		fail "a damaged recording at byte $middle of $size" "status $status: $said"
	fi
done
# The version is the number after the magic.
cp "$work/good.pycost" "$work/newer"
printf '\143' | dd of="$work/newer" bs=1 seek=8 conv=notrunc status=none
says "a newer recording" 1 "newer" -- report "$work/newer"
chmod 000 "$work/good.pycost"
cp "$pycost" "$work/pycost" && chmod 755 "$work" "$work/pycost"
said=$(setpriv --reuid=65534 --regid=65534 --clear-groups "$work/pycost" report \
	"$work/good.pycost" 2>&1 >/dev/null)
status=$?
judge "a recording of somebody else's" 1 "Permission denied"

# ---- who may ----
said=$(setpriv --reuid=65534 --regid=65534 --clear-groups "$work/pycost" record -p "$good" -d 1 \
	-o /tmp/pycost-nobody-$$ 2>&1 >/dev/null)
status=$?
rm -f /tmp/pycost-nobody-$$
judge "no rights" 1 "run as root" "CAP_BPF"

says "no command" 2 "COMMAND" --
says "an unknown command" 2 "frobnicate" -- frobnicate
summary
