#!/bin/sh
# Make this machine able to run the project: ./demo and ./test call it. Safe to run again and again.
#
#   sh deploy/bootstrap.sh          what the product needs
#   sh deploy/bootstrap.sh dev      and what its tests need
#
# Written for a bare Debian 12 with Python 3.11. It says what it installs before it does, starts no service, and leaves
# every server that runs on this machine alone: the private ones are children of the command that needs them.
set -eu

cd "$(dirname "$0")/.."
kind=${1:-run}
venv=.venv

say() { printf '==> %s\n' "$*"; }

give_up() {
    printf 'cannot go on: %s\n' "$*" >&2
    exit 69
}

# Silent unless it fails: then everything it said.
quietly() {
    said=$("$@" 2>&1) || {
        printf '%s\n' "$said" >&2
        give_up "this failed: $*"
    }
}

find_python() {
    for candidate in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

can_make_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

has_postgres() {
    for server in /usr/lib/postgresql/*/bin/postgres; do
        [ -x "$server" ] && return
    done
    command -v postgres >/dev/null 2>&1 && command -v initdb >/dev/null 2>&1
}

has_rabbitmq() { [ -e /usr/lib/rabbitmq/bin/rabbitmq-server ]; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# dpkg asks policy-rc.d before it starts a service. A rule of the machine's own is put aside and comes back.
forbid_service_starts() {
    if [ -e /usr/sbin/policy-rc.d ] && [ ! -e /usr/sbin/policy-rc.d.kept ]; then
        as_root mv /usr/sbin/policy-rc.d /usr/sbin/policy-rc.d.kept
    fi
    trap allow_service_starts EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
    as_root chmod 755 /usr/sbin/policy-rc.d
}

allow_service_starts() {
    as_root rm -f /usr/sbin/policy-rc.d
    if [ -e /usr/sbin/policy-rc.d.kept ]; then
        as_root mv /usr/sbin/policy-rc.d.kept /usr/sbin/policy-rc.d
    fi
    trap - EXIT INT TERM HUP
}

# Debian's package makes and starts a cluster on the well-known port unless it is told not to beforehand.
forbid_main_cluster() {
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        as_root mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
}

install_packages() {
    if ! command -v apt-get >/dev/null 2>&1; then
        give_up "please install the equivalents of Debian's: $*"
    fi
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null 2>&1; then
        give_up "as root: apt-get install --no-install-recommends $* (or set DATABASE_URL and AMQP_URL to servers of yours)"
    fi
    say "Installing Debian packages: $* (no service is started)"
    forbid_service_starts
    case " $* " in *" postgresql-15 "*) forbid_main_cluster ;; esac
    quietly as_root apt-get update
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        -o Dpkg::Options::=--force-confold "$@"
    case " $* " in *" rabbitmq-server "*) forbid_start_at_boot ;; esac
    allow_service_starts
}

# The package was not there before, so nobody on this machine counts on its service.
forbid_start_at_boot() {
    if command -v systemctl >/dev/null 2>&1; then
        as_root systemctl disable rabbitmq-server.service epmd.service epmd.socket >/dev/null 2>&1 || true
    fi
}

install_missing() {
    missing=
    python=$(find_python)
    if [ ! -x "$venv/bin/python" ]; then
        if [ -z "$python" ]; then
            missing="python3 python3-venv"
        elif ! can_make_venv "$python"; then
            missing="python3-venv"
        fi
    fi
    if [ -z "${DATABASE_URL:-}" ] && ! has_postgres; then missing="$missing postgresql-15"; fi
    if [ -z "${AMQP_URL:-}" ] && ! has_rabbitmq; then missing="$missing rabbitmq-server"; fi
    # shellcheck disable=SC2086 # a list of words on purpose
    if [ -n "$missing" ]; then install_packages $missing; fi
}

# python3-venv serves Debian's own Python: another one without ensurepip gives way to it.
python_with_venv() {
    for candidate in "$(find_python)" /usr/bin/python3; do
        if [ -n "$candidate" ] && can_make_venv "$candidate"; then
            echo "$candidate"
            return
        fi
    done
}

make_venv() {
    if [ -x "$venv/bin/python" ] && "$venv/bin/python" -c '' 2>/dev/null; then return; fi
    python=$(python_with_venv)
    [ -n "$python" ] || give_up "no Python of at least 3.11 with venv was found"
    say "Creating $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
}

install_requirements() {
    lists="-r requirements.txt"
    if [ "$kind" = dev ]; then lists="$lists -r requirements-dev.txt"; fi
    stamp=$(cat requirements.txt requirements-dev.txt | cksum)
    for done in "$venv/installed-$kind" "$venv/installed-dev"; do
        if [ "$(cat "$done" 2>/dev/null)" = "$stamp" ]; then return; fi
    done
    say "Installing the pinned Python packages into $venv"
    [ -x "$venv/bin/uv" ] || "$venv/bin/python" -m pip install -qq --disable-pip-version-check uv
    # shellcheck disable=SC2086 # a list of words on purpose
    UV_PYTHON_DOWNLOADS=never "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --require-hashes $lists
    echo "$stamp" >"$venv/installed-$kind"
}

install_missing
make_venv
install_requirements
