"""One process of a fleet: makes requests when told to start. Settings come from its environment."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, TextIO

from flask import Flask

from app import create_app
from app.config import load_settings


def main() -> None:
    commands, answers = sys.stdin, _private_stdout()
    app = create_app(load_settings())
    for command in commands:
        wishes = json.loads(command)
        _say(answers, "ready")
        commands.readline()
        _say(answers, [_ask(app, **wish) for wish in wishes])


def _private_stdout() -> TextIO:
    """The log goes to standard output; the answers must not meet it there."""
    found = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return found


def _say(answers: TextIO, what: Any) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


def _ask(app: Flask, method: str, path: str, values: Any, headers: dict[str, str]) -> list[Any]:
    client = app.test_client(use_cookies=False)
    answer = client.open(path, method=method, json=values, headers=headers)
    return [answer.status_code, answer.get_json(silent=True), answer.headers.get("ETag")]


if __name__ == "__main__":
    main()
