#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What deploy/ has for others to run, as far as a validator can say: units, manifests, rules,
# dashboard, sample configurations, packages. The units run for real in tests/fleet/units.sh.
set -u
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C.UTF-8
build=${BUILD:-build} status=0
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
cache=${PYCOST_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/pycost}

pass() { echo "PASS $*"; }
fail() { echo "FAIL $*"; status=1; }
skip() { echo "SKIP $*"; }
# judge NAME OUTPUT-OF-A-CHECK STATUS
judge() { if [ "$3" = 0 ]; then pass "$1"; else fail "$1: $(tail -n 1 <<<"$2")"; fi; }
have() { # PROGRAM PACKAGE
	command -v "$1" >/dev/null || { [ "$(id -u)" = 0 ] && deploy/install-deps.sh "$2" >&2; } ||
		{ skip "$1 is not to be had"; return 1; }
}

have_module() { # PYTHON-MODULE PACKAGE
	/usr/bin/python3 -c "import $1" 2>/dev/null || { [ "$(id -u)" = 0 ] && deploy/install-deps.sh "$2" >&2; } ||
		{ skip "$1 is not to be had"; return 1; }
}

units() {
	local unit said
	have systemd-analyze systemd || return
	mkdir -p "$work/usr/bin" && cp "$build/pycost" "$work/usr/bin/"
	for unit in deploy/systemd/*.service; do
		sed "s,^ExecStart=/usr/bin/pycost,ExecStart=$work/usr/bin/pycost,; /^Documentation=/d" \
			"$unit" >"$work/${unit##*/}"
		# What it says of other units of this machine does not matter.
		said=$(systemd-analyze verify --man=no "$work/${unit##*/}" 2>&1 | grep -F "${unit##*/}")
		[ -z "$said" ] && pass "${unit##*/}" || fail "${unit##*/}: $said"
		grep -q "^ExecStart=$work" "$work/${unit##*/}" || fail "${unit##*/}: starts something else"
	done
	sed -i 's/^Restart=.*/Restart=perhaps/' "$work/pycost-agent.service"
	[ -n "$(systemd-analyze verify --man=no "$work/pycost-agent.service" 2>&1 | grep perhaps)" ] &&
		pass "a broken unit is found" || fail "a broken unit is not found"
}

configurations() {
	local file said
	for file in agent serve; do
		sed "s,/etc/pycost/region,/etc/hostname," deploy/$file.yaml >"$work/$file.yaml"
		said=$("$build/pycost" $file --config "$work/$file.yaml" --check 2>&1)
		judge "deploy/$file.yaml" "$said" $?
	done
	# Those within the manifests; the secrets that they name are not here.
	mkdir -p "$work/secret" && echo 0123456789abcdef0123456789abcdef >"$work/secret/token"
	cp deploy/tokens.yaml "$work/secret/"
	for file in agent serve; do
		sed -n "/^  $file.yaml: |/,/^---/p" deploy/kubernetes/$file.yaml | sed '1d;/^---/,$d; s/^    //' |
			sed "s,/etc/pycost/secret,$work/secret,; s,/var/lib/pycost,$work/state," \
			>"$work/$file.yaml"
		mkdir -p "$work/state"
		said=$(PYCOST_HOST=node1 "$build/pycost" $file --config "$work/$file.yaml" --check 2>&1)
		judge "the configuration in kubernetes/$file.yaml" "$said" $?
	done
}

manifests() {
	local modules=$cache/manifests-1
	have npm npm || return
	(
		flock 9
		[ ! -e "$modules/.complete" ] && mkdir -p "$modules" &&
			npm install --silent --no-audit --no-fund --prefix "$modules" \
				kubernetes-models@4.5.1 js-yaml@4.1.0 >&2 && touch "$modules/.complete"
	) 9>"$modules.lock"
	[ -e "$modules/.complete" ] || { skip "manifests: their schemas are not to be had"; return; }
	node tests/fleet/manifests.mjs "$modules" deploy/kubernetes/*.yaml || status=1
	sed 's/replicas: 1/replicas: many/' deploy/kubernetes/serve.yaml >"$work/broken.yaml"
	node tests/fleet/manifests.mjs "$modules" "$work/broken.yaml" >/dev/null &&
		fail "a broken manifest is not found" || pass "a broken manifest is found"
}

# Rules, and the questions of the dashboard, are Prometheus's to understand; each metric in them
# is one that we have.
prometheus() {
	local said metric
	have promtool prometheus && have_module prometheus_client python3-prometheus-client || return
	said=$(promtool check rules deploy/prometheus/rules.yaml 2>&1)
	judge "prometheus/rules.yaml" "$said" $?
	said=$(promtool test rules tests/fleet/rules_test.yaml 2>&1)
	judge "the alerts fire when they should, and only then" "$said" $?
	python3 - deploy/grafana/pycost.json >"$work/dashboard.yaml" <<-'END'
		import json, sys
		panels = json.load(open(sys.argv[1]))["panels"]
		print("groups:\n- name: dashboard\n  rules:")
		for i, text in enumerate(t["expr"] for p in panels for t in p.get("targets", [])):
		    text = text.replace("$__rate_interval", "5m").replace("$service", ".*")
		    print(f"  - record: panel:number:{i}\n    expr: {json.dumps(text)}")
	END
	said=$(promtool check rules "$work/dashboard.yaml" 2>&1)
	judge "each question of grafana/pycost.json" "$said" $?
	grep -rhoE '\b(pycost_agent|pycost_serve|pycost_store)_[a-z_]+' deploy/grafana deploy/prometheus |
		sort -u >"$work/asked"
	metrics >"$work/said"
	while read -r metric; do
		grep -qE "^$metric(\{| )" "$work/said" || fail "$metric is asked for, but nobody has it"
	done <"$work/asked"
	[ -s "$work/asked" ] && pass "$(wc -l <"$work/asked") metrics are asked for" ||
		fail "no metric is asked for"
	for metric in agent serve; do
		said=$(/usr/bin/python3 -c "import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
assert len(list(parse(sys.stdin.read()))) > 10" <"$work/$metric" 2>&1)
		judge "what $metric says of itself" "$said" $?
	done
}

# What an agent and a collector say of themselves.
metrics() {
	local agent serve
	"$build/pycost" serve --listen 127.0.0.1:17680 --store "$work/store" >/dev/null 2>&1 &
	serve=$!
	"$build/pycost" agent --match '^no such command$' --to http://127.0.0.1:17680 \
		--spool "$work/spool" --listen 127.0.0.1:17681 >/dev/null 2>&1 &
	agent=$!
	for port in 17681:agent 17680:serve; do
		curl -s --retry 20 --retry-delay 1 --retry-connrefused \
			"http://127.0.0.1:${port%:*}/metrics" | tee "$work/${port#*:}"
	done
	kill $agent $serve
	wait $agent $serve 2>/dev/null
}

packages() {
	local said list
	have dpkg-shlibdeps dpkg-dev || return
	said=$(BUILD=$build deploy/debian/build.sh "$work/deb" 2>&1)
	judge "Debian packages" "$said" $?
	list=$(dpkg-deb -c "$work"/deb/pycost_*.deb 2>&1)
	for said in ./usr/bin/pycost ./lib/systemd/system/pycost-agent.service \
		./lib/systemd/system/pycost-serve.service ./usr/share/man/man1/pycost.1.gz \
		./usr/share/doc/pycost/agent.yaml; do
		grep -qF " $said" <<<"$list" && pass "the package has $said" ||
			fail "the package has no $said"
	done
	dpkg-deb -x "$work"/deb/pycost_*.deb "$work/unpacked"
	said=$("$work/unpacked/usr/bin/pycost" --version 2>&1)
	[ "$said" = "$("$build/pycost" --version)" ] && pass "the packaged program runs" ||
		fail "the packaged program: $said"
}

units
configurations
manifests
prometheus
packages
exit $status
