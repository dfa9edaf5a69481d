"""docker-entrypoint.sh as a process, with stand-ins for gunicorn and flask that write down what they see."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

SHELLS = [shell for shell in ("dash", "bash") if shutil.which(shell)] or ["sh"]
LIMIT_SECONDS = 60


# The second line starts the interpreter for the shell and is a string for the interpreter: a path
# with spaces cannot stand in the first one.
GUNICORN = f"""#!/bin/sh
"exec" "{sys.executable}" "$0" "$@"
import os, signal, sys
draining = lambda: os.path.exists(os.environ["DRAIN_FILE"])
say = lambda *words: os.write(1, (" ".join(words) + "\\n").encode())  # print() refuses to interrupt itself
def stop(number, frame):
    say("stopped by", signal.Signals(number).name, "draining" if draining() else "at once")
    sys.exit(7)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(9))
say("serving", str(os.getpid()), "draining" if draining() else "ready", *sys.argv[1:])
while True:
    signal.pause()
"""
FLASK = """#!/bin/sh
echo "flask $*"
exit "${FLASK_CODE:-0}"
"""
Start = Callable[..., "subprocess.Popen[str]"]


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def kill(process: subprocess.Popen[str]) -> None:
    """The group: what the shell has started holds the pipe open, too."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def environment(folder: Path, extra: Mapping[str, str]) -> dict[str, str]:
    # The stand-ins come first; the interpreter's own folder is where the packages are found.
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    base = {"PATH": path, "HOME": str(folder), "VIRTUAL_ENV": sys.prefix, "FLASK_ENV": "testing"}
    secret = {"JWT_SECRET": "a secret that is long enough for every environment"}
    return {**base, **secret, "DRAIN_FILE": str(folder / "draining"), "DRAIN_SECONDS": "0", **extra}


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def rest_of(process: subprocess.Popen[str]) -> str:
    return process.communicate()[0]
