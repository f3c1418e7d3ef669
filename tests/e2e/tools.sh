#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tools around a recording, as their users meet them: doctor's verdicts on
# all kinds of targets, top as tables and on a terminal, the manual page.
#
#   tests/e2e/tools.sh [NAME...]     the tests of these names only
#
# PYCOST names the program.  Wants root.
set -u
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C.UTF-8
pycost=${PYCOST:-${BUILD:-build}/pycost}
wanted=" $* "
passed=0 failed=0 skipped=0
work=$(mktemp -d) children=() socket=pycost-$$
# The roots of the interpreters see /tmp and nothing else of ours.
cp -r tests/oracle "$work/oracle" && chmod -R a+rX "$work"

cleanup() {
	tmux -L "$socket" kill-server 2>/dev/null
	[ "${#children[@]}" = 0 ] || kill "${children[@]}" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT

skip() { skipped=$((skipped + 1)); echo "SKIP $1: $2"; }
check() { # NAME COMMAND...: passes when the command does
	local name=$1 output began=$SECONDS
	shift
	[ "$wanted" = "  " ] || [[ $wanted = *" $name "* ]] || return 0
	if output=$("$@" 2>&1); then
		passed=$((passed + 1))
		echo "PASS $name"
	else
		failed=$((failed + 1))
		echo "FAIL $name"
		printf '%s\n' "$output" | tail -n 20 | sed 's/^/    /'
	fi
	echo "# $name: $((SECONDS - began)) s"
}

if [ "$(id -u)" != 0 ] || [ ! -e /sys/kernel/btf/vmlinux ]; then
	skip tools "needs root and a kernel with BTF"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi

# Sets $child to the PID of COMMAND, started in the background; a Python is one by then.
start() {
	(cd "$work" && exec "$@" >/dev/null 2>&1 </dev/null) &
	child=$!
	children+=("$child")
	for _ in $(seq 200); do
		case $*:$(readlink "/proc/$child/exe") in
		*python*:*python3*) break ;;
		*python*) sleep 0.1 ;;
		*) break ;;
		esac
	done
	sleep 0.5
}

# NAME WANTED-STATUS PATTERN ARGUMENT...: doctor's exit status and a line of it
doctor() {
	local wanted_status=$1 pattern=$2 output status
	shift 2
	output=$("$pycost" doctor "$@")
	status=$?
	printf '%s\n' "$output"
	[ "$status" = "$wanted_status" ] && grep -qE -- "$pattern" <<<"$output"
}

doctor_json() { # each finding complete, and the last the verdict
	"$pycost" doctor -p "$1" --format json >"$work/doctor.json" || return
	/usr/bin/python3 - "$work/doctor.json" <<'EOF'
import json, sys
checks = json.load(open(sys.argv[1]))
assert len(checks) > 15
for check in checks:
    assert set(check) == {"check", "status", "finding", "mend"}, check
    assert check["status"] in ("ok", "warn", "no"), check
    assert check["finding"], check
assert checks[-1]["check"] == "verdict" and checks[-1]["status"] == "ok"
EOF
}

without_rights() {
	local nobody=(setpriv --reuid 65534 --clear-groups --inh-caps=-all --bounding-set=-all)
	cp "$pycost" "$work/pycost"
	chmod a+rx "$work/pycost"
	"${nobody[@]}" "$work/pycost" doctor -p "$1" >"$work/nobody"
	local status=$?
	cat "$work/nobody"
	[ "$status" = 1 ] && grep -q '^no  *CAP_BPF ' "$work/nobody" &&
		grep -q '^no  *uprobes  *no right' "$work/nobody" &&
		grep -q '^no  *may be read' "$work/nobody" && grep -q '^no  *verdict' "$work/nobody"
}

# The least that the manual page says will do.
with_least_rights() {
	local caps=+sys_admin,+sys_ptrace,+dac_read_search,+sys_chroot
	cp "$pycost" "$work/pycost"
	chmod a+rx "$work/pycost"
	setpriv --reuid 65534 --clear-groups --inh-caps=-all,$caps --ambient-caps=-all,$caps \
		--bounding-set=-all,$caps "$work/pycost" doctor -p "$1"
}

other_tracer() {
	"$pycost" record -q -p "$1" -d 20 -o "$work/other.pycost" &
	local other=$! status=1
	for _ in $(seq 20); do
		sleep 0.5
		"$pycost" doctor -p "$1" | grep -E '^warn +other tracers' && status=0 && break
	done
	kill "$other"
	wait "$other"
	return $status
}

nested_namespace() {
	unshare --pid --fork --mount-proc "$pycost" doctor >"$work/nested"
	[ $? = 1 ] && grep -E '^no +PID namespace' "$work/nested"
}

no_escapes() { ! "$pycost" doctor | grep -q "$(printf '\033')"; }

# PID: burn.empty, or f00000 in its tree, is called all the time.
top_batch() {
	local output
	output=$("$pycost" top -p "$1" -n 2 --sort calls) || return
	printf '%s\n' "$output"
	[ "$(grep -c '^calls/s' <<<"$output")" = 2 ] &&
		grep -qE "^ *[0-9]{3,} .*$2" <<<"$output" && ! grep -q "$(printf '\033')" <<<"$output"
}

top_ends_with_target() {
	local target top status
	start "$py39" "$work/oracle/burn.py" --calls-per-second 5000
	target=$child
	timeout 120 "$pycost" top -b -p "$target" >"$work/ended" &
	top=$!
	for _ in $(seq 240); do
		! grep -q '^calls/s' "$work/ended" || break
		sleep 0.25
	done
	kill "$target"
	wait "$top"
	status=$?
	cat "$work/ended"
	[ "$status" = 0 ] && grep -q '^calls/s' "$work/ended" &&
		tail -n 40 "$work/ended" | grep -q '0 of 1 process alive'
}

top_closed_pipe() {
	"$pycost" top -p "$1" -n 2 2>"$work/pipe.err" | head -n 1
	[ "${PIPESTATUS[0]}" = 0 ] && [ ! -s "$work/pipe.err" ]
}

top_usage() {
	local bad
	for bad in "" "-p x" "-p 1 -n 0" "-p 1 -d 0.1" "-p 1 --sort x" "-p 1 --metric x" "12"; do
		# shellcheck disable=SC2086 # words
		"$pycost" top $bad >/dev/null 2>&1
		[ $? = 2 ] || { echo "not refused: top $bad"; return 1; }
	done
	! "$pycost" top -p 99999999 2>/dev/null
}

pane() { tmux -L "$socket" capture-pane -t top -p; }
keys() { tmux -L "$socket" send-keys -t top "$@"; }
await() { # PATTERN: in the pane, within a minute
	for _ in $(seq 240); do
		pane | grep -qE -- "$1" && return 0
		sleep 0.25
	done
	echo "never saw: $1"
	pane
	return 1
}
with_terminal() { # COMMAND...: in a terminal of 100 by 30
	tmux -L "$socket" kill-session -t top 2>/dev/null
	tmux -L "$socket" -f /dev/null new-session -d -s top -x 100 -y 30 "PS1='ready> ' bash --norc --noprofile"
	await 'ready>' && keys "stty -g >$work/before" Enter && sleep 0.3 &&
		keys "clear; $*; echo status=\$?; stty -g >$work/after" Enter
}
restored() {
	await "status=$1" && sleep 0.3 && cmp "$work/before" "$work/after" &&
		[ "$(tmux -L "$socket" display -p -t top '#{alternate_on} #{cursor_flag}')" = "0 1" ]
}

top_terminal() {
	with_terminal "$pycost" top -p "$1" && await 'burn\.empty' || return
	keys / && keys dumps && await 'filter: dumps' && await 'json\.dumps' || return
	pane | grep -q 'burn\.empty' && return 1
	keys Escape && await 'burn\.empty' && keys c && await '^by cumulative' || return
	keys Enter && await 'is called by' && keys Escape && keys t && await '^all [0-9.]+ s' || return
	keys h && await 'PgUp' && keys x && tmux -L "$socket" resize-window -t top -x 70 -y 12 &&
		await '^by cumulative' && keys p && await '^PAUSED' || return
	tmux -L "$socket" resize-window -t top -x 100 -y 30
	keys q
	restored 0
}

top_signal() { # SIGNAL STATUS PID
	with_terminal "$pycost" top -p "$3" && await 'calls/s .*function' || return
	kill -"$1" "$(pgrep -P "$(tmux -L "$socket" display -p -t top '#{pane_pid}')")"
	restored "$2"
}

options_of() { # COMMAND: its long options, a line each
	"$pycost" "$1" --help | grep -oE '^ +(-., +)?--[a-z-]+' | grep -oE -- '--[a-z-]+' |
		grep -vxE -e '--(help|usage|version)'
}

manual() {
	local output commands command option options='' told
	output=$(mandoc -T lint -W warning deploy/pycost.1) || { echo "$output"; return 1; }
	commands=$("$pycost" --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
	[ "$(wc -w <<<"$commands")" -ge 8 ] || { echo "commands: $commands"; return 1; }
	told=$(grep -oE 'Fl \\-[a-z-]+' deploy/pycost.1 | sed 's/^Fl \\-/--/' | sort -u)
	for command in $commands; do
		grep -qxF ".Ss pycost $command" deploy/pycost.1 ||
			{ echo "not in the manual: $command"; return 1; }
		output=$(options_of "$command") || { echo "no options: $command"; return 1; }
		options+=$output$'\n'
		for option in $output; do
			grep -qxF -e "$option" <<<"$told" ||
				{ echo "not in the manual: $command $option"; return 1; }
		done
	done
	# Nor does the manual know of any that is none.
	for option in $told; do
		case $option in --help | --usage | --version) continue ;; esac
		grep -qxF -e "$option" <<<"$options" || { echo "no such option: $option"; return 1; }
	done
}

py39=$(tests/fetch.sh py39)/usr/bin/python3.9 || exit 1
py315=$(tests/fetch.sh py315) || exit 1
start "$py39" "$work/oracle/burn.py" --calls-per-second 20000
burn39=$child
start "$py315/enter" python3.15 "$work/oracle/burn.py" --functions 30 --paths 100 --calls-per-second 20000
burn315=$child
start env PYTHON_JIT=1 "$py315/enter" python3.15 -c 'import time; time.sleep(600)'
jit=$child
start sleep 600
sleeper=$child

check doctor_machine doctor 0 '^ok +verdict +exact mode works on this machine.*; sampling works$'
check doctor_py39 doctor 0 "^ok +verdict +exact mode works for PID $burn39 .*; sampling works$" -p "$burn39"
check doctor_py315 doctor 0 "^ok +verdict +exact mode works for PID $burn315" -p "$burn315"
check doctor_py315_live doctor 0 '^ok +function probes +present and live' -p "$burn315"
check doctor_requests doctor 0 '^ok +requests +can be seen'
check doctor_jit doctor 1 '^no +JIT' -p "$jit"
check doctor_path doctor 0 '^ok +verdict .*python3.9 and counts' -p "$py39"
if [ -x /usr/bin/python3.11 ]; then
	start /usr/bin/python3.11 -c 'import time; time.sleep(600)'
	check doctor_py311_entries doctor 0 '^ok +function entries +at .*RESUME at 0x[0-9a-f]+ [a-z]+, emulated' -p "$child"
	check doctor_py311_returns doctor 0 '^ok +function returns +at .*RETURN_VALUE at 0x' -p "$child"
	check doctor_py311_verdict doctor 0 '^ok +verdict +exact mode works for PID' -p "$child"
else
	skip doctor_py311_entries "no /usr/bin/python3.11"
fi
check doctor_no_python doctor 1 'no CPython interpreter is mapped' -p "$sleeper"
check doctor_missing doctor 1 'there is no process 99999999' -p 99999999
check doctor_no_command doctor 1 'no such command' -p no-such-python
check doctor_json doctor_json "$burn39"
check doctor_no_escapes no_escapes
check doctor_without_rights without_rights "$burn39"
check doctor_with_least_rights with_least_rights "$burn315"
check doctor_other_tracer other_tracer "$burn39"
check doctor_nested_namespace nested_namespace
check top_batch_py39 top_batch "$burn39" 'burn\.empty'
check top_batch_py315 top_batch "$burn315" 'f00000'
check top_ends_with_target top_ends_with_target
check top_closed_pipe top_closed_pipe "$burn39"
check top_usage top_usage
if command -v tmux >/dev/null; then
	check top_terminal top_terminal "$burn39"
	check top_terminated top_signal TERM 0 "$burn39"
	check top_crashed top_signal SEGV 139 "$burn39"
else
	skip top_terminal "no tmux"
fi
if command -v mandoc >/dev/null; then check manual manual; else skip manual "no mandoc"; fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
