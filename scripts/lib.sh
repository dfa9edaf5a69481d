# shellcheck shell=bash
# Functions for the project's virtual environment, used by scripts/run, scripts/test and .ci/run.
# Works with bash 3.2 (macOS) and with spaces in the path.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
python="$root/.venv/bin/python"
cd "$root" || exit 1

# The interpreter is called by its path, with -m. Scripts installed by pip contain the absolute path
# of the folder and break when it moves. FLASK_APP and a .env for compose must not affect flask here.
export FLASK_APP=wsgi.py FLASK_SKIP_DOTENV=1
# Many processes import the application and the tests: each would compile them anew.
unset PYTHONDONTWRITEBYTECODE

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

is_usable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

has_pip() {
    "$1" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("pip") is None)' >/dev/null 2>&1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 python; do
        if is_usable "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed; found: $(python3 --version 2>/dev/null || echo none)." \
        "Install it, or set its path: PYTHON=/path/to/python3.11 $0"
}

ensure_venv() {
    if is_usable "$python" && has_pip "$python"; then
        return
    fi
    local base
    base=$(find_python)
    "$base" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$base has no venv module. On Debian and Ubuntu: apt install python3-venv"
    echo "Creating .venv …" >&2
    "$base" -m venv --clear .venv || fail "Cannot create the virtual environment in $root/.venv."
}

# install FILE: installs the pinned packages of FILE, once per content of FILE.
install() {
    local stamp=".venv/$1.stamp" sum
    sum=$(cksum <"$1")
    if [ "$sum" = "$(cat "$stamp" 2>/dev/null)" ]; then
        return
    fi
    echo "Installing $1 (once, about a minute) …" >&2
    "$python" -m pip install -qq --disable-pip-version-check -r "$1" ||
        fail "Cannot install the packages of $1; pip prints the reason above."
    printf '%s\n' "$sum" >"$stamp"
}
