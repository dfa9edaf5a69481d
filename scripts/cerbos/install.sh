#!/usr/bin/env bash
# Installs the Cerbos server of the tests into .cerbos, once, and prints its path.
set -euo pipefail

version=0.51.0
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
folder="$root/.cerbos"

installed() {
    find "$folder/$version" -type f -path '*/@cerbos/cerbos-*/cerbos-*' 2>/dev/null | head -n 1
}

if [ -z "$(installed)" ]; then
    if ! command -v npm >/dev/null; then
        echo "Cerbos is an npm package, and npm is not installed." >&2
        exit 1
    fi
    mkdir -p "$folder"
    # Install into a temporary folder: two simultaneous runs must not see partial installations.
    aside=$(mktemp -d "$folder/install.XXXXXX")
    trap 'rm -rf "$aside"' EXIT
    npm install --prefix "$aside" --no-save --no-audit --no-fund --loglevel error "cerbos@$version" >&2
    mkdir -p "$folder/$version"
    mv "$aside/node_modules" "$folder/$version/" 2>/dev/null || [ -n "$(installed)" ]
fi
installed
