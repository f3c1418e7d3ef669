#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Fetches the interpreters that the tests attach to, as root directories made of
# Debian's own packages, into a cache outside the checkout.
#
#   tests/fetch.sh [py39|py311|py313|py314|py315|web|sites|clickhouse|py313t|py314t|otlp|otelcol|victoria|zookeeper|chdb|all]...
#
#   py39   Python 3.9 (bullseye), greenlet; its python3.9 also runs from the host
#   py311  Python 3.11 (bookworm), greenlet, Django, Flask, gunicorn, waitress, uvicorn
#          (with uvloop), hypercorn, aiohttp, gevent, Celery; uWSGI, which embeds the
#          shared libpython3.11; redis-server and memcached for them to call
#   py313  Python 3.13 (trixie), greenlet; austin, another profiler
#   py314  Python 3.14 (forky, else sid), greenlet
#   py315  Python 3.15 (forky, else sid), greenlet, Django, Flask, gunicorn, waitress,
#          uvicorn, hypercorn, aiohttp
#   web    the root that tests/web runs in: the same as py315
#   sites  Python 3.11 (bookworm), Flask, gunicorn, Apache with mod_wsgi; PostgreSQL,
#          MariaDB and memcached, with psycopg2, PyMySQL and pymemcache to ask them by
#   otlp   OpenTelemetry's descriptions of its messages (forky, else sid), for protoc
#   victoria
#          VictoriaMetrics (forky, else sid), which takes metrics by OTLP; Debian has
#          Prometheus without that
#   clickhouse
#          ClickHouse 18.16 (bookworm), which tests/fleet starts as a plain process
#   all    all of these; also what no argument means
#   zookeeper
#          ZooKeeper (bookworm) and a Java to run it, for replicas of ClickHouse: not in `all`,
#          as only long runs have them
#   chdb   chDB 26.5, today's ClickHouse as a library, from npm (159 MB): not in `all` either
#   py313t, py314t
#          free-threaded Python 3.13 and 3.14, which Debian has in no package: built
#          from its source packages with the machine's compiler, for it alone. That
#          takes minutes, so `all` does not have them, and tests do without.
#   otelcol
#          an OpenTelemetry Collector, built from Debian's packages of its parts (sid:
#          those of forky know older profiles): 240 MB to fetch, 3 GB while it is
#          built; not in `all` either
#
# 3.9 and 3.15 have live function probes; the others have none, or dead ones.
#
# Prints each root's directory on standard output, progress on standard error.
# Other scripts source this one for its roots of their own; see tests/rig/rig.sh.
# ROOT/enter COMMAND... runs a command inside the root: see write_runner below.
# PYCOST_CACHE and PYCOST_MIRROR say where to keep and whence to fetch.
set -euo pipefail
export LC_ALL=C
umask 022

# To be raised when a root's contents change, so that old roots are not taken for new.
recipe=1
here_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
declare -A recipe_of=([py311]=3 [py315]=2)
cache=${PYCOST_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/pycost}
# Whose packages to fetch; a root of a foreign architecture is not tried out.
arch=
# Wanted only by the packages' install scripts, which are never run; or by PostgreSQL's JIT.
needless=' debconf dpkg perl-base perl perl-modules-5.36 libperl5.36 usrmerge tar libllvm14 libz3-4 '

die() { echo "fetch: $*" >&2; exit 1; }
say() { echo "fetch: $*" >&2; }

# The machine's own Debian mirror, however its sources are written down.
mirror() {
    local found
    # shellcheck disable=SC2016 # apt expands it
    found=${PYCOST_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 2>/dev/null | grep -m1 -E '/debian/?$' || true)}
    [ -n "$found" ] || die "no Debian mirror in apt's sources: set PYCOST_MIRROR"
    echo "$found"
}

# What this script itself runs that a slim image may lack.
need_tools() {
    local missing=()
    command -v flock >/dev/null && command -v unshare >/dev/null || missing+=(util-linux)
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
    [ "${#missing[@]}" -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || die "please install ${missing[*]}"
    say "installing ${missing[*]}"
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y install --no-install-recommends "${missing[@]}"; } >&2 ||
        die "cannot install ${missing[*]}"
}

# apt with a state of its own and nothing installed, so that it resolves and
# downloads everything that a root needs. The machine's apt.conf.d still holds
# (it may name a proxy), less its hooks and its pins.
apt_conf() {
    local dir=$1 uri=$2 suite=$3
    mkdir -p "$dir/lists/partial" "$dir/archives/partial"
    : >"$dir/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main" \
        >"$dir/sources.list"
    cat >"$dir/apt.conf" <<EOF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "$dir";
Dir::State::status "$dir/status";
Dir::Cache "$dir";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Default-Release "";
APT::Architecture "${arch:-$(dpkg --print-architecture)}";
#clear APT::Architectures;
APT::Architectures { "${arch:-$(dpkg --print-architecture)}"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
EOF
}

# download DIR MIRROR SUITE PACKAGE...: fails quietly when the suite has not got them.
download() {
    local dir=$1 uri=$2 suite=$3
    shift 3
    # Lists of another suite, tried before, would be mixed in with these.
    rm -rf "$dir/lists"
    apt_conf "$dir" "$uri" "$suite"
    apt-get -c "$dir/apt.conf" -qq update >"$dir/log" 2>&1 || return 1
    apt-get -c "$dir/apt.conf" -s install "$@" >"$dir/plan" 2>>"$dir/log" || return 1
    # An earlier, interrupted try may have left other versions behind.
    drop_stale "$dir"
    apt-get -c "$dir/apt.conf" -qq -y -d install "$@" >>"$dir/log" 2>&1
}

drop_stale() {
    local dir=$1 file name version
    for file in "$dir"/archives/*.deb; do
        [ -e "$file" ] || continue
        name=$(basename "$file" .deb)
        version=${name#*_}
        version=${version%_*}
        version=${version//%3a/:}
        grep -qF "Inst ${name%%_*} ($version " "$dir/plan" || rm -f "$file"
    done
}

# Unpacks without the install scripts: these interpreters need none.
unpack() {
    local dir=$1 root=$2 file sub package
    rm -rf "$root"
    mkdir -p "$root"/{dev,proc,sys,tmp,root,usr/bin,usr/sbin,usr/lib,usr/lib64}
    for sub in bin sbin lib lib64; do ln -s "usr/$sub" "$root/$sub"; done
    for file in "$dir"/archives/*.deb; do
        package=$(basename "${file%%_*}")
        case $needless in *" $package "*) continue ;; esac
        dpkg-deb --fsys-tarfile "$file" | tar -x -C "$root" --keep-directory-symlink \
            --no-same-owner --exclude './usr/share/doc/*' --exclude './usr/share/man/*' \
            --exclude './usr/share/locale/*' --exclude './usr/lib/*/gconv/*' ||
            die "cannot unpack $(basename "$file")"
        # shellcheck disable=SC2016 # dpkg-deb expands it
        dpkg-deb -W --showformat '${Package} ${Version}\n' "$file" >>"$root/.packages"
    done
    mkdir -p "$root/etc"
    printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'nobody:x:65534:65534::/:/bin/sh' \
        >"$root/etc/passwd"
    printf '%s\n' 'root:x:0:' 'nogroup:x:65534:' >"$root/etc/group"
    echo '127.0.0.1 localhost' >"$root/etc/hosts"
}

# ROOT/enter: as root, runs a command inside ROOT with the same process id, in a
# mount namespace of its own, as a container would. The caller's directory, /tmp,
# /dev and /proc show there under their own names; nothing has to be unmounted.
write_runner() {
    cat >"$1/enter" <<'EOF'
#!/bin/sh
# Runs a command inside this root: ROOT/enter COMMAND...
root=$(cd "$(dirname "$0")" && pwd -P) here=$(pwd -P)
[ $# -gt 0 ] || { echo "usage: $0 COMMAND..." >&2; exit 2; }
export root here
exec unshare --mount sh -ec '
    for dir in /dev /proc; do mount --rbind "$dir" "$root$dir"; done
    mount --bind /tmp "$root/tmp"
    case $here in
    /) ;;
    /tmp/*) ;;
    *) mkdir -p "$root$here"; mount --bind "$here" "$root$here" ;;
    esac
    PATH=/usr/bin:/bin:/usr/sbin:/sbin
    r=$root h=$here
    unset root here LD_LIBRARY_PATH PYTHONHOME
    exec unshare --root="$r" --wd="$h" "$@"' enter "$@"
EOF
    chmod 755 "$1/enter"
}

# Debian compiles to bytecode in an install script; it also shows that the root runs.
finish() {
    local root=$1 python=$2
    write_runner "$root"
    case $python in
    python3.9 | python3.15)
        grep -aq 'function__entry' "$root/usr/bin/$python" ||
            die "$python has no function__entry probe"
        ;;
    esac
    [ -z "$arch" ] || return 0
    [ "$(id -u)" = 0 ] || { say "not root: $python is not tried out"; return 0; }
    case $python in
    clickhouse-server)
        # It knows no option that only tells something.
        [[ $(chroot "$root" clickhouse-server --none 2>&1) = *option* ]] ||
            die "$python does not run in its root"
        return
        ;;
    libopentelemetry-proto-dev) return ;; # nothing of it runs
    zookeeper)
        # Debian's install scripts give it this name.
        ln -sf "$(cd "$root" && printf '/%s' usr/lib/jvm/java-17-openjdk-*/bin/java)" "$root/usr/bin/java"
        "$root/enter" java -version 2>/dev/null || die "Java does not run in its root"
        return
        ;;
    victoria-metrics)
        chroot "$root" victoria-metrics --version >&2 || die "$python does not run in its root"
        return
        ;;
    esac
    chroot "$root" "/usr/bin/$python" -m compileall -q \
        -x '/tests?/|/contrib/gis/|/lib2to3/|/idlelib/' \
        "/usr/lib/$python" /usr/lib/python3/dist-packages >&2 ||
        die "$python does not run in its root"
}

# build NAME PYTHON SUITES PACKAGE...: prints the root, which it makes when missing.
build() {
    local name=$1 python=$2 suites=$3 root=$cache/$1-${recipe_of[$1]:-$recipe} suite uri
    local work=$root.part
    shift 3
    [ -e "$root/.complete" ] || (
        flock 9
        [ ! -e "$root/.complete" ] || exit 0
        # Without its stamp a root is of no use to anybody.
        rm -rf "$root"
        uri=$(mirror)
        for suite in $suites; do
            say "$name: fetching $python from $suite"
            if download "$work" "$uri" "$suite" "$@"; then
                unpack "$work" "$work/root"
                finish "$work/root" "$python"
                echo "$suite" >"$work/root/.complete"
                mv "$work/root" "$root"
                rm -rf "$work"
                say "$name: $(grep "^$python " "$root/.packages") is in $root"
                exit 0
            fi
            say "$name: $suite: $(grep -m1 '^E:' "$work/log" || echo 'cannot download')"
        done
        die "$name: no $python to be had from: $suites"
    ) 9>"$root.lock"
    echo "$root"
}

# download_source DIR MIRROR SUITE PACKAGE: what its authors released, not the packaging.
download_source() {
    local dir=$1 uri=$2 suite=$3
    rm -rf "$dir/lists" "$dir/source"
    apt_conf "$dir" "$uri" "$suite"
    sed -i 's/^deb /deb-src /' "$dir/sources.list"
    mkdir -p "$dir/source"
    apt-get -c "$dir/apt.conf" -qq update >"$dir/log" 2>&1 || return 1
    (cd "$dir/source" && apt-get -c "$dir/apt.conf" -qq --download-only --tar-only \
        source "$4") >>"$dir/log" 2>&1
}

# compile DIR ROOT: where it is to be in the end is known to it, so that it finds its files.
compile() {
    local dir=$1 root=$2
    mkdir -p "$dir/tree" "$dir/build"
    tar -x -f "$dir"/source/*.orig.tar.* -C "$dir/tree" --strip-components 1 --no-same-owner &&
        cd "$dir/build" &&
        nice ../tree/configure --quiet --prefix="$root/usr" --disable-gil \
            --without-ensurepip --disable-test-modules &&
        nice make -s -j"$(nproc)" all &&
        nice make -s DESTDIR="$dir/dest" altbininstall libinstall sharedinstall
}

# As of other roots; but it is run by the machine itself, whose libraries it has.
write_host_runner() {
    cat >"$1/enter" <<'EOF'
#!/bin/sh
# Runs a command of this directory: ROOT/enter COMMAND..., by its name or path in ROOT.
root=$(cd "$(dirname "$0")" && pwd -P) command=${1##*/}
[ -x "$root/usr/bin/$command" ] || { echo "usage: $0 COMMAND..." >&2; exit 2; }
shift
exec "$root/usr/bin/$command" "$@"
EOF
    chmod 755 "$1/enter"
}

# build_source NAME PYTHON SUITES: prints the root, as build() does.
build_source() {
    local name=$1 python=$2 suites=$3 root=$cache/$1-${recipe_of[$1]:-$recipe} suite uri
    local work=$root.part
    [ -e "$root/.complete" ] || (
        flock 9
        [ ! -e "$root/.complete" ] || exit 0
        rm -rf "$root" "$work"
        mkdir -p "$work"
        uri=$(mirror)
        for suite in $suites; do
            say "$name: fetching the source of $python from $suite"
            if download_source "$work" "$uri" "$suite" "$python"; then
                say "$name: building it; this takes minutes"
                (compile "$work" "$root") >>"$work/log" 2>&1 ||
                    die "$name: cannot be built: see $work/log"
                mv "$work/dest$root" "$root"
                write_host_runner "$root"
                "$root/enter" "${python}t" -c 'import sys; sys.exit(sys._is_gil_enabled())' ||
                    die "$name: is not free-threaded"
                basename "$work"/source/*.orig.tar.* >"$root/.packages"
                echo "$suite" >"$root/.complete"
                rm -rf "$work"
                say "$name: $(cat "$root/.packages") is built in $root"
                exit 0
            fi
            say "$name: $suite: $(grep -m1 '^E:' "$work/log" || echo 'cannot download')"
        done
        die "$name: no source of $python to be had from: $suites"
    ) 9>"$root.lock"
    echo "$root"
}

# build_chdb: the library alone. Its authors publish it for Node.js, which it does not need.
build_chdb() {
    local root=$cache/chdb-$recipe version=26.5.3 uri work
    local sum=7cfacb991b79328a2bf721b3e266b36eb3637b8b7b5fd281da64c6917156471441b3688acbcca1ea3c75d71b1ad10af788314c53fc87a9df9b55d6095eedd069
    work=$root.part
    [ -e "$root/.complete" ] || (
        flock 9
        [ ! -e "$root/.complete" ] || exit 0
        [ "$(uname -m)" = x86_64 ] || die "chdb: not fetched for $(uname -m)"
        rm -rf "$root" "$work"
        mkdir -p "$work"
        uri=${PYCOST_NPM:-$(npm config get registry 2>/dev/null || true)}
        [[ $uri = http* ]] || uri=https://registry.npmjs.org
        say "chdb: fetching chDB $version"
        /usr/lib/apt/apt-helper download-file \
            "${uri%/}/@chdb/lib-linux-x64-gnu/-/lib-linux-x64-gnu-$version.tgz" \
            "$work/tgz" "SHA512:$sum" >"$work/log" 2>&1 || die "chdb: $(grep -m1 '^E:' "$work/log")"
        tar -C "$work" --no-same-owner --strip-components 1 -xzf "$work/tgz" package/libchdb.so
        rm "$work/tgz"
        touch "$work/.complete"
        mv "$work" "$root"
        say "chdb: $version is in $root"
    ) 9>"$root.lock"
    echo "$root"
}

# build_go DIR DEST: with the compiler and the sources that are unpacked in DIR/root.
build_go() {
    mkdir -p "$1/build" "$2" && cd "$1/build" && cp "$here_dir/fleet/otelcol/main.go" . &&
        HOME=$PWD GOCACHE=$PWD/cache GOPATH=/usr/share/gocode GO111MODULE=off \
            GOTOOLCHAIN=local CGO_ENABLED=0 nice "$1/root/enter" \
            go build -trimpath -ldflags='-s -w' -o otelcol main.go &&
        mkdir -p "$2/usr/bin" && mv otelcol "$2/usr/bin"
}

# build_otelcol SUITES: prints the root, as build() does.
build_otelcol() {
    local name=otelcol root=$cache/otelcol-$recipe suite uri
    local work=$root.part
    [ -e "$root/.complete" ] || (
        flock 9
        [ ! -e "$root/.complete" ] || exit 0
        rm -rf "$root" "$work"
        uri=$(mirror)
        for suite in $1; do
            say "$name: fetching Go and the Collector's parts from $suite"
            if download "$work" "$uri" "$suite" golang-opentelemetry-collector-dev golang-go; then
                unpack "$work" "$work/root"
                write_runner "$work/root"
                say "$name: building it; this takes minutes"
                (build_go "$work" "$work/dest") >>"$work/log" 2>&1 ||
                    die "$name: cannot be built: see $work/log"
                "$work/dest/usr/bin/otelcol" --version >&2 || die "$name: does not run"
                grep '^golang-opentelemetry-collector-dev ' "$work/root/.packages" \
                    >"$work/dest/.packages"
                write_host_runner "$work/dest"
                mv "$work/dest" "$root"
                echo "$suite" >"$root/.complete"
                rm -rf "$work"
                say "$name: $(cat "$root/.packages") is built in $root"
                exit 0
            fi
            say "$name: $suite: $(grep -m1 '^E:' "$work/log" || echo 'cannot download')"
        done
        die "$name: its parts are not to be had from: $1"
    ) 9>"$root.lock"
    echo "$root"
}

# What is in each root; prints where it is.
root_of() {
    case $1 in
    py39) build py39 python3.9 bullseye python3.9 python3-greenlet ;;
    py311) build py311 python3.11 bookworm python3.11 python3-greenlet \
        python3-django gunicorn libpython3.11 uwsgi-core uwsgi-plugin-python3 \
        python3-flask python3-waitress uvicorn python3-uvloop python3-starlette \
        python3-hypercorn python3-aiohttp python3-gevent python3-celery \
        python3-redis redis-server memcached ;;
    py313) build py313 python3.13 trixie python3.13 python3-greenlet austin ;;
    py314) build py314 python3.14 "forky sid" python3.14 python3-greenlet ;;
    py315) build py315 python3.15 "forky sid" python3.15 python3-greenlet \
        python3-django gunicorn python3-flask python3-waitress uvicorn \
        python3-starlette python3-hypercorn python3-aiohttp ;;
    sites) build sites python3.11 bookworm python3.11 dash gunicorn python3-flask \
        apache2-bin libapache2-mod-wsgi-py3 \
        postgresql-15 python3-psycopg2 mariadb-server-core python3-pymysql \
        memcached python3-pymemcache ;;
    clickhouse) build clickhouse clickhouse-server bookworm clickhouse-server tzdata ;;
    zookeeper) build zookeeper zookeeper bookworm zookeeper openjdk-17-jre-headless ;;
    otlp) build otlp libopentelemetry-proto-dev "forky sid" libopentelemetry-proto-dev ;;
    chdb) build_chdb ;;
    victoria) build victoria victoria-metrics "forky sid" victoria-metrics ;;
    otelcol) build_otelcol sid ;;
    py313t) build_source py313t python3.13 "trixie forky sid" ;;
    py314t) build_source py314t python3.14 "forky sid" ;;
    esac
}

main() {
    local want name all='py39 py311 py313 py314 py315 sites clickhouse' wanted=' '
    local built='py313t py314t otlp otelcol victoria zookeeper chdb'
    local names=() jobs=() job status=0
    [ $# -gt 0 ] || set -- all
    for want in "$@"; do
        case $want in
        web) wanted+='py315 ' ;;
        all) wanted+="$all " ;;
        *)
            [[ " $all $built " = *" $want "* ]] ||
                die "usage: tests/fetch.sh [${all// /|}|web|${built// /|}|all]..."
            wanted+="$want "
            ;;
        esac
    done
    command -v apt-get >/dev/null || die "needs a Debian machine (no apt-get here)"
    mkdir -p "$cache" 2>/dev/null || die "cannot make $cache"
    # apt takes no relative directories.
    cache=$(cd "$cache" && pwd -P)
    need_tools
    for name in $all $built; do
        [[ $wanted != *" $name "* ]] || names+=("$name")
    done
    # All at once: one waits for the mirror while another unpacks.
    for name in "${names[@]}"; do
        root_of "$name" >/dev/null &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job" || status=1; done
    [ $status = 0 ] || exit $status
    for name in "${names[@]}"; do root_of "$name"; done
}

[ "${BASH_SOURCE[0]}" != "$0" ] || main "$@"
