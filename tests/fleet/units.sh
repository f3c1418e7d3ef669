#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The units of deploy/systemd under a real systemd, as they are: Debian 12 on Debian's Linux 6.12,
# emulated, with a site whose workers are another user's. Do agent and collector work with the
# rights that the units leave them, and does what the agent measured arrive?
#
# Some five minutes. The root is made by debootstrap and kept in tests/fetch.sh's cache.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/rig/rig.sh
. tests/rig/rig.sh
build=${BUILD:-build} status=0
result() { echo "$1 $2"; [ "$1" != FAIL ] || status=1; }
skip() { echo "SKIP units: $1"; exit 0; }
check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >/dev/null; then result PASS "$name"; else result FAIL "$name"; fi
}

[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || skip "this is no amd64 machine"
[ "$(id -u)" = 0 ] || skip "debootstrap wants root"
rig_need qemu-system-x86_64:qemu-system-x86 cpio:cpio debootstrap:debootstrap ||
    skip "cannot install qemu-system-x86, cpio and debootstrap"
[ -e /usr/local/lib/pycost/libduckdb.so ] || skip "no DuckDB: deploy/install-deps.sh --duckdb"
mkdir -p "$cache"
kernel=$(rig_kernel amd64 trixie) || skip "cannot fetch Linux 6.12"
packages=systemd,systemd-sysv,curl,gunicorn,python3-flask,libbpf1,libelf1,libcapstone4,libjansson4
packages+=,libyaml-0-2,libsodium23,libprotobuf-c1,libncursesw6,libmicrohttpd12,libcurl4
packages+=,libsqlite3-0,libxxhash0,libzstd1,libgnutls30
root=$cache/units-1
(
    flock 9
    [ ! -e "$root/.complete" ] || exit 0
    say "making a root with systemd"
    rm -rf "$root"
    debootstrap --variant=minbase --include=$packages bookworm "$root" "$(mirror)" >"$root.log" 2>&1 &&
        rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/usr/share/{doc,man,locale} &&
        touch "$root/.complete"
) 9>"$root.lock" || skip "cannot make the root: $(tail -n 1 "$root.log")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree log=$work/log
mkdir -p "$tree"/{usr/bin,usr/lib/pycost,etc/pycost,srv} "$tree"/etc/systemd/system/multi-user.target.wants
install -m 0755 "$build/pycost" "$tree/usr/bin/pycost"
strip "$tree/usr/bin/pycost"
cp /usr/local/lib/pycost/libduckdb.so "$tree/usr/lib/pycost/"
cp deploy/systemd/*.service "$tree/etc/systemd/system/"
cp tests/fleet/units/app.py "$tree/srv/"
install -m 0755 tests/fleet/units/probe "$tree/usr/bin/probe"
ln -s lib/systemd/systemd "$tree/init"
token=$(od -An -tx1 -N16 /dev/urandom | tr -d ' \n')
echo "$token" >"$tree/etc/pycost/token"
cat >"$tree/etc/pycost/tokens.yaml" <<END
tokens:
  - name: all
    sha256: $(printf %s "$token" | sha256sum | cut -d' ' -f1)
    services: ['*']
    may: [push, query, metrics]
END
cat >"$tree/etc/pycost/serve.yaml" <<END
listen: 127.0.0.1:7680
store: /var/lib/pycost-serve
tokens: /etc/pycost/tokens.yaml
END
# The emulated machine is so slow that a budget would be about nothing else.
cat >"$tree/etc/pycost/agent.yaml" <<END
collector: http://127.0.0.1:7680
token-file: /etc/pycost/token
listen: 127.0.0.1:7681
budget: { host: 100%, targets: 100%, requests: 100% }
rules: [{ match: gunicorn, service: shop }]
END
cat >"$tree/etc/systemd/system/site.service" <<END
[Service]
DynamicUser=yes
WorkingDirectory=/srv
ExecStart=/usr/bin/python3 -m gunicorn -w 2 -b 127.0.0.1:8000 app:app
END
cat >"$tree/etc/systemd/system/probe.service" <<END
[Unit]
After=multi-user.target
[Service]
Type=oneshot
TimeoutStartSec=infinity
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStart=/usr/bin/probe
END
for unit in pycost-serve pycost-agent site probe; do
    ln -s "/etc/systemd/system/$unit.service" \
        "$tree/etc/systemd/system/multi-user.target.wants/$unit.service"
done
{
    (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1)
    (cd "$tree" && find . | cpio -o -H newc --quiet | gzip -1)
} >"$work/initrd"

timeout -k 5 1500 qemu-system-x86_64 -M q35 -cpu max,cx16=off -m 3G -smp 2 -accel tcg -nodefaults \
    -nographic -serial stdio -monitor none -no-reboot -kernel "$kernel" -initrd "$work/initrd" \
    -append "console=ttyS0 quiet nowatchdog rcupdate.rcu_cpu_stall_suppress=1 panic=-1 mitigations=off
        rdinit=/lib/systemd/systemd systemd.show_status=0" </dev/null 2>&1 | tr -d '\r' >"$log" || true

told() { grep -E "$1" "$log"; }
check "the machine ran to its end" told '^probe: done'
check "the collector's unit is active" told '^unit pycost-serve ActiveState=active'
check "the agent's unit ended well when it was stopped" told '^unit pycost-agent Result=success'
check "the collector's, too" told '^stopped Result=success'
check "requests arrived, by service and endpoint" told '^requests .*shop.*GET /work'
check "so did what functions cost" told '^functions .*app\.work'
if told '^said .*level=error' >/dev/null; then
    result FAIL "nothing failed: $(grep -m1 'level=error' "$log")"
else
    result PASS "nothing failed"
fi
[ "$status" = 0 ] || cp "$log" "$build/units.log"
exit "$status"
