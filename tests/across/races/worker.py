"""One process of a fleet: makes requests when told to start. Settings come from its environment."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TextIO

from flask import Flask

from app import create_app
from app.config.environment import load_settings
from app.core.jobs.worker import Worker
from tests.across.races.fleet import THREADS


def main() -> None:
    commands, answers = sys.stdin, _private_stdout()
    app = create_app(load_settings())
    crew = ThreadPoolExecutor(int(os.environ[THREADS]))
    for command in commands:
        wishes = json.loads(command)
        _say(answers, "ready")
        commands.readline()
        _say(answers, list(crew.map(lambda wish: _ask(app, **wish), wishes)))


def _private_stdout() -> TextIO:
    """The log goes to standard output; the answers must not meet it there."""
    found = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return found


def _say(answers: TextIO, what: Any) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


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
