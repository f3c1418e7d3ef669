#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Serves shop.py on 127.0.0.1 with gunicorn, on Debian's own Python 3.15:
#
#   tests/web/serve.sh PORT WORKERS [GUNICORN-OPTION]...
#
# Stays in the foreground as gunicorn's master process, with this script's process id.
set -euo pipefail

[ $# -ge 2 ] || { echo "usage: tests/web/serve.sh PORT WORKERS [GUNICORN-OPTION]..." >&2; exit 2; }
port=$1 workers=$2
shift 2
cd "$(dirname "$0")"
root=$(../fetch.sh web)
exec "$root/enter" python3.15 -m gunicorn --bind "127.0.0.1:$port" --workers "$workers" \
    --no-control-socket "$@" shop:app
