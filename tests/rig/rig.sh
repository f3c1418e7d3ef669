# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For tests/kernels.sh, tests/pmu.sh and tests/cross.sh: Debian's kernels, roots of
# its packages for any architecture, and machines under QEMU that run them.  All
# that is fetched stays in tests/fetch.sh's cache.  To be sourced from the top of
# the checkout.

# shellcheck source=tests/fetch.sh
. tests/fetch.sh
rig_recipe=1
case $cache in /*) ;; *) cache=$PWD/$cache ;; esac

# rig_need PROGRAM:PACKAGE...: installs what is missing; 1 when it cannot.
rig_need() {
    local pair missing=()
    for pair; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "installing ${missing[*]}"
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y install --no-install-recommends "${missing[@]}"; } >&2
}

rig_suite() {
    case $1 in
    5.10) echo bullseye ;;
    6.1) echo bookworm ;;
    6.12) echo trixie ;;
    newest) echo sid ;;
    *) return 1 ;;
    esac
}

# rig_lists DIR ARCH SUITE: what there is; rig_debs DIR PACKAGE...: just these
# packages and none that they need, into DIR/archives.
rig_lists() {
    local arch=$2
    rm -rf "$1"
    apt_conf "$1" "$(mirror)" "$3"
    apt-get -c "$1/apt.conf" -qq update >"$1/log" 2>&1
}

rig_debs() {
    local dir=$1
    shift
    (cd "$dir/archives" && apt-get -c "$dir/apt.conf" -qq download "$@") >>"$dir/log" 2>&1
}

# rig_kernel ARCH SUITE: prints the path of Debian's cloud kernel; its version is
# in `version` beside it.
rig_kernel() {
    local arch=$1 suite=$2 dir=$cache/kernel-$1-$2-$rig_recipe name
    local work=$dir.part
    if [ ! -e "$dir/vmlinuz" ]; then (
        flock 9
        [ ! -e "$dir/vmlinuz" ] || exit 0
        say "fetching $suite's kernel for $arch"
        rig_lists "$work" "$arch" "$suite" || exit 1
        name=$(apt-cache -c "$work/apt.conf" depends "linux-image-cloud-$arch" |
            sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
        [ -n "$name" ] || exit 1
        # From 7.x on the image itself is in a package of its own.
        ! apt-cache -c "$work/apt.conf" show "${name/-image-/-binary-}" >/dev/null 2>&1 ||
            name=${name/-image-/-binary-}
        rig_debs "$work" "$name" || exit 1
        mkdir "$work/out"
        dpkg-deb --fsys-tarfile "$work/archives/$name"_*.deb |
            tar -x -C "$work/out" --wildcards '*/vmlinuz*' || exit 1
        mkdir -p "$dir"
        dpkg-deb -f "$work/archives/$name"_*.deb Version >"$dir/version"
        # Last, as it says that the rest is there.
        find "$work/out" -name 'vmlinuz*' -type f -exec mv {} "$dir/vmlinuz" \;
        rm -rf "$work"
    ) 9>"$dir.lock" || return 1; fi
    echo "$dir/vmlinuz"
}

# rig_python ARCH [3.9|3.15]: prints a root of ARCH with that Python: bullseye's 3.9
# or the newest Debian's 3.15.
rig_python() {
    local arch=$1 of=$1 name
    [ "${2:-3.9}" = 3.9 ] && name=py39 || name=py315
    if [ "$arch" = "$(dpkg --print-architecture)" ]; then arch=''; else name=$name-$of; fi
    case $name in
    py39 | py315) root_of "$name" ;;
    py39-*) build "$name" python3.9 bullseye python3.9 ;;
    py315-*) build "$name" python3.15 "forky sid" python3.15 ;;
    esac
}

# rig_tree DIR ROOT BUSYBOX: lays out in DIR a root small enough for an initramfs:
# from ROOT Python 3.9 with its libraries, for /init a static busybox.
rig_tree() {
    local dir=$1 root=$2 busybox=$3 lib
    mkdir -p "$dir"/{dev,proc,sys,tmp,root,etc,usr/bin,usr/lib,usr/lib64}
    for lib in bin lib lib64; do ln -s "usr/$lib" "$dir/$lib"; done
    ln -s bin "$dir/usr/sbin" && ln -s usr/bin "$dir/sbin"
    rig_interpreter "$dir" "$root" python3.9
    cp "$busybox" "$dir/usr/bin/busybox"
    ln -s busybox "$dir/usr/bin/sh"
    cp tests/rig/init "$dir/init"
    chmod 755 "$dir/init"
}

# rig_interpreter DIR ROOT PYTHON: one more.  A later one's libraries replace those
# that are there: an older Python runs with a newer libc, not the other way round.
rig_interpreter() {
    local dir=$1 root=$2 python=$3
    local needless=(test lib2to3 pydoc_data ensurepip idlelib distutils 'config-3*' asyncio
        unittest tkinter turtledemo sqlite3 dbm curses xmlrpc _pyrepl)
    cp -p "$root/usr/bin/$python" "$dir/usr/bin/"
    (cd "$root" && tar -c --exclude-from=<(printf 'usr/lib/%s\n' \
        "${needless[@]/#/$python/}") "usr/lib/$python") | tar -x -C "$dir"
    # The loader's own name differs from one architecture to the next.
    (cd "$root" && find usr/lib usr/lib64 -maxdepth 2 \( -name 'ld-*' -o -name 'libc[.-]*' -o \
        -name 'libm[.-]*' -o -name 'libdl[.-]*' -o -name 'libutil[.-]*' -o -name 'libpthread[.-]*' -o \
        -name 'libexpat.*' -o -name 'libz.*' -o -name 'libzstd.*' -o -name 'libcrypt.*' -o \
        -name 'libgcc_s.*' \) -print0 |
        tar -c --null -T -) | tar -x -C "$dir"
}

rig_pack() {
    (cd "$1" && find . -print0 | cpio --null --quiet -o -H newc -R 0:0) >"$2"
}

# rig_boot ARCH KERNEL INITRD LOG SECONDS [WORD...]: runs a machine to its end, or until it
# has used so many seconds of a processor; again when it did not get as far as init.  The words are put on the kernel's command line.
# RIG_CPUS=N gives it so many processors.
rig_boot() {
    rig_machine "$@" || true
    grep -aq 'rig: kernel' "$4" || rig_machine "$@" || true
}

# The machine may stand still for long, which is no lockup of its kernel's.
# Without cx16: an interrupt at cmpxchg16b leaves QEMU 7.2 with flags of garbage,
# which the kernel's allocator does not survive.
rig_machine() {
    local arch=$1 kernel=$2 initrd=$3 log=$4 seconds=$5 console machine words
    shift 5
    case $arch in
    amd64) console=ttyS0 machine=(qemu-system-x86_64 -M q35 -cpu "max,cx16=off" -m 1G) ;;
    arm64) console=ttyAMA0 machine=(qemu-system-aarch64 -M virt -cpu neoverse-n1
        -icount "shift=3,sleep=off" -m 1G) ;;
    esac
    words="console=$console quiet nowatchdog rcupdate.rcu_cpu_stall_suppress=1 panic=-1 mitigations=off"
    # Of a processor's time; it may have to wait long for that.
    (ulimit -c 0 -t "$seconds" && exec timeout -k 5 2700 "${machine[@]}" -smp "${RIG_CPUS:-1}" \
        -accel tcg -nodefaults -nographic -serial stdio -monitor none -no-reboot \
        -kernel "$kernel" -initrd "$initrd" -append "$words $*") </dev/null 2>&1 | tr -d '\r' >"$log"
}

passed=0 failed=0 skipped=0
result() {
    case $1 in
    PASS) passed=$((passed + 1)) ;;
    FAIL) failed=$((failed + 1)) ;;
    SKIP) skipped=$((skipped + 1)) ;;
    esac
    echo "$1 $2"
}

# What the guest said: its numbers, and its PASS, FAIL and SKIP lines as ours.
rig_results() {
    local log=$1 name=$2 line
    # The first line may follow the firmware's on the same one.
    grep -ao 'rig: .*' "$log" | sed "s/^rig: /$name  /" || true
    while IFS= read -r line; do
        result "${line%% *}" "$name ${line#* }"
    done < <(grep -aE '^(PASS|FAIL|SKIP) ' "$log")
    grep -aqx 'rig: end' "$log" || {
        tail -n 5 "$log"
        result FAIL "$name end: the machine did not get to its end"
    }
}

rig_summary() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}
