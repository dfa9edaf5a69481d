#!/bin/sh
# Prepares the service, and stops it without losing requests. env.example describes the variables.
set -eu

command=${1:?A command is needed, such as: gunicorn -b 0.0.0.0:5000 wsgi:app}
if [ "${command##*/}" != gunicorn ]; then
    exec "$@"
fi

DRAIN_FILE=${DRAIN_FILE:-/tmp/identity-draining}
export DRAIN_FILE
rm -f "$DRAIN_FILE"

child=
nap=
serving=no
draining=no
signals=0

# /health/ready answers 503 while the file exists, so the load balancer moves its traffic. gunicorn gets
# the signal only afterwards, because it closes its listeners at once. A second signal ends the draining.
# Nothing in here may block: the shell runs it between two waits. dash lets a signal interrupt it, too, so
# what a second one reads is set before anything else happens.
# shellcheck disable=SC2329
on_signal() {
    signals=$((signals + 1))
    if [ "$serving" = yes ] && [ "$draining" = no ]; then
        draining=yes
        printf '' >"$DRAIN_FILE" || true
        { sleep "${DRAIN_SECONDS:-5}" || true; kill -TERM "$child" || true; } >/dev/null 2>&1 &
        nap=$!
    elif [ -n "$child" ]; then
        kill -TERM "$child" 2>/dev/null || true
    fi
}

# start COMMAND…: passes on a signal that arrived before the child had a process id.
start() {
    "$@" &
    child=$!
    if [ "$signals" -ne 0 ]; then
        kill -TERM "$child" 2>/dev/null || true
    fi
}

# await: sets status to the exit code of the child. A code above 128 may only mean that a signal ended
# the shell's wait, so wait again. 127 (bash: -1) means that the shell no longer knows the child; then
# the previous code stands.
await() {
    status=127
    while :; do
        seen=$signals
        code=0
        wait "$child" 2>/dev/null || code=$?
        case "$code" in
            127 | -1) break ;;
        esac
        status=$code
        if [ "$code" -le 128 ] || [ "$signals" -eq "$seen" ]; then
            break
        fi
    done
    child=
}

# prepare COMMAND…: runs a step that must succeed before the service starts.
prepare() {
    start "$@"
    await
    [ "$status" -eq 0 ] || exit "$status"
    [ "$signals" -eq 0 ] || exit 143
}

trap on_signal TERM INT

if [ "${WAIT_FOR_DB:-false}" = true ]; then
    prepare python -m scripts.wait_for_database
fi
if [ "${RUN_MIGRATIONS:-false}" = true ]; then
    prepare flask db upgrade
    if [ -n "${MIGRATION_DATABASE_URL:-}" ]; then
        prepare flask db grant
    fi
    prepare flask guardian sync
fi
# The processes that serve have no use for the owner's password.
unset MIGRATION_DATABASE_URL

start "$@"
serving=yes
await
if [ -n "$nap" ]; then
    kill "$nap" 2>/dev/null || true
fi
exit "$status"
