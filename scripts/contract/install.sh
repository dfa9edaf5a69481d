#!/usr/bin/env bash
# Installs the linters of openapi.yml and the generators of clients, once, into .contract, and prints where they are.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
version=$(cat "$here/package.json" "$here/requirements.txt" | cksum | cut -d ' ' -f 1)
folder="$root/.contract/$version"

if [ ! -e "$folder/complete" ]; then
    if ! command -v npm >/dev/null; then
        echo "The linters and the TypeScript generator are packages of npm, and there is no npm here." >&2
        exit 1
    fi
    mkdir -p "$root/.contract"
    # Aside first: two runs at once must not see each other's half of it.
    aside=$(mktemp -d "$root/.contract/install.XXXXXX")
    trap 'rm -rf "$aside"' EXIT
    cp "$here/package.json" "$aside"
    npm install --prefix "$aside" --no-audit --no-fund --no-package-lock --loglevel error >&2
    "${PYTHON:-$root/.venv/bin/python}" -m pip install -qq --disable-pip-version-check --target "$aside/python" \
        -r "$here/requirements.txt" >&2
    touch "$aside/complete"
    mv "$aside" "$folder" 2>/dev/null || [ -e "$folder/complete" ]
fi
printf '%s\n' "$folder"
