"""The processes of a fleet: each makes requests when told to start. Settings come from the environment."""

import json
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TextIO

from flask import Flask

from app import create_app
from app.accounts.auth import throttle
from app.config.environment import load_settings
from app.core.jobs.worker import Worker
from tests.across.races.fleet import THREADS


def main() -> None:
    """Import the service once, and become one process for each socket among the arguments."""
    sockets = [int(number) for number in sys.argv[1:]]
    for own in sockets:
        if os.fork() == 0:
            # A member that holds the socket of another hides its end.
            for other in sockets:
                if other != own:
                    os.close(other)
            _serve(socket.socket(fileno=own).makefile("rw"))
            # Nothing is left to be tidied up, and an interpreter takes its time over that.
            os._exit(0)
    for number in sockets:
        os.close(number)
    for _ in sockets:
        os.wait()


def _serve(fleet: TextIO) -> None:
    # Two seconds may be too short for twenty sign-ins on a busy machine.
    throttle.MAX_WAIT = 30.0
    app = create_app(load_settings())
    crowd, alone = ThreadPoolExecutor(THREADS), ThreadPoolExecutor(1)
    for command in fleet:
        is_crowded, wishes = json.loads(command)
        crew = crowd if is_crowded else alone
        _say(fleet, "ready")
        fleet.readline()
        _say(fleet, list(crew.map(lambda wish: _ask(app, **wish), wishes)))


def _say(fleet: TextIO, what: Any) -> None:
    fleet.write(json.dumps(what) + "\n")
    fleet.flush()


def _ask(app: Flask, method: str, path: str, values: Any, headers: dict[str, str]) -> list[Any]:
    if method == "WORK":
        return [200, Worker(app, retries=(timedelta(0),) * 20).drain(), None]
    client = app.test_client(use_cookies=False)
    # A text is a body as it stands, in the media type that its headers say.
    body = {"data": values} if isinstance(values, str) else {"json": values}
    answer = client.open(path, method=method, headers=headers, **body)
    return [answer.status_code, answer.get_json(silent=True), answer.headers.get("ETag")]


if __name__ == "__main__":
    main()
