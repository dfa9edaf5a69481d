#!/usr/bin/env bash
# Lints openapi.yml with Redocly and Spectral.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
tools="$("$here/install.sh")/node_modules/.bin"
cd "$here/../.."
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true NODE_NO_WARNINGS=1

"$tools/redocly" lint openapi.yml --config "$here/redocly.yaml" --max-problems 20 2>&1 | grep -v '[║╔╚]'
"$tools/spectral" lint openapi.yml --ruleset "$here/spectral.yaml" --fail-severity warn
