# shellcheck shell=bash
# The project's own virtual environment, for scripts/run, scripts/test and .ci/run.
# Works with bash 3.2 (macOS) and with spaces in the path.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
python="$root/.venv/bin/python"
cd "$root" || exit 1

# The interpreter is always called by its path, with -m: the scripts that pip writes carry the path
# of the day they were installed and break when the folder moves. FLASK_APP and a .env meant for
# compose must not decide what flask does here.
export FLASK_APP=wsgi.py FLASK_SKIP_DOTENV=1

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
        "Install it, or name it: PYTHON=/path/to/python3.11 $0"
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
    "$base" -m venv --clear .venv || fail "The virtual environment could not be made in $root/.venv."
}

# install FILE: brings .venv up to the pins in FILE, once per content of FILE.
install() {
    local stamp=".venv/$1.stamp" sum
    sum=$(cksum <"$1")
    if [ "$sum" = "$(cat "$stamp" 2>/dev/null)" ]; then
        return
    fi
    echo "Installing $1 (once, about a minute) …" >&2
    "$python" -m pip install -qq --disable-pip-version-check -r "$1" ||
        fail "The packages of $1 could not be installed; pip says why above."
    printf '%s\n' "$sum" >"$stamp"
}
