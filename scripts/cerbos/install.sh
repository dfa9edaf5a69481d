#!/usr/bin/env bash
# Installs the Cerbos server that the tests run against, once, into .cerbos, and prints where it is.
set -euo pipefail

version=0.51.0
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
folder="$root/.cerbos"

installed() {
    find "$folder/$version" -type f -path '*/@cerbos/cerbos-*/cerbos-*' 2>/dev/null | head -n 1
}

if [ -z "$(installed)" ]; then
    if ! command -v npm >/dev/null; then
        echo "Cerbos comes as a package of npm, and there is no npm here." >&2
        exit 1
    fi
    mkdir -p "$folder"
    # Aside first: two runs at once must not see each other's half of it.
    aside=$(mktemp -d "$folder/install.XXXXXX")
    trap 'rm -rf "$aside"' EXIT
    npm install --prefix "$aside" --no-save --no-audit --no-fund --loglevel error "cerbos@$version" >&2
    mkdir -p "$folder/$version"
    mv "$aside/node_modules" "$folder/$version/" 2>/dev/null || [ -n "$(installed)" ]
fi
installed
